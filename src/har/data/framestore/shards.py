"""Shards: HDF5 files that hold the frames and annotations of many samples, end to end.

All arrays of a kind lie in one data set, so that a reader keeps a handful of handles open and
fetches a frame with one read. A sample that has just been extracted is a shard of its own; shards
are merged into one per group. Of N samples with F frames in all:

- ``name``: UTF-8 (N,), ids of any length, sorted; ``group``, ``label``, ``split``, ``meta`` (JSON);
- ``frame_size``: int32 (N, 2), width and height;
- ``region``: int32 (N, 4), the part of each frame that is stored, x1, y1, x2, y2 in its pixels;
- ``duration_s``: float64 (N,), from the first to the last stored frame; ``on_grid``: bool (N,), 15
  frames a second; ``has_joints``: bool (N,), some joint is known;
- ``first_frame``: int64 (N + 1,), where each sample's frames begin;
- ``offsets``: int64 (F + 1,), where each frame's JPEG file begins in ``jpeg``: uint8 (bytes,);
- ``joints``: float32 (F, P, J, C), see :class:`har.data.records.Clip`;
- ``time_s``: float64 (F,); ``frame_number``: int32 (F,), which frame of the video it is, from 0.

Files of version 0.1.0 (see :mod:`har.data.framestore.index`) have fewer columns.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from har.data.clips import is_on_grid
from har.data.records import Clip
from har.errors import HarError
from har.files import whole_file

PREPARE_AGAIN = "run python -m har.prepare ntu (of own clips: actions) again"

_BLOCK_BYTES = 2**26  # merged at a time, so that memory does not depend on a shard's size
_BLOCK_FRAMES = 2**17
_OF_FRAMES = ("joints", "frame_number", "time_s")
_OF_SAMPLES = {
    **dict.fromkeys(("name", "group", "label", "split", "meta"), ((), "S1")),
    "frame_size": ((2,), "i4"),
    "region": ((4,), "i4"),
    "duration_s": ((), "f8"),
    "on_grid": ((), "?"),
    "has_joints": ((), "?"),
}


class StoredSamples(NamedTuple):
    """Some samples as they are stored: n samples with F frames in all.

    Attributes:
        samples: columns of n rows by name, see the module; ascending by ``name``.
        frames: columns of F rows by name.
        num_frames: int64 (n,).
        num_bytes: int64 (F,), length of each frame's file; 0 where only annotations are stored.
        jpeg: uint8, the frames' files end to end.
    """

    samples: dict[str, NDArray[Any]]
    frames: dict[str, NDArray[Any]]
    num_frames: NDArray[np.int64]
    num_bytes: NDArray[np.int64]
    jpeg: NDArray[np.uint8]


def one_sample(
    clip: Clip,
    frame_size: tuple[int, int],
    jpegs: Sequence[NDArray[np.uint8]] = (),
    region: Sequence[int] | None = None,
) -> StoredSamples:
    """A sample ready to be written.

    Args:
        clip: its record.
        frame_size: (width, height) of the frames in pixels.
        jpegs: the frames' files; none where only annotations are stored.
        region: x1, y1, x2, y2, the part of the frames that ``jpegs`` show; None: all of them.
    """
    count = len(clip.times_s)
    numbers = np.arange(count) if clip.numbers is None else clip.numbers
    meta = json.dumps(dict(clip.meta), ensure_ascii=False, sort_keys=True)
    texts = {"name": clip.id, "group": clip.group, "label": clip.label, "split": clip.split}
    texts["meta"] = meta
    samples: dict[str, NDArray[Any]] = {
        **{key: np.array([text.encode()]) for key, text in texts.items()},
        "frame_size": np.array([frame_size], dtype=np.int32),
        "region": np.array([region or (0, 0, *frame_size)], dtype=np.int32),
        "duration_s": np.array([clip.times_s[-1] - clip.times_s[0]], dtype=np.float64),
        "on_grid": np.array([is_on_grid(clip.times_s)]),
        "has_joints": np.array([bool(np.isfinite(clip.joints[..., :2]).all(-1).any())]),
    }
    frames: dict[str, NDArray[Any]] = {
        "joints": np.asarray(clip.joints, dtype=np.float32),
        "frame_number": np.asarray(numbers, dtype=np.int32),
        "time_s": np.asarray(clip.times_s, dtype=np.float64),
    }
    num_bytes = np.array([jpeg.size for jpeg in jpegs] or [0] * count, dtype=np.int64)
    jpeg = np.concatenate([np.empty(0, np.uint8), *(jpeg.ravel() for jpeg in jpegs)])
    return StoredSamples(samples, frames, np.array([count], np.int64), num_bytes, jpeg)


def write_shard(
    path: Path, parts: Iterable[StoredSamples], num_frames: int, num_bytes: int
) -> None:
    """Writes a shard, whole or not at all.

    Args:
        path: of the shard.
        parts: its samples, ascending by name; one part is held in memory at a time.
        num_frames: of all samples together, so that the arrays can be laid out first.
        num_bytes: of all frames' files together.

    Raises:
        HarError: the file cannot be written.
    """
    columns: dict[str, list[NDArray[Any]]] = {
        key: [np.empty((0, *shape), dtype)] for key, (shape, dtype) in _OF_SAMPLES.items()
    }
    counts: list[NDArray[np.int64]] = []
    frame, byte = 0, 0
    with whole_file(path) as partial, h5py.File(partial, "w") as file:
        offsets = file.create_dataset("offsets", (num_frames + 1,), "i8")
        jpeg = file.create_dataset("jpeg", (num_bytes,), "u1")
        offsets[0] = 0
        for part in parts:
            rows = slice(frame, frame + len(part.num_bytes))
            for key, values in part.frames.items():
                if key not in file:
                    file.create_dataset(key, (num_frames, *values.shape[1:]), values.dtype)
                file[key][rows] = values
            offsets[rows.start + 1 : rows.stop + 1] = byte + np.cumsum(part.num_bytes)
            jpeg[byte : byte + len(part.jpeg)] = part.jpeg
            frame, byte = rows.stop, byte + len(part.jpeg)
            for key, values in part.samples.items():
                columns[key].append(values)
            counts.append(part.num_frames)
        for key, values_of_parts in columns.items():
            file[key] = np.concatenate(values_of_parts)
        file["first_frame"] = np.cumsum(np.concatenate([[0], *counts]), dtype=np.int64)


class _Columns(NamedTuple):
    """What a shard holds of its samples without their frames."""

    names: NDArray[np.bytes_]
    first_frame: NDArray[np.int64]
    first_byte: NDArray[np.int64]


def _columns(path: Path) -> _Columns:
    """Raises HarError for a file that is no shard."""
    try:
        with h5py.File(path, locking=False) as file:
            first_frame = file["first_frame"][:]
            first_byte = file["offsets"][:][first_frame]
            return _Columns(file["name"][:], first_frame, first_byte)
    except (OSError, KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise HarError(
            f"{path} is damaged; remove it and {PREPARE_AGAIN}, which makes its samples anew."
        ) from error


def shard_names(path: Path) -> list[str]:
    """Names of the samples in a shard.

    Raises:
        HarError: the file is damaged.
    """
    return [name.decode() for name in _columns(path).names.tolist()]


def merge_shards(sources: Sequence[Path], path: Path, with_frames: bool = True) -> int:
    """Merges shards into one, sorted by name; of a name that occurs twice the last one stays.

    Args:
        sources: shards; ``path`` itself may be among them.
        path: of the result.
        with_frames: False leaves the pictures out.

    Returns:
        Number of samples.

    Raises:
        HarError: a source is damaged, or the result cannot be written.
    """
    columns = [_columns(source) for source in sources]
    lengths = [len(c.names) for c in columns]
    source = np.repeat(np.arange(len(sources)), lengths)  # of every sample
    number = np.concatenate([np.empty(0, np.int64), *(np.arange(n) for n in lengths)])
    names = np.concatenate([np.empty(0, "S1"), *(c.names for c in columns)])
    frames = np.concatenate([np.empty(0, np.int64), *(np.diff(c.first_frame) for c in columns)])
    size = np.concatenate([np.empty(0, np.int64), *(np.diff(c.first_byte) for c in columns)])
    last = len(names) - 1 - np.unique(names[::-1], return_index=True)[1]  # sorted by name
    source, number, frames, size = source[last], number[last], frames[last], size[last]
    if not with_frames:
        size = np.zeros_like(size)

    def parts() -> Iterator[StoredSamples]:
        # Blocks of samples that lie side by side in one source and fit into memory.
        begin = held_frames = held_bytes = 0
        for place, end in enumerate(range(1, len(last) + 1)):
            held_frames, held_bytes = held_frames + frames[place], held_bytes + size[place]
            if (
                end == len(last)
                or source[end] != source[place]
                or number[end] != number[place] + 1
                or held_bytes + size[end] > _BLOCK_BYTES
                or held_frames + frames[end] > _BLOCK_FRAMES
            ):
                yield _read(sources[source[begin]], number[begin], number[place] + 1, with_frames)
                begin, held_frames, held_bytes = end, 0, 0

    write_shard(path, parts(), int(frames.sum()), int(size.sum()))
    return len(last)


def _read(path: Path, begin: int, end: int, with_frames: bool) -> StoredSamples:
    """Samples ``begin`` to ``end`` of a shard."""
    with h5py.File(path, locking=False) as file:
        first_frame = file["first_frame"][begin : end + 1]
        rows = slice(first_frame[0], first_frame[-1])
        offsets = file["offsets"][rows.start : rows.stop + 1]
        jpeg = file["jpeg"][offsets[0] : offsets[-1]] if with_frames else np.empty(0, np.uint8)
        samples = {key: file[key][begin:end] for key in _OF_SAMPLES}
        frames = {key: file[key][rows] for key in _OF_FRAMES}
        num_bytes = np.diff(offsets) if with_frames else np.zeros(len(offsets) - 1, np.int64)
        return StoredSamples(samples, frames, np.diff(first_frame), num_bytes, jpeg)
