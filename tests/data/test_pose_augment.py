"""Random changes of clips of poses."""

import numpy as np
import pytest

from har.data.pose_augment import PoseAugmentation, mirrored
from har.errors import HarError
from har.layouts import get_layout

FLIP = get_layout("pa17j").flip


def clip() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.uniform(0, 200, (6, 17, 3)).astype(np.float32), np.full((6, 17, 1), 0.9, np.float32)


def test_nothing_is_changed_where_nothing_is_asked_for() -> None:
    pose, sure = clip()
    nothing = PoseAugmentation(pace=0, angle_deg=0, stretch=0, noise=0, drop=0, flip=False)
    found, seen = nothing(pose, sure, FLIP, np.random.default_rng(0))
    np.testing.assert_allclose(found, pose, atol=1e-3)
    np.testing.assert_array_equal(seen, sure)


def test_a_mirrored_clip_twice_is_the_clip() -> None:
    pose, sure = clip()
    once = mirrored(pose, sure, FLIP)
    left, right = get_layout("pa17j").joints.index("left knee"), FLIP.index(0)
    np.testing.assert_array_equal(once[0][:, FLIP[left], 0], -pose[:, left, 0])
    assert right == 0
    np.testing.assert_array_equal(mirrored(*once, FLIP)[0], pose)


def test_turning_keeps_distances_and_depth() -> None:
    pose, sure = clip()
    turns = PoseAugmentation(angle_deg=90, stretch=0, noise=0, drop=0, flip=False)
    found, _ = turns(pose, sure, FLIP, np.random.default_rng(3))
    before, after = (p[:, 1:, :2] - p[:, :1, :2] for p in (pose, found))
    np.testing.assert_allclose(
        np.linalg.norm(after, axis=-1), np.linalg.norm(before, axis=-1), rtol=1e-3, atol=1e-2
    )
    assert np.abs(after - before).max() > 1
    np.testing.assert_allclose(found[..., 2], pose[..., 2], rtol=1e-4)


def test_dropped_joints_are_not_seen_in_the_whole_clip() -> None:
    pose, sure = clip()
    drops = PoseAugmentation(drop=0.5, flip=False)
    _, seen = drops(pose, sure, FLIP, np.random.default_rng(0))
    gone = (seen == 0).all((0, 2))
    assert 3 < gone.sum() < 14
    assert (seen[:, ~gone] == np.float32(0.9)).all()


def test_a_share_that_makes_no_sense() -> None:
    with pytest.raises(HarError, match=r"augmentation\.pace=1\.5 has to be from 0 to 0\.9"):
        PoseAugmentation(pace=1.5)
