"""A network's two parts as modules of their own: what is compiled, optimised and timed.

Both take and give tensors only, so that ``torch.compile`` sees one graph each.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from har.models import ActionMergeNet, ReceptionNet
from har.models.soft_argmax import channel_softmax_2d, joint_confidence
from har.models.spnet import FrameFeatures, frame_features


class FramePart(nn.Module):
    """Crops to the pose of the last prediction block, and what the action part takes from it.

    Args:
        network: of :mod:`har.models`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """uint8 RGB crops (N, H, W, 3) to the pose (N, J, dim + 1) with confidences in [0, 1],
        then, per block with actions, (N, J, dim) and (N, J, C)."""
        x = images.permute(0, 3, 1, 2).float().div(255).mul(2).sub(1)  # channels last in memory
        network = self.network
        features: list[FrameFeatures] = []
        if isinstance(network, ReceptionNet):
            out = network(x, heat_maps=True)
            pose = out.poses[-1]
            if network.config.dim == 2:
                pose = _confidence_of(pose, channel_softmax_2d(out.heat_maps[-1]))
        elif isinstance(network, ActionMergeNet):
            raw, probability, appearance = network.look(x)
            # The action part takes the raw confidence of 2-D poses, as it was trained.
            flat = network.config.pose_net.dim == 2
            pose = _confidence_of(raw, probability) if flat else raw
            features = [frame_features(raw, probability, appearance)]
        elif network.num_action_outputs:
            poses, features = network.pose_part(x)
            pose = poses[-1]
        else:
            pose = network(x).poses[-1]
        return pose, *(tensor for block in features for tensor in block)


def _confidence_of(pose: Tensor, probability: Tensor) -> Tensor:
    """The pose with the probability maps' confidence in place of an unbounded one."""
    return torch.cat([pose[..., :-1], joint_confidence(probability)[..., None]], -1)


class ClipPart(nn.Module):
    """The action part: what was found in the frames of clips to the probabilities of actions.

    Args:
        network: of :mod:`har.models`, with actions.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def forward(self, *features: Tensor) -> Tensor:
        """Per block with actions (N, T, J, dim) and (N, T, J, C), as :class:`FramePart` gives
        them, to probabilities (N, C) of the last block's first action set."""
        blocks = [FrameFeatures(*pair) for pair in zip(features[::2], features[1::2], strict=True)]
        logits = self.network.action_part(blocks)
        answer: Tensor = logits[-len(self.network.num_actions)]
        return answer.softmax(-1)
