"""Boxes and affine maps: image pixels to crop coordinates, and back.

Pixel coordinates are continuous: x to the right, y down, the pixel in column i covers i to i + 1.
Crop coordinates run from 0 to 1 over the crop. An affine map is a (3, 3) matrix from pixels to crop
coordinates. A box is (x1, y1, x2, y2) in pixels. Sizes and resolutions are (width, height). The
crop rule is that of Luvizon et al. (CVPR 2018; TPAMI 2020) in their program, to the rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.errors import HarError

INVALID = -1e9
"""Coordinate of a joint that is not there, as in the original program."""

FloatArray = NDArray[np.float64]


class GeometryError(HarError):
    """A crop that cannot be made."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion.

    Attributes:
        focal_px: focal lengths in x and y.
        principal_px: principal point.
        width_px: width of the images that these values are for.
    """

    focal_px: tuple[float, float]
    principal_px: tuple[float, float]
    width_px: int


def is_valid(points: ArrayLike) -> NDArray[np.bool_]:
    """Which points exist: (...,) bool for points (..., D), false for NaN, inf and ``INVALID``."""
    points = np.asarray(points)
    return (np.isfinite(points) & (points > INVALID / 1e3)).all(-1)


def crop_affine(
    center: ArrayLike | None,
    window: ArrayLike,
    image_size: tuple[int, int],
    *,
    angle_deg: float = 0.0,
    flip: bool = False,
) -> FloatArray:
    """The map from pixels of an image to coordinates in [0, 1] of a crop of it.

    The image is turned about its center onto a canvas that holds all of it, the crop cut from the
    canvas, its corners cut to whole pixels towards zero, and mirrored if ``flip``.

    Args:
        center: (2,) center of the crop in pixels of the upright image; None for the image's center.
        window: (2,) width and height of the crop in pixels, or one number for both.
        image_size: width and height of the image in pixels.
        angle_deg: rotation in degrees, positive counter-clockwise as seen on the screen.
        flip: mirror left and right.

    Returns:
        (3, 3) float64.

    Raises:
        GeometryError: the crop has no pixel in it, or is not finite.
    """
    # Plain numbers: on arrays of two, NumPy takes seven times as long, for every sample anew.
    width, height = image_size
    angle = math.radians(angle_deg)
    cos, sin = math.cos(angle), math.sin(angle)
    shift_x = (abs(cos) * width + abs(sin) * height) / 2 - (cos * width + sin * height) / 2
    shift_y = (abs(sin) * width + abs(cos) * height) / 2 - (cos * height - sin * width) / 2

    x, y = (width / 2, height / 2) if center is None else np.asarray(center, float).tolist()
    x, y = cos * x + sin * y + shift_x, cos * y - sin * x + shift_y
    sides = np.asarray(window, float).ravel().tolist()
    half_x, half_y = sides[0] / 2, sides[-1] / 2
    if not all(map(math.isfinite, (x, y, half_x, half_y))):
        raise GeometryError("A crop's center and size must be numbers, not NaN: check its box.")
    left, top = math.trunc(x - half_x), math.trunc(y - half_y)
    cropped_x, cropped_y = math.trunc(x + half_x) - left, math.trunc(y + half_y) - top
    if cropped_x <= 0 or cropped_y <= 0:
        raise GeometryError(
            f"A crop of {2 * half_x:g} x {2 * half_y:g} pixels has no pixel in it: check its box."
        )
    affine = np.array(
        [
            [cos / cropped_x, sin / cropped_x, (shift_x - left) / cropped_x],
            [-sin / cropped_y, cos / cropped_y, (shift_y - top) / cropped_y],
            [0, 0, 1],
        ]
    )
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


class Crop:
    """A crop as it is made from pictures, inverted once for all of them.

    A crop that is not rotated is cut out and resized; any other is one ``cv2.warpAffine``. Where
    two or more image pixels fall on one of the crop, whole blocks of them are averaged first, so
    that fine texture does not alias (``INTER_AREA`` with a broken factor would be four times as
    slow, and better by half a gray level).

    Args:
        affine: (3, 3), pixels of a picture to [0, 1] of the crop.
        resolution: width and height of the crop in pixels.

    Attributes:
        factor: how many pixels of the picture one of the crop covers along each axis, whole, at
            least 1; of the axis that covers fewer.
    """

    def __init__(self, affine: ArrayLike, resolution: tuple[int, int]) -> None:
        self._affine, self.resolution = np.asarray(affine, dtype=np.float64), resolution
        # Plain numbers: a crop has few, and there are many crops.
        (a, b, c), (d, e, f) = self._affine[:2].tolist()
        det = a * e - b * d
        xx, xy, x = e / det, -b / det, (b * f - c * e) / det
        yx, yy, y = -d / det, a / det, (c * d - a * f) / det
        self._back = (xx, xy, x), (yx, yy, y)
        covered = min(math.hypot(xx, yx) / resolution[0], math.hypot(xy, yy) / resolution[1])
        self.factor = max(1, int(covered + 1e-6))
        self._low = x + min(xx, 0) + min(xy, 0), y + min(yx, 0) + min(yy, 0)
        self._high = x + max(xx, 0) + max(xy, 0), y + max(yx, 0) + max(yy, 0)

    @property
    def window(self) -> tuple[float, float, float, float]:
        """The pixels that it is made of: x1, y1, x2, y2 in the picture, which it may leave."""
        beside = 3 * self.factor + 1  # two blocks more, and up to one for whole blocks
        (x1, y1), (x2, y2) = self._low, self._high
        return x1 - beside, y1 - beside, x2 + beside, y2 + beside

    def of_part(self, corner: tuple[int, int], shrunk: int = 1) -> Crop:
        """The same crop from a part of the picture.

        Args:
            corner: x and y of the part's first pixel in the picture.
            shrunk: how many pixels of the picture one of the part stands for.
        """
        to_picture = np.array([[shrunk, 0, corner[0]], [0, shrunk, corner[1]], [0, 0, 1]])
        return Crop(self._affine @ to_picture, self.resolution)

    def make(
        self, image: NDArray[np.uint8], out: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """The crop of a picture, black where it leaves it.

        Args:
            image: (H, W, C) or (H, W) uint8.
            out: where to write, (height, width[, C]) uint8 and contiguous; a new array if None.

        Returns:
            (height, width[, C]) uint8, ``out`` if it was given.
        """
        width, height = self.resolution
        if out is None:
            out = np.empty((height, width, *image.shape[2:]), dtype=np.uint8)
        (xx, xy, x), (yx, yy, y) = self._back
        factor, low, high = self.factor, self._low, self._high
        box = [round(corner) for corner in (*low, *high)]
        upright = xy == 0 and yx == 0 and yy > 0
        if factor == 1 and upright and math.dist(box, (*low, *high)) < 1e-6:
            cut = _cut(image, *box)
            cv2.resize(cut, self.resolution, dst=out, interpolation=cv2.INTER_LINEAR)
            if xx < 0:
                cv2.flip(out, 1, dst=out)
            return out

        # The blocks are counted from the crop's corner, not the image's: a crop from a part of the
        # image then has the same pixels. Blocks that lie outside the image are left out.
        first, blocks = [], []
        for begin, end, length in zip(low, high, (image.shape[1], image.shape[0]), strict=True):
            start = math.floor(begin + 1e-6) - 2 * factor
            start += factor * (max(-start, 0) // factor)
            first.append(start)
            blocks.append(-((start - min(math.ceil(end) + 2 * factor, length)) // factor))
        if min(blocks) <= 0:
            out[:] = 0
            return out
        last = [start + factor * count for start, count in zip(first, blocks, strict=True)]
        part = _cut(image, *first, *last)
        if factor > 1:
            part = cv2.resize(part, blocks, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        # From the centers of the crop's pixels to those of the part's: OpenCV puts whole
        # coordinates at pixel centers, we at their corners.
        xx, xy, yx, yy = xx / width, xy / height, yx / width, yy / height
        x, y = x + (xx + xy) / 2 - first[0], y + (yx + yy) / 2 - first[1]
        to_part = np.array([[xx, xy, x], [yx, yy, y]]) / factor
        to_part[:, 2] -= 0.5
        _warp_affine(part, to_part, self.resolution, out)
        return out


def warp(
    image: NDArray[np.uint8],
    affine: ArrayLike,
    resolution: tuple[int, int],
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """The crop that an affine map describes: see :class:`Crop` and its ``make``."""
    return Crop(affine, resolution).make(image, out)


def _warp_affine(
    part: NDArray[np.uint8], back: FloatArray, resolution: tuple[int, int], out: NDArray[np.uint8]
) -> None:
    """``cv2.warpAffine``, with a fourth channel while it runs: OpenCV 5 warps four channels three
    times as fast as three, to the same values."""
    color = part.ndim == 3 and part.shape[2] == 3
    warped = cv2.warpAffine(
        cv2.cvtColor(part, cv2.COLOR_RGB2RGBA) if color else part,
        back,
        resolution,
        dst=None if color else out,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    if color:
        cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB, dst=out)


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


def box_around(
    points: ArrayLike, valid: ArrayLike | None = None, *, enlarge: float = 1.0, square: bool = True
) -> FloatArray:
    """The smallest box that holds the valid points, enlarged about its center.

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
    return box_from_center((low + high) / 2, window * enlarge)


def union_box(boxes: ArrayLike) -> FloatArray:
    """The smallest box that holds all of (..., N, 4) boxes; NaN boxes do not count."""
    boxes = np.asarray(boxes, dtype=np.float64)
    low = np.fmin.reduce(boxes[..., :2], axis=-2)
    high = np.fmax.reduce(boxes[..., 2:], axis=-2)
    return np.concatenate([low, high], axis=-1)


def box_iou(boxes: ArrayLike, others: ArrayLike) -> FloatArray:
    """Intersection over union of boxes (..., 4), (...,) in [0, 1]; NaN where a box is NaN."""
    a, b = np.asarray(boxes, dtype=np.float64), np.asarray(others, dtype=np.float64)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.maximum(sides, 0).prod(-1)
    area_a, area_b = ((box[..., 2:] - box[..., :2]).prod(-1) for box in (a, b))
    return np.asarray(shared / (area_a + area_b - shared))


def center_and_window(box: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Center (..., 2) and width and height (..., 2) of boxes (..., 4)."""
    box = np.asarray(box, dtype=np.float64)
    return (box[..., :2] + box[..., 2:]) / 2, box[..., 2:] - box[..., :2]


def box_from_center(center: ArrayLike, window: ArrayLike) -> FloatArray:
    """Boxes (..., 4) from centers (..., 2) and widths and heights (..., 2)."""
    center = np.asarray(center, dtype=np.float64)
    half = np.asarray(window, dtype=np.float64) / 2
    return np.concatenate([center - half, center + half], axis=-1)


def grid_boxes(
    image_size: tuple[int, int], grid: Sequence[int] = (3, 2), *, square: bool = True
) -> FloatArray:
    """Boxes in which to search for a person.

    The whole image, the image enlarged by 1.5, then a grid of boxes that overlap by half, row by
    row.

    Args:
        image_size: width and height in pixels.
        grid: number of columns and of rows.
        square: enlarge every box to a square about its center.

    Returns:
        (2 + columns x rows, 4).
    """
    size = np.asarray(image_size, dtype=np.float64)
    columns, rows = grid
    step = size / (columns + 1, rows + 1)
    y, x = np.mgrid[1 : rows + 1, 1 : columns + 1]
    cells = np.stack([x.ravel(), y.ravel()], axis=-1) * step  # centers
    centers = np.concatenate([[size / 2, size / 2], cells])
    windows = np.concatenate([[size, 1.5 * size], np.broadcast_to(2 * step, cells.shape)])
    if square:
        windows = np.broadcast_to(windows.max(-1, keepdims=True), windows.shape)
    return box_from_center(centers, windows)
