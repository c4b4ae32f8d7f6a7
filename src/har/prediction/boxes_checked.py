"""Boxes as a program gives them: checked before anything is computed with them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.errors import HarError
from har.geometry import FloatArray
from har.prediction.boxes_table import fault_of

_WANTED = "x1, y1, x2, y2 in pixels, as (N, 4)"


def checked_boxes(boxes: ArrayLike, size: tuple[int, int]) -> FloatArray:
    """Boxes as a program gives them, (N, 4) float64.

    Args:
        boxes: (N, 4), or (4,) for one: x1, y1, x2, y2 in pixels.
        size: width and height of the picture.

    Raises:
        HarError: they are no boxes, or one lies outside the picture.
    """
    given = _array(boxes, "boxes")
    shown = overlaps_image(given, size)
    if not shown.all():
        number = int(np.argmin(shown))
        raise HarError(
            f"boxes[{number}] is {given[number].tolist()}: it lies outside the picture of "
            f"{size[0]}x{size[1]} pixels."
        )
    return given


def detected_boxes(boxes: ArrayLike | None, size: tuple[int, int]) -> FloatArray:
    """Boxes as a detector gives them, (N, 4) float64, without those outside the picture.

    Args:
        boxes: see :func:`checked_boxes`; None: nobody.
        size: width and height of the picture.

    Raises:
        HarError: they are no boxes.
    """
    given = np.empty((0, 4)) if boxes is None else _array(boxes, "the detector's boxes")
    return given[overlaps_image(given, size)]


def overlaps_image(boxes: ArrayLike, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which of N boxes (N, 4), in pixels, show a part of an image of (width, height)."""
    given = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    return np.asarray((given[:, :2] < size).all(-1) & (given[:, 2:] > 0).all(-1))


def _array(boxes: ArrayLike, name: str) -> FloatArray:
    """Boxes (N, 4); HarError where they are none, whatever the picture."""
    try:
        given = np.asarray(boxes, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise HarError(f"{name} are not numbers: give {_WANTED}.") from error
    if given.size == 0:
        return np.empty((0, 4))
    if given.shape[-1:] != (4,) or given.ndim > 2:
        raise HarError(f"{name} have the shape {given.shape}: give {_WANTED}.")
    given = given.reshape(-1, 4)
    for number, box in enumerate(given.tolist()):
        if fault := fault_of(box):
            raise HarError(f"{name}[{number}] is {box}: {fault}.")
    return given
