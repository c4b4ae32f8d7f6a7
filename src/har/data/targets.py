"""From annotated joints to what a network learns: the crop of a clip, and the poses in it.

Rules of the published program of Luvizon et al. (TPAMI 2020), for joints of any layout, with or
without depth. Shifts and the smallest window mean pixels of frames 960 wide (the original's of NTU
RGB+D) and grow or shrink with the frames, unless a data set's recipe counts pixels of its frames.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.data.augment import AugmentParams
from har.geometry import INVALID, center_and_window, crop_affine
from har.layouts import Layout

BOX_ENLARGEMENT = 1.5
MIN_WINDOW_PX = 32
DEPTH_RANGE_MM = 2000.0
RECIPE_WIDTH_PX = 960


@dataclass(frozen=True)
class Target:
    """What a network has to predict for a clip, and what leads back to the picture and to mm.

    Attributes:
        pose: (T, J, 4) float32: x, y in [0, 1] of the crop, z in [0, 1] of the depth range around
            the root, visibility. Joints that are missing or outside the crop: -1e9, visibility 0;
            without depth every z is -1e9.
        tracked: (T, J) bool, visible joints whose state is not 0: those that errors in mm count.
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


def joint_order(layout: Layout, stored: Layout) -> tuple[int, ...]:
    """Number, among stored joints, of every joint of a layout, ``MISSING`` where there is none.

    Joints are matched by name; those of NTU RGB+D, named by the person's own left and right in
    mirrored pictures, by :attr:`har.layouts.Layout.from_ntu`.

    Raises:
        HarError: the two have no joint in common.
    """
    if stored.name == "ntu25" and layout.from_ntu is not None:
        return layout.from_ntu
    return layout.order_from(stored)


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
    chosen = joints[[0, min(int(len(joints) / 2 + 0.5), last), last]]
    # Three boxes in plain numbers: this is done for every sample.
    low, high = np.fmin.reduce(chosen, axis=1), np.fmax.reduce(chosen, axis=1)
    boxes = []
    for (x1, y1), (x2, y2) in zip(low.tolist(), high.tolist(), strict=True):
        if math.isnan(x1 + y1):
            boxes.append((0.0, 0.0, float(frame_size[0]), float(frame_size[1])))
            continue
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        half = max(x2 - x1, y2 - y1) * BOX_ENLARGEMENT * scale / 2
        boxes.append((x - half, y - half, x + half, y + half))
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return np.array([min(lefts), min(tops), max(rights), max(bottoms)])


def clip_target(
    joints_px: ArrayLike,
    depth_mm: ArrayLike | None,
    state: ArrayLike,
    *,
    layout: Layout,
    order: Sequence[int],
    frame_size: tuple[int, int],
    params: AugmentParams,
    width_px: float | None = None,
    box: ArrayLike | None = None,
    use_true_box: bool = True,
    recipe_width_px: float | None = RECIPE_WIDTH_PX,
) -> Target:
    """Crop and poses of a clip (of one frame for an image).

    Joints count as missing if a coordinate is not greater than 0. Where no joint of a clip is
    known, the crop is the whole image and every joint invalid: nothing is raised.

    Args:
        joints_px: (T, K, 2) stored joints in the frames of the clip only.
        depth_mm: (T, K); None: joints have no depth.
        state: (T, K); 0: not tracked.
        layout: of the poses.
        order: of :func:`joint_order`, (J,) numbers among the K stored joints.
        frame_size: width and height of the stored frames in pixels.
        params: augmentation of this clip.
        width_px: ``joints_px`` are pixels of a picture of this width; None: of the frames.
        box: (4,) a box in pixels of the stored frames, if one was predicted; its window is
            multiplied by the drawn scale.
        use_true_box: without ``box``, crop around the true joints; else around the image's center,
            a square of the drawn scale times the longer side.
        recipe_width_px: shifts and the smallest window are pixels of frames of this width; None: of
            the frames themselves.
    """
    places = np.asarray(order)
    if params.flip:
        places = places[list(layout.flip)]
    joints, depth = known_joints(joints_px, depth_mm, places, frame_size, width_px)
    known = ~np.isnan(joints[..., 0])

    recipe_px = 1.0 if recipe_width_px is None else frame_size[0] / recipe_width_px
    affine = _clip_affine(joints, frame_size, params, box, use_true_box, recipe_px)
    crop_xy = joints @ affine[:2, :2].T + affine[:2, 2]
    crop_xy[~known] = INVALID
    visible = ((crop_xy >= 0) & (crop_xy <= 1)).all(-1)
    pose = np.empty((*known.shape, 4), dtype=np.float32)
    pose[..., :2] = crop_xy
    root_depth = math.nan
    if depth is None:
        pose[..., 2] = INVALID
    else:
        root_depth = _mean(depth[:, layout.root])
        if math.isnan(root_depth):
            root_depth = _mean(depth)
        pose[..., 2] = (depth - root_depth) / (DEPTH_RANGE_MM * params.scale) + 0.5
    pose[~visible] = INVALID
    pose[..., 3] = visible
    tracked = visible & (np.asarray(state)[:, places] > 0)
    return Target(pose, tracked, affine, root_depth, params.scale, params.flip)


def known_joints(
    joints_px: ArrayLike,
    depth_mm: ArrayLike | None,
    order: NDArray[np.int_],
    frame_size: tuple[int, int],
    width_px: float | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Joints in a layout's order, (T, J, 2) in pixels of the frames, and their depth (T, J).

    Both are NaN where a coordinate is missing or not greater than 0.
    """
    joints = np.asarray(joints_px)
    values = np.empty((len(joints), len(order), 2 if depth_mm is None else 3))
    values[..., :2] = joints[:, order]
    if depth_mm is not None:
        values[..., 2] = np.asarray(depth_mm)[:, order]
    if width_px is not None:
        values[..., :2] *= frame_size[0] / width_px
    values[~((values > 0) & (values < np.inf)).all(-1)] = np.nan
    if order.min() < 0:  # MISSING
        values[:, order < 0] = np.nan
    return values[..., :2], None if depth_mm is None else values[..., 2]


def _clip_affine(
    joints: NDArray[np.float64],
    frame_size: tuple[int, int],
    params: AugmentParams,
    box: ArrayLike | None,
    use_true_box: bool,
    recipe_px: float,
) -> NDArray[np.float64]:
    """The crop of a clip: where it lies, how large it is, and what was drawn."""
    if box is not None:
        center, window = center_and_window(box)
        window = window * params.scale
    elif use_true_box:
        center, window = center_and_window(clip_box(joints, frame_size, params.scale))
    else:
        center = np.asarray(frame_size) / 2
        window = np.full(2, params.scale * max(frame_size))
    center = center + np.asarray(params.shift_px) * recipe_px
    window = np.maximum(window, MIN_WINDOW_PX * recipe_px)
    return crop_affine(center, window, frame_size, angle_deg=params.angle_deg, flip=params.flip)


def _mean(values: NDArray[np.float64]) -> float:
    """Mean of what is not NaN; NaN where nothing is."""
    known = values[~np.isnan(values)]
    return float(known.sum() / known.size) if known.size else math.nan
