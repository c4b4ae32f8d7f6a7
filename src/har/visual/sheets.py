"""Contact sheets of poses with a legend of their colors."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike

from har.files import Image
from har.layouts import Layout
from har.visual.draw import (
    BAR_COLOR,
    SIDE_COLORS,
    TRUE_COLOR,
    Color,
    contact_sheet,
    draw_pair,
    draw_skeleton,
    text_height,
    text_width,
    write_text,
)

_COLUMNS = 6
_SMALL_PX = 200  # below it crops are enlarged, so that skeletons are thin beside people
_LEGEND_HEIGHT_PX = 14


def enlarged(image: Image) -> Image:
    """An image, twice as large where its longer side has less than 200 px."""
    factor = -(-_SMALL_PX // max(image.shape[:2]))
    return np.repeat(np.repeat(image, factor, 0), factor, 1)


def pose_tile(
    image: Image, layout: Layout, predicted: ArrayLike | None = None, true: ArrayLike | None = None
) -> Image:
    """A crop with a pose, or with the predicted one in colors over the true one in white.

    Args:
        image: uint8 RGB (H, W, 3), the crop.
        layout: of the joints.
        predicted, true: (J, 2) in [0, 1] of the crop, NaN or -1e9 where unknown. One alone is drawn
            in the colors of left and right.
    """
    big = enlarged(image)
    size = np.array(big.shape[1::-1])
    poses = [_in_pixels(pose, size) for pose in (predicted, true) if pose is not None]
    if len(poses) == 2:
        return draw_pair(big, poses[0], poses[1], layout)
    return draw_skeleton(big, poses[0], layout)


def _in_pixels(pose: ArrayLike, size: np.ndarray) -> np.ndarray:
    places = np.asarray(pose, dtype=np.float64)
    return np.where(places > -1e3, places * size, np.nan)


def side_colors(layout: Layout, truth: bool = False) -> dict[str, Color]:
    """What a legend says of the skeletons of a layout: their sides, and that of the truth."""
    sides = {side: color for side, color in SIDE_COLORS.items() if side in layout.sides}
    return {**sides, **({"truth": TRUE_COLOR} if truth else {})}


def pose_sheet(
    tiles: Sequence[Image],
    colors: Mapping[str, Color],
    captions: Sequence[str] | None = None,
    title: str = "",
    columns: int = _COLUMNS,
) -> Image:
    """Tiles as a contact sheet with a legend below them.

    Args:
        tiles: uint8 RGB, at least one.
        colors: what the legend lists.
        captions: one for every tile.
        title: a line in front of the legend.
        columns: tiles in a row.
    """
    sheet = contact_sheet(tiles, columns, captions)
    return np.vstack([sheet, legend(sheet.shape[1], colors, title)])


def legend(width: int, colors: Mapping[str, Color], title: str = "") -> Image:
    """A dark bar (h, width, 3) with a title and a patch of every color before its word."""
    height = min(_LEGEND_HEIGHT_PX, text_height(width))
    bar = np.full((3 * height, width, 3), BAR_COLOR, np.uint8)
    x = height
    for word, color in colors.items():
        cv2.rectangle(bar, (x, height), (x + 2 * height, 2 * height), color, cv2.FILLED)
        x += 5 * height // 2
        if x < width - 2 * height:
            write_text(bar, word, height, left=x, right=0)
        x += text_width(word, height) + 2 * height
    if title and x < width - 2 * height:
        write_text(bar, title, height, left=x, right=height)
    return bar
