"""Whether a prepared folder is whole: quickly by its counts, or by decoding a frame per sample."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from har.data.framestore.index import FrameIndex
from har.data.framestore.reader import FrameStore
from har.data.framestore.staging import shards_in
from har.data.processes import run_in_processes
from har.errors import HarError

_BATCH = 500  # samples that a process reads at a time


class Wholeness(NamedTuple):
    """What the shards of a prepared folder hold.

    Attributes:
        num_shards, num_bytes: files, and their size together.
        damaged: what is wrong with a file, by its path.
        unlisted: number of samples that are stored, but not in the index.
        lost: names of samples in the index that no whole shard holds, sorted.
    """

    num_shards: int
    num_bytes: int
    damaged: dict[Path, str]
    unlisted: int
    lost: list[str]


def check_shards(index: FrameIndex) -> Wholeness:
    """Opens every shard beside an index and compares counts; no frame is decoded."""
    with_frames = index.settings["store"] == "hdf5"
    shards = shards_in(index.path.parent / "frames")
    damaged: dict[Path, str] = {}
    names, counts = [np.empty(0, "S1")], [np.empty(0, np.int64)]
    for path in shards:
        try:
            found = _counts(path, with_frames)
            names.append(found[0])
            counts.append(found[1])
        except (OSError, KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            damaged[path] = " ".join(str(error).split())[:200]
    stored = np.concatenate(names)
    frames = dict(zip(stored.tolist(), np.concatenate(counts).tolist(), strict=True))
    listed = zip(index.names.tolist(), index.num_frames.tolist(), strict=True)
    same = np.array([frames.get(name) == count for name, count in listed], dtype=bool)
    if not with_frames:
        folder = index.path.parent / str(index.settings["images"])
        inside: dict[str, set[str]] = {}  # a hundred thousand folders: every parent is listed once
        for number, name in enumerate(index.names.tolist()):
            parent, _, last = name.decode().rpartition("/")
            if parent not in inside:
                listed_in = folder / parent
                inside[parent] = set(os.listdir(listed_in)) if listed_in.is_dir() else set()
            same[number] &= last in inside[parent]
    num_bytes = sum(path.stat().st_size for path in shards)
    unlisted = int((~np.isin(stored, index.names)).sum())
    lost = [name.decode() for name in index.names[~same].tolist()]
    return Wholeness(len(shards), num_bytes, damaged, unlisted, lost)


def _counts(path: Path, with_frames: bool) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
    """Names and numbers of frames of a shard's samples; ValueError where its arrays disagree."""
    with h5py.File(path, locking=False) as file:
        names, first, offsets = file["name"][:], file["first_frame"][:], file["offsets"][:]
        rows, num_bytes = len(file["joints"]), len(file["jpeg"])
        agree = (
            len(first) == len(names) + 1
            and first[-1] == rows == len(file["frame_number"]) == len(offsets) - 1
            and offsets[-1] == num_bytes
            and bool((np.diff(first) > 0).all())
            and bool((np.diff(offsets) >= with_frames).all())
            and bool((names[1:] > names[:-1]).all())
        )
    if not agree:
        raise ValueError("its arrays do not agree in length")
    return names, np.diff(first)


def undecodable(
    index: FrameIndex,
    store: FrameStore,
    *,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> dict[str, str]:
    """Samples whose last frame cannot be decoded, by name, with what is wrong.

    Args:
        index, store: the prepared data.
        workers: processes; 0: all in this one.
        progress: called as ``progress(done, total, frames=..., errors=...)``.
    """
    names = [name.decode() for name in index.names.tolist()]
    last = list(zip(names, (index.num_frames - 1).tolist(), strict=True))
    batches = [dict(last[first : first + _BATCH]) for first in range(0, len(last), _BATCH)]
    found: dict[str, str] = {}
    done, decode = 0, partial(_decode_last, store)
    for read, problems in run_in_processes(decode, batches, _crashed, workers):
        done += read
        found.update(problems)
        if progress is not None:
            progress(done, len(index), frames=done, errors=len(found))
    return dict(sorted(found.items()))


def _decode_last(store: FrameStore, last: dict[str, int]) -> tuple[int, dict[str, str]]:
    """Reads the last frames of some samples, by their positions."""
    problems = {}
    for name, frame in last.items():
        try:
            store.read(name, [frame])
        except (HarError, OSError) as error:
            problems[name] = str(error)
    return len(last), problems


def _crashed(last: dict[str, int]) -> tuple[int, dict[str, str]]:
    return len(last), dict.fromkeys(last, "Reading its frames ends the process.")
