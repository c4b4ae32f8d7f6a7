"""The index of prepared samples: columns in memory, annotations on disk until they are asked for.

``index.h5`` is a shard of all samples without the pictures (:mod:`har.data.framestore.shards`), and
its attributes state how they were made. Indices of version 0.1.0 (format 1) are read as well: names
whose first four letters are the shard, joints (F, 25, 4) of one person in NTU's layout and pixels
of 1920x1080, no times: frames lie 1/30 s times their number apart, or 1/15 s where it says so.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from har.data.augment import Augmentation, CropMargin
from har.data.clips import FRAMES_PER_SECOND, time_grid
from har.data.framestore.shards import PREPARE_AGAIN, merge_shards
from har.data.targets import RECIPE_WIDTH_PX
from har.errors import HarError
from har.files import whole_file
from har.layouts import get_layout

IntArray = NDArray[np.int64]
FORMAT = 2
_OLD_JOINTS_WIDTH_PX = 1920
_OLD_FRAMES_PER_SECOND = 30


class Annotation(NamedTuple):
    """The acting person in the F stored frames of a sample.

    Attributes:
        joints_px: float32 (F, J, 2), pixels of pictures as wide as the index states
            (``joints_width_px``), NaN where unknown.
        depth_mm: float32 (F, J); None: the data set has no depth.
        state: (F, J), 0 for joints that errors do not count.
    """

    joints_px: NDArray[np.float32]
    depth_mm: NDArray[np.float32] | None
    state: NDArray[Any]


class FrameIndex:
    """Samples of a prepared folder.

    Whatever is read from disk later raises a HarError where the file is damaged or gone.

    Attributes:
        names: UTF-8 (N,), sorted.
        groups, labels, splits: UTF-8 (N,); see :class:`har.data.records.Clip`.
        num_frames: int64 (N,), stored frames.
        durations_s: float64 (N,), from the first to the last of them.
        on_grid: bool (N,), stored at 15 frames a second.
        has_joints: bool (N,), some joint is known.
        settings: how the frames were made: ``store`` and what else the data set's reader states.
        layout: of the stored joints.
        joints_width_px: joints are pixels of pictures of this width; None: of the stored frames.
        margin: how far crops may go from the true persons; None: whole frames are stored.
        steps_per_second: of the grid on which clips count their frames; 15 where none is stated.
        recipe_width_px: shifts of crops are pixels of frames of this width (960 where none is
            stated); None: of the stored frames.

    Args:
        path: of ``index.h5``.

    Raises:
        HarError: it is damaged or of another version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with h5py.File(path, locking=False) as file:
                self.settings: dict[str, Any] = dict(file.attrs)
                self.is_old = bool(self.settings.get("format") == 1)  # version 0.1.0 wrote it
                self._read(file)
        except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise HarError(
                f"The index {path} cannot be read, it is damaged; remove it and {PREPARE_AGAIN}."
            ) from error
        if self.settings.get("format") not in (1, FORMAT):
            raise HarError(
                f"The index {path} was written by another version of har; {PREPARE_AGAIN}."
            )
        name, joints = self.settings.get("layout", "ntu25"), self.settings.get("joint_names", ())
        self.layout = get_layout(name, [str(joint) for joint in joints])
        old_width = _OLD_JOINTS_WIDTH_PX if self.is_old else None
        self.joints_width_px: float | None = self.settings.get("joints_width_px", old_width)
        self.margin: CropMargin | None = None
        for word in ("margin", "reach"):  # the latter in 0.1.0
            if f"{word}_scale" in self.settings:
                x, y = self.settings[f"{word}_shift_px"]
                self.margin = CropMargin(self.settings[f"{word}_scale"], (x, y))
        self.steps_per_second = float(self.settings.get("steps_per_second", FRAMES_PER_SECOND))
        # an attribute of the file is a number: 0 stands for the frames' own width
        self.recipe_width_px: float | None = (
            float(self.settings.get("recipe_width_px", RECIPE_WIDTH_PX)) or None
        )
        self._cameras: dict[str, Any] | None = None
        self._columns: dict[str, Any] | None = None
        self._owner = -1

    @classmethod
    def open(cls, path: str | Path) -> FrameIndex:
        """Opens ``index.h5``; see the class."""
        return cls(Path(path))

    def _read(self, file: h5py.File) -> None:
        """The columns of samples."""
        self.names: NDArray[np.bytes_] = file["name"][:]
        self._first_row: IntArray = file["first_frame"][:]
        self._frame_sizes: NDArray[np.int32] = file["frame_size"][:]
        self.num_frames = np.diff(self._first_row)
        count = len(self.names)
        if self.is_old:
            self.groups: NDArray[np.bytes_] = self.names.astype("S4")
            self.labels, self.splits = np.zeros(count, "S1"), np.zeros(count, "S1")
            self.has_joints = np.ones(count, bool)
            self._read_old_times(file["frame_number"][:])
        else:
            self.groups, self.labels = file["group"][:], file["label"][:]
            self.splits = file["split"][:]
            self.durations_s: NDArray[np.float64] = file["duration_s"][:]
            self.on_grid: NDArray[np.bool_] = file["on_grid"][:]
            self.has_joints = file["has_joints"][:]
        whole = np.concatenate([np.zeros_like(self._frame_sizes), self._frame_sizes], axis=1)
        self._regions: NDArray[np.int32] = file["region"][:] if "region" in file else whole

    def _read_old_times(self, frame_number: NDArray[np.int32]) -> None:
        """Durations, and which samples are on the grid, of an index of 0.1.0."""
        first, end = self._first_row[:-1], self._first_row[1:]
        if "frames_per_second" in self.settings:
            self.durations_s = (self.num_frames - 1) / FRAMES_PER_SECOND
            self.on_grid = np.ones(len(self.names), bool)
            return
        span = frame_number[end - 1] - frame_number[first]
        self.durations_s = span / _OLD_FRAMES_PER_SECOND
        step = _OLD_FRAMES_PER_SECOND // FRAMES_PER_SECOND
        gaps = np.concatenate([[0], np.cumsum(np.diff(frame_number) != step)])
        self.on_grid = gaps[end - 1] == gaps[first]

    def __len__(self) -> int:
        return len(self.names)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_columns": None, "_owner": -1}

    def name(self, sample: int) -> str:
        """Name of a sample."""
        return self.names[sample].decode()

    def group_of(self, name: str) -> str:
        """The group of a sample, which names its shard.

        Raises:
            HarError: there is no such sample.
        """
        return self.groups[self.number_of(name)].decode()

    def frame_size(self, sample: int) -> tuple[int, int]:
        """Width and height of a sample's stored frames in pixels."""
        width, height = self._frame_sizes[sample].tolist()
        return width, height

    def region_offset(self, sample: int) -> NDArray[np.float64]:
        """The map from pixels of a sample's pictures to pixels of its frames, (3, 3).

        ``affine @ region_offset`` makes, of a crop from frames, the same crop from the pictures,
        of which only the region of a person's track may be stored.
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
        if self.margin is None:
            return
        anywhere = "" if true_boxes else "predicted boxes may lie anywhere"
        if problem := anywhere or self.margin.problem(augmentation):
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
        if self.names[place : place + 1].tolist() != [name.encode()]:
            raise HarError(f"There is no sample {name} in {self.path}; prepare it first.")
        return place

    def frame_numbers(self, name: str) -> NDArray[np.int32]:
        """Which frame of the video each stored frame of a sample is, from 0, (F,).

        Raises:
            HarError: there is no such sample.
        """
        return self._rows_of("frame_number", self.number_of(name))

    def times(self, sample: int) -> NDArray[np.float64]:
        """Seconds of a sample's stored frames, ascending, (F,)."""
        if not self.is_old:
            return self._rows_of("time_s", sample)
        if "frames_per_second" in self.settings:
            return np.arange(self.num_frames[sample]) / FRAMES_PER_SECOND
        return self._rows_of("frame_number", sample) / _OLD_FRAMES_PER_SECOND

    def grid(self, sample: int) -> IntArray:
        """Positions of the stored frames at every step: :func:`har.data.clips.time_grid`."""
        if self.on_grid[sample] and self.steps_per_second == FRAMES_PER_SECOND:  # without reading
            return np.arange(self.num_frames[sample])
        return time_grid(self.times(sample), self.steps_per_second)

    def joints(self, sample: int) -> NDArray[np.float32]:
        """Joints of all people in a sample, (F, P, J, C): see :class:`har.data.records.Clip`."""
        joints = self._rows_of("joints", sample)
        return joints[:, None] if self.is_old else joints

    def annotation(self, sample: int) -> Annotation:
        """The annotation of the acting person, read from disk."""
        joints = self.joints(sample)[:, 0]
        columns = joints.shape[-1]
        depth = joints[..., 2] if columns == 4 else None
        if columns > 2:
            return Annotation(joints[..., :2], depth, joints[..., -1].astype(np.uint8))
        return Annotation(joints, None, np.asarray(np.isfinite(joints).all(-1)))

    def meta(self, sample: int) -> dict[str, Any]:
        """What else the data set's reader stored of a sample."""
        if self.is_old:
            return {}
        return json.loads(self._rows("meta", sample, [sample, sample + 1])[0])

    def intrinsics(self, sample: int) -> NDArray[np.float64] | None:
        """What maps a sample's camera space to pixels, (9,): focal lengths, principal point, three
        coefficients of radial and two of tangential distortion; None where all samples have the
        data set's one camera."""
        if "cameras" not in self.settings:
            return None
        if self._cameras is None:
            self._cameras = json.loads(self.settings["cameras"])
        return np.array(self._cameras[self.meta(sample)["camera"]], dtype=np.float64)

    def _rows_of(self, column: str, sample: int) -> NDArray[Any]:
        """What a column of the file holds of a sample's frames."""
        return self._rows(column, sample, self._first_row[sample : sample + 2].tolist())

    def _rows(self, column: str, sample: int, rows: list[int]) -> NDArray[Any]:
        """Some rows, from and to, of a column of the file, which every process opens for itself."""
        try:
            if self._columns is None or self._owner != os.getpid():
                # An HDF5 file that was open before a fork must not be used after it.
                file = h5py.File(self.path, locking=False)
                names = ("joints", "frame_number", "time_s", "meta")
                self._columns = {name: file[name] for name in names if name in file}
                self._owner = os.getpid()
            return self._columns[column][slice(*rows)]
        except (OSError, KeyError) as error:
            raise HarError(
                f"The annotation of {self.name(sample)} cannot be read from {self.path}; remove "
                f"that file and {PREPARE_AGAIN}."
            ) from error


def write_index(shards: Sequence[Path], path: Path, settings: dict[str, Any]) -> int:
    """Writes ``index.h5`` over all samples of some shards, whole or not at all.

    Args:
        shards: what it lists.
        path: of the index.
        settings: how the frames were made, plain values; ``layout`` and ``joint_names`` of the
            stored joints, ``joints_width_px`` where joints are not pixels of the frames,
            ``steps_per_second`` and ``recipe_width_px`` (0: of the frames) where clips are counted
            and crops shifted otherwise than NTU's, ``cameras`` (JSON by the name that a sample's
            ``meta`` states) where there are several.

    Returns:
        Number of samples.

    Raises:
        HarError: a shard is damaged, or the index cannot be written.
    """
    with whole_file(path) as building:
        count = merge_shards(shards, building, with_frames=False)
        with h5py.File(building, "a") as file:
            file.attrs.update({**settings, "format": FORMAT})
    return count
