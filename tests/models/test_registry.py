"""A new network is a class and a line in the registry: everything else takes it as it is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from har.models import registry
from har.models.base import FrameOutput, PoseNetwork
from har.models.soft_argmax import channel_softmax_2d, soft_argmax_2d
from har.runtime.loading import load_engine
from har.weights import create_model, list_models, load_network, save_weights, spec_of
from tests.helpers.networks import crops, normalized


@dataclass(frozen=True)
class OneLayerConfig:
    num_joints: int


class OneLayer(PoseNetwork):
    """A convolution whose maps are the joints'."""

    def __init__(self, num_joints: int = 5) -> None:
        super().__init__(OneLayerConfig(num_joints), num_joints=num_joints, dim=2)
        self.conv = nn.Conv2d(3, num_joints, 5, stride=4)

    def pose_modules(self) -> list[nn.Module]:
        return [self.conv]

    def forward_frames(self, images: Tensor) -> FrameOutput:
        self.check_frames(images)
        probability = channel_softmax_2d(self.conv(images))
        confidence = probability.amax((2, 3))[..., None]
        pose = torch.cat([soft_argmax_2d(probability), confidence], -1)
        return FrameOutput((pose,), pose)


def test_a_new_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.NETWORKS, "OneLayer", __name__)
    assert "OneLayer" in list_models()
    network = create_model("OneLayer", num_joints=4)
    names = ("nose", "left hand", "right hand", "hip")
    spec = spec_of(network, joint_names=names, resolution=(64, 64))
    path = tmp_path / "one.safetensors"
    save_weights(network, path, spec)
    again = load_network(path)
    assert isinstance(again, OneLayer)
    for fast in (False, True):  # few frames are not worth compiling
        engine = load_engine(path, device="cpu", fast=fast, num_frames=3)
        found = engine.forward_frames(crops(3)).poses
        with torch.inference_mode():
            out = again(normalized(crops(3))[None])
        np.testing.assert_allclose(found, out.poses[0][0], atol=1e-2 if fast else 1e-6)
    assert out.actions == ()
    assert engine.spec.joint_names == names
    assert engine.spec.assumed == ()
