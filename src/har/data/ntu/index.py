"""The index of prepared samples: columns in memory, annotations on disk until they are asked for.

``index.h5`` holds one row per sample and, end to end, the annotation rows of all stored frames. A
worker process opens it for itself; nothing is read twice or copied to workers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from har import HarError

IntArray = NDArray[np.int64]
FORMAT = 1

ANNOTATION_COLUMNS: dict[str, tuple[tuple[int, ...], str]] = {
    "joints_px": ((25, 2), "f4"),
    "depth_mm": ((25,), "f4"),
    "state": ((25,), "u1"),
    "frame_numbers": ((), "i4"),
}
"""Annotations of one stored frame: shape and type of every column."""


class NTUAnnotation(NamedTuple):
    """The acting person in the F stored frames of a sample.

    Attributes:
        joints_px: float32 (F, 25, 2), pixels of the 1920x1080 picture, NaN where unknown.
        depth_mm: float32 (F, 25).
        state: uint8 (F, 25), 2 tracked, 1 inferred, 0 not tracked.
        frame_numbers: int32 (F,), which frame of the video each stored frame is, from 0.
    """

    joints_px: NDArray[np.float32]
    depth_mm: NDArray[np.float32]
    state: NDArray[np.uint8]
    frame_numbers: NDArray[np.int32]


@dataclass(frozen=True)
class SampleRecord:
    """One sample on its way into the index."""

    name: str
    frame_size: tuple[int, int]
    annotation: NTUAnnotation


class NTUIndex:
    """Samples of a prepared folder.

    Attributes:
        names: S20 (N,), sorted.
        setups, cameras, subjects, replications, actions: int64 (N,), as in the names, from 1.
        num_frames: int64 (N,), stored frames.
        settings: how the frames were made: ``stride``, ``scale``, ``store`` and more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with h5py.File(path) as file:
                self.settings: dict[str, Any] = dict(file.attrs)
                self.names: NDArray[np.bytes_] = file["name"][:]
                self._first_row: IntArray = file["first_row"][:]
                self._frame_sizes: NDArray[np.int32] = file["frame_size"][:]
        except (OSError, KeyError) as error:
            raise HarError(
                f"The index {path} cannot be read ({error}); remove it and run "
                "python -m har.prepare ntu again."
            ) from error
        if self.settings.get("format") != FORMAT:
            raise HarError(
                f"The index {path} was written by another version of har; run "
                "python -m har.prepare ntu again."
            )
        self.num_frames = np.diff(self._first_row)
        numbers = _numbers_of(self.names)
        self.setups, self.cameras, self.subjects, self.replications, self.actions = numbers.T
        self._file: h5py.File | None = None
        self._owner = -1

    @classmethod
    def open(cls, path: str | Path) -> NTUIndex:
        """Opens ``index.h5``.

        Raises:
            HarError: it is damaged or of another version.
        """
        return cls(Path(path))

    def __len__(self) -> int:
        return len(self.names)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_owner": -1}

    @property
    def stride(self) -> int:
        """Every how many-th frame of the videos is stored."""
        return int(self.settings["stride"])

    def frame_size(self, sample: int) -> tuple[int, int]:
        """Width and height of a sample's stored frames in pixels."""
        width, height = self._frame_sizes[sample].tolist()
        return width, height

    def annotation(self, sample: int) -> NTUAnnotation:
        """The annotation of a sample, read from disk."""
        if self._file is None or self._owner != os.getpid():
            # An HDF5 file that was open before a fork must not be used after it.
            self._file, self._owner = h5py.File(self.path), os.getpid()
        rows = slice(int(self._first_row[sample]), int(self._first_row[sample + 1]))
        return NTUAnnotation(*(self._file[column][rows] for column in ANNOTATION_COLUMNS))


def _numbers_of(names: NDArray[np.bytes_]) -> IntArray:
    """The five numbers in names SsssCcccPpppRrrrAaaa, (N, 5)."""
    letters = names.astype("S20").view(np.uint8).reshape(-1, 5, 4)
    digits = letters[..., 1:].astype(np.int64) - ord("0")
    numbers: IntArray = digits @ np.array([100, 10, 1])
    return numbers


def write_index(path: Path, records: Iterable[SampleRecord], settings: dict[str, Any]) -> int:
    """Writes ``index.h5``, whole or not at all; records have to come sorted by name.

    Returns:
        Number of samples.
    """
    partial = path.with_name(path.name + ".partial")
    names, sizes, first_row = [], [], [0]
    with h5py.File(partial, "w") as file:
        for column, (shape, kind) in ANNOTATION_COLUMNS.items():
            file.create_dataset(column, (0, *shape), kind, maxshape=(None, *shape))
        waiting: list[NTUAnnotation] = []

        def flush() -> None:
            for place, column in enumerate(ANNOTATION_COLUMNS):
                data = file[column]
                rows = np.concatenate([annotation[place] for annotation in waiting])
                data.resize(len(data) + len(rows), axis=0)
                data[-len(rows) :] = rows
            waiting.clear()

        for record in records:
            names.append(record.name)
            sizes.append(record.frame_size)
            first_row.append(first_row[-1] + len(record.annotation.joints_px))
            waiting.append(record.annotation)
            if len(waiting) == 256:
                flush()
        if waiting:
            flush()
        file["name"] = np.array(names, dtype="S20")
        file["frame_size"] = np.array(sizes, dtype=np.int32).reshape(-1, 2)
        file["first_row"] = np.array(first_row, dtype=np.int64)
        file.attrs.update({**settings, "format": FORMAT})
    os.replace(partial, path)
    return len(names)
