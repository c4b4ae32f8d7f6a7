"""Every registered network through everything that the program does with a network."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from har.losses import action_loss, pose_loss
from har.models.base import PoseNetwork, join_frames
from har.models.registry import NETWORKS
from har.models.spec import ModelSpec
from har.runtime.exporter import export_network
from har.runtime.streaming import ClipStream
from har.weights import (
    WeightsFile,
    create_model,
    list_models,
    load_network,
    save_weights,
    spec_of,
)
from tests.helpers.networks import CASES, crops, make_engine, needs_onnx, normalized, randomize

FRAMES = 4
every_network = pytest.mark.parametrize("case", CASES)


def network_of(case: str) -> PoseNetwork:
    name, arguments = CASES[case]
    torch.manual_seed(0)
    return randomize(create_model(name, **arguments))


def outputs_of(network: PoseNetwork) -> list[torch.Tensor]:
    with torch.inference_mode():
        out = network(normalized(crops(2 * FRAMES)).unflatten(0, (2, FRAMES)))
    return [*out.poses, *out.actions]


def assert_same(found: list[torch.Tensor], expected: list[torch.Tensor], error: float) -> None:
    for values, wanted in zip(found, expected, strict=True):
        scale = wanted.abs().max().clamp(min=1)  # raw confidences are not bounded
        assert (values - wanted).abs().max() <= error * scale


def test_every_registered_network_is_in_the_matrix() -> None:
    assert set(NETWORKS) == {name for name, _ in CASES.values()}
    assert set(NETWORKS) <= set(list_models())


@every_network
def test_forward(case: str) -> None:
    """Shapes follow from the attributes; frames of a clip are images; eval is deterministic."""
    network = network_of(case)
    clips = normalized(crops(2 * FRAMES)).unflatten(0, (2, FRAMES))
    with torch.inference_mode():
        out, again, images = network(clips), network(clips), network(clips.flatten(0, 1))
        frames = network.forward_frames(clips.flatten(0, 1))
        whole = join_frames([network.forward_frames(clip) for clip in clips])
    shape = (2, FRAMES, network.num_joints, network.dim + 1)
    assert [pose.shape for pose in out.poses] == [shape] * network.num_pose_outputs
    assert len(out.actions) == len(out.action_logits) == network.num_action_outputs
    classes = [p.shape[1] for p in out.actions]
    sets = len(network.num_actions) or 1
    assert classes == list(network.num_actions) * (network.num_action_outputs // sets)
    assert all(torch.equal(a, b) for a, b in zip(out.poses, again.poses, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(out.actions, again.actions, strict=True))
    assert images.actions == ()
    flat = [pose.flatten(0, 1) for pose in out.poses]
    assert_same([*images.poses, *frames.poses, *whole.poses], flat * 3, 1e-5)
    assert ((frames.pose >= 0) & (frames.pose <= 1)).all()
    torch.testing.assert_close(frames.pose[..., :-1], flat[-1][..., :-1])
    assert len(frames.features) == network.num_action_blocks
    if network.num_action_outputs:
        index = torch.arange(2 * FRAMES).view(2, FRAMES)
        with torch.inference_mode():
            logits = network.forward_clips(whole.clips(index))
        assert_same(logits, list(out.action_logits), 1e-5)


@every_network
def test_backward(case: str) -> None:
    """Frames alone reach the pose part and no other; clips and frames reach every parameter."""
    network = network_of(case).train().requires_grad_(True)
    images = normalized(crops(2 * FRAMES))
    target = torch.rand(len(images), network.num_joints, network.dim + 1)
    target[..., -1] = 1
    poses = network.training_frames(images).poses
    torch.stack([pose_loss(pose, target).mean() for pose in poses]).sum().backward()
    reached = {name for name, p in network.named_parameters() if p.grad is not None}
    actions = {id(p) for p in network.action_parameters()}
    fixed = {id(p) for part in network.pose_modules() for p in part.parameters()}
    named = dict(network.named_parameters())
    assert {id(p) for p in named.values()} == actions | fixed
    assert not actions & fixed
    replica = {name for name in named if "replica" in name}  # for the action part alone
    assert reached == {name for name, p in named.items() if id(p) in fixed} - replica
    if network.num_action_outputs:
        out = network(images.unflatten(0, (2, FRAMES)))
        labels = torch.tensor([0, 1])
        losses = [action_loss(logits, labels).mean() for logits in out.action_logits]
        torch.stack(losses).sum().backward()
    for name, parameter in named.items():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@every_network
def test_fused_networks_compute_the_same(case: str) -> None:
    network = network_of(case)
    expected = outputs_of(network)
    fused = network.fuse()
    assert not any(p.requires_grad for p in fused.parameters())
    assert_same(outputs_of(fused), expected, 1e-5)
    assert_same(outputs_of(network), expected, 0)  # the original is as it was


@every_network
def test_saved_and_loaded(case: str, tmp_path: Path) -> None:
    """As safetensors and as a checkpoint: the same outputs and the same record."""
    network = network_of(case)
    spec = spec_of(
        network,
        name="best",
        resolution=(64, 64),
        labels=tuple("abc")[: network.num_actions[0]] if network.num_actions else (),
        joint_names=tuple(f"point {i}" for i in range(network.num_joints)),
        joint_links=((0, 1),),
        clip_size=FRAMES,
        clip_seconds_between_frames=0.25,
        depth_range_mm=1500.0,
        data="drawn",
        metrics={"action_top1": 50.0},
    )
    assert spec.assumed == ()
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == dataclasses.replace(
        spec, arguments=json.loads(json.dumps(network.arguments))
    )
    save_weights(network, tmp_path / "a.safetensors", spec)
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    har = {"config": {}, "spec": spec.to_dict()}
    torch.save({"state_dict": state, "har": har}, tmp_path / "a.ckpt")
    for path in (tmp_path / "a.safetensors", tmp_path / "a.ckpt"):
        opened = WeightsFile.open(path)
        again = opened.load()
        assert type(again) is type(network)
        assert again.config == network.config
        assert_same(outputs_of(again), outputs_of(network), 0)
        read = opened.spec(again)
        assert read.joint_layout.joints == spec.joint_names
        assert dataclasses.replace(read, name="best", weights_sha256="") == spec
        assert_same(outputs_of(load_network(path)), outputs_of(network), 0)
        created = create_model(CASES[case][0], weights=path).eval()
        assert_same(outputs_of(created), outputs_of(network), 0)


@every_network
def test_streaming_gives_the_clips(case: str) -> None:
    network = network_of(case)
    if not network.num_action_outputs:
        pytest.skip("poses only")
    stream = ClipStream(make_engine(network, batch_size=3), clip_size=FRAMES)
    video = crops(9)
    found = [stream.push(features) for features in stream.engine.forward_frames(video).features]
    windows = torch.stack([normalized(video)[i : i + FRAMES] for i in range(9 - FRAMES + 1)])
    with torch.inference_mode():
        expected = network(windows).actions[-len(network.num_actions)].numpy()
    assert [value is None for value in found] == [True] * (FRAMES - 1) + [False] * 6
    np.testing.assert_allclose(np.array(found[FRAMES - 1 :]), expected, atol=1e-5)


@pytest.mark.slow
@needs_onnx
@pytest.mark.parametrize("case", NETWORKS)
def test_exported_networks_compute_the_same(case: str, tmp_path: Path) -> None:
    """The file itself is compared by :func:`export_network`; here other images and batches."""
    import onnxruntime

    network = network_of(case)
    spec = spec_of(network, name=case, resolution=(64, 64), clip_size=FRAMES)
    exported = export_network(network, spec, tmp_path / "network.onnx", "onnx")
    assert max(exported.errors.values()) <= 1e-4
    session = onnxruntime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    images = normalized(crops(5 * FRAMES, seed=3))
    x = images.unflatten(0, (5, FRAMES)) if network.num_action_outputs else images
    pose, *rest = session.run(["pose", *(["action"] if spec.labels else [])], {"images": x.numpy()})
    with torch.inference_mode():
        frames = network.forward_frames(images)
        np.testing.assert_allclose(pose.reshape(frames.pose.shape), frames.pose, atol=1e-5)
        if spec.labels:
            np.testing.assert_allclose(rest[0], network(x).actions[-1], atol=1e-5)
