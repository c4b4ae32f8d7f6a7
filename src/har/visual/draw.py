"""Drawing on images: skeletons, captions, contact sheets. RGB uint8 in, RGB uint8 out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from har import HarError
from har.layouts import Layout

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

# Okabe and Ito's colours: told apart by people with any kind of colour vision.
SIDE_COLOURS: dict[str, Colour] = {
    "left": (86, 180, 233),
    "right": (230, 121, 0),
    "middle": (240, 228, 66),
}
TRUE_COLOUR: Colour = (255, 255, 255)
_OUTLINE: Colour = (20, 20, 20)
_SHIFT = 4  # fractional bits of OpenCV's coordinates
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def _thickness(image: Image) -> int:
    return max(1, round(max(image.shape[:2]) / 180))


def _drawable(joints: ArrayLike, valid: ArrayLike | None, image: Image) -> NDArray[np.bool_]:
    """Joints that are numbers and not absurdly far outside the image."""
    points = np.asarray(joints, dtype=np.float64)
    near = np.isfinite(points).all(-1) & (np.abs(points) < 4 * max(image.shape[:2])).all(-1)
    return near if valid is None else near & np.asarray(valid, dtype=bool)


def draw_skeleton(
    image: Image,
    joints: ArrayLike,
    layout: Layout,
    confidence: ArrayLike | None = None,
    valid: ArrayLike | None = None,
    colour: Colour | None = None,
) -> Image:
    """A copy of an image with a skeleton on it, left blue, right orange, middle yellow.

    Args:
        image: uint8 RGB (H, W, 3).
        joints: (J, 2) in pixels; joints that are NaN or -1e9 are left out.
        layout: of the joints.
        confidence: (J,) in [0, 1]; unsure limbs fade.
        valid: (J,) bool, joints to draw; None: all.
        colour: one colour for everything.
    """
    points = np.asarray(joints, dtype=np.float64)
    there = _drawable(points, valid, image)
    sure = np.ones(len(points)) if confidence is None else np.asarray(confidence, dtype=float)
    sure = np.clip(np.nan_to_num(sure), 0.0, 1.0)
    # OpenCV puts whole coordinates at pixel centres
    fixed = np.rint(np.where(there[:, None], points - 0.5, 0) * (1 << _SHIFT)).astype(int).tolist()
    result = np.ascontiguousarray(image).copy()
    width = _thickness(image)
    # The unsure ones first: what is sure covers them.
    for a, b in sorted(layout.links, key=lambda link: min(sure[link[0]], sure[link[1]])):
        if there[a] and there[b]:
            sides = {layout.sides[a], layout.sides[b]} - {"middle"}
            paint = colour or SIDE_COLOURS[sides.pop() if len(sides) == 1 else "middle"]
            alpha = 0.25 + 0.75 * min(sure[a], sure[b])
            _blend_line(result, fixed[a], fixed[b], paint, width, alpha)
    for joint in np.flatnonzero(there):
        paint = colour or SIDE_COLOURS[layout.sides[joint]]
        radius = round(0.9 * width * (1 << _SHIFT))
        cv2.circle(result, fixed[joint], radius, _OUTLINE, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(result, fixed[joint], round(0.65 * radius), paint, -1, cv2.LINE_AA, _SHIFT)
    return result


def _blend_line(
    image: Image, a: list[int], b: list[int], colour: Colour, width: int, alpha: float
) -> None:
    """A line with a dark rim, in place; ``alpha`` below 1 lets the image through."""
    target = image if alpha > 0.99 else image.copy()
    cv2.line(target, a, b, _OUTLINE, width + 2, cv2.LINE_AA, _SHIFT)
    cv2.line(target, a, b, colour, width, cv2.LINE_AA, _SHIFT)
    if target is not image:
        cv2.addWeighted(target, alpha, image, 1 - alpha, 0, dst=image)


def draw_pair(image: Image, predicted: ArrayLike, true: ArrayLike, layout: Layout) -> Image:
    """A copy of an image with the true pose in thin white and the predicted one over it.

    Args:
        image: uint8 RGB (H, W, 3).
        predicted, true: (J, 2) in pixels; NaN where a joint is not known.
        layout: of both.
    """
    result = np.ascontiguousarray(image).copy()
    points = np.asarray(true, dtype=np.float64)
    there = _drawable(points, None, image)
    fixed = np.rint(np.where(there[:, None], points - 0.5, 0) * (1 << _SHIFT)).astype(int).tolist()
    for a, b in layout.links:
        if there[a] and there[b]:
            cv2.line(result, fixed[a], fixed[b], TRUE_COLOUR, 1, cv2.LINE_AA, _SHIFT)
    return draw_skeleton(result, predicted, layout)


def label(image: Image, text: str) -> Image:
    """The image with a line of text in a bar below it, made smaller until it fits."""
    height = max(16, image.shape[1] // 12)
    bar = np.full((height, image.shape[1], 3), 32, np.uint8)
    scale = 0.6 * height / 22
    # OpenCV's fonts know ASCII only
    shown = text.encode("ascii", "replace").decode()
    (width, _), _ = cv2.getTextSize(shown, _FONT, scale, 1)
    scale *= min(1.0, (image.shape[1] - 8) / max(width, 1))
    place = (4, round(0.72 * height))
    cv2.putText(bar, shown, place, _FONT, scale, (240, 240, 240), 1, cv2.LINE_AA)
    return np.vstack([image, bar])


def contact_sheet(
    images: Sequence[Image], columns: int, captions: Sequence[str] | None = None, margin: int = 4
) -> Image:
    """Images in a grid; smaller ones are centred in their cells.

    Raises:
        HarError: there is no image.
    """
    if not images:
        raise HarError("A contact sheet needs one image at least.")
    tiles = list(images)
    if captions is not None:
        tiles = [label(tile, text) for tile, text in zip(tiles, captions, strict=True)]
    height = max(tile.shape[0] for tile in tiles)
    width = max(tile.shape[1] for tile in tiles)
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    size = (rows * (height + margin) + margin, columns * (width + margin) + margin, 3)
    sheet = np.full(size, 250, np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        y = margin + row * (height + margin) + (height - tile.shape[0]) // 2
        x = margin + column * (width + margin) + (width - tile.shape[1]) // 2
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet


def write_image(path: str | Path, image: Image) -> None:
    """Writes an RGB image by the ending of its name, whole or not at all, at any path.

    Raises:
        HarError: OpenCV does not write such files, or the folder cannot be written.
    """
    path = Path(path)
    try:
        done, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        raise HarError(f"The image {path} cannot be written: use the ending .png or .jpg.")
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(data.tobytes())  # not cv2.imwrite: that fails on some file names
        os.replace(partial, path)
    except OSError as error:
        raise HarError(f"The image {path} cannot be written: {error.strerror}.") from error
