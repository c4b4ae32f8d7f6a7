"""From an annotation of COCO to a person: the joints that are labeled, the box, the area."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.data.coco.document import Notes, note, number
from har.layouts import Layout

Size = tuple[int, int]

_TOLERANCE_PX = 2.0  # by which boxes and joints may leave a picture that was measured otherwise
_MARGIN = 0.1  # of the box around joints: of its longer side, on every side
_SMALLEST_BOX = 0.05  # of the picture's longer side: around a single joint
_FEW_PX = 10  # of a picture's longer side: in a larger one nobody has all joints in one pixel
_SMALLEST_PX = 4.0  # of a box: a smaller one has no crop


@dataclass(frozen=True)
class Labels:
    """The joints of an annotation.

    Attributes:
        joints_px: (J, 2), NaN where not labeled.
        visible: (J,) 1 visible, 0 hidden, -1 not labeled.
    """

    joints_px: NDArray[np.float64]
    visible: NDArray[np.int8]

    @property
    def labeled_px(self) -> NDArray[np.float64]:
        """(L, 2) of the labeled joints."""
        return self.joints_px[np.isfinite(self.joints_px).all(-1)]


def read_labels(
    entry: Mapping[str, Any], layout: Layout, size: Size, place: str, notes: Notes
) -> Labels | None:
    """The joints of an annotation; None: it has not the numbers of its skeleton.

    A joint of visibility 1 (hidden) is labeled as one of 2 is. Those at (0, 0), without a number,
    or outside the picture are not used.

    Args:
        entry: of ``annotations``.
        layout: its joints.
        size: width and height of the picture.
        place: the annotation, for people.
        notes: gets what is odd.
    """
    values, count = entry.get("keypoints"), layout.num_joints
    if isinstance(values, list) and len(values) == count:  # (x, y, visibility) in a list each
        triples = [each for each in values if isinstance(each, list) and len(each) == 3]
        values = [value for each in triples for value in each] if len(triples) == count else values
    if not isinstance(values, list) or len(values) != 3 * count:
        have = f"{len(values)} numbers" if isinstance(values, list) else "no list"
        what = "left out: key points that do not fit the skeleton"
        note(notes, what, f"{place}: {have} for {count} joints")
        return None
    numbers = np.array([number(value) for value in values]).reshape(count, 3)
    places, flags = numbers[:, :2].copy(), numbers[:, 2]
    labeled = flags > 0  # false for NaN
    odd = [flag for flag in values[2::3] if isinstance(flag, bool) or number(flag) not in (0, 1, 2)]
    if odd:
        what = "a visibility is not 0, 1 or 2 (labeled if it is more than 0)"
        note(notes, what, f"{place}: {odd[0]!r:.20}")
    with np.errstate(invalid="ignore"):
        low, high = -_TOLERANCE_PX, np.array(size) + _TOLERANCE_PX
        checks = {
            "has no number": ~np.isfinite(places).all(-1),
            "is labeled at (0, 0)": (places == 0).all(-1),
            "lies outside its picture": ((places < low) | (places > high)).any(-1),
        }
    for what, wrong in checks.items():
        for joint in np.flatnonzero(labeled & wrong):
            note(notes, f"a joint {what}: not used", f"{layout.joints[joint]} of {place}")
        labeled &= ~wrong
    stated = number(entry.get("num_keypoints"))
    if "num_keypoints" in entry and stated != labeled.sum():
        what = "num_keypoints is another than the labeled joints (counted anew)"
        note(notes, what, f"{place}: {stated:g} for {labeled.sum()}")
    if _are_relative(places[labeled], size):
        what = "left out: key points from 0 to 1 are parts of the picture (export them in pixels)"
        note(notes, what, place)
        return None
    places[~labeled] = np.nan
    visible = np.where(labeled, flags != 1, -1).astype(np.int8)
    return Labels(places, visible)


def _are_relative(joints_px: NDArray[np.float64], size: Size) -> bool:
    """Whether joints are given in parts of the picture: all would lie in its first pixel."""
    distinct = len(np.unique(joints_px, axis=0))
    inside = ((joints_px >= 0) & (joints_px <= 1)).all()
    return bool(distinct > 1 and inside and max(size) > _FEW_PX)


def read_box(entry: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """The four numbers of ``bbox`` if they are some, with a size."""
    values = entry.get("bbox")
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 4:
        return None
    box = np.array([number(value) for value in values])
    return box if np.isfinite(box).all() and (box[2:] > 0).all() else None


def is_two_corners(box: NDArray[np.float64], labels: Labels, size: Size) -> bool | None:
    """Whether ``bbox`` is two corners and not a corner and a size; None: it may be both.

    It is where corner and size leave the picture and two corners do not, and hold all joints.
    """
    far = np.array(size) + _TOLERANCE_PX
    joints = labels.labeled_px
    holds = (joints >= box[:2] - _TOLERANCE_PX).all() and (joints <= box[2:] + _TOLERANCE_PX).all()
    if not (holds and (box[2:] > box[:2]).all() and (box[2:] <= far).all()):
        return False
    return True if (box[:2] + box[2:] > far).any() else None


def person_box(
    box: NDArray[np.float64] | None, labels: Labels, size: Size, place: str, notes: Notes
) -> NDArray[np.float64]:
    """The box (x1, y1, x2, y2) of a person within the picture, from the joints if need be.

    Args:
        box: x1, y1, x2, y2; None: the annotation has none.
        labels: at least one is labeled.
        size: width and height of the picture.
        place: the annotation, for people.
        notes: gets why the joints' box is taken.
    """
    joints = labels.labeled_px
    low, high = joints.min(0), joints.max(0)
    if box is not None:
        slack = 0.25 * (box[2:] - box[:2])
        inside = (joints >= box[:2] - slack) & (joints <= box[2:] + slack)
        corners = np.clip(box.reshape(2, 2), 0, size)
        sides = corners[1] - corners[0]
        if inside.all(-1).any() and sides.min() > 0 and sides.max() >= _SMALLEST_PX:
            return np.asarray(corners.ravel())
        why = "a box that holds none of its joints, or no picture"
    else:
        why = "no box, or one without a size"
    note(notes, f"{why}: taken from the joints", place)
    sizes = (_MARGIN * float((high - low).max()), _SMALLEST_BOX * max(size), _SMALLEST_PX)
    margin = max(sizes)
    return np.clip([low - margin, high + margin], 0, size).ravel()


def person_area(entry: Mapping[str, Any], box: NDArray[np.float64]) -> float:
    """What OKS measures in: the stated area, or the box's where there is none."""
    area = number(entry.get("area"))
    return area if area > 0 else float((box[2:] - box[:2]).prod())
