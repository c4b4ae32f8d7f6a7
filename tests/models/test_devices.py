"""Networks and losses on a device without float64, as Apple's; a mode refuses it on the CPU."""

import pytest
import torch

from har import precision
from har.losses import action_loss, heat_map_loss, pose_loss
from har.models.base import PoseNetwork
from har.transforms import normalize_images
from tests.helpers.networks import action_merge, reception, spnet
from tests.metrics.test_devices import WithoutFloat64

NETWORKS = {
    "spnet 3-D with actions": lambda: spnet(),
    "spnet 2-D": lambda: spnet(num_joints=16, dim=2, num_actions=(), action_pyramids=()),
    "reception": lambda: reception(),
    "merge": lambda: action_merge(),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_no_network_needs_float64(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "WITHOUT_FLOAT64", {"cpu"})
    network: PoseNetwork = NETWORKS[name]().train()
    clips = network.num_action_outputs > 0
    size = (1, 8, 64, 64, 3) if clips else (2, 64, 64, 3)
    images = torch.randint(0, 256, size, dtype=torch.uint8)
    with WithoutFloat64():
        out = network(normalize_images(images))
        pose = out.poses[-1]
        loss = pose_loss(pose, torch.full_like(pose, 0.5)).mean()
        if out.action_logits:
            loss = (
                loss + action_loss(out.action_logits[-1], torch.zeros(1, dtype=torch.long)).mean()
            )
        loss.backward()
    assert torch.isfinite(loss)


def test_a_loss_of_heat_maps_does_not_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "WITHOUT_FLOAT64", {"cpu"})
    maps = torch.randn(2, 5, 8, 8, requires_grad=True)
    with WithoutFloat64():
        heat_map_loss(maps, torch.rand(2, 5, 3)).mean().backward()
    assert maps.grad is not None
