"""The prediction for an image or a video: poses, actions, and figures of them."""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from har.files import Image
from har.models.spec import ModelSpec
from har.prediction.following import FramePrediction
from har.visual.draw import contact_sheet, draw_skeleton, probability_bars

FloatArray = NDArray[np.float32]
_DECIMALS = 4


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
    """

    time_s: NDArray[np.float64]
    track: NDArray[np.int64]
    probabilities: FloatArray
    labels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.time_s)

    def top(self, count: int = 5, track: int | None = None) -> list[TopAction]:
        """Returns the likeliest actions of the video: mean probability over all clips.

        Args:
            count: of actions.
            track: of this person only.

        Returns:
            The likeliest first; empty without clips.
        """
        rows = self.probabilities if track is None else self.probabilities[self.track == track]
        if not len(rows):
            return []
        return top_actions(rows.mean(0), self.labels, count)


def top_actions(
    probabilities: NDArray[Any], labels: tuple[str, ...], count: int = 5
) -> list[TopAction]:
    """Returns the likeliest of C actions, the likeliest first."""
    order = np.argsort(-probabilities, kind="stable")[:count]
    return [TopAction(labels[number], float(probabilities[number])) for number in order]


class PredictionCollector:
    """Collects the predictions of a video as arrays.

    Args:
        spec: of the network.

    Attributes:
        num_frames: so far; ``last_s``: time of the last of them.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.spec, self.num_frames, self.last_s = spec, 0, 0.0
        # one row of numbers per person and frame: hours of video fit into memory
        self._when: list[tuple[int, float, int]] = []
        self._rows: list[FloatArray] = []
        self._actions: list[tuple[float, int, FloatArray]] = []

    def add(self, prediction: FramePrediction) -> None:
        """Adds one frame; its image is not kept."""
        number, time_s = prediction.frame.number, prediction.frame.time_s
        self.num_frames, self.last_s = self.num_frames + 1, time_s
        for person in prediction.people:
            self._when.append((number, time_s, person.track))
            self._rows.append(np.concatenate([p.ravel() for p in person[1:]], dtype=np.float32))
        self._actions += [(time_s, track, values) for track, values in prediction.actions.items()]

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
        return Actions(time_s, track, rows.reshape(len(time_s), len(labels)), labels)


@dataclass(frozen=True)
class Prediction:
    """What :class:`har.Predictor` returns.

    Attributes:
        poses: of every person in every frame.
        actions: of the clips; no rows for an image, or a network without actions.
        spec: of the network.
        images: some of the frames by number, which :meth:`plot` shows.
    """

    poses: Poses
    actions: Actions
    spec: ModelSpec
    images: dict[int, Image]

    def plot(self) -> Image:
        """Draws skeletons on the image, or on some frames of a video, and the likeliest actions.

        Returns:
            uint8 RGB (H, W, 3).
        """
        drawn = []
        for number, image in sorted(self.images.items()):
            for row in np.flatnonzero(self.poses.frame == number):
                joints, confidence = self.poses.joints_px[row], self.poses.confidence[row]
                image = draw_skeleton(image, joints, self.spec.joint_layout, confidence)
            drawn.append(image)
        if len(drawn) == 1:
            picture = drawn[0]
        else:
            times = dict(zip(self.poses.frame.tolist(), self.poses.time_s.tolist(), strict=True))
            shown = sorted(self.images)
            captions = [f"{times[n]:.1f} s" if n in times else f"frame {n}" for n in shown]
            picture = contact_sheet(drawn, 4, captions)
        if len(self.actions):
            mean = self.actions.probabilities.mean(0)
            bars = probability_bars(picture.shape[1], self.spec.labels, mean)
            picture = np.vstack([picture, bars])
        return picture

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON; unknown values are None."""
        return {
            "joint_names": list(self.poses.joint_names),
            "poses": [
                {
                    "frame": int(self.poses.frame[row]),
                    "time_s": round(float(self.poses.time_s[row]), _DECIMALS),
                    **person_dict(self.poses, row),
                }
                for row in range(len(self.poses))
            ],
            "actions": [
                {
                    "time_s": round(float(self.actions.time_s[row]), _DECIMALS),
                    "track": int(self.actions.track[row]),
                    "top": [a._asdict() for a in top_actions(values, self.actions.labels)],
                }
                for row, values in enumerate(self.actions.probabilities)
            ],
            "model": self.spec.to_dict(),
        }


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
