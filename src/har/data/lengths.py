"""The lengths that PCK is measured in, from annotated joints and boxes. No torch."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.data.records import PersonSet
from har.errors import HarError
from har.layouts import MISSING, Layout, LayoutError

_TORSO = Layout("torso", ("left shoulder", "right hip"))
_TEXTS = {
    "torso": "the torso (left shoulder to right hip)",
    "box_diagonal": "the diagonal of the person's box",
    "box_side": "the longer side of the person's box",
}


def torso_length(joints_px: ArrayLike, layout: Layout) -> NDArray[np.float64]:
    """Distance from the left shoulder to the right hip, as Leeds Sports Pose is measured.

    Args:
        joints_px: (N, J, 2), NaN where not annotated.
        layout: of the joints.

    Returns:
        (N,) pixels, NaN where one of the two is not annotated.

    Raises:
        HarError: the layout lacks one of the two.
    """
    try:
        order = _TORSO.order_from(layout)
    except LayoutError:
        order = (MISSING,)
    if MISSING in order:
        raise HarError(
            f"A torso is measured from the left shoulder to the right hip, and the layout "
            f"{layout.name} lacks them: choose data.length=box_diagonal or box_side."
        )
    shoulder, hip = np.moveaxis(np.asarray(joints_px, dtype=np.float64)[:, order], 1, 0)
    return np.hypot(*(shoulder - hip).T)


def box_diagonal(box_px: ArrayLike) -> NDArray[np.float64]:
    """Diagonals (N,) of boxes (N, 4), NaN where unknown."""
    return np.hypot(*_sides(box_px).T)


def box_side(box_px: ArrayLike) -> NDArray[np.float64]:
    """Longer sides (N,) of boxes (N, 4), NaN where unknown."""
    return _sides(box_px).max(1)


def box_or_extent(persons: PersonSet) -> NDArray[np.float64]:
    """Boxes (N, 4) of persons: as annotated; that of the annotated joints where there is none;
    NaN without any."""
    boxes = persons.rows["box_px"]
    joints = persons.rows["joints_px"]
    extent = np.concatenate([np.fmin.reduce(joints, 1), np.fmax.reduce(joints, 1)], axis=1)
    with np.errstate(invalid="ignore"):
        given = (_sides(boxes) > 0).all(1, keepdims=True)
    return np.where(given, boxes, extent)


def areas(persons: PersonSet) -> NDArray[np.float64]:
    """Areas (N,) that OKS is measured in, in square pixels: as annotated, else that of the box or
    of the joints' extent, at least one pixel; NaN without any."""
    given = persons.rows["area_px2"]
    with np.errstate(invalid="ignore"):
        return np.where(given > 0, given, np.maximum(_sides(box_or_extent(persons)), 1).prod(1))


def measured_in(length: str, persons: PersonSet) -> NDArray[np.float64]:
    """Lengths (N,) of persons in pixels, NaN where unknown.

    Args:
        length: ``torso``, or ``box_diagonal`` or ``box_side`` of the annotated box, or of that of
            the joints where there is none.
        persons: N of them.

    Raises:
        HarError: another word, or a skeleton without a torso.
    """
    length_text(length)
    if length == "torso":
        return torso_length(persons.rows["joints_px"], persons.layout)
    boxes = box_or_extent(persons)
    return box_diagonal(boxes) if length == "box_diagonal" else box_side(boxes)


def length_text(length: str) -> str:
    """A length in words, for people.

    Raises:
        HarError: there is none of this name.
    """
    if length not in _TEXTS:
        raise HarError(f"data.length={length}: choose {', '.join(_TEXTS)}.")
    return _TEXTS[length]


def _sides(box_px: ArrayLike) -> NDArray[np.float64]:
    boxes = np.asarray(box_px, dtype=np.float64)
    return boxes[:, 2:] - boxes[:, :2]
