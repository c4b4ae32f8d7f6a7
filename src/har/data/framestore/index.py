"""The index of prepared samples: columns in memory, annotations on disk until they are asked for.

``index.h5`` is a shard of all samples without the pictures (:mod:`har.data.framestore.shards`), and
says how they were made. A worker process opens it for itself; nothing is copied to workers.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from har.data.augment import Augmentation
from har.data.framestore.shards import PREPARE_AGAIN, merge_shards, regions_of
from har.data.ntu.targets import CropMargin
from har.errors import HarError

IntArray = NDArray[np.int64]
FORMAT = 1


class NTUAnnotation(NamedTuple):
    """The acting person in the F stored frames of a sample.

    Attributes:
        joints_px: float32 (F, 25, 2), pixels of the 1920x1080 picture, NaN where unknown.
        depth_mm: float32 (F, 25).
        state: uint8 (F, 25), 2 tracked, 1 inferred, 0 not tracked.
    """

    joints_px: NDArray[np.float32]
    depth_mm: NDArray[np.float32]
    state: NDArray[np.uint8]


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
            with h5py.File(path, locking=False) as file:
                self.settings: dict[str, Any] = dict(file.attrs)
                self.names: NDArray[np.bytes_] = file["name"][:]
                self._first_row: IntArray = file["first_frame"][:]
                self._frame_sizes: NDArray[np.int32] = file["frame_size"][:]
                self._regions = regions_of(file)
        except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise HarError(
                f"The index {path} cannot be read, it is damaged; remove it and {PREPARE_AGAIN}."
            ) from error
        if self.settings.get("format") != FORMAT:
            raise HarError(
                f"The index {path} was written by another version of har; {PREPARE_AGAIN}."
            )
        self.num_frames = np.diff(self._first_row)
        numbers = _numbers_of(self.names)
        self.setups, self.cameras, self.subjects, self.replications, self.actions = numbers.T
        self._columns: dict[str, Any] | None = None
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
        return {**self.__dict__, "_columns": None, "_owner": -1}

    @property
    def stride(self) -> int:
        """Every how many-th frame of the videos is stored."""
        return int(self.settings["stride"])

    def frame_size(self, sample: int) -> tuple[int, int]:
        """Width and height of a sample's stored frames in pixels."""
        width, height = self._frame_sizes[sample].tolist()
        return width, height

    def region_offset(self, sample: int) -> NDArray[np.float64]:
        """The map from pixels of a sample's pictures to pixels of its frames, (3, 3).

        The two differ where only the region of a person's track is stored. ``affine @
        region_offset`` makes, of a crop from frames, the same crop from the pictures.
        """
        part = np.eye(3)
        part[:2, 2] = self._regions[sample, :2]
        return part

    def region(self, sample: int) -> tuple[int, int, int, int]:
        """The part of a sample's frames that is stored: x1, y1, x2, y2 in their pixels."""
        x1, y1, x2, y2 = self._regions[sample].tolist()
        return x1, y1, x2, y2

    def check_margin(self, augmentation: Augmentation, true_boxes: bool = True) -> None:
        """Refuses crops for which more than the stored part of the frames is needed.

        Args:
            augmentation: what is drawn for the crops.
            true_boxes: crops are made around the true joints.

        Raises:
            HarError: some of them would leave it.
        """
        if "reach_scale" not in self.settings:  # whole frames
            return
        x, y = self.settings["reach_shift_px"]
        problem = CropMargin(self.settings["reach_scale"], (x, y)).problem(augmentation)
        if not true_boxes:
            problem = "predicted boxes may lie anywhere"
        if problem:
            raise HarError(
                f"{self.path.parent} holds only what clips around the true joints reach, which is "
                f"too little here: {problem}; prepare whole frames (ntu.region=full) in another "
                "folder, or change data.augmentation and data.frame_augmentation."
            )

    def number_of(self, name: str) -> int:
        """Number of a sample by its name.

        Raises:
            HarError: there is no such sample.
        """
        place = int(np.searchsorted(self.names, name.encode()))
        if place == len(self) or self.names[place] != name.encode():
            raise HarError(f"There is no sample {name} in {self.path}; prepare it first.")
        return place

    def frame_numbers(self, name: str) -> NDArray[np.int32]:
        """Which frame of the video each stored frame of a sample is, from 0, (F,).

        Raises:
            HarError: there is no such sample, or the file is damaged or gone.
        """
        return self._rows_of("frame_number", self.number_of(name))

    def annotation(self, sample: int) -> NTUAnnotation:
        """The annotation of a sample, read from disk.

        Raises:
            HarError: the file is damaged or gone.
        """
        joints = self._rows_of("joints", sample)
        return NTUAnnotation(joints[..., :2], joints[..., 2], joints[..., 3].astype(np.uint8))

    def _rows_of(self, column: str, sample: int) -> NDArray[Any]:
        """What a column of the file says of a sample's frames."""
        try:
            if self._columns is None or self._owner != os.getpid():
                # An HDF5 file that was open before a fork must not be used after it.
                file = h5py.File(self.path, locking=False)
                self._columns = {name: file[name] for name in ("joints", "frame_number")}
                self._owner = os.getpid()
            first, end = self._first_row[sample : sample + 2].tolist()
            rows: NDArray[Any] = self._columns[column][first:end]
            return rows
        except (OSError, KeyError) as error:
            raise HarError(
                f"The annotation of {self.names[sample].decode()} cannot be read from {self.path}; "
                f"remove that file and {PREPARE_AGAIN}."
            ) from error


def _numbers_of(names: NDArray[np.bytes_]) -> IntArray:
    """The five numbers in names SsssCcccPpppRrrrAaaa, (N, 5)."""
    letters = names.astype("S20").view(np.uint8).reshape(-1, 5, 4)
    digits = letters[..., 1:].astype(np.int64) - ord("0")
    numbers: IntArray = digits @ np.array([100, 10, 1])
    return numbers


def write_index(shards: Sequence[Path], path: Path, settings: dict[str, Any]) -> int:
    """Writes ``index.h5`` over all samples of some shards, whole or not at all.

    Returns:
        Number of samples.
    """
    building = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        count = merge_shards(shards, building, with_frames=False)
        with h5py.File(building, "a") as file:
            file.attrs.update({**settings, "format": FORMAT})
        os.replace(building, path)
    finally:
        building.unlink(missing_ok=True)
    return count
