"""Poses and actions of a video: every frame passes through the network once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.data.targets import BOX_ENLARGEMENT
from har.files import Image
from har.geometry import FloatArray, box_around, box_iou, invert_affine, transform_points
from har.models.spec import ModelSpec
from har.prediction.locating import cut_crops
from har.prediction.smoothing import JointSmoother
from har.prediction.tracking import Finder
from har.runtime.clip_buffer import TimedClips
from har.runtime.engine import Engine, EngineOutput, FeaturesOfFrame
from har.video import Frame

_LEAVING = 0.6  # intersection over union of a box and that of the pose in it: a quarter beside it


class Person(NamedTuple):
    """A person in one image.

    Attributes:
        track: number of the person.
        box: (4,) x1, y1, x2, y2 of the crop that the network was given, in pixels of the image.
        joints_px: (J, 2) in pixels of the image.
        depth_mm: (J,) away from the camera, relative to the root joint; NaN of a 2-D network.
        confidence: (J,) in [0, 1].
    """

    track: int
    box: FloatArray
    joints_px: FloatArray
    depth_mm: FloatArray
    confidence: FloatArray


class FramePrediction(NamedTuple):
    """The prediction of one frame.

    Attributes:
        frame: of the video.
        people: the persons in it.
        actions: by track, probabilities (C,) of the clip that ends here, where one is evaluated.
        features: by track, what clips are made of, of a network with actions; None of an image.
    """

    frame: Frame
    people: list[Person]
    actions: dict[int, NDArray[np.float32]]
    features: dict[int, FeaturesOfFrame] | None = None


def people_of(
    spec: ModelSpec, track: int, boxes: ArrayLike, affines: ArrayLike, poses: NDArray[np.float32]
) -> list[Person]:
    """Transforms the poses of crops into persons in images.

    Args:
        spec: of the network.
        track: number of the person.
        boxes: (N, 4) of the crops, in pixels.
        affines: (N, 3, 3) from pixels to crop coordinates.
        poses: (N, J, dim + 1) in crop coordinates.
    """
    joints = transform_points(invert_affine(affines), poses[..., :2])
    depth = np.full(poses.shape[:2], np.nan)
    if spec.depth_range_mm is not None:
        z = poses[..., 2].astype(np.float64)
        depth = (z - z[:, [spec.joint_layout.root]]) * spec.depth_range_mm
    confidence = poses[..., -1].astype(np.float64)
    parts = zip(np.asarray(boxes, dtype=np.float64), joints, depth, confidence, strict=True)
    return [Person(track, *part) for part in parts]


def in_image(
    features: tuple[NDArray[np.float32], ...], to_image: FloatArray
) -> tuple[NDArray[np.float32], ...]:
    """Moves what clips are made of from a crop to the image, so that crops of a clip may differ.

    Args:
        features: of a frame, by block (J, dim) in crop coordinates and (J, C); changed in place.
        to_image: (3, 3) affine map from crop coordinates to pixels.
    """
    for pose in features[::2]:
        pose[:, :2] = transform_points(to_image, pose[:, :2])
    return features


class Follower:
    """Predicts the frames of a video in order, batch by batch, and keeps the clips of its persons.

    Args:
        engine: the network.
        finder: locates the persons.
        action_every_s: seconds between two predictions of a person's actions.
        smooth: the joints of a person are smoothed over time.
    """

    def __init__(
        self, engine: Engine, finder: Finder, *, action_every_s: float = 0.25, smooth: bool = False
    ) -> None:
        self.engine, self.finder, self.action_every_s = engine, finder, action_every_s
        self._clips: dict[int, TimedClips] = {}
        self._smoothers: defaultdict[int, JointSmoother] | None = None
        if smooth:
            self._smoothers = defaultdict(JointSmoother)

    def predict(self, frames: list[Frame]) -> list[FramePrediction]:
        """Returns the predictions of the next frames, at least one, in the boxes that the finder
        returns before it is given their poses."""
        engine = self.engine
        of_frames: list[dict[int, FeaturesOfFrame]] = [{} for _ in frames]
        pairs = zip(frames, of_frames, strict=True)
        predictions = [FramePrediction(frame, [], {}, found) for frame, found in pairs]
        for track in [t for t, clip in self._clips.items() if clip.is_over(frames[0].time_s)]:
            del self._clips[track]
        for track, boxes in self.finder.boxes(frames).items():
            rows = np.flatnonzero(~np.isnan(boxes).any(-1))
            if not len(rows):
                continue
            images = [frames[row].image for row in rows]
            boxes_of, affines, result = self._forward(images, boxes[rows])
            people = people_of(engine.spec, track, boxes_of, affines, result.poses)
            times = np.array([frames[row].time_s for row in rows])
            joints_px = np.stack([person.joints_px for person in people])
            around = box_around(joints_px, enlarge=BOX_ENLARGEMENT)
            confidence = np.stack([person.confidence for person in people]).mean(-1)
            self.finder.update(track, times, around, confidence)
            # elsewhere the box shows nobody, whoever gave it
            there = confidence >= engine.spec.nobody_below
            for row, person in zip(rows[there], np.flatnonzero(there), strict=True):
                shown = people[person]
                if self._smoothers is not None:
                    side = float(np.max(around[person, 2:] - around[person, :2]))
                    found = shown.joints_px, shown.depth_mm, side
                    joints, depth = self._smoothers[track](float(times[person]), *found)
                    shown = shown._replace(joints_px=joints, depth_mm=depth)
                predictions[row].people.append(shown)
            if engine.spec.labels and there.any():
                new_clip = TimedClips(engine, every_s=self.action_every_s)
                clip = self._clips.setdefault(track, new_clip)
                to_image = invert_affine(affines)
                for person in np.flatnonzero(there):
                    row, time_s, features = rows[person], times[person], result.features[person]
                    if engine.spec.features_in_image:
                        features = in_image(engine.arrays(features), to_image[person])
                    of_frames[row][track] = features
                    probabilities = clip.push(float(time_s), features)
                    if probabilities is not None:
                        predictions[row].actions[track] = probabilities
        return predictions

    def _forward(
        self, images: list[Image], boxes: FloatArray
    ) -> tuple[FloatArray, FloatArray, EngineOutput]:
        """Poses in boxes (N, 4); once more, in the box of its own pose, where a person who is
        followed is leaving the box: one who runs is faster than it.

        Returns:
            The boxes (N, 4), their affine maps (N, 3, 3), and the output of the engine.
        """
        engine = self.engine
        crops, affines = cut_crops(engine, images, boxes)
        result = engine.forward_frames(crops)
        if not self.finder.boxes_may_move:
            return boxes, affines, result
        joints = transform_points(invert_affine(affines), result.poses[..., :2])
        around = box_around(joints, enlarge=BOX_ENLARGEMENT)
        confidence = result.poses[..., -1].mean(-1)
        sure = confidence >= engine.spec.nobody_below
        leaving = np.flatnonzero(sure & (box_iou(boxes, around) < _LEAVING))
        if not len(leaving):
            return boxes, affines, result
        others = [images[row] for row in leaving]
        crops, others_affines = cut_crops(engine, others, around[leaving])
        again = engine.forward_frames(crops)
        better = again.poses[..., -1].mean(-1) >= confidence[leaving]
        rows, found = leaving[better], np.flatnonzero(better)
        boxes, affines, poses = boxes.copy(), affines.copy(), result.poses.copy()
        boxes[rows], affines[rows] = around[rows], others_affines[found]
        poses[rows] = again.poses[found]
        features = list(result.features)
        for row, number in zip(rows, found, strict=True):
            features[row] = again.features[number]
        return boxes, affines, EngineOutput(poses, features)

    def finish(self, last: list[FramePrediction]) -> None:
        """Adds the actions of persons whose clip did not become full to the last batch, in place.

        Args:
            last: what :meth:`predict` returned last.
        """
        for track, clip in self._clips.items():
            present = [frame for frame in last if any(p.track == track for p in frame.people)]
            probabilities = clip.finish() if present else None
            if probabilities is not None:
                present[0].actions[track] = probabilities


def follow(
    engine: Engine,
    batches: Iterable[list[Frame]],
    finder: Finder,
    *,
    action_every_s: float = 0.25,
    smooth: bool = False,
) -> Iterator[FramePrediction]:
    """Yields the poses and actions of a video, frame by frame.

    The frames of a batch are predicted together. Each batch is yielded when the next one was read,
    so that the actions of a video shorter than a clip are part of its last batch.

    Args:
        engine: the network.
        batches: lists of frames, in order.
        finder: locates the persons.
        action_every_s: seconds between two predictions of a person's actions.
        smooth: the joints of a person are smoothed over time.
    """
    follower = Follower(engine, finder, action_every_s=action_every_s, smooth=smooth)
    pending: list[FramePrediction] = []
    for frames in batches:
        yield from pending
        pending = follower.predict(frames)
    follower.finish(pending)
    yield from pending
