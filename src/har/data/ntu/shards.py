"""Shards: HDF5 files that hold the frames and annotations of many samples, end to end.

All arrays of a kind lie in one data set, so that a reader keeps a handful of handles open and
fetches a frame with one read. A sample that has just been extracted is a shard of its own; shards
are merged into one per setup.

- ``name``: S20 (N,), sorted; ``frame_size``: int32 (N, 2), width and height;
- ``first_frame``: int64 (N + 1,), where each sample's frames begin;
- ``offsets``: int64 (F + 1,), where each frame's JPEG file begins in ``jpeg``: uint8 (bytes,);
- ``joints``: float32 (F, 25, 4): x and y in pixels of 1920x1080, depth in mm, tracking state;
- ``frame_number``: int32 (F,), which frame of the video it is, from 0.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from har.data.ntu.skeleton import BodyTrack


class StoredSample(NamedTuple):
    """One sample as it is stored; F frames.

    Attributes:
        name: of the sample.
        frame_size: (width, height) of the frames in pixels.
        joints: float32 (F, 25, 4), see the module.
        frame_number: int32 (F,).
        offsets: int64 (F + 1,), where each frame's file begins in ``jpeg``.
        jpeg: uint8, the frames' files end to end; empty where only annotations are stored.
    """

    name: str
    frame_size: tuple[int, int]
    joints: NDArray[np.float32]
    frame_number: NDArray[np.int32]
    offsets: NDArray[np.int64]
    jpeg: NDArray[np.uint8]


def joint_rows(track: BodyTrack) -> NDArray[np.float32]:
    """A person's joints as they are stored, (F, 25, 4)."""
    rows = np.empty((*track.depth_mm.shape, 4), dtype=np.float32)
    rows[..., :2], rows[..., 2], rows[..., 3] = track.joints_px, track.depth_mm, track.state
    return rows


def write_shard(
    path: Path, samples: Iterable[StoredSample], num_frames: Sequence[int], num_bytes: int
) -> None:
    """Writes a shard, whole or not at all.

    Args:
        path: of the shard.
        samples: sorted by name; read one at a time.
        num_frames: frames of every sample, so that the arrays can be laid out first.
        num_bytes: of all frames' files.
    """
    partial = path.with_name(path.name + ".partial")
    first_frame = np.cumsum([0, *num_frames], dtype=np.int64)
    names, sizes = [], []
    with h5py.File(partial, "w") as file:
        file["first_frame"] = first_frame
        joints = file.create_dataset("joints", (first_frame[-1], 25, 4), "f4")
        numbers = file.create_dataset("frame_number", (first_frame[-1],), "i4")
        offsets = file.create_dataset("offsets", (first_frame[-1] + 1,), "i8")
        jpeg = file.create_dataset("jpeg", (num_bytes,), "u1")
        place = 0
        for sample, first in zip(samples, first_frame, strict=False):
            rows = slice(first, first + len(sample.joints))
            joints[rows], numbers[rows] = sample.joints, sample.frame_number
            offsets[rows.start : rows.stop + 1] = sample.offsets + place
            jpeg[place : place + len(sample.jpeg)] = sample.jpeg
            place += len(sample.jpeg)
            names.append(sample.name)
            sizes.append(sample.frame_size)
        file["name"] = np.array(names, dtype="S20")
        file["frame_size"] = np.array(sizes, dtype=np.int32).reshape(-1, 2)
    os.replace(partial, path)


def shard_names(path: Path) -> list[str]:
    """Names of the samples in a shard."""
    with h5py.File(path) as file:
        return [name.decode() for name in file["name"][:]]


def _read(file: h5py.File, number: int, with_frames: bool) -> StoredSample:
    rows = slice(*file["first_frame"][number : number + 2])
    offsets = file["offsets"][rows.start : rows.stop + 1]
    jpeg = file["jpeg"][offsets[0] : offsets[-1]] if with_frames else np.empty(0, np.uint8)
    width, height = file["frame_size"][number].tolist()
    return StoredSample(
        file["name"][number].decode(),
        (width, height),
        file["joints"][rows],
        file["frame_number"][rows],
        offsets - offsets[0] if with_frames else np.zeros_like(offsets),
        jpeg,
    )


def merge_shards(sources: Sequence[Path], path: Path, with_frames: bool = True) -> int:
    """Merges shards into one, sorted by name; of a name that occurs twice the last one stays.

    Args:
        sources: shards; ``path`` itself may be among them.
        path: of the result.
        with_frames: False leaves the pictures out.

    Returns:
        Number of samples.
    """
    files = [h5py.File(source) for source in sources]
    try:
        places: dict[bytes, tuple[h5py.File, int]] = {}
        frames: dict[bytes, int] = {}
        size: dict[bytes, int] = {}
        for file in files:
            first, offsets = file["first_frame"][:], file["offsets"][:]
            for number, name in enumerate(file["name"][:].tolist()):
                places[name] = file, number
                frames[name] = int(first[number + 1] - first[number])
                size[name] = int(offsets[first[number + 1]] - offsets[first[number]])
        order = sorted(places)
        write_shard(
            path,
            (_read(*places[name], with_frames) for name in order),
            [frames[name] for name in order],
            sum(size.values()) if with_frames else 0,
        )
    finally:
        for file in files:
            file.close()
    return len(order)
