"""From NTU's joints to what a network learns: the crop of a clip, and the poses in it.

Rules of the published program of Luvizon et al. (TPAMI 2020). Joints come in pixels of the
1920x1080 color image, crops are made from the stored frames, which are smaller; shifts and the
smallest window mean pixels of frames 960 wide (the original's) and grow or shrink with the frames.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.data.augment import Augmentation, AugmentParams
from har.errors import HarError
from har.geometry import (
    INVALID,
    Camera,
    box_around,
    box_from_center,
    center_and_window,
    crop_affine,
    union_box,
)
from har.layouts import LAYOUTS, Layout

COLOR_WIDTH_PX = 1920
BOX_ENLARGEMENT = 1.5
MIN_WINDOW_PX = 32
DEPTH_RANGE_MM = 2000.0
_RECIPE_WIDTH_PX = 960
_BLOCK_PX = 16  # JPEG stores blocks of this size
_BESIDE_PX = 8  # beside a crop, read by the warp and for the colors of its last pixels

COLOR_CAMERA = Camera((1059.0, 1056.0), (962.0, 575.0), COLOR_WIDTH_PX)
"""The color camera, least squares over well-tracked joints of real files."""


@dataclass(frozen=True)
class Target:
    """What a network shall say about a clip, and what leads back to the picture and to mm.

    Attributes:
        pose: (T, J, 4) float32: x, y in [0, 1] of the crop, z in [0, 1] of the depth range around
            the root, visibility. Joints that are missing or outside the crop: -1e9, visibility 0.
        tracked: (T, J) bool, visible joints that the Kinect did not report as untracked: those
            that errors in mm count.
        affine: (3, 3) float64, pixels of the stored frames to the crop.
        root_depth_mm: mean depth of the root over the clip; NaN if no joint has a depth.
        depth_scale: the scale s of the crop; z = 0 and 1 lie s meters before and behind the root.
        mirrored: the crop is flipped, and left and right joints have changed places.
    """

    pose: NDArray[np.float32]
    tracked: NDArray[np.bool_]
    affine: NDArray[np.float64]
    root_depth_mm: float
    depth_scale: float
    mirrored: bool


@dataclass(frozen=True)
class CropMargin:
    """How far crops of clips may go from a person: what a store of regions has to hold.

    Attributes:
        scale: largest factor of the window.
        shift_px: largest shift in x and y, to be multiplied by the scale.
    """

    scale: float = 1.3
    shift_px: tuple[float, float] = (40.0, 10.0)

    def problem(self, augmentation: Augmentation) -> str:
        """What an augmentation draws beyond this; empty: nothing."""
        if any(augmentation.angles_deg):
            return "crops are rotated"
        if max(augmentation.scales) > self.scale:
            return f"scales up to {max(augmentation.scales):g}, and {self.scale:g} is stored"
        drawn = (augmentation.shifts_x_px, augmentation.shifts_y_px)
        for axis, shifts, most in zip("xy", drawn, self.shift_px, strict=True):
            if max(map(abs, shifts)) > most:
                return f"shifts in {axis} up to {max(map(abs, shifts)):g} px, {most:g} are stored"
        return ""


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
        x1, y1, x2, y2 in pixels of the frames; all of the frame where nobody is in one of them.
    """
    recipe_px = frame_size[0] / _RECIPE_WIDTH_PX
    smallest = MIN_WINDOW_PX * recipe_px
    shift = margin.scale * np.asarray(margin.shift_px) * recipe_px
    boxes = []
    for layout in LAYOUTS.values():
        if layout.from_ntu is None:
            continue
        joints, _ = _known_joints(joints_px, depth_mm, np.asarray(layout.from_ntu), frame_size)
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


def clip_box(
    joints_px: ArrayLike, frame_size: tuple[int, int], scale: float = 1.0
) -> NDArray[np.float64]:
    """The box of a clip by its true joints.

    First, middle and last frame each give a square of 1.5 times the joints' extent times
    ``scale``, or the whole image where no joint is known; the box is the smallest that holds the
    three, and it is not made square again.

    Args:
        joints_px: (T, J, 2) in pixels of the stored frames, NaN for joints that are missing.
        frame_size: width and height of the stored frames in pixels.
        scale: factor of the extent.

    Returns:
        (4,) x1, y1, x2, y2 in pixels of the stored frames.
    """
    joints = np.asarray(joints_px, dtype=np.float64)
    last = len(joints) - 1
    looked_at = joints[[0, min(int(len(joints) / 2 + 0.5), last), last]]
    # Three boxes in plain numbers: this is done for every sample.
    low, high = np.fmin.reduce(looked_at, axis=1), np.fmax.reduce(looked_at, axis=1)
    boxes = []
    for (x1, y1), (x2, y2) in zip(low.tolist(), high.tolist(), strict=True):
        if math.isnan(x1 + y1):
            boxes.append((0.0, 0.0, float(frame_size[0]), float(frame_size[1])))
            continue
        x, y, half = (
            (x1 + x2) / 2,
            (y1 + y2) / 2,
            max(x2 - x1, y2 - y1) * BOX_ENLARGEMENT * scale / 2,
        )
        boxes.append((x - half, y - half, x + half, y + half))
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return np.array([min(lefts), min(tops), max(rights), max(bottoms)])


def clip_target(
    joints_px: ArrayLike,
    depth_mm: ArrayLike,
    state: ArrayLike,
    *,
    layout: Layout,
    frame_size: tuple[int, int],
    draw: AugmentParams,
    box: ArrayLike | None = None,
    use_true_box: bool = True,
) -> Target:
    """Crop and poses of a clip (of one frame for an image).

    Joints count as missing if a coordinate is not greater than 0. Where no joint of a clip is
    known, the crop is the whole image and every joint invalid: nothing is raised.

    Args:
        joints_px: (T, 25, 2) in pixels of 1920x1080, the frames of the clip only.
        depth_mm: (T, 25).
        state: (T, 25) tracking state: 2 tracked, 1 inferred, 0 not tracked.
        layout: one with ``from_ntu``.
        frame_size: width and height of the stored frames in pixels.
        draw: augmentation of this clip.
        box: (4,) a box in pixels of the stored frames, if one was predicted; its window is
            multiplied by the drawn scale.
        use_true_box: without ``box``, crop around the true joints; else around the image's center,
            a square of the drawn scale times the longer side.

    Raises:
        HarError: the layout cannot be made from NTU's joints.
    """
    if layout.from_ntu is None:
        raise HarError(f"Layout {layout.name} cannot be made from NTU's joints; choose pa17j.")
    order = np.asarray(layout.from_ntu)
    if draw.flip:
        order = order[list(layout.flip)]
    joints, depth = _known_joints(joints_px, depth_mm, order, frame_size)
    known = ~np.isnan(depth)

    affine = _clip_affine(joints, frame_size, draw, box, use_true_box)
    root_depth = _mean(depth[:, layout.root])
    if math.isnan(root_depth):
        root_depth = _mean(depth)
    crop_xy = joints @ affine[:2, :2].T + affine[:2, 2]
    crop_xy[~known] = INVALID
    visible = ((crop_xy >= 0) & (crop_xy <= 1)).all(-1)
    pose = np.empty((*depth.shape, 4), dtype=np.float32)
    pose[..., :2] = crop_xy
    pose[..., 2] = (depth - root_depth) / (DEPTH_RANGE_MM * draw.scale) + 0.5
    pose[~visible] = INVALID
    pose[..., 3] = visible
    return Target(
        pose=pose,
        tracked=visible & (np.asarray(state)[:, order] > 0),
        affine=affine,
        root_depth_mm=root_depth,
        depth_scale=draw.scale,
        mirrored=draw.flip,
    )


def _known_joints(
    joints_px: ArrayLike, depth_mm: ArrayLike, order: NDArray[np.int_], frame_size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Joints in a layout's order, (T, J, 2) in pixels of the frames, and their depth (T, J).

    Both are NaN where a coordinate is missing or not greater than 0.
    """
    values = np.empty((len(np.asarray(depth_mm)), len(order), 3))
    values[..., :2], values[..., 2] = (
        np.asarray(joints_px)[:, order],
        np.asarray(depth_mm)[:, order],
    )
    values[..., :2] *= frame_size[0] / COLOR_WIDTH_PX
    values[~((values > 0) & (values < np.inf)).all(-1)] = np.nan
    return values[..., :2], values[..., 2]


def _clip_affine(
    joints: NDArray[np.float64],
    frame_size: tuple[int, int],
    draw: AugmentParams,
    box: ArrayLike | None,
    use_true_box: bool,
) -> NDArray[np.float64]:
    """The crop of a clip: where it lies, how large it is, and what was drawn."""
    if box is not None:
        center, window = center_and_window(box)
        window = window * draw.scale
    elif use_true_box:
        center, window = center_and_window(clip_box(joints, frame_size, draw.scale))
    else:
        center = np.asarray(frame_size) / 2
        window = np.full(2, draw.scale * max(frame_size))
    recipe_px = frame_size[0] / _RECIPE_WIDTH_PX
    return crop_affine(
        center + np.asarray(draw.shift_px) * recipe_px,
        np.maximum(window, MIN_WINDOW_PX * recipe_px),
        frame_size,
        angle_deg=draw.angle_deg,
        flip=draw.flip,
    )


def _mean(values: NDArray[np.float64]) -> float:
    """Mean of what is not NaN; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.sum() / known.size) if known.size else math.nan
