"""ActionMergeNet against the original's outputs, its weights loaded from the original's files."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from har.errors import HarError
from har.models import ActionMergeNet, ReceptionNet
from har.models.registry import build_network
from har.weights import infer_config, load_keras_h5
from har.weights.pretrained import PUBLISHED
from tests.helpers.golden import golden_arrays, golden_json, golden_path
from tests.models.test_reception import assert_pose, reception_of

CASES = ["merge_3d_v2", "merge_2d_v1"]


def merge_of(config: dict[str, Any]) -> ActionMergeNet:
    """The network that a reference configuration describes."""
    return ActionMergeNet(
        reception_of(config["pose_config"]),
        num_actions=config["num_actions"],
        num_frames=config["num_frames"],
        version=config["pose_net_version"],
    )


@pytest.mark.parametrize("name", CASES)
def test_outputs_of_the_original(name: str) -> None:
    """The pose, then p1..p4, v1..v4, merged, to 1e-5; no weight left over."""
    arrays = golden_arrays(f"{name}.npz")
    model = merge_of(golden_json(arrays["config"])).eval()
    report = load_keras_h5(model, golden_path(f"{name}.h5"))
    stored = {layer: len(weights) for layer, weights in golden_json(arrays["weights"]) if weights}
    in_verified = sum(stored[layer] for layer in report.verified)
    assert len(report.loaded) == len(set(report.loaded.values()))
    assert len(report.loaded) + in_verified == sum(stored.values())
    assert not report.missing
    assert not report.unexpected

    with torch.no_grad():
        out = model(torch.from_numpy(arrays["x"]).movedim(-1, -3))
    expected = [arrays[key] for key in sorted(arrays) if key.startswith("out_")]
    assert len(out.poses) == model.num_pose_outputs == 1
    assert_pose(out.poses[0], expected[0], expected[1])
    assert len(out.actions) == model.num_action_outputs == len(expected) - 2
    for ours, logits, theirs in zip(out.actions, out.action_logits, expected[2:], strict=True):
        torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=0, atol=1e-5)
        torch.testing.assert_close(logits.softmax(-1), ours)


@pytest.mark.parametrize("name", CASES)
def test_the_file_shows_its_network(name: str) -> None:
    arrays = golden_arrays(f"{name}.npz")
    expected = dataclasses.asdict(merge_of(golden_json(arrays["config"])).config)
    found = dataclasses.asdict(ActionMergeNet(**infer_config(golden_path(f"{name}.h5"))).config)
    expected["pose_net"]["kernel_size"] = expected["pose_net"]["kernel_size"][0]
    del expected["num_frames"], found["num_frames"]
    assert found == expected


@pytest.mark.parametrize("name", CASES)
def test_the_pose_part_is_the_pose_network(name: str) -> None:
    """A merge file holds exactly the weights of its pose file."""
    config = golden_json(golden_arrays(f"{name}.npz")["config"])
    merged, alone = merge_of(config), reception_of(config["pose_config"])
    load_keras_h5(merged, golden_path(f"{name}.h5"))
    load_keras_h5(alone, golden_path(f"{config['pose']}.h5"))
    inside = merged.pose_net.state_dict()
    for key, value in alone.state_dict().items():
        np.testing.assert_array_equal(inside[key], value)


def small(**other: Any) -> ActionMergeNet:
    pose_net = ReceptionNet(num_joints=4, num_blocks=2, kernel_size=3)
    arguments = {"num_actions": 3, "num_frames": 4, "version": "v1", **other}
    return ActionMergeNet(pose_net, **arguments).eval()


def test_frames_may_pass_through_the_pose_part_alone() -> None:
    """As an engine does: every frame once, then the clips made of them; images give poses."""
    model = small()
    clip = torch.rand(1, 8, 3, 32, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        whole, images = model(clip), model(clip[0])
        features = model.forward_frames(clip[0]).features
        logits = model.forward_clips([type(f)(f.pose[None], f.visual[None]) for f in features])
    assert images.actions == ()
    torch.testing.assert_close(images.poses[0], whole.poses[0][0], rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(logits, whole.action_logits, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_the_weighting_starts_by_changing_nothing() -> None:
    with torch.no_grad():
        weighted, plain = small(), small(weighted_merge=False)
        plain.load_state_dict(
            {k: v for k, v in weighted.state_dict().items() if "_weighting" not in k}
        )
        clip = torch.rand(1, 4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(weighted(clip).actions[-1], plain(clip).actions[-1])


def test_the_two_phases_share_all_parameters() -> None:
    model = small()
    pose = {id(p) for module in model.pose_modules() for p in module.parameters()}
    action = {id(p) for p in model.action_parameters()}
    assert not pose & action
    assert pose | action == {id(p) for p in model.parameters()}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"version": "v3"}, "v1 or v2"),
        ({"num_frames": 6}, "num_frames is 6"),
        ({"num_actions": 0}, "num_actions"),
        ({"pose_net": {"num_joints": 17, "num_blocks": 1}}, "num_joints of pose_net is 17"),
    ],
)
def test_contradicting_arguments(arguments: dict[str, Any], said: str) -> None:
    pose_net = {"num_joints": 16, "num_blocks": 1}
    with pytest.raises(HarError, match=said):
        ActionMergeNet(**{"pose_net": pose_net, **arguments})


def test_other_clips_are_refused() -> None:
    with pytest.raises(HarError, match="multiple of 4 frames, not of 6"):
        small()(torch.zeros(1, 6, 3, 32, 32))


@pytest.mark.parametrize("name", [n for n in PUBLISHED if not n.startswith("spnet")])
def test_published_networks_are_built(name: str) -> None:
    """From the arguments in the list, without their values (``meta``)."""
    spec = PUBLISHED[name].spec
    with torch.device("meta"):
        network: Any = build_network(spec.network, spec.arguments)
    pose_net = network.pose_network
    assert f"pa{pose_net.config.num_joints}j" == spec.layout
    assert network.num_pose_outputs == (8 if network is pose_net else 1)
    assert network.num_action_outputs == (0 if network is pose_net else 9)
    with torch.device("meta"):
        maps, features = pose_net.maps_and_features(torch.zeros(1, 3, 256, 256))
    assert maps[-1].shape == (1, pose_net.config.num_maps, 32, 32)
    assert features.shape == (1, 576, 32, 32)
