"""Poses of crops of three sizes and their mirror images: where they agree a joint is."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from har import geometry
from har.layouts import Layout
from har.prediction.locating import poses_of_views
from har.runtime.engine import EngineOutput

SIDE = 96
BOX = [[16.0, 16, 80, 80]]
HANDS = Layout("hands", ("left hand", "right hand", "head"))


class Sees:
    """Bright pixels: the person faces us, so the left hand is the rightmost place.

    Args:
        layout: of the three joints.
        one_sided: both hands are seen at the left of the crop, whoever is to be seen.
        blind: in crops of this size, a share of the middle one's, the head is seen in the corner.
    """

    def __init__(
        self, layout: Layout = HANDS, *, one_sided: bool = False, blind: float | None = None
    ) -> None:
        self.spec = SimpleNamespace(joint_layout=layout, resolution=(64, 64))
        self.one_sided, self.blind = one_sided, blind
        self.crops = 0

    def forward_frames(self, images: NDArray[np.uint8]) -> EngineOutput:
        self.crops += len(images)
        poses = np.zeros((len(images), 3, 4), np.float32)
        for number, image in enumerate(images):
            bright = image[..., 0] > 64
            x = (np.flatnonzero(bright.any(0)) + 0.5) / 64
            y = ((np.flatnonzero(bright.any(1)) + 0.5) / 64).mean()
            left, right = (x.min(), x.min()) if self.one_sided else (x.max(), x.min())
            poses[number, :, 0] = left, right, x.mean()
            poses[number, :, 1] = y
            poses[number, :, 2] = 0.1, 0.2, 0.3
            poses[number, :, 3] = 0.9, 0.6, 0.8
            size = 4 / np.diff(np.flatnonzero(np.diff(bright.any(1), prepend=0, append=0)))[0]
            if self.blind is not None and abs(size - self.blind) < 0.1:
                poses[number, 2, :2] = 0.05
        return EngineOutput(poses, [() for _ in images])


def picture(columns: list[int]) -> NDArray[np.uint8]:
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[46:50, columns] = 255
    return image


def in_pixels(poses: NDArray[np.float32], affines: NDArray[np.float64]) -> NDArray[np.float64]:
    return geometry.transform_points(geometry.invert_affine(affines), poses[..., :2])


@given(st.lists(st.integers(26, 69), min_size=1, max_size=5, unique=True))
def test_what_all_see_is_one_pose(columns: list[int]) -> None:
    engine = Sees()
    poses, affines = poses_of_views(engine, [picture(columns)], BOX)
    assert engine.crops == 6
    hands = in_pixels(poses, affines)[0, :2]
    # of the centers of the outermost columns; pixels of the crops are nearly those of the picture
    np.testing.assert_allclose(hands[:, 0], [max(columns) + 0.5, min(columns) + 0.5], atol=1.5)
    np.testing.assert_allclose(hands[:, 1], 48, atol=1.5)
    np.testing.assert_allclose(poses[0, :, 2], [0.15, 0.15, 0.3], atol=0.02)
    # both hands change places in the mirror image, so each is as sure as the two are on average
    np.testing.assert_allclose(poses[0, :, 3], [0.75, 0.75, 0.8], atol=0.1)
    assert poses.dtype == np.float32


def test_what_depends_on_the_side_is_not_sure() -> None:
    poses, _ = poses_of_views(Sees(one_sided=True), [picture([30, 66])], BOX)
    assert (poses[0, :2, 3] < 0.01).all()
    assert poses[0, 2, 3] == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("size", [0.85, 1.0, 1.18])
def test_one_size_is_outvoted(size: float) -> None:
    columns = list(range(46, 50))
    poses, affines = poses_of_views(Sees(blind=size), [picture(columns)], BOX)
    np.testing.assert_allclose(in_pixels(poses, affines)[0, 2], [48, 48], atol=1.5)


def test_two_sizes_outvote_one() -> None:
    """So the test above would notice votes that do not count."""

    class Blinder(Sees):
        def forward_frames(self, images: NDArray[np.uint8]) -> EngineOutput:
            found = super().forward_frames(images)
            if self.crops > 2:  # all but the middle crop and its mirror image
                found.poses[:, 2, :2] = 0.5, 0.9
            return found

    columns = list(range(46, 50))
    poses, affines = poses_of_views(Blinder(), [picture(columns)], BOX)
    assert in_pixels(poses, affines)[0, 2, 1] > 60


def test_without_left_and_right_the_crops_alone_count() -> None:
    engine = Sees(Layout("one", ("left hand", "tail", "head")))
    poses, affines = poses_of_views(engine, [picture([30, 50])], BOX)
    assert engine.crops == 3
    np.testing.assert_allclose(in_pixels(poses, affines)[0, :2, 0], [50.5, 30.5], atol=1.5)
    np.testing.assert_allclose(poses[0, :, 3], [0.9, 0.6, 0.8])


def test_several_boxes_keep_their_order() -> None:
    image = picture([30])
    boxes = [[16.0, 16, 80, 80], [20, 20, 76, 76], [8, 12, 72, 76]]
    poses, affines = poses_of_views(Sees(), [image] * 3, boxes)
    assert poses.shape == (3, 3, 4)
    assert affines.shape == (3, 3, 3)
    np.testing.assert_allclose(in_pixels(poses, affines)[:, 0, 0], 30.5, atol=1.5)
