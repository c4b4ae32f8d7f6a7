"""A turning 3-D skeleton, drawn fast enough for every frame of a video."""

import math

import cv2
import numpy as np
from numpy.typing import ArrayLike

from har.files import Image
from har.geometry import FloatArray, center_and_window
from har.layouts import Layout
from har.visual.draw import draw_skeleton

_PAPER = (38, 41, 46)
_FLOOR = (64, 68, 75)
_BOX_MM = 2550.0  # 1.5 times the 1.7 m from the head to the ankles of an adult
_TILT_DEG = 12.0  # the view from a little above
_RING_MM = 700.0


def turning_skeleton(
    joints_px: ArrayLike,
    depth_mm: ArrayLike,
    box: ArrayLike,
    layout: Layout,
    size: int,
    angle_deg: float,
    confidence: ArrayLike | None = None,
) -> Image:
    """Draws a pose rotated about the vertical axis through its root.

    A single camera does not give the size of a pixel in millimeters: the box is taken for that of
    a standing adult, so that depth is too flat for children and for people who sit.

    Args:
        joints_px: (J, 2) in pixels of the image.
        depth_mm: (J,) away from the camera, relative to the root.
        box: (4,) around the person, in pixels.
        layout: of the joints.
        size: width and height of the picture in pixels.
        angle_deg: of the rotation; 0 is the view of the camera.
        confidence: (J,) in [0, 1].

    Returns:
        uint8 RGB (size, size, 3).
    """
    panel = np.full((size, size, 3), _PAPER, np.uint8)
    pose = pose_in_mm(joints_px, depth_mm, box, layout)
    y = pose[:, 1]
    center_y = (y.min() + y.max()) / 2
    scale = 0.8 * size / max(float(np.ptp(y)), _BOX_MM / 1.5)
    ring = np.linspace(0, 2 * math.pi, 49)
    floor = _RING_MM * np.stack([np.cos(ring), np.zeros(49), np.sin(ring)], axis=1)
    floor[:, 1] = y.max()
    line = np.rint(_project(floor, angle_deg, center_y) * scale + size / 2).astype(np.int32)
    cv2.polylines(panel, [line], True, _FLOOR, max(1, size // 200), cv2.LINE_AA)
    points = _project(pose, angle_deg, center_y) * scale + size / 2
    return draw_skeleton(panel, points, layout, confidence)


def pose_in_mm(
    joints_px: ArrayLike,
    depth_mm: ArrayLike,
    box: ArrayLike,
    layout: Layout,
    size: tuple[int, int] | None = None,
) -> FloatArray:
    """A pose in space, (J, 3) in mm: x right, y down, z away from the camera.

    The box is taken for that of a standing adult, see :func:`turning_skeleton`.

    Args:
        joints_px: (J, 2) in pixels of the image.
        depth_mm: (J,) away from the camera, relative to the root.
        box: (4,) around the person, in pixels.
        layout: of the joints.
        size: width and height of the image: x and y are relative to its middle; None: to the root.
    """
    joints = np.asarray(joints_px, dtype=np.float64)
    window = max(float(center_and_window(box)[1].max()), 1.0)
    middle = joints[layout.root] if size is None else np.array(size) / 2
    places = (joints - middle) * (_BOX_MM / window)
    return np.column_stack([places, np.asarray(depth_mm, dtype=np.float64)])


def _project(points: np.ndarray, angle_deg: float, center_y: float) -> np.ndarray:
    """Projects points (N, 3) in mm to the view, (N, 2) in mm, x right and y down."""
    angle, tilt = math.radians(angle_deg), math.radians(_TILT_DEG)
    x = points[:, 0] * math.cos(angle) + points[:, 2] * math.sin(angle)
    z = points[:, 2] * math.cos(angle) - points[:, 0] * math.sin(angle)
    y = (points[:, 1] - center_y) * math.cos(tilt) - z * math.sin(tilt)
    return np.stack([x, y], axis=1)
