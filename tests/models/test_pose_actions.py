"""The action part on poses: what it must not depend on, and what it must."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from har.errors import HarError
from har.layouts import get_layout
from har.models import PyramidPoseNet, SPNet
from har.models.base import FrameFeatures
from har.models.pose_actions import PoseActions
from tests.helpers.networks import reception


@pytest.fixture(scope="module")
def part() -> PoseActions:
    torch.manual_seed(0)
    return PoseActions(5, 3, (4,), root_joints=(1, 2), width=16).eval()


def clip(frames: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    pose = torch.rand(2, frames, 5, 3, generator=generator)
    return pose, 0.3 + 0.7 * torch.rand(2, frames, 5, 1, generator=generator)


def logits(part: PoseActions, pose: torch.Tensor, sure: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return part(FrameFeatures(pose, sure))[0]


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 2000), st.floats(-3000, 3000), st.floats(-3000, 3000), st.integers(1, 20))
def test_size_and_place_in_the_picture_do_not_matter(
    part: PoseActions, scale: float, x: float, y: float, frames: int
) -> None:
    pose, sure = clip(frames)
    moved = pose.double() * torch.tensor([scale, scale, 1.0]) + torch.tensor([x, y, 0.7])
    expected = logits(part.double(), pose.double(), sure.double())
    part.double()
    found = logits(part, moved, sure.double())
    part.float()
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_motion_matters_and_a_joint_that_is_not_seen_does_not(part: PoseActions) -> None:
    pose, sure = clip()
    walking = pose + torch.arange(7.0)[:, None, None] * torch.tensor([0.3, 0, 0])
    assert (logits(part, walking, sure) - logits(part, pose, sure)).abs().max() > 1e-3
    sure[:, :, 4] = 0
    elsewhere = pose.clone()
    elsewhere[:, :, 4] += 5
    torch.testing.assert_close(
        logits(part, elsewhere, sure), logits(part, pose, sure), atol=2e-2, rtol=0
    )


def test_the_values_against_a_slow_computation(part: PoseActions) -> None:
    """Joint by joint, with every joint in full view."""
    pose, _ = clip(3)
    found = part.motion(pose, torch.ones(2, 3, 5, 1))[0].numpy()
    one = pose[0].numpy().astype(float)
    spread = [np.square(frame[:, :2] - frame[:, :2].mean(0)).sum(1).mean() for frame in one]
    size = np.sqrt(np.mean(spread))
    hips = (one[:, 1] + one[:, 2]) / 2
    joints = (one - hips[:, None]) / [size, size, 0.25]
    steps = np.diff(joints, axis=0) * 5
    for frame in range(3):
        expected = [
            joints[frame].ravel(),
            (steps[frame - 1] if frame else np.zeros((5, 3))).ravel(),
            np.ones(5),
            (hips[frame, :2] - hips[:, :2].mean(0)) / size,
            (5 * (hips[frame] - hips[frame - 1])[:2] / size if frame else np.zeros(2)),
        ]
        np.testing.assert_allclose(found[frame], np.concatenate(expected), atol=1e-4)


def test_a_person_without_extent_gives_numbers(part: PoseActions) -> None:
    assert torch.isfinite(logits(part, torch.zeros(1, 4, 5, 3), torch.zeros(1, 4, 5, 1))).all()


def test_networks_with_an_action_part_for_other_classes() -> None:
    people = PyramidPoseNet(17, dim=3, width=8, num_layers=1)
    arguments = people.action_arguments(4, get_layout("pa17j"))
    hips = [get_layout("pa17j").joints[joint] for joint in arguments["root_joints"]]
    assert sorted(hips) == ["left hip", "right hip"]
    built = PyramidPoseNet(**arguments)
    assert built.num_actions == (4,)
    assert built.num_action_outputs == 1
    assert "num_actions" in built.pose_arguments
    assert PyramidPoseNet(**built.pose_arguments).num_action_outputs == 0
    names = {name for name, value in built.state_dict().items() if value.shape[:1] == (4,)}
    assert built.class_weights() == names
    poses = SPNet(num_actions=(), action_pyramids=(), num_levels=2, growth=8)
    whole = poses.action_arguments(3, get_layout("pa17j"))
    assert whole["action_pyramids"] == (1, 2)
    assert whole["num_actions"] == (3,)
    with pytest.raises(HarError, match="ReceptionNet has no action part"):
        reception().action_arguments(3, get_layout("pa16j"))
    with pytest.raises(HarError, match="root_joints below 3"):
        PyramidPoseNet(3, num_actions=(2,), root_joints=(3,))
