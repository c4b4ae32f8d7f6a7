"""The index: columns and annotations of many samples, and the shards that it is made from."""

import multiprocessing
import pickle
import resource
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from har.data.framestore import shards
from har.data.framestore.index import FrameIndex, write_index
from har.data.framestore.shards import StoredSamples, merge_shards, shard_names, write_shard
from har.data.ntu.labels import SampleName, sample_numbers
from har.errors import HarError

SETTINGS = {"stride": 2, "store": "hdf5"}


def samples(
    names: list[str],
    seed: int = 0,
    most: int = 6,
    bytes_each: int = 50,
    shape: tuple[int, int, int] = (1, 25, 4),
) -> StoredSamples:
    """Samples with random content, which depends on the seed."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most + 1, len(names))
    frames = int(counts.sum())
    sizes = rng.integers(1, bytes_each, frames)
    joints = rng.uniform(0, 1000, (frames, *shape)).astype(np.float32)
    joints[..., -1] = rng.integers(0, 3, joints.shape[:-1])
    joints[rng.random(joints.shape[:-1]) < 0.1, :2] = np.nan
    encoded = np.array([name.encode() for name in names])
    return StoredSamples(
        {
            "name": encoded,
            "group": np.array([name[:4].encode() for name in names]),
            "label": np.array([f"class {i % 7}".encode() for i in range(len(names))]),
            "split": np.array([b"train"] * len(names)),
            "meta": np.array([f'{{"number": {i}}}'.encode() for i in range(len(names))]),
            "frame_size": rng.integers(100, 1000, (len(names), 2)).astype(np.int32),
            "region": rng.integers(0, 100, (len(names), 4)).astype(np.int32),
            "duration_s": (counts - 1) / 15,
            "on_grid": np.ones(len(names), bool),
            "has_joints": np.ones(len(names), bool),
        },
        {
            "joints": joints,
            "frame_number": np.concatenate([np.arange(0, 2 * n, 2) for n in counts]).astype("i4"),
            "time_s": np.concatenate([np.arange(n) / 15 for n in counts]),
        },
        counts,
        sizes,
        rng.integers(0, 256, int(sizes.sum()), dtype=np.uint8),
    )


def write(path: Path, stored: StoredSamples) -> Path:
    write_shard(path, [stored], len(stored.num_bytes), len(stored.jpeg))
    return path


def names_of(setup: int, count: int) -> list[str]:
    return sorted(
        str(SampleName(setup, 1 + i % 3, 1 + i // 360, 1 + i // 3 % 2, 1 + i // 6 % 60))
        for i in range(count)
    )


def test_columns_and_annotations(tmp_path: Path) -> None:
    stored = [samples(names_of(setup, 40), seed=setup) for setup in (3, 1, 32)]
    paths = [write(tmp_path / f"{i}.h5", s) for i, s in enumerate(stored)]
    assert write_index(paths, tmp_path / "index.h5", SETTINGS) == 120
    index = FrameIndex.open(tmp_path / "index.h5")
    assert index.names.tolist() == sorted(
        name for s in stored for name in s.samples["name"].tolist()
    )
    assert (len(index), index.settings["stride"]) == (120, 2)
    ntu = sample_numbers(index.names)
    for s in stored:
        ends = np.cumsum(s.num_frames)
        for i, name in enumerate(s.samples["name"].tolist()):
            number = index.number_of(name.decode())
            fields = [int(column[number]) for column in ntu]
            assert str(SampleName(*fields)).encode() == name
            assert index.frame_size(number) == tuple(s.samples["frame_size"][i])
            rows = slice(ends[i] - s.num_frames[i], ends[i])
            annotation = index.annotation(number)
            numbers = index.frame_numbers(name.decode())
            assert index.num_frames[number] == len(numbers)
            joints = s.frames["joints"][rows, 0]
            np.testing.assert_array_equal(annotation.joints_px, joints[..., :2])
            np.testing.assert_array_equal(annotation.depth_mm, joints[..., 2])
            np.testing.assert_array_equal(annotation.state, joints[..., 3])
            np.testing.assert_array_equal(numbers, s.frames["frame_number"][rows])
            np.testing.assert_array_equal(index.times(number), s.frames["time_s"][rows])
            assert index.meta(number) == {"number": i}
            assert index.labels[number] == s.samples["label"][i]
    with pytest.raises(HarError, match="no sample S002"):
        index.number_of("S002C001P001R001A001")


def read(path: Path) -> dict[bytes, tuple[list[int], bytes]]:
    """Slowly: frame size and bytes of every frame of a shard, by sample."""
    found = {}
    with h5py.File(path) as file:
        for i, name in enumerate(file["name"][:].tolist()):
            first, last = file["first_frame"][i : i + 2]
            offsets = file["offsets"][:]
            parts = [
                file["jpeg"][offsets[f] : offsets[f + 1]].tobytes() for f in range(first, last)
            ]
            found[name] = file["frame_size"][i].tolist(), b"|".join(parts)
    return found


@pytest.mark.parametrize("block", [1, 300, 2**26])
def test_merging_in_blocks(block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_BLOCK_BYTES", block)
    names = names_of(1, 30)
    old = write(tmp_path / "S001.h5", samples(names[::2], seed=1))
    single = [write(tmp_path / f"{n}.h5", samples([n], seed=i)) for i, n in enumerate(names[1::3])]
    expected = read(old)
    for path in single:
        expected |= read(path)  # a sample that is there twice: the later one stays
    assert merge_shards([old, *single], old) == len(expected)
    assert read(old) == expected
    assert shard_names(old) == sorted(name.decode() for name in expected)
    assert list(tmp_path.glob("*.partial")) == []


def test_more_samples_than_a_process_may_open_files(tmp_path: Path) -> None:
    names = names_of(1, 60)
    paths = [write(tmp_path / f"{name}.h5", samples([name])) for name in names]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (50, hard))
    try:
        assert merge_shards(paths, tmp_path / "all.h5") == 60
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_failed_merge_leaves_the_old_shard(tmp_path: Path) -> None:
    old = write(tmp_path / "S001.h5", samples(names_of(1, 3)))
    before = old.read_bytes()
    (tmp_path / "bad.h5").write_bytes(before[: len(before) // 2])
    with pytest.raises(HarError, match=r"bad\.h5 is damaged"):
        merge_shards([old, tmp_path / "bad.h5"], old)
    assert old.read_bytes() == before
    assert list(tmp_path.glob("*.partial")) == []


def test_annotations_stay_on_disk(tmp_path: Path) -> None:
    names = names_of(1, 3000)
    write_index([write(tmp_path / "a.h5", samples(names))], tmp_path / "index.h5", SETTINGS)
    tracemalloc.start()
    index = FrameIndex.open(tmp_path / "index.h5")
    index.annotation(0)
    in_memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert in_memory < 200 * len(index)  # 114,480 samples: 23 MB; one annotation has 400 a frame


def _child(index: FrameIndex, number: int, queue: Any) -> None:
    queue.put((number, index.annotation(number).joints_px.tobytes()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_other_processes_read_at_the_same_time(method: str, tmp_path: Path) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    path = write(tmp_path / "a.h5", samples(names_of(1, 50), most=40))
    write_index([path], tmp_path / "index.h5", SETTINGS)
    index = FrameIndex.open(tmp_path / "index.h5")
    numbers = [3, 17, 44]
    expected = {number: index.annotation(number).joints_px.tobytes() for number in numbers}
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    processes = [context.Process(target=_child, args=(index, n, queue)) for n in numbers]
    for process in processes:
        process.start()
    assert dict(queue.get(timeout=60) for _ in processes) == expected
    for process in processes:
        process.join()
    copy = pickle.loads(pickle.dumps(index))
    assert copy.annotation(17).joints_px.tobytes() == expected[17]


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "index.h5"
    write_index([write(tmp_path / "a.h5", samples(names_of(1, 5)))], path, SETTINGS)
    whole = path.read_bytes()
    for content in (b"", b"junk", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(HarError, match=r"index\.h5.*prepare ntu"):
            FrameIndex.open(path)
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        file.attrs["format"] = 99
    with pytest.raises(HarError, match="another version"):
        FrameIndex.open(path)
