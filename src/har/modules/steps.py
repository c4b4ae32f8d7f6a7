"""What a training step computes: functions of tensors, so that a compiler sees one graph each."""

from typing import NamedTuple

import torch
from torch import Tensor

from har.losses import action_loss, heat_map_loss, pose_loss
from har.models.base import PoseNetwork
from har.transforms import normalize_images

HEAT_MAP_WEIGHT = 0.05  # of the cross-entropy of heat maps beside the error of the poses


class StepLosses(NamedTuple):
    """Losses of a batch.

    Attributes:
        loss: scalar, what the step lowers.
        parts: (B,), one per output of the network, as they are logged.
        extra: scalar beside them: the loss of heat maps (poses; None of networks that do not learn
            from them), the percentage of actions that are right (actions).
    """

    loss: Tensor
    parts: Tensor
    extra: Tensor | None


def pose_losses(network: PoseNetwork, images: Tensor, gamma: Tensor, target: Tensor) -> StepLosses:
    """Pose losses of every prediction block.

    Args:
        network: in training.
        images: uint8 crops (N, H, W, 3).
        gamma: (N, 3).
        target: (N, J, dim + 1).
    """
    out = network.training_frames(normalize_images(images, gamma))
    parts = torch.stack([pose_loss(pose, target).mean() for pose in out.poses])
    if not out.heat_maps:
        return StepLosses(parts.sum(), parts, None)
    of_maps = torch.stack([heat_map_loss(m, target).mean() for m in out.heat_maps]).sum()
    return StepLosses(parts.sum() + HEAT_MAP_WEIGHT * of_maps, parts, of_maps)


def action_losses(
    network: PoseNetwork, images: Tensor, gamma: Tensor, action: Tensor, weight: float
) -> StepLosses:
    """Cross-entropies of every action output.

    Args:
        network: in training.
        images: uint8 crops of clips (N, T, H, W, 3).
        gamma: (N, 3).
        action: class indices (N,).
        weight: of the sum of the cross-entropies.
    """
    logits = network(normalize_images(images, gamma)).action_logits
    parts = torch.stack([action_loss(values, action).mean() for values in logits])
    hits = 100 * (logits[-1].argmax(1) == action).float().mean()
    return StepLosses(weight * parts.sum(), parts, hits)
