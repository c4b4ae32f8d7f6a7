"""Weights of networks with other joints: matched by name, against the poses of both networks."""

import pytest
import torch

from har.errors import HarError
from har.layouts import Layout, get_layout
from har.models import PyramidPoseNet, ReceptionNet, SPNet, TorchvisionPoseNet
from har.models.base import PoseNetwork
from har.weights import fine_tune, save_weights, spec_of, transfer_weights

BEFORE = Layout("before", ("nose", "left knee", "right knee", "tail", "left_hand"))
AFTER = Layout("after", ("LeftHand", "wing", "RightKnee", "knee_left", "head", "nose"))
SAME = [(0, 4), (2, 2), (3, 1), (5, 0)]  # of AFTER, of BEFORE

NETWORKS = {
    "SPNet 2-D": lambda joints: SPNet(
        joints, 2, (), num_pyramids=2, action_pyramids=(), num_levels=2, growth=8
    ),
    "SPNet 3-D": lambda joints: SPNet(
        joints, 3, (), num_pyramids=2, action_pyramids=(), num_levels=2, growth=8
    ),
    "ReceptionNet 2-D": lambda joints: ReceptionNet(joints, 2, num_blocks=2),
    "ReceptionNet 3-D": lambda joints: ReceptionNet(joints, 3, num_blocks=2, depth_maps=4),
    "PyramidPoseNet 2-D": lambda joints: PyramidPoseNet(joints, width=8, num_layers=1),
    "PyramidPoseNet 3-D": lambda joints: PyramidPoseNet(joints, 3, width=8, num_layers=1),
    "TorchvisionPoseNet": lambda joints: TorchvisionPoseNet(
        "resnet18", num_joints=joints, head_width=8
    ),
}


@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_joints_of_the_same_name_are_predicted_as_before(build) -> None:
    """The first block sees only the image: its poses of shared joints are the same."""
    torch.manual_seed(0)
    source, target = build(5).eval(), build(6).eval()
    report = transfer_weights(source, BEFORE, target, AFTER)
    assert report.joints == ("LeftHand", "RightKnee", "knee_left", "nose")
    assert report.new == ("wing", "head")
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before, after = source(images).poses[0], target(images).poses[0]
    for joint, other in SAME:
        torch.testing.assert_close(after[:, joint], before[:, other], atol=1e-5, rtol=1e-5)
    assert set(report.loaded) | set(report.partly) == {
        name for name in target.state_dict() if not name.endswith("num_batches_tracked")
    }
    assert "of its head LeftHand" in str(report)
    assert "new in the head: wing, head" in str(report)


@pytest.mark.parametrize("build", NETWORKS.values(), ids=NETWORKS)
def test_the_same_joints_in_another_order_are_the_same_network(build) -> None:
    """Also what is fed back to later blocks: all poses are the same, joints reordered."""
    torch.manual_seed(0)
    source, target = build(5).eval(), build(5).eval()
    order = [3, 0, 4, 2, 1]
    shuffled = Layout("shuffled", tuple(BEFORE.joints[number] for number in order))
    report = transfer_weights(source, BEFORE, target, shuffled)
    assert report.new == ()
    assert not report.left
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before, after = source(images).poses, target(images).poses
    for one, other in zip(before, after, strict=True):
        torch.testing.assert_close(other, one[:, order], atol=1e-4, rtol=1e-4)


def test_every_network_states_the_channels_of_its_joints() -> None:
    """Weights change their shape with the number of joints where the network says so."""
    for build in NETWORKS.values():
        few, many = build(5), build(7)
        stated = few.joint_channels()
        for name, weight in few.state_dict().items():
            grows = [
                axis
                for axis, (a, b) in enumerate(
                    zip(weight.shape, many.state_dict()[name].shape, strict=True)
                )
                if a != b
            ]
            assert grows == ([stated[name].axis] if name in stated else []), name
            if name in stated:
                channels = stated[name].channels
                assert channels.shape[0] == 5
                every = channels.flatten().sort().values.tolist()
                assert every == list(range(weight.shape[stated[name].axis]))


def test_from_a_file_of_poses_and_actions(tmp_path) -> None:
    torch.manual_seed(0)
    whole: PoseNetwork = SPNet(16, 3, (4,), num_levels=2, growth=8)
    pa16j = get_layout("pa16j")
    spec = spec_of(whole, layout="pa16j", joint_names=pa16j.joints, resolution=(64, 64))
    save_weights(whole, tmp_path / "a.safetensors", spec)
    network = SPNet(**{**whole.pose_arguments, "num_joints": 6})
    report = fine_tune(network, AFTER, str(tmp_path / "a.safetensors"))
    assert set(report.joints) == {"RightKnee", "knee_left", "head"}
    assert not report.left


def test_names_that_words_do_not_tell_apart_keep_their_own_weights() -> None:
    torch.manual_seed(0)
    names = ("x+", "x-", "hand", "Hand", "tail")
    source, target = (NETWORKS["SPNet 2-D"](5).eval() for _ in range(2))
    report = transfer_weights(source, Layout("a", names), target, Layout("b", names))
    assert report.joints == names
    images = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        for one, other in zip(source(images).poses, target(images).poses, strict=True):
            torch.testing.assert_close(other, one)


def test_networks_that_do_not_fit() -> None:
    with pytest.raises(HarError, match="choose the same network"):
        transfer_weights(
            ReceptionNet(5, num_blocks=1), BEFORE, NETWORKS["SPNet 2-D"](6), AFTER, "a.ckpt"
        )
