"""Preparation: what is stored, what is left out and why, and that it survives being killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest

import har.data.framestore.extraction as extract
import har.data.framestore.staging as prepared
from har.data.augment import CropMargin
from har.data.framestore.encoding import encode_frames
from har.data.framestore.folder import open_prepared
from har.data.ntu.prepare import prepare_ntu
from har.data.ntu.sample import Settings
from har.data.processes import run_in_processes
from har.errors import DatasetNotFoundError, HarError
from tests.helpers.golden import real_path
from tests.helpers.ntu_files import gray_level, write_sample, write_skeleton, write_video

NAMES = [f"S00{s}C001P00{p}R001A0{a:02d}" for s in (1, 2) for p in (1, 3) for a in (1, 43)]


def prepare(root: Path, **options: Any) -> extract.PrepareReport:
    return prepare_ntu(root, root, root / "prepared", **{"workers": 0, **options})


def content(output: Path) -> dict[str, list[Any]]:
    """Everything that the shards and the index of a prepared folder hold."""
    found = {}
    for path in [*sorted((output / "frames").glob("*")), output / "index.h5"]:
        with h5py.File(path) as file:
            found[path.name] = [(key, file[key][:].tolist()) for key in sorted(file)]
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ntu")
    for name in NAMES:
        write_sample(root, name)
    return root


@pytest.fixture(scope="module")
def undisturbed(files: Path) -> dict[str, list[Any]]:
    output = files.parent / "undisturbed"
    report = prepare_ntu(files, files, output, workers=0)
    assert (report.done, report.skipped, report.warnings) == (8, {}, {})
    return content(output)


def test_frames_and_annotations_belong_together(tmp_path: Path) -> None:
    write_sample(tmp_path / "ntu" / "any" / "folder", "S001C001P001R001A001")
    report = prepare(tmp_path / "ntu")
    assert (report.done, report.frames) == (1, 5)
    index, store = open_prepared(tmp_path)
    assert (len(index), index.settings["stride"], index.frame_size(0)) == (1, 2, (32, 24))
    annotation = index.annotation(0)
    assert index.frame_numbers(index.names[0].decode()).tolist() == [0, 2, 4, 6, 8]
    assert annotation.joints_px[:, 0].tolist() == [[10, 20], [12, 24], [14, 28], [16, 32], [18, 36]]
    np.testing.assert_allclose(annotation.depth_mm, 3000)
    images = store.read("S001C001P001R001A001", [4, 0, 4])
    assert [image.shape for image in images] == [(24, 32, 3)] * 3
    for image, frame in zip(images, (8, 0, 8), strict=True):
        assert abs(float(image.mean()) - gray_level(frame)) < 3


def test_stride_and_scale(tmp_path: Path) -> None:
    write_sample(tmp_path, "S001C001P001R001A001")
    prepare(tmp_path, stride=1, scale=1.0)
    index, store = open_prepared(tmp_path)
    assert (index.settings["stride"], index.frame_size(0), index.num_frames.tolist()) == (
        1,
        (64, 48),
        [9],
    )
    assert abs(float(store.read("S001C001P001R001A001", [7])[0].mean()) - gray_level(7)) < 3
    with pytest.raises(HarError, match=r"was prepared with .*'stride': 1"):
        prepare(tmp_path, stride=2)


def test_every_bad_input_is_named_and_stops_nothing(tmp_path: Path) -> None:
    videos, skeletons = tmp_path / "v", tmp_path / "s"
    reasons = {
        "cut video": "",
        "zero-byte video": "empty video file",
        "junk video": "unreadable video",
        "text video": "unreadable video",
        "black video": "black video",
        "short video": "frame count mismatch",
        "shorter video": "",
        "long video": "",
        "cut skeleton": "bad skeleton file",
        "no body": "no body in any frame",
        "NaN": "",
        "seven bodies": "",
        "24 joints": "bad skeleton file",
        "junk skeleton": "bad skeleton file",
        "not UTF-8": "bad skeleton file",
        "empty skeleton": "bad skeleton file",
        "no skeleton": "no skeleton file",
        "good": "",
    }
    names = {what: f"S001C001P{i + 1:03d}R001A001" for i, what in enumerate(reasons)}
    video = {what: videos / f"{name}_rgb.avi" for what, name in names.items()}
    skeleton = {what: skeletons / f"{name}.skeleton" for what, name in names.items()}
    for what in reasons:
        write_video(video[what], 20, black=what == "black video")
        write_skeleton(skeleton[what], 20, bodies=7 if what == "seven bodies" else 1)
    for what, frames in (("short video", 3), ("shorter video", 15), ("long video", 26)):
        write_video(video[what], frames)
    data = video["cut video"].read_bytes()
    video["cut video"].write_bytes(data[: len(data) * 3 // 4])
    video["zero-byte video"].write_bytes(b"")
    video["junk video"].write_bytes(np.random.default_rng(0).bytes(5000))
    video["text video"].write_text("404: not found")
    text = skeleton["cut skeleton"].read_bytes()
    skeleton["cut skeleton"].write_bytes(text[: len(text) // 2])
    write_skeleton(skeleton["no body"], 20, bodies=0)
    skeleton["NaN"].write_bytes(text.replace(b" 11 22 ", b" NaN NaN "))
    write_skeleton(skeleton["24 joints"], 20, joints=24)
    skeleton["junk skeleton"].write_bytes(np.random.default_rng(1).bytes(5000))
    skeleton["not UTF-8"].write_bytes("zwölf".encode("latin-1"))
    skeleton["empty skeleton"].write_bytes(b"")
    skeleton["no skeleton"].unlink()
    missing = "S001C002P005R002A008"
    write_video(videos / f"{missing}_rgb.avi", 20)
    write_skeleton(skeletons / f"{missing}.skeleton", 20)

    report = prepare_ntu(videos, skeletons, tmp_path / "out", workers=2)
    expected = {names[what]: reason for what, reason in reasons.items() if reason}
    expected[missing] = "on the official list of missing skeletons"
    assert report.skipped == expected
    assert report.done == len(reasons) + 1 - len(expected)
    odd = {"cut video", "shorter video", "long video", "NaN", "seven bodies"}
    assert set(report.warnings) == {names[what] for what in odd}
    assert report.warnings[names["shorter video"]] == "the video has 15 frames, the skeleton 20"
    assert report.warnings[names["NaN"]] == "NaN for 1 of 500 joints"
    assert report.warnings[names["seven bodies"]] == "7 bodies in a frame, the Kinect tracks 6"
    assert str(skeleton["24 joints"]) in report.details[names["24 joints"]]
    saved = json.loads((tmp_path / "out" / "prepare_report.json").read_text())
    assert saved["skipped"] == expected
    again = prepare_ntu(videos, skeletons, tmp_path / "out", workers=0)
    assert (again.done, again.kept) == (0, report.done)
    assert (again.skipped, again.warnings) == (report.skipped, report.warnings)


def _dies(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_decoder_that_dies_takes_nobody_with_it() -> None:
    results = run_in_processes(_dies, list(range(8)), lambda number: -number, workers=2)
    assert sorted(results) == [-3, 0, 1, 2, 4, 5, 6, 7]


_RUN = """
import sys
from pathlib import Path
from har.data.ntu.prepare import prepare_ntu

if __name__ == "__main__":
    tell = lambda done, total, **_: print(done, flush=True)
    files, output = map(Path, sys.argv[1:])
    prepare_ntu(files, files, output, workers=2, progress=tell)
"""


def test_killed_and_resumed_is_the_same(
    files: Path, undisturbed: dict[str, list[Any]], tmp_path: Path
) -> None:
    script, output = tmp_path / "run.py", tmp_path / "out"
    script.write_text(_RUN)
    for stop_after in (2, 5):
        command = [sys.executable, str(script), str(files), str(output)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        while int(process.stdout.readline()) < stop_after:
            pass
        started = _children(process.pid)
        assert len(started) >= 2
        process.kill()
        process.wait()
        deadline = time.monotonic() + 10
        while any(_alive(pid) for pid in started):  # nobody goes on without its parent
            assert time.monotonic() < deadline
            time.sleep(0.05)
    report = prepare_ntu(files, files, output, workers=0)
    assert report.kept >= 5
    assert report.done + report.kept == len(NAMES)
    assert content(output) == undisturbed
    assert list((output / "staging").iterdir()) == []


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("this system does not tell a process's children")
    return [int(child) for child in children.read_text().split()]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.parametrize("step", ["write_index", "merge_shards"])
def test_stopped_at_the_end_and_resumed_is_the_same(
    step: str,
    files: Path,
    undisturbed: dict[str, list[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Everything is extracted, but not yet put together, or not yet in an index that exists."""
    prepare_ntu(files, files, tmp_path, setups=[1], workers=0)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prepared, step, killed)
        with pytest.raises(KeyboardInterrupt):
            prepare_ntu(files, files, tmp_path, workers=0)
    report = prepare_ntu(files, files, tmp_path, workers=0)
    assert (report.done, report.kept) == (0, 8)
    assert content(tmp_path) == undisturbed


def test_leftovers_of_a_crash_are_redone(
    files: Path, undisturbed: dict[str, list[Any]], tmp_path: Path
) -> None:
    (tmp_path / "staging" / "S001").mkdir(parents=True)
    (tmp_path / "staging" / "S001" / f"{NAMES[0]}.h5").write_bytes(b"")
    (tmp_path / "staging" / "S001" / f".{NAMES[1]}.0.partial.h5").write_bytes(b"half")
    assert prepare_ntu(files, files, tmp_path, workers=0).done == 8
    assert content(tmp_path) == undisturbed


def test_parts_and_jobs_give_the_whole(
    files: Path, undisturbed: dict[str, list[Any]], tmp_path: Path
) -> None:
    jobs, parts = tmp_path / "jobs", tmp_path / "parts"
    for part in range(3):
        prepare_ntu(files, files, jobs, shard=(part, 3), workers=0)
    assert content(jobs) == undisturbed
    assert len(list(jobs.glob("prepare_report_*_of_3.json"))) == 3
    for action in (43, 1):
        assert prepare_ntu(files, files, parts, actions=[action], workers=0).done == 4
    assert content(parts) == undisturbed


def test_a_job_leaves_the_others_files_alone(files: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "staging" / "S002" / ".S002C001P001R001A001.0.partial.h5"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"being written")
    prepare_ntu(files, files, tmp_path, shard=(0, 2), workers=0)
    assert theirs.exists()
    prepare_ntu(files, files, tmp_path, shard=(1, 2), workers=0)
    assert not theirs.exists()


def test_full_disks_are_refused_before_and_told_during(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(
            extract.shutil, "disk_usage", lambda _: extract.shutil._ntuple_diskusage(9, 9, 9)
        )
        with pytest.raises(HarError, match=r"8 videos need about .* free: make room"):
            prepare_ntu(files, files, tmp_path, workers=0)
    with monkeypatch.context() as patch:
        patch.setattr(extract, "stage", full)
        with pytest.raises(HarError, match="No space left on device"):
            prepare_ntu(files, files, tmp_path, workers=0)
    assert prepare_ntu(files, files, tmp_path, workers=0).done == 8


def test_missing_data_says_what_to_do(tmp_path: Path) -> None:
    commands = r"python -m har\.prepare synthetic paths\.data_dir=\S+.*python -m har\.prepare ntu"
    with pytest.raises(DatasetNotFoundError, match=f"no video.*{commands}"):
        prepare(tmp_path)
    write_video(tmp_path / "S001C001P001R001A001_rgb.avi", 5)
    with pytest.raises(DatasetNotFoundError, match=f"no \\*.skeleton.*{commands}"):
        prepare(tmp_path)
    with pytest.raises(DatasetNotFoundError, match=f"no prepared/index.h5.*{commands}"):
        open_prepared(tmp_path)


def test_an_extraction_of_the_original_is_read_where_it_lies(tmp_path: Path) -> None:
    root = tmp_path / "ntu"
    names = ["S001C001P001R001A001", "S001C001P002R001A002", "S001C001P003R001A003"]
    annotations = root / "nturgb+d_numpy"
    annotations.mkdir(parents=True)
    numbers = np.array([3, 4, 5, 8, 9])  # frames without a body are left out
    rows = np.zeros((5, 151))
    rows[:, 0] = numbers
    rows[:, 76:101], rows[:, 101:126], rows[:, 126:] = 100 + numbers[:, None], 200, 3000
    for name in names:
        np.save(annotations / f"{name}.npy", rows)
    for name in names[:2]:
        (root / "images-small" / name).mkdir(parents=True)
        for number in numbers:
            image = np.full((24, 32, 3), gray_level(number), np.uint8)
            cv2.imwrite(str(root / "images-small" / name / f"{number:05d}.jpg"), image)
    (root / "images-small" / names[1] / "00009.jpg").unlink()
    with pytest.raises(HarError, match=r"images-small holds whole frames.*needs the videos"):
        prepare(root, margin=CropMargin())
    assert prepare(root).done == 2
    tmp_path.rename(moved := tmp_path.with_name(tmp_path.name + "_moved"))
    index, store = open_prepared(moved)
    assert index.names.tolist() == [name.encode() for name in names[:2]]
    assert index.num_frames.tolist() == [3, 2]
    assert index.frame_numbers(index.names[0].decode()).tolist() == [2, 4, 8]
    assert index.annotation(0).joints_px[:, 0, 0].tolist() == [103, 105, 109]
    levels = [float(image.mean()) for image in store.read(names[0], [0, 1, 2])]
    np.testing.assert_allclose(levels, [gray_level(n) for n in (3, 5, 9)], atol=3)
    moved.rename(tmp_path)


@pytest.mark.parametrize("name", ["S001C001P001R001A001_rgb.avi", "S004C002P003R002A048_rgb.avi"])
def test_real_videos_of_either_encoding(name: str) -> None:
    from PIL import Image

    path = real_path(f"ntu/videos/{name}")
    keep = lambda number, _: number < 10 and number % 2 == 0  # noqa: E731
    frames = encode_frames(path, Settings().size_of, 95, keep=keep, limit=12)
    assert frames.size == (960, 540)
    assert len(frames.jpegs) == 5
    assert frames.num_read == 12
    np.testing.assert_allclose(frames.times_s, np.arange(0, 10, 2) / 30, atol=1e-3)
    capture = cv2.VideoCapture(str(path))
    full = capture.read()[1][..., ::-1]
    original = np.asarray(Image.fromarray(full).resize((960, 540), Image.Resampling.BICUBIC))
    ours = cv2.imdecode(frames.jpegs[0], cv2.IMREAD_COLOR_RGB)
    assert np.abs(original.astype(float) - ours).mean() < 1.5
