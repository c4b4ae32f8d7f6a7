"""Extraction: what is stored, what is left out and why, and runs that were killed."""

import json
import multiprocessing
import pickle
import shutil
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from har.data.framestore.folder import open_prepared
from har.data.framestore.index import FrameIndex
from har.data.framestore.reader import HDF5Frames, JPEGFolders, StoreError
from har.data.ntu.prepare import prepare_ntu
from har.data.ntu.splits import missing_skeletons
from har.errors import DatasetNotFoundError, HarError
from tests.data.ntu.test_skeleton import A, body, text
from tests.helpers.ntu_files import video_frames

SIZE = (64, 36)


def write_video(path: Path, frames: int, gray: float = 1.0, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"XVID"), 30, SIZE)
    picture = cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), SIZE)
    for frame in range(frames):
        writer.write((np.roll(picture, 2 * frame, 1) * gray).astype(np.uint8))
    writer.release()


def write_sample(root: Path, name: str, frames: int = 12, video_frames: int | None = None) -> Path:
    count = frames if video_frames is None else video_frames
    video = root / "videos" / f"{name}_rgb.avi"
    write_video(video, count, seed=int(name[-3:]))
    skeleton = root / "skeletons" / f"{name}.skeleton"
    skeleton.parent.mkdir(exist_ok=True)
    skeleton.write_text(text([[body(A, 0.01 * i)] for i in range(frames)]))
    return video


def name(number: int, setup: int = 1) -> str:
    return f"S{setup:03d}C001P001R001A{number:03d}"


def prepare(root: Path, **arguments):
    return prepare_ntu(root, root, root / "prepared", **{"workers": 1, **arguments})


def content(prepared: Path) -> dict[str, bytes]:
    """Everything that a reader can see."""
    found = {}
    for path in [*sorted((prepared / "frames").glob("*.h5")), prepared / "index.h5"]:
        with h5py.File(path) as file:
            for key in sorted(file):
                found[f"{path.name}/{key}"] = file[key][()].tobytes()
    return found


def test_what_is_stored(tmp_path: Path) -> None:
    video = write_sample(tmp_path, name(1), frames=13)
    report = prepare(tmp_path)
    assert (report.done, report.frames, report.skipped) == (1, 7, {})
    index, store = open_prepared(tmp_path)
    assert index.names.tolist() == [name(1).encode()]
    assert index.frame_size(0) == (32, 18)
    assert index.num_frames[0] == 7
    annotation = index.annotation(0)
    assert index.frame_numbers(index.names[0].decode()).tolist() == list(range(0, 13, 2))
    assert annotation.joints_px.shape == (7, 25, 2)
    np.testing.assert_allclose(annotation.joints_px[0, :, 0], 900 + np.arange(25))
    np.testing.assert_allclose(annotation.depth_mm[0], 3000 + 10 * np.arange(25), rtol=1e-6)
    assert (annotation.state == 2).all()
    frames = store.read(name(1), [3, 0, 3])
    assert frames[0] is frames[2]
    direct = video_frames(video, [0, 6], (32, 18))
    for ours, true in zip((frames[1], frames[0]), direct, strict=True):
        jpeg = cv2.imencode(".jpg", true[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        np.testing.assert_array_equal(ours, cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[..., ::-1])


def test_every_reason_to_leave_a_sample_out(tmp_path: Path) -> None:
    write_sample(tmp_path, name(1))
    listed = sorted(missing_skeletons())[0]
    write_sample(tmp_path, listed)
    write_video(tmp_path / "videos" / f"{name(2)}_rgb.avi", 4)
    write_sample(tmp_path, name(3)).write_bytes(b"")
    write_sample(tmp_path, name(4)).write_bytes(b"RIFF junk" * 50)
    write_sample(tmp_path, name(5))
    write_video(tmp_path / "videos" / f"{name(5)}_rgb.avi", 12, gray=0)
    write_sample(tmp_path, name(6))
    (tmp_path / "skeletons" / f"{name(6)}.skeleton").write_text(text([[], []]))
    write_sample(tmp_path, name(7))
    (tmp_path / "skeletons" / f"{name(7)}.skeleton").write_text("1\n1\nnonsense")
    write_sample(tmp_path, name(8), frames=12, video_frames=8)
    write_sample(tmp_path, name(9), frames=8, video_frames=12)
    whole = write_sample(tmp_path, name(10), frames=40)
    whole.write_bytes(whole.read_bytes()[:3000])  # a copy that broke off
    report = prepare(tmp_path)
    assert report.skipped[listed] == "on the official list of missing skeletons"
    assert report.skipped[name(2)] == "no skeleton file"
    assert report.skipped[name(3)] == "empty video file"
    assert report.skipped[name(4)] == "unreadable video"
    assert report.skipped[name(5)] == "black video"
    assert report.skipped[name(6)] == "no body in any frame"
    assert report.skipped[name(7)].startswith("bad skeleton file")
    assert report.warnings[name(8)] == "the video has 8 frames, the skeleton 12"
    assert "at least 10 frames, the skeleton 8" in report.warnings[name(9)]
    assert name(10) in {**report.skipped, **report.warnings}
    index, _ = open_prepared(tmp_path)
    stored = {n.decode(): int(f) for n, f in zip(index.names, index.num_frames, strict=True)}
    assert stored[name(1)] == 6
    assert stored[name(8)] == stored[name(9)] == 4
    document = json.loads((tmp_path / "prepared" / "prepare_report.json").read_text())
    assert document["skipped"] == report.skipped


def test_parts_can_be_added_and_nothing_is_done_twice(tmp_path: Path) -> None:
    for number, setup in ((1, 1), (2, 1), (1, 2), (2, 3)):
        write_sample(tmp_path, name(number, setup))
    assert prepare(tmp_path, setups=[1], actions=[2]).done == 1
    assert prepare(tmp_path, shard=(0, 2)).done == 2  # setups 1 and 3, one sample is there
    report = prepare(tmp_path, shard=(1, 2))
    assert (report.done, report.kept) == (1, 0)
    report = prepare(tmp_path)
    assert (report.done, report.kept) == (0, 4)
    index, store = open_prepared(tmp_path)
    assert len(index) == 4
    for sample in index.names:
        assert store.read(sample.decode(), [0])[0].shape == (18, 32, 3)


def test_other_settings_are_refused(tmp_path: Path) -> None:
    write_sample(tmp_path, name(1))
    prepare(tmp_path)
    with pytest.raises(HarError, match="was prepared with"):
        prepare(tmp_path, stride=1)


def test_the_original_programs_extraction_is_read_in_place(tmp_path: Path) -> None:
    rows = np.full((6, 151), 100.0)
    rows[:, 0] = np.arange(1, 7)
    (tmp_path / "nturgb+d_numpy").mkdir()
    np.save(tmp_path / "nturgb+d_numpy" / f"{name(1)}.npy", rows)
    folder = tmp_path / "images-small" / name(1)
    folder.mkdir(parents=True)
    for number in range(1, 7):
        cv2.imwrite(str(folder / f"{number:05d}.jpg"), np.full((18, 32, 3), 30 * number, np.uint8))
    report = prepare(tmp_path)
    assert report.done == 1
    index, store = open_prepared(tmp_path)
    assert isinstance(store, JPEGFolders)
    assert index.frame_numbers(index.names[0].decode()).tolist() == [0, 2, 4]
    means = [frame.mean() for frame in store.read(name(1), [0, 1, 2])]
    np.testing.assert_allclose(means, [30, 90, 150], atol=2)
    (folder / "00003.jpg").write_bytes(b"junk")
    with pytest.raises(StoreError, match=r"00003\.jpg"):
        store.read(name(1), [1])
    with pytest.raises(StoreError, match="3 stored frames, but not number 9"):
        store.read(name(1), [9])


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError) as caught:
        open_prepared(tmp_path)
    message = str(caught.value)
    assert str(tmp_path) in message
    assert "har.prepare ntu paths.data_dir=" in message
    assert "har.prepare synthetic paths.data_dir=" in message
    with pytest.raises(DatasetNotFoundError, match="no video"):
        prepare(tmp_path)


def test_readers_survive_pickling_and_forking(tmp_path: Path) -> None:
    for number in (1, 2):
        write_sample(tmp_path, name(number))
    prepare(tmp_path)
    index, store = open_prepared(tmp_path)
    expected = index.annotation(1).joints_px, store.read(name(2), [0])[0]
    for i, s in [pickle.loads(pickle.dumps((index, store)))]:
        np.testing.assert_array_equal(i.annotation(1).joints_px, expected[0])
        np.testing.assert_array_equal(s.read(name(2), [0])[0], expected[1])
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(
        target=lambda: queue.put((index.annotation(1).joints_px, store.read(name(2), [0])[0]))
    )
    child.start()
    joints, frame = queue.get(timeout=30)
    child.join()
    np.testing.assert_array_equal(joints, expected[0])
    np.testing.assert_array_equal(frame, expected[1])


def test_damaged_files(tmp_path: Path) -> None:
    write_sample(tmp_path, name(1))
    prepare(tmp_path)
    prepared = tmp_path / "prepared"
    store = HDF5Frames(prepared / "frames", lambda name: name[:4])
    with pytest.raises(StoreError, match="not number 99"):
        store.read(name(1), [99])
    with pytest.raises(StoreError, match=r"S002\.h5"):
        store.read(name(1, setup=2), [0])
    copy = shutil.copytree(prepared, tmp_path / "copy")
    with h5py.File(copy / "frames" / "S001.h5", "a") as file:
        file["jpeg"][:] = 7
    with pytest.raises(StoreError, match="damaged"):
        HDF5Frames(copy / "frames", lambda name: name[:4]).read(name(1), [0])
    (prepared / "index.h5").write_bytes(b"\x89HDF junk")
    with pytest.raises(HarError, match=r"index\.h5 cannot be read"):
        FrameIndex.open(prepared / "index.h5")
