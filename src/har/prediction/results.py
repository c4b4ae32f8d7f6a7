"""Poses and actions as arrays, and the collector that makes them of frames."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from har.models.spec import ModelSpec
from har.prediction.following import FramePrediction, Person

FloatArray = NDArray[np.float32]
UNKNOWN = "unknown"
"""What the answer is where no action is likely."""
_DECIMALS = 4
_OF_PERSON = ("frame", "time_s", "track")


@dataclass(frozen=True)
class Poses:
    """Poses, one row for every person in every frame; ``poses.npz`` holds the same arrays.

    Attributes:
        frame: (M,) number of the frame, from 0; all 0 of an image.
        time_s: (M,) seconds since the first frame.
        track: (M,) number of the person.
        joints_px: (M, J, 2) x, y in pixels of the original image.
        depth_mm: (M, J) away from the camera, relative to the root joint; NaN of a 2-D network.
        confidence: (M, J) in [0, 1].
        box: (M, 4) x1, y1, x2, y2 of the crop that the network was given, in pixels.
        layout: name of the joint layout, of :mod:`har.layouts` or an own one.
        joint_names: of the J joints.
    """

    frame: NDArray[np.int64]
    time_s: NDArray[np.float64]
    track: NDArray[np.int64]
    joints_px: FloatArray
    depth_mm: FloatArray
    confidence: FloatArray
    box: FloatArray
    layout: str
    joint_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.frame)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays of ``poses.npz`` by name."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    def columns(self) -> dict[str, NDArray[Any]]:
        """Returns a long table by column: a row for every joint of every person in every frame.

        Returns:
            frame, time_s, track, joint (its name), x_px, y_px, depth_mm (NaN of a 2-D network) and
            confidence, each (M * J,).
        """
        people, joints = self.confidence.shape
        each = {name: np.repeat(getattr(self, name), joints) for name in _OF_PERSON}
        return {
            **each,
            "joint": np.tile(np.array(self.joint_names, dtype=object), people),
            "x_px": self.joints_px[..., 0].ravel(),
            "y_px": self.joints_px[..., 1].ravel(),
            "depth_mm": self.depth_mm.ravel(),
            "confidence": self.confidence.ravel(),
        }

    def person(self, row: int) -> Person:
        """Returns one row."""
        values = (self.box, self.joints_px, self.depth_mm, self.confidence)
        return Person(int(self.track[row]), *(value[row].astype(np.float64) for value in values))

    def rows_of(self, frames: NDArray[np.int64]) -> Iterator[range]:
        """Yields the rows of every one of some frames; rows are in the order of the frames."""
        begins = np.searchsorted(self.frame, frames, side="left").tolist()
        ends = np.searchsorted(self.frame, frames, side="right").tolist()
        yield from map(range, begins, ends)


@dataclass(frozen=True)
class Frames:
    """The frames that were predicted, those without a person too.

    Attributes:
        source: name of the video; "" of images and arrays.
        number: (F,) of the frame, from 0, ascending.
        time_s: (F,) seconds since the first frame.
        size: (F, 2) width and height in pixels.
        names: of the F images, where they are files; () of a video.
        stems: of the names of results of the F images.
    """

    source: str
    number: NDArray[np.int64]
    time_s: NDArray[np.float64]
    size: NDArray[np.int64]
    names: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.number)


class TopAction(NamedTuple):
    """An action and its probability."""

    label: str
    probability: float


@dataclass(frozen=True)
class Actions:
    """Actions, one row for every clip that was evaluated.

    Attributes:
        time_s: (K,) end of the clip, seconds since the first frame.
        track: (K,) number of the person.
        probabilities: (K, C).
        labels: of the C actions.
        unknown_below: see :class:`har.models.spec.ModelSpec`.
    """

    time_s: NDArray[np.float64]
    track: NDArray[np.int64]
    probabilities: FloatArray
    labels: tuple[str, ...]
    unknown_below: float | None = None

    def __len__(self) -> int:
        return len(self.time_s)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Returns a long table by column: time_s, track, action and probability, each (K * C,)."""
        clips, labels = self.probabilities.shape
        return {
            "time_s": np.repeat(self.time_s, labels),
            "track": np.repeat(self.track, labels),
            "action": np.tile(np.array(self.labels, dtype=object), clips),
            "probability": self.probabilities.ravel(),
        }

    def top(self, count: int = 5, track: int | None = None) -> list[TopAction]:
        """Returns the likeliest actions of the video: mean probability over all clips.

        Args:
            count: of actions.
            track: of this person only.

        Returns:
            The likeliest first, after "unknown" where none is likely; empty without clips.
        """
        rows = self.probabilities if track is None else self.probabilities[self.track == track]
        if not len(rows):
            return []
        return top_actions(rows.mean(0), self.labels, count, self.unknown_below)


def top_actions(
    probabilities: NDArray[Any],
    labels: tuple[str, ...],
    count: int = 5,
    unknown_below: float | None = None,
) -> list[TopAction]:
    """Returns the likeliest of C actions, the likeliest first; before them "unknown" with what is
    left of 1, where the likeliest is less probable than ``unknown_below``."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    found = [TopAction(labels[number], float(probabilities[number])) for number in order]
    if unknown_below is not None and found and found[0].probability < unknown_below:
        found.insert(0, TopAction(UNKNOWN, 1 - found[0].probability))
    return found[:count]


class PredictionCollector:
    """Collects the predictions of a video as arrays.

    Args:
        spec: of the network.
        source: name of the video.

    Attributes:
        num_frames: so far; ``last_s``: time of the last of them.
    """

    def __init__(self, spec: ModelSpec, source: str = "") -> None:
        self.spec, self.source, self.num_frames, self.last_s = spec, source, 0, 0.0
        self._names: list[tuple[str, str]] = []
        self._frames: list[tuple[int, float, int, int]] = []
        # one row of numbers per person and frame: hours of video fit into memory
        self._when: list[tuple[int, float, int]] = []
        self._rows: list[FloatArray] = []
        self._actions: list[tuple[float, int, FloatArray]] = []

    def add(self, prediction: FramePrediction, names: tuple[str, str] | None = None) -> None:
        """Adds one frame; its image is not kept.

        Args:
            prediction: of the frame.
            names: of an image's file and, without ending, of its results.
        """
        number, time_s = prediction.frame.number, prediction.frame.time_s
        height, width = prediction.frame.image.shape[:2]
        self._frames.append((number, time_s, width, height))
        self._names += [] if names is None else [names]
        self.num_frames, self.last_s = self.num_frames + 1, time_s
        for person in prediction.people:
            self._when.append((number, time_s, person.track))
            self._rows.append(np.concatenate([p.ravel() for p in person[1:]], dtype=np.float32))
        self._actions += [(time_s, track, values) for track, values in prediction.actions.items()]

    def frames(self) -> Frames:
        """Returns all frames so far."""
        number = np.array([frame[0] for frame in self._frames], np.int64)
        time_s = np.array([frame[1] for frame in self._frames], np.float64)
        size = np.array([frame[2:] for frame in self._frames], np.int64).reshape(-1, 2)
        names = tuple(name for name, _ in self._names)
        return Frames(
            self.source, number, time_s, size, names, tuple(stem for _, stem in self._names)
        )

    def poses(self) -> Poses:
        """Returns all poses so far."""
        joints = self.spec.num_joints
        rows = np.array(self._rows, np.float32).reshape(-1, 4 + 4 * joints)
        bounds = np.cumsum([4, 2 * joints, joints])
        box, joints_px, depth, confidence = np.split(rows, bounds, axis=1)
        frame = np.array([number for number, _, _ in self._when], np.int64)
        time_s = np.array([time_s for _, time_s, _ in self._when], np.float64)
        track = np.array([track for _, _, track in self._when], np.int64)
        places = joints_px.reshape(-1, joints, 2), depth, confidence, box
        return Poses(frame, time_s, track, *places, self.spec.layout, self.spec.joint_names)

    def actions(self) -> Actions:
        """Returns all actions so far."""
        labels = self.spec.labels
        time_s = np.array([time_s for time_s, _, _ in self._actions], np.float64)
        track = np.array([track for _, track, _ in self._actions], np.int64)
        rows = np.array([values for _, _, values in self._actions], np.float32)
        values = rows.reshape(len(time_s), len(labels))
        return Actions(time_s, track, values, labels, self.spec.unknown_below)


def person_dict(poses: Poses, row: int) -> dict[str, Any]:
    """Returns one row of poses as plain values."""
    depth = poses.depth_mm[row]
    return {
        "track": int(poses.track[row]),
        "box": np.round(poses.box[row].astype(float), 2).tolist(),
        "joints_px": np.round(poses.joints_px[row].astype(float), 2).tolist(),
        "depth_mm": None if np.isnan(depth).any() else np.round(depth.astype(float), 1).tolist(),
        "confidence": np.round(poses.confidence[row].astype(float), _DECIMALS).tolist(),
    }
