"""A crop and its mirror image together: where both agree a joint is sure, else it is not."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from har.layouts import Layout
from har.prediction.locating import poses_both_ways
from har.runtime.engine import EngineOutput

SIDE = 41
HANDS = Layout("hands", ("left hand", "right hand", "head"))


class Sees:
    """Bright columns of the crop: the person faces us, so the left hand is the rightmost one."""

    def __init__(self, layout: Layout = HANDS, ambiguous: bool = False) -> None:
        self.spec = SimpleNamespace(joint_layout=layout)
        self.ambiguous = ambiguous

    def forward_frames(self, images: NDArray[np.uint8]) -> EngineOutput:
        poses = np.zeros((len(images), 3, 4), np.float32)
        for number, image in enumerate(images):
            columns = np.flatnonzero(image[0, :, 0]) / (SIDE - 1)
            left, right = columns.max(), columns.min()
            if self.ambiguous:  # always one side of the picture, whoever is to be seen
                left, right = right, right
            poses[number, :, 0] = left, right, np.median(columns)
            poses[number, :, 1] = 0.5, 0.5, 0.75
            poses[number, :, 2] = 0.1, 0.2, 0.3
            poses[number, :, 3] = 0.9, 0.6, 0.8
        return EngineOutput(poses, [() for _ in images])


def picture(columns: list[int]) -> NDArray[np.uint8]:
    image = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    image[:, :, columns] = 255
    return image


@given(st.lists(st.integers(0, SIDE - 1), min_size=1, max_size=5, unique=True))
def test_what_both_see_is_one_pose(columns: list[int]) -> None:
    crops = picture(columns)
    expected = Sees().forward_frames(crops).poses
    found = poses_both_ways(Sees(), crops)
    np.testing.assert_allclose(found[..., :2], expected[..., :2], atol=1e-6)
    # both hands change places in the mirror image, so each is as sure as the two are on average
    np.testing.assert_allclose(found[0, :, 3], [0.75, 0.75, 0.8], atol=1e-6)
    assert found.dtype == np.float32


def test_what_depends_on_the_side_is_not_sure() -> None:
    found = poses_both_ways(Sees(ambiguous=True), picture([4, 36]))
    assert (found[0, :2, 3] < 0.01).all()
    assert found[0, 2, 3] == pytest.approx(0.8)
    assert found[0, 0, 0] == pytest.approx(0.1)  # where the surer of the two is


def test_without_left_and_right_the_crop_alone_counts() -> None:
    one_sided = Layout("one", ("left hand", "tail", "head"))
    engine = Sees(one_sided)
    crops = picture([3, 20])
    np.testing.assert_array_equal(
        poses_both_ways(engine, crops), engine.forward_frames(crops).poses
    )
