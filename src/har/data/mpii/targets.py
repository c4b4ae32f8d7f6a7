"""From a person's annotation to what a network learns: the crop, and the pose in it.

Rules of the published program of Luvizon et al. (CVPR 2018), which are those of Stacked Hourglass
and HRNet: the center moves down by 15 px per unit of scale, the window is 250 px per unit of scale.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.data.augment import AugmentParams
from har.errors import HarError
from har.geometry import INVALID, crop_affine, transform_points
from har.layouts import MISSING, Layout

ENLARGEMENT = 1.25  # of the annotated scale
WINDOW_PX = 200.0  # per unit of the enlarged scale: a scale is a body height / 200 px
DOWN_PX = 12.0  # the same for the center, which is annotated above the middle of the body


def mpii_order(layout: Layout) -> NDArray[np.int64]:
    """Number of every joint of a layout among MPII's, ``MISSING`` where it has none.

    Raises:
        HarError: the layout cannot be made from MPII's joints.
    """
    if layout.from_mpii is None:
        raise HarError(f"Layout {layout.name} cannot be made from MPII's joints; choose pa16j.")
    return np.asarray(layout.from_mpii)


def in_layout(joints_px: ArrayLike, layout: Layout) -> NDArray[np.float64]:
    """MPII's joints (..., 16, 2) in a layout's order (..., J, 2), NaN where MPII has none."""
    order = mpii_order(layout)
    joints = np.asarray(joints_px, dtype=np.float64)[..., order, :]
    return np.where((order == MISSING)[:, None], np.nan, joints)


def person_affine(
    centre_px: ArrayLike, scale: float, image_size: tuple[int, int], draw: AugmentParams
) -> NDArray[np.float64]:
    """The map (3, 3) from image pixels to [0, 1] of a person's crop.

    Args:
        centre_px: (2,) annotated center, in pixels.
        scale: annotated body height / 200 px.
        image_size: width and height in pixels.
        draw: augmentation; its shift is in pixels of a person of scale 0.8, as in the original.

    Raises:
        GeometryError: a crop without a pixel.
    """
    enlarged = ENLARGEMENT * scale
    center = np.asarray(centre_px, dtype=np.float64) + enlarged * (np.array(draw.shift_px))
    center[1] += DOWN_PX * enlarged
    return crop_affine(
        center,
        WINDOW_PX * enlarged * draw.scale,
        image_size,
        angle_deg=draw.angle_deg,
        flip=draw.flip,
    )


def person_pose(
    joints_px: ArrayLike, affine: ArrayLike, layout: Layout, dim: int = 2, *, flipped: bool = False
) -> NDArray[np.float32]:
    """The pose that a network shall find in a crop.

    Args:
        joints_px: (16, 2) in MPII's order, NaN where unlabeled.
        affine: (3, 3), image pixels to [0, 1] of the crop.
        layout: joint layout of the pose.
        dim: 2, or 3 for a depth that nobody knows (-1e9).
        flipped: the crop is mirrored: left and right joints change places.

    Returns:
        (J, dim + 1) float32: x, y, [z,] visibility. Joints that are unlabeled or outside the crop:
        -1e9, visibility 0. Joints that MPII does not have: -1e9, visibility NaN (unknown).
    """
    order = mpii_order(layout)
    joints = in_layout(joints_px, layout)
    if flipped:
        joints, order = joints[list(layout.flip)], order[list(layout.flip)]
    crop_xy = transform_points(affine, joints)
    with np.errstate(invalid="ignore"):
        visible = ((crop_xy >= 0) & (crop_xy <= 1)).all(-1)
    pose = np.full((layout.num_joints, dim + 1), INVALID, dtype=np.float32)
    pose[visible, :2] = crop_xy[visible]
    pose[:, -1] = np.where(order == MISSING, np.nan, visible)
    return pose
