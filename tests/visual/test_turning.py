"""The 3-D skeleton that turns beside a video."""

import numpy as np
import pytest

from har.layouts import LAYOUTS
from har.visual.draw import SIDE_COLORS
from har.visual.turning import turning_skeleton

LAYOUT = LAYOUTS["pa17j"]
BOX = (0.0, 0.0, 300.0, 300.0)


def pose(shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A person with both arms out; one reaches towards the camera."""
    joints = np.full((17, 2), 150.0)
    for number, name in enumerate(LAYOUT.joints):
        side = {"left": 1, "right": -1}.get(LAYOUT.sides[number], 0)
        height = {"ankle": 250, "knee": 200, "hip": 152, "pelvis": 150, "head": 50, "neck": 75}
        margin = {"shoulder": 20, "elbow": 45, "wrist": 70, "hip": 10, "knee": 12, "ankle": 14}
        part = name.split()[-1]
        joints[number] = 150 + side * margin.get(part, 0) + shift, height.get(part, 90) + shift
    return joints, np.zeros(17)


def columns(image: np.ndarray, side: str) -> np.ndarray:
    near = np.abs(image.astype(int) - SIDE_COLORS[side]).max(-1) < 20
    return np.flatnonzero(near.any(0))


def test_from_the_front_it_is_the_picture_and_from_behind_its_mirror() -> None:
    front = turning_skeleton(*pose(), BOX, LAYOUT, 400, 0.0)
    back = turning_skeleton(*pose(), BOX, LAYOUT, 400, 180.0)
    assert front.shape == (400, 400, 3)
    assert columns(front, "left").mean() > 200 > columns(front, "right").mean()
    assert columns(back, "left").mean() < 200 < columns(back, "right").mean()


def test_from_the_side_a_flat_pose_is_a_line_and_depth_shows() -> None:
    joints, depth = pose()
    flat = turning_skeleton(joints, depth, BOX, LAYOUT, 400, 90.0)
    assert np.ptp(columns(flat, "left")) < 30
    depth[LAYOUT.joints.index("left wrist")] = -600
    deep = turning_skeleton(joints, depth, BOX, LAYOUT, 400, 90.0)
    assert np.ptp(columns(deep, "left")) > 60


def test_where_the_person_stands_in_the_image_does_not_matter() -> None:
    moved = tuple(side + 500 for side in BOX)
    here = turning_skeleton(*pose(), BOX, LAYOUT, 200, 30.0)
    there = turning_skeleton(*pose(500.0), moved, LAYOUT, 200, 30.0)
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("size", [16, 90])
def test_odd_poses_are_drawn_without_harm(size: int) -> None:
    flat = np.zeros((17, 2))
    assert turning_skeleton(flat, np.zeros(17), (0, 0, 0, 0), LAYOUT, size, 7.0).shape[0] == size
