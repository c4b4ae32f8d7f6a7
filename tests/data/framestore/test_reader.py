"""Frame stores: the right frame, in every process, and one sentence for a damaged one."""

import multiprocessing
import os
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from har.data.framestore.folder import open_prepared
from har.data.framestore.reader import FrameStore, HDF5Frames, JPEGFolders, StoreError
from har.data.ntu.prepare import prepare_ntu
from tests.helpers.ntu_files import gray_level, write_sample

NAMES = ["S001C001P001R001A001", "S001C001P002R001A001", "S002C001P001R001A001"]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store")
    for i, name in enumerate(NAMES):
        write_sample(root, name, frames=8 + i)
    prepare_ntu(root, root, root / "prepared", workers=0)
    return root


def levels(store: FrameStore, name: str, frames: list[int]) -> list[float]:
    return [float(image.mean()) for image in store.read(name, frames)]


def shard(data_dir: Path) -> Path:
    return data_dir / "prepared" / "frames" / "S001.h5"


@pytest.mark.parametrize("kind", ["hdf5", "jpeg"])
def test_positions_are_those_of_the_stored_sequence(
    kind: str, data_dir: Path, tmp_path: Path
) -> None:
    store: FrameStore = HDF5Frames(data_dir / "prepared" / "frames", lambda name: name[:4])
    if kind == "jpeg":
        for name in NAMES:
            (tmp_path / name).mkdir()
            with h5py.File(data_dir / "prepared" / "frames" / f"{name[:4]}.h5") as file:
                number = file["name"][:].tolist().index(name.encode())
                first, last = file["first_frame"][number : number + 2]
                for i, row in enumerate(range(first, last)):
                    begin, end = file["offsets"][row : row + 2]
                    data = file["jpeg"][begin:end].tobytes()
                    (tmp_path / name / f"{2 * i + 1:05d}.jpg").write_bytes(data)
        store = JPEGFolders(tmp_path, lambda name: np.arange(0, 10, 2, dtype=np.int32))
    for name, count in zip(NAMES, (4, 5, 5), strict=True):
        frames = [count - 1, 0, 2, 2]
        images = store.read(name, frames)
        assert {(image.shape, image.dtype.name) for image in images} == {((24, 32, 3), "uint8")}
        np.testing.assert_allclose(
            [image.mean() for image in images], [gray_level(2 * f) for f in frames], atol=4
        )
        assert images[2] is images[3]  # decoded once
        with pytest.raises(StoreError, match=name):
            store.read(name, [0, count + 5])
    with pytest.raises(StoreError, match="S001C003P009R001A001"):
        store.read("S001C003P009R001A001", [0])


def _child(store: FrameStore, name: str, queue: Any) -> None:
    queue.put(levels(store, name, [0, 1, 2, 3]))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_at_the_same_time(method: str, data_dir: Path) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    _, store = open_prepared(data_dir)
    expected = {name: levels(store, name, [0, 1, 2, 3]) for name in NAMES}  # opens the files
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    processes = [context.Process(target=_child, args=(store, name, queue)) for name in NAMES]
    for process in processes:
        process.start()
    found = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(found) == sorted(expected.values())


def test_a_pickled_store_has_no_open_files(data_dir: Path) -> None:
    _, store = open_prepared(data_dir)
    before = levels(store, NAMES[0], [1])
    assert levels(pickle.loads(pickle.dumps(store)), NAMES[0], [1]) == before


@pytest.mark.parametrize("damage", ["cut", "junk", "nothing"])
def test_a_damaged_frame_is_named(damage: str, data_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "S001.h5"
    copy.write_bytes(shard(data_dir).read_bytes())
    with h5py.File(copy, "a") as file:
        begin, end = file["offsets"][2:4].tolist()
        if damage == "cut":  # the file's tail is not written: zeros
            file["jpeg"][begin + (end - begin) // 2 : end] = 0
        elif damage == "junk":
            file["jpeg"][begin:end] = np.arange(end - begin, dtype=np.uint8)
        else:
            file["offsets"][3] = begin
    store = HDF5Frames(tmp_path, lambda name: name[:4])
    assert len(store.read(NAMES[0], [0, 1])) == 2
    with pytest.raises(StoreError, match=rf"{NAMES[0]}.*S001\.h5.*prepare"):
        store.read(NAMES[0], [2])


@pytest.mark.parametrize("content", [b"", b"junk", None])
def test_a_damaged_shard_is_named(content: bytes | None, data_dir: Path, tmp_path: Path) -> None:
    whole = shard(data_dir).read_bytes()
    (tmp_path / "S001.h5").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(StoreError, match=r"S001\.h5"):
        HDF5Frames(tmp_path, lambda name: name[:4]).read(NAMES[0], [0])


def test_reading_keeps_few_files_open(data_dir: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not tell open files")
    _, store = open_prepared(data_dir)
    levels(store, NAMES[0], [0])
    levels(store, NAMES[2], [0])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        for name in NAMES:
            store.read(name, [0, 3])
    assert len(os.listdir("/proc/self/fd")) == before
