"""From NTU's joints to what a network learns: the crop of a clip, and the poses in it.

Rules of the published program of Luvizon et al. (TPAMI 2020). Joints come in pixels of the
1920x1080 colour image, crops are made from the stored frames, which are smaller; shifts and the
smallest window mean pixels of frames 960 wide (the original's) and grow or shrink with the frames.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har import HarError
from har.data.augment import Draw
from har.geometry import (
    INVALID,
    box_around,
    centre_and_window,
    crop_affine,
    invert_affine,
    transform_points,
    union_box,
)
from har.layouts import Layout

COLOUR_WIDTH_PX = 1920
BOX_ENLARGEMENT = 1.5
MIN_WINDOW_PX = 32
DEPTH_RANGE_MM = 2000.0
_RECIPE_WIDTH_PX = 960

# The colour camera, least squares over well-tracked joints of real files (pixels of 1920x1080).
_FOCAL_PX = (1059.0, 1056.0)
_PRINCIPAL_PX = (962.0, 575.0)


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
        depth_scale: the scale s of the crop; z = 0 and 1 lie s metres before and behind the root.
        mirrored: the crop is flipped, and left and right joints have changed places.
    """

    pose: NDArray[np.float32]
    tracked: NDArray[np.bool_]
    affine: NDArray[np.float64]
    root_depth_mm: float
    depth_scale: float
    mirrored: bool


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
    boxes = box_around(looked_at, enlarge=BOX_ENLARGEMENT * scale)
    whole_image = np.array([0, 0, *frame_size], dtype=np.float64)
    return union_box(np.where(np.isnan(boxes), whole_image, boxes))


def clip_target(
    joints_px: ArrayLike,
    depth_mm: ArrayLike,
    state: ArrayLike,
    *,
    layout: Layout,
    frame_size: tuple[int, int],
    draw: Draw,
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
        use_true_box: without ``box``, crop around the true joints; else around the image's centre,
            a square of the drawn scale times the longer side.

    Raises:
        HarError: the layout cannot be made from NTU's joints.
    """
    if layout.from_ntu is None:
        raise HarError(f"Layout {layout.name} cannot be made from NTU's joints; choose pa17j.")
    order = np.asarray(layout.from_ntu)
    if draw.flip:
        order = order[list(layout.flip)]
    to_frame = frame_size[0] / COLOUR_WIDTH_PX
    joints = np.asarray(joints_px, dtype=np.float64)[:, order] * to_frame  # (T, J, 2)
    depth = np.asarray(depth_mm, dtype=np.float64)[:, order]  # (T, J)
    known = (joints > 0).all(-1) & (depth > 0) & np.isfinite(depth) & np.isfinite(joints).all(-1)
    joints[~known], depth[~known] = np.nan, np.nan

    affine = _clip_affine(joints, frame_size, draw, box, use_true_box)
    root_depth = _mean(depth[:, layout.root], otherwise=_mean(depth, otherwise=np.nan))
    crop_xy = transform_points(affine, joints)
    with np.errstate(invalid="ignore"):
        visible = known & ((crop_xy >= 0) & (crop_xy <= 1)).all(-1)
    pose = np.full((*depth.shape, 4), INVALID)
    pose[..., 3] = visible
    crop_z = (depth - root_depth) / (DEPTH_RANGE_MM * draw.scale) + 0.5
    pose[visible, :2], pose[visible, 2] = crop_xy[visible], crop_z[visible]
    return Target(
        pose=pose.astype(np.float32),
        tracked=visible & (np.asarray(state)[:, order] > 0),
        affine=affine,
        root_depth_mm=root_depth,
        depth_scale=draw.scale,
        mirrored=draw.flip,
    )


def _clip_affine(
    joints: NDArray[np.float64],
    frame_size: tuple[int, int],
    draw: Draw,
    box: ArrayLike | None,
    use_true_box: bool,
) -> NDArray[np.float64]:
    """The crop of a clip: where it lies, how large it is, and what was drawn."""
    if box is not None:
        centre, window = centre_and_window(box)
        window = window * draw.scale
    elif use_true_box:
        centre, window = centre_and_window(clip_box(joints, frame_size, draw.scale))
    else:
        centre = np.asarray(frame_size) / 2
        window = np.full(2, draw.scale * max(frame_size))
    recipe_px = frame_size[0] / _RECIPE_WIDTH_PX
    return crop_affine(
        centre + np.asarray(draw.shift_px) * recipe_px,
        np.maximum(window, MIN_WINDOW_PX * recipe_px),
        frame_size,
        angle_deg=draw.angle_deg,
        flip=draw.flip,
    )


def _mean(values: NDArray[np.float64], otherwise: float) -> float:
    """Mean of what is not NaN."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else otherwise


def pose_to_camera_mm(
    pose: ArrayLike,
    affine: ArrayLike,
    root_depth_mm: ArrayLike,
    depth_scale: ArrayLike,
    frame_width: ArrayLike,
) -> NDArray[np.float64]:
    """Poses in a crop as millimetres in the colour camera's space: x right, y up, z away.

    The depth of the root is taken as known. Invalid joints come out as ``INVALID``.

    Args:
        pose: (..., J, 3 or more), x, y, z in [0, 1] of the crop and its depth range.
        affine: (..., 3, 3) of :class:`Target`, as are the next two; their axes are those of
            ``pose`` from the left, so that one crop may serve all frames of its clip.
        root_depth_mm: (...).
        depth_scale: (...).
        frame_width: (...) width of the stored frames in pixels.

    Returns:
        (..., J, 3) float64 in mm.
    """
    pose = np.asarray(pose, dtype=np.float64)
    back = invert_affine(affine)
    back = back.reshape(*back.shape[:-2], *[1] * (pose.ndim - back.ndim), 3, 3)

    def spread(per_clip: ArrayLike) -> NDArray[np.float64]:
        values = np.asarray(per_clip, dtype=np.float64)
        return values.reshape(values.shape + (1,) * (pose.ndim - 1 - values.ndim))

    colour = (
        transform_points(back, pose[..., :2]) * (COLOUR_WIDTH_PX / spread(frame_width))[..., None]
    )
    z = spread(root_depth_mm) + (pose[..., 2] - 0.5) * DEPTH_RANGE_MM * spread(depth_scale)
    x = (colour[..., 0] - _PRINCIPAL_PX[0]) * z / _FOCAL_PX[0]
    y = -(colour[..., 1] - _PRINCIPAL_PX[1]) * z / _FOCAL_PX[1]
    valid = (pose[..., :3] > INVALID / 1e3).all(-1, keepdims=True)
    return np.where(valid, np.stack([x, y, z], axis=-1), INVALID)
