"""NTU's camera, and which part of its frames clips can show.

Joints come in pixels of the 1920x1080 color image, crops are made from the stored frames, which are
smaller; see :mod:`har.data.targets` for crops and poses.
"""

import numpy as np
from numpy.typing import ArrayLike

from har.data.augment import CropMargin
from har.data.targets import BOX_ENLARGEMENT, MIN_WINDOW_PX, RECIPE_WIDTH_PX, known_joints
from har.geometry import Camera, box_around, box_from_center, center_and_window, union_box
from har.layouts import LAYOUTS

COLOR_WIDTH_PX = 1920
_BLOCK_PX = 16  # JPEG stores blocks of this size
_BESIDE_PX = 8  # beside a crop, read by the warp and for the colors of its last pixels

COLOR_CAMERA = Camera((1059.0, 1056.0), (962.0, 575.0), COLOR_WIDTH_PX)
"""The color camera, least squares over well-tracked joints of real files."""


def visible_region(
    joints_px: ArrayLike, depth_mm: ArrayLike, frame_size: tuple[int, int], margin: CropMargin
) -> tuple[int, int, int, int]:
    """The part of the frames that crops of clips can show, whichever frames make the clip.

    It holds the boxes of all frames in every layout at the largest scale, moved by the largest
    shifts, and what the warp reads beside a crop. Its corners are multiples of 16 px or the
    frame's: JPEG stores blocks of 16, so that a region's pixels are those of the whole frame.

    Args:
        joints_px: (F, 25, 2) in pixels of 1920x1080, of all stored frames.
        depth_mm: (F, 25).
        frame_size: width and height of the frames in pixels.
        margin: how far crops go.

    Returns:
        x1, y1, x2, y2 in pixels of the frames; all of the frame where one of them has no person.
    """
    recipe_px = frame_size[0] / RECIPE_WIDTH_PX
    smallest = MIN_WINDOW_PX * recipe_px
    shift = margin.scale * np.asarray(margin.shift_px) * recipe_px
    boxes = []
    for layout in LAYOUTS.values():
        if layout.from_ntu is None:
            continue
        order = np.asarray(layout.from_ntu)
        joints, _ = known_joints(joints_px, depth_mm, order, frame_size, COLOR_WIDTH_PX)
        box = box_around(joints, enlarge=BOX_ENLARGEMENT * margin.scale)  # (F, 4)
        if np.isnan(box).any():
            return 0, 0, *frame_size
        center, window = center_and_window(box)
        boxes.append(box_from_center(center, np.maximum(window, smallest) + 2 * shift))
    region = union_box(np.concatenate(boxes)) + _BESIDE_PX * np.array([-1, -1, 1, 1])
    limits = np.array([*frame_size, *frame_size])
    blocks = np.concatenate([np.floor(region[:2] / _BLOCK_PX), np.ceil(region[2:] / _BLOCK_PX)])
    x1, y1, x2, y2 = np.clip(blocks * _BLOCK_PX, 0, limits).astype(int).tolist()
    if x1 >= x2 or y1 >= y2:  # the person is outside the picture
        return 0, 0, *frame_size
    return x1, y1, x2, y2
