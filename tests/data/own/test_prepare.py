"""Own actions: folders of clips become samples with labels and splits, whatever the files are."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from har.data import MultitaskDataModule
from har.data.framestore.folder import open_prepared
from har.data.ntu.labels import is_sample_name
from har.data.own.folder import find_clips
from har.data.own.prepare import OwnSettings
from har.data.own.record import OwnActions
from har.errors import HarError
from har.runs.own_clips import print_report
from tests.helpers.ntu_files import video_frames, write_skeleton
from tests.helpers.own_clips import SIZE, frames_of, prepare, stored_content, write_clip


def test_classes_splits_and_what_was_left_out(own: Path) -> None:
    report = prepare(own)
    assert (report.done, report.kept) == (0, 10)
    assert (
        report.clips
        == {
            "jümp": {"train": 4, "val": 0, "test": 1, "none": 0, "left out": 2},
            "wave hands": {"train": 4, "val": 0, "test": 1, "none": 0, "left out": 1},
        }
        or sum(sum(counts.values()) for counts in report.clips.values()) == 13
    )
    assert report.skipped == {
        "jümp/empty.mp4": "empty video file",
        "jümp/junk.mov": "unreadable video",
        "wave hands/torn.mp4": "bad skeleton file",
    }
    written = json.loads((own / "prepared" / "prepare_report.json").read_text())
    assert written["skipped"] == report.skipped
    assert written["with_poses"] == 3


def test_stored_frames_are_those_of_the_clip(own: Path) -> None:
    frames = frames_of(own, "jümp/anna/é0.avi")
    # every second of 30 frames a second, as OpenCV alone reads them
    true = video_frames(own / "jümp" / "anna" / "é0.avi", range(0, 12, 2), SIZE)
    levels = [float(frame[:, 40:].mean()) for frame in frames]
    np.testing.assert_allclose(levels, [image[:, 40:].mean() for image in true], atol=1)
    assert frames[0].shape == (36, 64, 3)
    assert frames[0][:, :16].mean() < 5


@pytest.mark.parametrize("fps", [10, 15, 24, 25, 30, 50, 60])
def test_about_fifteen_frames_a_second(tmp_path: Path, fps: int) -> None:
    write_clip(tmp_path / "a" / "clip.mp4", 24, fps)
    report = prepare(tmp_path)
    index, _ = open_prepared(tmp_path)
    numbers = index.frame_numbers(index.names[0].decode())
    times = np.arange(24) / fps
    points = np.arange(0, times[-1] + 0.5 / max(fps, 15), 1 / 15)  # one may lie after the end
    closest = {int(np.abs(times - point).argmin()) for point in points}
    assert numbers.tolist() == sorted(closest)
    np.testing.assert_allclose(index.times(0), times[numbers], atol=1e-3)
    assert bool(report.warnings) == (fps == 10)  # 10 a second is far from 15: reported


def test_large_frames_are_shrunk_and_long_clips_cut(tmp_path: Path) -> None:
    write_clip(tmp_path / "a" / "wide.mp4", 30, size=(128, 72))
    write_clip(tmp_path / "a" / "high.mp4", 4, size=(36, 64))
    report = prepare(tmp_path, settings=OwnSettings(longest_side_px=64, max_seconds=0.5))
    assert [frame.shape for frame in frames_of(tmp_path, "a/wide.mp4")] == [(36, 64, 3)] * 8
    assert [frame.shape for frame in frames_of(tmp_path, "a/high.mp4")] == [(64, 36, 3)] * 2
    assert report.warnings == {"a/wide.mp4": "longer than 0.5 s, the rest is left out"}


def test_a_video_turned_by_its_metadata_is_stored_upright(tmp_path: Path) -> None:
    """Phones write frames as the sensor lies, and how to turn them (the matrix in ``tkhd``)."""
    path = write_clip(tmp_path / "a" / "phone.mp4", 4)
    data = bytearray(path.read_bytes())
    unity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    header = data.index(b"tkhd")
    place = data.index(unity, header)
    clockwise = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, SIZE[1] << 16, 0, 1 << 30)
    data[place : place + 36] = clockwise
    path.write_bytes(data)
    prepare(tmp_path)
    frame = frames_of(tmp_path, "a/phone.mp4")[0]
    assert frame.shape == (64, 36, 3)
    assert frame[:18].mean() < 5 < 30 < frame[30:].mean()  # left in the file: above in the picture


def test_a_truncated_clip_keeps_what_can_be_read_or_is_left_out(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a" / "whole.avi", 60).read_bytes()
    (tmp_path / "a" / "most.avi").write_bytes(whole[: int(0.8 * len(whole))])
    (tmp_path / "a" / "start.avi").write_bytes(whole[: int(0.3 * len(whole))])
    report = prepare(tmp_path)
    assert "a/start.avi" in report.skipped
    assert "a/most.avi" in report.warnings or "a/most.avi" in report.skipped
    assert len(frames_of(tmp_path, "a/whole.avi")) == 30


def test_lists_in_the_folder_are_read(tmp_path: Path) -> None:
    for i in range(3):
        write_clip(tmp_path / "a" / f"{i}.mp4", 4)
    (tmp_path / "test.txt").write_text("\ufeff# of Monday\n\na/1.mp4\na/7.mp4\n", encoding="utf-8")
    report = prepare(tmp_path)
    assert report.clips["a"] == {"train": 2, "val": 0, "test": 1, "none": 0, "left out": 0}
    assert report.not_found == {"test": ["a/7.mp4"]}
    (tmp_path / "test.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HarError, match=r"test\.txt is not a text file in UTF-8"):
        prepare(tmp_path)


def test_a_film_in_two_classes_or_splits_is_named(tmp_path: Path, capsys) -> None:
    write_clip(tmp_path / "a" / "1.mp4")
    for file in ("a/2.mp4", "b/3.mp4", "b/4.mp4"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(
            (tmp_path / "a" / "1.mp4").read_bytes() + bytes(file[0] == "b")
        )
    (tmp_path / "train.txt").write_text("a/1\nb/3\nb/4\n")
    (tmp_path / "test.txt").write_text("a/2\n")
    report = prepare(tmp_path)
    assert report.repeated == {"a/1.mp4": "a/2.mp4", "a/2.mp4": "a/1.mp4"}
    print_report(report, tmp_path)
    assert "a/1.mp4 is a/2.mp4" in " ".join(capsys.readouterr().out.split())


def test_the_content_of_shards_is_that_of_the_index(own: Path) -> None:
    shards = sorted((own / "prepared" / "frames").glob("*.h5"))
    assert len(shards) == 2  # one per class
    names: list[bytes] = []
    for path in shards:
        with h5py.File(path) as file:
            names += file["name"][:].tolist()
    index, _ = open_prepared(own)
    assert index.names.tolist() == sorted(names)
    assert not any(is_sample_name(name.decode()) for name in names)
    assert {group.decode() for group in index.groups.tolist()} == {"jümp", "wave hands"}


VIDEOS = Path(__file__).parents[2] / "helpers" / "videos"


@pytest.mark.parametrize(
    ("video", "frames", "seconds"),
    [
        ("streamed.mkv", 66, 2.2),
        ("clock.mkv", 66, 2.2),
        ("trimmed.mp4", 21, 0.7),
    ],
)
def test_neither_a_containers_clock_nor_its_count_decides(
    tmp_path: Path, video: str, frames: int, seconds: float
) -> None:
    (tmp_path / "a").mkdir()
    shutil.copy(VIDEOS / video, tmp_path / "a")
    report = prepare(tmp_path)
    assert (report.done, report.skipped, report.warnings) == (1, {}, {})
    index, _ = open_prepared(tmp_path)
    times = index.times(0)
    assert abs(len(times) - frames / 2) <= 1  # 30 a second: every second one
    assert seconds - 0.15 < times[-1] - times[0] < seconds
    assert np.diff(times).max() < 1.6 / 15


# ----------------------------------------------------------------------- again, and in between


def test_files_that_come_go_and_change(tmp_path: Path) -> None:
    for i in range(4):
        write_clip(tmp_path / "b" / f"{i}.mp4", 4)
    prepare(tmp_path)
    before = OwnActions.read(tmp_path / "prepared")
    write_clip(tmp_path / "a" / "new class.mp4", 6)
    write_clip(tmp_path / "b" / "1.mp4", 10)  # another recording
    (tmp_path / "b" / "2.mp4").unlink()
    write_skeleton(tmp_path / "b" / "3.skeleton", 4)
    report = prepare(tmp_path)
    assert (report.done, report.kept, report.replaced) == (3, 1, 3)
    after = OwnActions.read(tmp_path / "prepared")
    assert after.labels == ["a", "b"]
    names = {clip.file: name for name, clip in before.clips.items()}
    again = {clip.file: name for name, clip in after.clips.items()}
    assert again["b/0.mp4"] == names["b/0.mp4"] == "b/0.mp4"
    assert again["b/1.mp4"] == "b/1.mp4 (2)"
    assert not set(names.values()) & {again["b/1.mp4"], again["b/3.mp4"], again["a/new class.mp4"]}
    assert len(frames_of(tmp_path, "b/1.mp4")) == 5
    data = MultitaskDataModule(str(tmp_path), protocol="own", num_workers=0, resolution=(32, 32))
    data.setup()
    assert len(data.datasets["action"]) + data.num_test_samples == 4  # none of what was replaced
    assert prepare(tmp_path).done == 0


def test_a_killed_preparation_goes_on(tmp_path: Path) -> None:
    for i in range(10):
        for label in "ab":
            write_clip(tmp_path / "own" / label / f"{i}.mp4", 60, size=(320, 180))
    shutil.copytree(tmp_path / "own", tmp_path / "undisturbed")
    prepare(tmp_path / "undisturbed")
    code = (
        "import sys; from pathlib import Path; from har.data.own.prepare import prepare_own; "
        "root = Path(sys.argv[1]); prepare_own(root, root / 'prepared', workers=0)"
    )
    root = tmp_path / "own"
    for count in (3, 12):
        process = subprocess.Popen([sys.executable, "-c", code, str(root)])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            staged = list((root / "prepared").glob("staging/*/*.h5"))
            shards = list((root / "prepared").glob("frames/*.h5"))
            if len(staged) + 10 * len(shards) >= count:
                break
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    report = prepare(root)
    assert report.kept >= 3
    assert report.done + report.kept == 20
    assert stored_content(root) == stored_content(tmp_path / "undisturbed")
    assert not list((root / "prepared" / "staging").iterdir())


def test_what_cannot_be_prepared_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(HarError, match="a folder per class"):
        prepare(tmp_path)
    write_clip(tmp_path / "a" / "1.mp4", 4)
    prepare(tmp_path)
    with pytest.raises(HarError, match="was prepared with"):
        prepare(tmp_path, settings=OwnSettings(jpeg_quality=50))
    record = tmp_path / "prepared" / "actions.json"
    for text in ("{", "[]", '{"format": 1, "classes": {}, "samples": {"x": {}}}'):
        record.write_text(text)
        with pytest.raises(HarError, match=r"actions\.json is damaged"):
            prepare(tmp_path)
    record.unlink()  # frames of nobody knows which clips
    with pytest.raises(HarError, match="not prepared"):
        prepare(tmp_path)
    (tmp_path / "ntu").mkdir()
    with pytest.raises(HarError, match="folder of their own"):
        find_clips(tmp_path)


def test_the_table_shows_names_as_they_are(tmp_path: Path, capsys) -> None:
    write_clip(tmp_path / "[red]" / "[/] 1.mp4", 4)
    (tmp_path / "[red]" / "[bold].mp4").touch()
    print_report(prepare(tmp_path), tmp_path)
    printed = capsys.readouterr().out
    assert "[red] " in printed
    assert "[red]/[bold].mp4" in printed
    assert all(len(line) <= 80 for line in printed.splitlines() if line[:1] in "┃│")


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "a" / "1.mp4", 4)
    os.rename(tmp_path / "a" / "1.mp4", os.fsencode(tmp_path / "a") + b"/caf\xe9.mp4")
    with pytest.raises(HarError, match="not UTF-8: rename it"):
        prepare(tmp_path)
