"""Boxes of the persons in a video: one located and followed, or several with track numbers.

In training the crop of a clip is one box for all of its frames: the smallest that holds the boxes
of the first, middle and last one (Luvizon et al., TPAMI 2020, section 6). A stream has no last
frame, so a followed box holds the person's boxes during the last clip, and moves smoothly.
"""

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from har.geometry import FloatArray, box_from_center, box_iou, center_and_window, union_box
from har.models.spec import NOBODY_BELOW
from har.prediction.boxes_checked import detected_boxes, overlaps_image
from har.prediction.locating import locate_person, sees_others
from har.runtime.engine import Engine
from har.video import Frame

Boxes = dict[int, FloatArray]
"""Boxes (F, 4) of F frames by track number, NaN in frames without the person."""

# Of the smallest rectangle around a person: the crops of training are 1.5 times the extent of the
# joints, which lie inside the body.
_AROUND_PERSON = 1.25
_SAME_PLACE = 0.3  # intersection over union of a person's boxes half a second apart
_SMOOTH_S = 0.3  # in which a box covers 63 % of its way
_MOTION_S = 0.4  # of the past, by which a person's motion is estimated, and as far ahead
_AT_REST = 0.1  # of the box's side in _SMOOTH_S: less is no walking
_LOST_S = 0.7  # without a confident pose
_SEARCH_S, _DOUBT_S = 1.0, 2.0  # from search to search for a lost or a doubtful person
_DETECT_S = 0.5
_MARGIN = 0.1  # of confidence, by which a pose elsewhere must be better


class Finder(ABC):
    """Locates persons in a video, frames in order.

    Attributes:
        boxes_may_move: a frame may be predicted in the box of its own pose instead.
    """

    boxes_may_move: bool = False

    @abstractmethod
    def boxes(self, frames: Sequence[Frame]) -> Boxes:
        """Returns the boxes of the next frames."""

    def update(  # noqa: B027
        self, track: int, times_s: FloatArray, boxes: FloatArray, confidence: FloatArray
    ) -> None:
        """Takes the result: boxes of the poses (F, 4), mean confidence of the joints (F,)."""


class FollowedBox:
    """The box of one person, from frame to frame.

    Args:
        box: (4,) to begin with.
        time_s: of the frame in which the person was located.
        span_s: the box holds where the person was in these last seconds; 0 for poses only.
        nobody_below: mean confidence below which a pose says nothing.
    """

    def __init__(
        self, box: ArrayLike, time_s: float, span_s: float, nobody_below: float = NOBODY_BELOW
    ) -> None:
        self.box = np.asarray(box, dtype=np.float64)
        self.confidence = 1.0
        self.seen_s = time_s
        self._span_s, self._nobody_below = span_s, nobody_below
        self._history: deque[tuple[float, FloatArray]] = deque()
        self._centers: deque[tuple[float, FloatArray]] = deque()
        self._time_s = time_s

    def move(self, times_s: FloatArray, boxes: FloatArray, confidence: FloatArray) -> None:
        """Takes the poses of the next frames; see :meth:`Finder.update`."""
        self.confidence = float(confidence.mean())
        sure = confidence >= self._nobody_below
        now = float(times_s[-1])
        if sure.any():
            self.seen_s = float(times_s[sure][-1])
            self._history.append((self.seen_s, np.median(boxes[sure], axis=0)))
            centers = center_and_window(boxes[sure])[0]
            self._centers += zip(times_s[sure].tolist(), centers, strict=True)
        while self._centers and self._centers[0][0] < now - _MOTION_S:
            self._centers.popleft()
        while len(self._history) > 1 and self._history[0][0] < now - self._span_s:
            self._history.popleft()
        if self._history:
            past = [box for _, box in self._history]
            target = union_box(np.stack([past[0], past[len(past) // 2], past[-1]]))
            share = 1 - math.exp(-max(now - self._time_s, 1 / 60) / _SMOOTH_S)
            self.box = self.box + share * (target - self.box)
        self._time_s = now

    def boxes(self, times_s: FloatArray) -> FloatArray:
        """The boxes (F, 4) for the frames that come next, at (F,) seconds: where somebody who walks
        or runs will be, if a box need not hold a whole clip."""
        boxes = np.tile(self.box, (len(times_s), 1))
        if self._span_s > 0 or len(self._centers) < 3:
            return boxes
        times = np.array([time_s for time_s, _ in self._centers])
        centers = np.stack([center for _, center in self._centers])
        mean_s = times.mean()
        spread = np.square(times - mean_s).sum()
        if spread <= 0:
            return boxes
        velocity = (times - mean_s) @ centers / spread  # px/s, by least squares
        side = self.box[2:] - self.box[:2]
        if np.linalg.norm(velocity) * _SMOOTH_S < _AT_REST * side.max():
            return boxes
        ahead = np.minimum(times_s, times[-1] + _MOTION_S) - mean_s
        return box_from_center(
            centers.mean(0) + ahead[:, None] * velocity, np.tile(side, (len(times_s), 1))
        )


class OnePerson(Finder):
    """The likeliest person, located without a detector and followed.

    Args:
        engine: a network with poses.
        span_s: see :class:`FollowedBox`.
    """

    def __init__(self, engine: Engine, span_s: float) -> None:
        self.engine, self.span_s = engine, span_s
        self.boxes_may_move = span_s == 0
        self._track, self._followed = -1, None  # type: int, FollowedBox | None
        self._searched_s = -math.inf
        self._last_box: FloatArray | None = None
        self._first: tuple[NDArray[np.uint8], FloatArray] | None = None

    @cached_property
    def others(self) -> bool:
        """Whether another person seemed to be where the followed one was first located: to be asked
        after that, and looked for only then."""
        return self._first is not None and sees_others(self.engine, *self._first)

    def boxes(self, frames: Sequence[Frame]) -> Boxes:
        now = frames[0].time_s
        followed = self._followed
        if followed is not None and now - followed.seen_s > _LOST_S:
            self._last_box, self._followed = followed.box, None
        limit = self.engine.spec.doubtful_below
        doubtful = self._followed is not None and self._followed.confidence < limit
        pause = _DOUBT_S if doubtful else _SEARCH_S
        if (self._followed is None or doubtful) and now - self._searched_s >= pause:
            self._search(frames[0])
        if self._followed is None:
            return {}
        return {self._track: self._followed.boxes(np.array([f.time_s for f in frames]))}

    def update(
        self, track: int, times_s: FloatArray, boxes: FloatArray, confidence: FloatArray
    ) -> None:
        if self._followed is not None:
            self._followed.move(times_s, boxes, confidence)

    def _search(self, frame: Frame) -> None:
        self._searched_s = frame.time_s
        found = locate_person(self.engine, [frame.image])
        box, confidence = found.boxes[0], float(found.confidence[0])
        old = self._followed
        nobody_below = self.engine.spec.nobody_below
        if confidence < nobody_below or (
            old is not None
            and (box_iou(old.box, box) > _SAME_PLACE or confidence < old.confidence + _MARGIN)
        ):
            return
        before = self._last_box if old is None else None
        if before is None or box_iou(before, box) < _SAME_PLACE:
            self._track += 1  # perhaps another person
            if self._track == 0:
                self._first = frame.image, box
        self._followed = FollowedBox(box, frame.time_s, self.span_s, nobody_below)


class GivenBoxes(Finder):
    """Given boxes, interpolated between two frames that have one.

    Args:
        numbers: by track, the frames that have a box, ascending, (K,).
        boxes: by track, (K, 4), the smallest rectangles around the person. Where they lie outside
            the frame, nobody is there.
    """

    def __init__(self, numbers: dict[int, NDArray[np.int64]], boxes: Boxes) -> None:
        self._numbers, self._given = numbers, boxes
        self._boxes = {track: around_person(given) for track, given in boxes.items()}

    def boxes(self, frames: Sequence[Frame]) -> Boxes:
        wanted = np.array([frame.number for frame in frames])
        result = {}
        for track, numbers in self._numbers.items():
            there = (wanted >= numbers[0]) & (wanted <= numbers[-1])
            if there.any():
                size = frames[0].image.shape[1::-1]
                there &= overlaps_image(_between(wanted, numbers, self._given[track]), size)
                boxes = _between(wanted, numbers, self._boxes[track])
                result[track] = np.where(there[:, None], boxes, np.nan)
        return result


def _between(
    wanted: NDArray[np.int64], numbers: NDArray[np.int64], boxes: FloatArray
) -> FloatArray:
    """The boxes (F, 4) of wanted frames, between those of K frames."""
    return np.stack([np.interp(wanted, numbers, side) for side in boxes.T], axis=1)


class DetectedPeople(Finder):
    """All persons of a detector, followed by their poses between two detections.

    Args:
        detect: image (H, W, 3) uint8 RGB to boxes (N, 4) in pixels; see :func:`detected_boxes`.
        span_s, nobody_below: see :class:`FollowedBox`.
    """

    def __init__(
        self,
        detect: Callable[[NDArray[np.uint8]], FloatArray],
        span_s: float,
        nobody_below: float = NOBODY_BELOW,
    ) -> None:
        self.detect, self.span_s, self.nobody_below = detect, span_s, nobody_below
        self._people: dict[int, FollowedBox] = {}
        self._detected: dict[int, float] = {}  # when, by track
        self._next, self._detected_s = 0, -math.inf

    def boxes(self, frames: Sequence[Frame]) -> Boxes:
        now = frames[0].time_s
        if now - self._detected_s >= _DETECT_S:
            image = frames[0].image
            found = detected_boxes(self.detect(image), (image.shape[1], image.shape[0]))
            self._detected_s = now
            self._match(around_person(found), now)
        for track in [t for t, seen in self._detected.items() if now - seen > _LOST_S]:
            del self._people[track], self._detected[track]
        return {t: np.tile(person.box, (len(frames), 1)) for t, person in self._people.items()}

    def update(
        self, track: int, times_s: FloatArray, boxes: FloatArray, confidence: FloatArray
    ) -> None:
        self._people[track].move(times_s, boxes, confidence)

    def _match(self, found: FloatArray, now: float) -> None:
        """Assigns every box to the track that it overlaps most with, or to a new one."""
        tracks = list(self._people)
        followed = np.array([self._people[track].box for track in tracks]).reshape(-1, 1, 4)
        overlaps = box_iou(followed, found)
        rows, columns = linear_sum_assignment(-overlaps)
        pairs = {c: tracks[r] for r, c in zip(rows, columns, strict=True)}
        for number, box in enumerate(found):
            track = pairs.get(number)
            if track is None or overlaps[tracks.index(track), number] < _SAME_PLACE:
                track, self._next = self._next, self._next + 1
                self._people[track] = FollowedBox(box, now, self.span_s, self.nobody_below)
            self._detected[track] = now


def around_person(boxes: ArrayLike) -> FloatArray:
    """Square boxes (N, 4) of the network's crops for the smallest rectangles around persons."""
    center, window = center_and_window(np.asarray(boxes, dtype=np.float64).reshape(-1, 4))
    side = _AROUND_PERSON * window.max(-1, keepdims=True)
    return box_from_center(center, np.repeat(side, 2, axis=-1))
