"""Boxes and affine maps: image pixels to crop coordinates, and back.

Pixel coordinates are continuous: x to the right, y down, the pixel in column i covers i to i + 1.
Crop coordinates run from 0 to 1 over the crop. An affine map is a (3, 3) matrix from pixels to crop
coordinates. A box is (x1, y1, x2, y2) in pixels. Sizes and resolutions are (width, height).

The crop rule is that of Luvizon et al. (CVPR 2018; TPAMI 2020) in their published program, to the
rounding: rotate the image about its centre, cut a box with whole corners, flip last.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from har import HarError

INVALID = -1e9
"""Coordinate of a joint that is not there, as in the original program."""

FloatArray = NDArray[np.float64]


class GeometryError(HarError):
    """A crop that cannot be made."""


def is_valid(points: ArrayLike) -> NDArray[np.bool_]:
    """Which points exist: (...,) bool for points (..., D), false for NaN, inf and ``INVALID``."""
    points = np.asarray(points)
    return (np.isfinite(points) & (points > INVALID / 1e3)).all(-1)


# ---------------------------------------------------------------------------------- affine maps


def crop_affine(
    centre: ArrayLike | None,
    window: ArrayLike,
    image_size: tuple[int, int],
    *,
    angle_deg: float = 0.0,
    flip: bool = False,
) -> FloatArray:
    """The map from pixels of an image to coordinates in [0, 1] of a crop of it.

    The image is turned about its centre onto a canvas that holds all of it, the crop cut from the
    canvas, its corners cut to whole pixels towards zero, and mirrored if ``flip``.

    Args:
        centre: (2,) centre of the crop in pixels of the upright image; None for the image's centre.
        window: (2,) width and height of the crop in pixels, or one number for both.
        image_size: width and height of the image in pixels.
        angle_deg: rotation in degrees, positive counter-clockwise as seen on the screen.
        flip: mirror left and right.

    Returns:
        (3, 3) float64.

    Raises:
        GeometryError: the crop has no pixel in it, or is not finite.
    """
    size = np.asarray(image_size, dtype=np.float64)
    angle = math.radians(angle_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    rotation = np.array([[cos, sin], [-sin, cos]])
    canvas = np.abs(rotation) @ size
    shift = canvas / 2 - rotation @ (size / 2)

    middle = size / 2 if centre is None else np.asarray(centre, dtype=np.float64)
    middle = rotation @ middle + shift
    half = np.broadcast_to(np.asarray(window, dtype=np.float64), (2,)) / 2
    if not (np.isfinite(middle).all() and np.isfinite(half).all()):
        raise GeometryError("A crop's centre and size must be numbers, not NaN: check its box.")
    first, last = np.trunc(middle - half), np.trunc(middle + half)
    cropped = last - first
    if (cropped <= 0).any():
        raise GeometryError(
            f"A crop of {2 * half[0]:g} x {2 * half[1]:g} pixels has no pixel in it: check its box."
        )
    affine = np.eye(3)
    affine[:2, :2] = rotation / cropped[:, None]
    affine[:2, 2] = (shift - first) / cropped
    if flip:
        affine[0] = affine[2] - affine[0]
    return affine


def invert_affine(affine: ArrayLike) -> FloatArray:
    """The map from crop coordinates back to pixels; (..., 3, 3) to (..., 3, 3)."""
    return np.linalg.inv(np.asarray(affine, dtype=np.float64))


def transform_points(affine: ArrayLike, points: ArrayLike) -> FloatArray:
    """Points through an affine map; points that are NaN or ``INVALID`` stay what they are.

    Args:
        affine: (3, 3), or (..., 3, 3) with the leading axes of ``points``.
        points: (..., N, 2), or (2,) or (N, 2) with one affine.

    Returns:
        float64, shaped as ``points``.
    """
    matrix = np.asarray(affine, dtype=np.float64)
    points = np.asarray(points, dtype=np.float64)
    there = is_valid(points)[..., None]
    safe = np.where(there, points, 0.0)
    moved = safe @ np.swapaxes(matrix[..., :2, :2], -1, -2)
    moved += matrix[..., None, :2, 2] if points.ndim > 1 else matrix[:2, 2]
    return np.where(there, moved, points)


# ----------------------------------------------------------------------------------------- warp


def warp(
    image: NDArray[np.uint8],
    affine: ArrayLike,
    resolution: tuple[int, int],
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """The crop that an affine map describes, black where it leaves the image.

    A crop that is not rotated is cut out and resized; any other is one ``cv2.warpAffine``. Where
    two or more image pixels fall on one of the crop, whole blocks of them are averaged first, so
    that fine texture does not alias (``INTER_AREA`` with a broken factor would be four times as
    slow, and better by half a grey level).

    Args:
        image: (H, W, C) or (H, W) uint8.
        affine: (3, 3), pixels of ``image`` to [0, 1] of the crop.
        resolution: width and height of the crop in pixels.
        out: where to write, (height, width[, C]) uint8 and contiguous; a new array if None.

    Returns:
        (height, width[, C]) uint8, ``out`` if it was given.
    """
    matrix = np.asarray(affine, dtype=np.float64)
    width, height = resolution
    if out is None:
        out = np.empty((height, width, *image.shape[2:]), dtype=np.uint8)
    back = np.linalg.inv(matrix)
    factor = int(shrink_factor(matrix, resolution))
    corners = back[:2] @ _UNIT_CORNERS  # (2, 4) in pixels of the image
    low, high = corners.min(1), corners.max(1)
    box = np.rint([*low, *high]).astype(int)
    upright = matrix[0, 1] == 0 and matrix[1, 0] == 0 and matrix[1, 1] > 0
    if factor == 1 and upright and np.abs(box - [*low, *high]).max() < 1e-6:
        cv2.resize(_cut(image, *box), resolution, dst=out, interpolation=cv2.INTER_LINEAR)
        if matrix[0, 0] < 0:
            cv2.flip(out, 1, dst=out)
        return out

    # The blocks are counted from the crop's corner, not the image's: a crop from a part of the
    # image then has the same pixels. Blocks that lie outside the image are left out.
    size = np.array([image.shape[1], image.shape[0]])
    first = np.floor(low + 1e-6).astype(int) - 2 * factor
    last = np.minimum(np.ceil(high).astype(int) + 2 * factor, size)
    first += factor * (np.maximum(-first, 0) // factor)
    blocks = -((first - last) // factor)
    if (blocks <= 0).any():
        out[:] = 0
        return out
    part = _cut(image, *first, *(first + factor * blocks))
    if factor > 1:
        shrunk = int(blocks[0]), int(blocks[1])
        part = cv2.resize(part, shrunk, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    # OpenCV puts whole coordinates at pixel centres, we at their corners: half a pixel on each side
    to_crop = np.diag([1 / width, 1 / height, 1.0])
    to_crop[:2, 2] = 0.5 / width, 0.5 / height
    to_part = np.diag([1 / factor, 1 / factor, 1.0])
    to_part[:2, 2] = -first / factor - 0.5
    _warp_affine(part, (to_part @ back @ to_crop)[:2], resolution, out)
    return out


def _warp_affine(
    part: NDArray[np.uint8], back: FloatArray, resolution: tuple[int, int], out: NDArray[np.uint8]
) -> None:
    """``cv2.warpAffine``, with a fourth channel while it runs.

    OpenCV 5 warps four channels three times as fast as three, to the same values.
    """
    colour = part.ndim == 3 and part.shape[2] == 3
    warped = cv2.warpAffine(
        cv2.cvtColor(part, cv2.COLOR_RGB2RGBA) if colour else part,
        back,
        resolution,
        dst=None if colour else out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    if colour:
        cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB, dst=out)


def shrink_factor(affine: ArrayLike, resolution: tuple[int, int]) -> NDArray[np.int_]:
    """How many image pixels one pixel of a crop covers along each of its axes, whole, at least 1.

    Args:
        affine: (..., 3, 3), pixels of the image to [0, 1] of the crop.
        resolution: width and height of the crop in pixels.

    Returns:
        (...) int, of the axis that covers fewer.
    """
    back = np.linalg.inv(np.asarray(affine, dtype=np.float64))
    covered = np.hypot(back[..., 0, :2], back[..., 1, :2]) / resolution
    return np.maximum(1, (covered.min(-1) + 1e-6).astype(int))


_UNIT_CORNERS = np.array([[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])


def _cut(image: NDArray[np.uint8], x1: int, y1: int, x2: int, y2: int) -> NDArray[np.uint8]:
    """The pixels of a whole box: a view where the image has them all, else a copy with black."""
    height, width = image.shape[:2]
    if x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height:
        return image[y1:y2, x1:x2]
    patch = np.zeros((y2 - y1, x2 - x1, *image.shape[2:]), dtype=np.uint8)
    rows = slice(max(y1, 0), max(min(y2, height), 0))
    columns = slice(max(x1, 0), max(min(x2, width), 0))
    seen = image[rows, columns]
    if seen.size:
        top, left = rows.start - y1, columns.start - x1
        patch[top : top + seen.shape[0], left : left + seen.shape[1]] = seen
    return patch


# ---------------------------------------------------------------------------------------- boxes


def box_around(
    points: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    enlarge: float = 1.0,
    square: bool = True,
) -> FloatArray:
    """The smallest box that holds the valid points, enlarged about its centre.

    Args:
        points: (..., N, 2).
        valid: (..., N) bool; None for all that are neither NaN nor ``INVALID``.
        enlarge: factor by which width and height grow.
        square: take the longer side for both.

    Returns:
        (..., 4); NaN where no point is valid.
    """
    points = np.asarray(points, dtype=np.float64)
    there = is_valid(points) if valid is None else np.asarray(valid, dtype=bool)
    low = np.where(there[..., None], points, np.inf).min(-2)
    high = np.where(there[..., None], points, -np.inf).max(-2)
    none = ~there.any(-1, keepdims=True)
    low, high = np.where(none, np.nan, low), np.where(none, np.nan, high)
    window = high - low
    if square:
        window = np.broadcast_to(window.max(-1, keepdims=True), window.shape)
    return box_from_centre((low + high) / 2, window * enlarge)


def union_box(boxes: ArrayLike) -> FloatArray:
    """The smallest box that holds all of (..., N, 4) boxes; NaN boxes do not count."""
    boxes = np.asarray(boxes, dtype=np.float64)
    low = np.fmin.reduce(boxes[..., :2], axis=-2)
    high = np.fmax.reduce(boxes[..., 2:], axis=-2)
    return np.concatenate([low, high], axis=-1)


def centre_and_window(box: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Centre (..., 2) and width and height (..., 2) of boxes (..., 4)."""
    box = np.asarray(box, dtype=np.float64)
    return (box[..., :2] + box[..., 2:]) / 2, box[..., 2:] - box[..., :2]


def box_from_centre(centre: ArrayLike, window: ArrayLike) -> FloatArray:
    """Boxes (..., 4) from centres (..., 2) and widths and heights (..., 2)."""
    centre = np.asarray(centre, dtype=np.float64)
    half = np.asarray(window, dtype=np.float64) / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def grid_boxes(
    image_size: tuple[int, int], grid: Sequence[int] = (3, 2), *, square: bool = True
) -> FloatArray:
    """Boxes in which to look for a person nobody has located yet.

    The whole image, the image enlarged by 1.5, then a grid of boxes that overlap by half, row by
    row.

    Args:
        image_size: width and height in pixels.
        grid: number of columns and of rows.
        square: enlarge every box to a square about its centre.

    Returns:
        (2 + columns x rows, 4).
    """
    size = np.asarray(image_size, dtype=np.float64)
    columns, rows = grid
    step = size / (columns + 1, rows + 1)
    y, x = np.mgrid[1 : rows + 1, 1 : columns + 1]
    cells = np.stack([x.ravel(), y.ravel()], axis=-1) * step  # centres
    centres = np.concatenate([[size / 2, size / 2], cells])
    windows = np.concatenate([[size, 1.5 * size], np.broadcast_to(2 * step, cells.shape)])
    if square:
        windows = np.broadcast_to(windows.max(-1, keepdims=True), windows.shape)
    return box_from_centre(centres, windows)
