"""From crops back to pixels and to millimeters, on the device of the poses."""

from collections.abc import Sequence

import torch
from torch import Tensor

from har.geometry import INVALID, Camera
from har.precision import exact_dtype

_ITERATIONS = 12  # of undoing a lens's distortion; each makes the error some ten times smaller


def crop_to_image(points: Tensor, affine: Tensor) -> Tensor:
    """Points in crops as pixels of the image, the inverse of the crops' affine maps.

    Args:
        points: (..., P, 2) in [0, 1] of the crop.
        affine: (..., 3, 3), image pixels to [0, 1] of the crop; its axes are those of ``points``
            from the left, so that one crop may serve all frames of its clip.

    Returns:
        (..., P, 2) in pixels: float64, or float32 on a device without float64.
    """
    exact = exact_dtype(points.device)
    entries = affine[..., :2, :].to(exact).flatten(-2).unbind(-1)
    a, b, c, d, e, f = (_spread(entry, points.ndim - 1) for entry in entries)
    x, y = points.to(exact).unbind(-1)
    x, y = x - c, y - f
    # In closed form: the inverse of a matrix asks the device whether there is one.
    determinant = a * e - b * d
    return torch.stack([(e * x - b * y) / determinant, (a * y - d * x) / determinant], dim=-1)


def pose_to_camera_mm(
    pose: Tensor,
    affine: Tensor,
    root_depth_mm: Tensor,
    depth_scale: Tensor,
    frame_width: Tensor,
    camera: Camera,
    depth_range_mm: float,
    intrinsics: Tensor | None = None,
) -> Tensor:
    """Poses in a crop as millimeters in the camera's space: x right, y up, z away.

    The depth of the root is taken as known. Invalid joints come out as ``INVALID``.

    Args:
        pose: (..., J, 3 or more), x, y, z in [0, 1] of the crop and its depth range.
        affine: (..., 3, 3), pixels of the stored frames to [0, 1] of the crop; its axes, as those
            of the next three, are those of ``pose`` from the left.
        root_depth_mm: (...) depth of the root.
        depth_scale: (...) scale of the crop, which the depth range is multiplied by.
        frame_width: (...) width of the stored frames in pixels.
        camera: which took the images.
        depth_range_mm: of a crop of scale 1.
        intrinsics: (..., 9), the samples' own cameras in place of ``camera``: focal lengths,
            principal point, radial (3) and tangential (2) distortion.

    Returns:
        (..., J, 3) in mm: float64, or float32 on a device without float64.
    """
    exact = exact_dtype(pose.device)

    def per_joint(values: Tensor) -> Tensor:
        return _spread(values.to(exact), pose.ndim - 1)

    color = crop_to_image(pose[..., :2], affine)
    z = (pose[..., 2].to(exact) - 0.5) * depth_range_mm * per_joint(depth_scale)
    z = z + per_joint(root_depth_mm)
    valid = (pose[..., :3] > INVALID / 1e3).all(-1, keepdim=True)
    if intrinsics is not None:
        rays = undistorted(color, [per_joint(value) for value in intrinsics.unbind(-1)])
        own = torch.stack([rays[..., 0] * z, -rays[..., 1] * z, z], dim=-1)
        return torch.where(valid, own, INVALID)
    color = color * (camera.width_px / per_joint(frame_width))[..., None]
    x = (color[..., 0] - camera.principal_px[0]) * z / camera.focal_px[0]
    y = -(color[..., 1] - camera.principal_px[1]) * z / camera.focal_px[1]
    return torch.where(valid, torch.stack([x, y, z], dim=-1), INVALID)


def undistorted(pixels: Tensor, intrinsics: Sequence[Tensor]) -> Tensor:
    """Pixels (..., 2) as x / z and y / z (y down) of the points that a lens shows there.

    Args:
        pixels: of the image.
        intrinsics: nine values, each of shape (...) or one that fits: fx, fy, cx, cy, k1, k2, k3,
            p1, p2, as :class:`har.data.h36m.cameras.Intrinsics` projects with.
    """
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = intrinsics
    bent_x, bent_y = (pixels[..., 0] - cx) / fx, (pixels[..., 1] - cy) / fy
    x, y = bent_x, bent_y
    for _ in range(_ITERATIONS):
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        factor = radial + 2 * (p1 * y + p2 * x)
        x, y = (bent_x - p2 * r2) / factor, (bent_y - p1 * r2) / factor
    return torch.stack([x, y], dim=-1)


def _spread(values: Tensor, ndim: int) -> Tensor:
    """Values of clips (...) with axes of length 1 for frames and joints at the end."""
    return values.reshape(values.shape + (1,) * (ndim - values.ndim))
