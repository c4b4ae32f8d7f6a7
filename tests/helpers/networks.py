"""Networks small enough for a test, and engines of them."""

import importlib.util
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from har.models import ActionMergeNet, ReceptionNet, SPNet
from har.models.base import PoseNetwork
from har.runtime.engine import Engine
from har.runtime.modes import PLAIN, Mode
from har.runtime.torch_runtime import TorchRuntime
from har.weights import spec_of

SIZE = 64
needs_onnx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")),
    reason="the extra `export` is not installed",
)


_SPNET = {
    "num_actions": (3,),
    "num_levels": 2,
    "growth": 8,
    "num_pose_features": 16,
    "num_visual_features": 16,
}
_POSE_NET = {"num_joints": 4, "num_blocks": 1, "kernel_size": 3, "num_context": 1}
# The smallest of every class; then other shapes of it.
CASES: dict[str, tuple[str, dict]] = {
    "SPNet": ("SPNet", {**_SPNET, "num_pyramids": 1, "action_pyramids": (1,), "num_levels": 2}),
    "ReceptionNet": ("ReceptionNet", _POSE_NET),
    "ActionMergeNet": (
        "ActionMergeNet",
        {"pose_net": _POSE_NET, "num_actions": 3, "num_frames": 4, "version": "v1"},
    ),
    "TorchvisionPoseNet": (
        "TorchvisionPoseNet",
        {"backbone": "squeezenet1_1", "features": "features", "num_joints": 4, "head_width": 8},
    ),
    "PyramidPoseNet": ("PyramidPoseNet", {"num_joints": 4, "width": 8, "num_layers": 1}),
    "PyramidPoseNet 3-D": (
        "PyramidPoseNet",
        {"num_joints": 4, "width": 8, "dim": 3, "sees_nobody": True},
    ),
    "PyramidPoseNet actions": (
        "PyramidPoseNet",
        {"num_joints": 4, "width": 8, "dim": 3, "num_actions": (3,), "action_width": 8},
    ),
    "SPNet poses": ("SPNet", {**_SPNET, "num_actions": (), "action_pyramids": (), "dim": 2}),
    "SPNet all options": (
        "SPNet",
        {**_SPNET, "num_actions": (3, 2), "downsampling": "conv", "pose_replica": True},
    ),
    "ReceptionNet 3-D": (
        "ReceptionNet",
        {"num_joints": 4, "dim": 3, "num_blocks": 2, "kernel_size": 3, "depth_maps": 4},
    ),
}


def randomize(network: nn.Module) -> nn.Module:
    """Statistics and shifts of batch normalization as after training, for a sharper test."""
    generator = torch.Generator().manual_seed(1)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.2, generator=generator)
            layer.running_var.uniform_(0.5, 1.5, generator=generator)
            if isinstance(layer.weight, nn.Parameter):  # else a factor that is always 1
                layer.weight.data.uniform_(0.7, 1.3, generator=generator)
            layer.bias.data.normal_(0, 0.2, generator=generator)
    return network.eval()


def spnet(**arguments: Any) -> SPNet:
    torch.manual_seed(0)
    small = {
        "num_actions": (3,),
        "num_levels": 3,
        "growth": 16,
        "num_pose_features": 16,
        "num_visual_features": 16,
    }
    return randomize(SPNet(**{**small, **arguments}))


def reception(**arguments: Any) -> ReceptionNet:
    torch.manual_seed(0)
    network = ReceptionNet(**{"num_joints": 16, "num_blocks": 1, "kernel_size": 3, **arguments})
    return randomize(network)


def action_merge(**arguments: Any) -> ActionMergeNet:
    network = ActionMergeNet(reception(), num_actions=3, num_frames=8, version="v1", **arguments)
    return randomize(network)


def make_engine(
    network: PoseNetwork, mode: Mode = PLAIN, *, batch_size: int = 8, **arguments: Any
) -> Engine:
    spec = spec_of(
        network,
        name="tiny",
        resolution=(SIZE, SIZE),
        labels=("a", "b", "c"),
        clip_size=8,
        clip_seconds_between_frames=0.2,
    )
    runtime = TorchRuntime(network, torch.device("cpu"), mode, batch_size=batch_size, **arguments)
    return Engine(runtime, spec, batch_size=batch_size)


def crops(count: int, seed: int = 0) -> np.ndarray:
    """uint8 RGB (N, 64, 64, 3), smooth enough for poses to differ between frames."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 8, 1), 8, 2)


def normalized(images: np.ndarray) -> torch.Tensor:
    """Network input (N, 3, H, W), computed apart from the engine."""
    return torch.from_numpy(images.astype(np.float32) / 255 * 2 - 1).permute(0, 3, 1, 2)
