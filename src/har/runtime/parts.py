"""A network's parts as modules of their own: what is compiled, timed and exported.

All take and give tensors only, so that a compiler or exporter sees one graph each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from har.models import ActionMergeNet, ReceptionNet
from har.models.soft_argmax import channel_softmax_2d, joint_confidence
from har.models.spnet import FrameFeatures, frame_features


class FrameOutput(NamedTuple):
    """What a network finds in single frames.

    Attributes:
        poses: one per prediction block, (N, J, dim + 1), as the network says them.
        answer: the last pose with a confidence in [0, 1].
        features: one per block with actions, (N, J, dim) and (N, J, C).
    """

    poses: list[Tensor]
    answer: Tensor
    features: list[FrameFeatures]


def look(network: Any, x: Tensor) -> FrameOutput:
    """The pose part of any network on frames (N, 3, H, W) in [-1, 1]."""
    if isinstance(network, ReceptionNet):
        out = network(x, heat_maps=True)
        answer = out.poses[-1]
        if network.config.dim == 2:
            answer = _confidence_of(answer, channel_softmax_2d(out.heat_maps[-1]))
        return FrameOutput(list(out.poses), answer, [])
    if isinstance(network, ActionMergeNet):
        pose, probability, appearance = network.look(x)
        # The action part takes the raw confidence of 2-D poses, as it was trained.
        flat = network.config.pose_net.dim == 2
        answer = _confidence_of(pose, probability) if flat else pose
        return FrameOutput([pose], answer, [frame_features(pose, probability, appearance)])
    if network.num_action_outputs:
        poses, features = network.pose_part(x)
        return FrameOutput(poses, poses[-1], features)
    poses = list(network(x).poses)
    return FrameOutput(poses, poses[-1], [])


def _confidence_of(pose: Tensor, probability: Tensor) -> Tensor:
    """The pose with the probability maps' confidence in place of an unbounded one."""
    return torch.cat([pose[..., :-1], joint_confidence(probability)[..., None]], -1)


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
        found = look(self.network, x)
        return found.answer, *(tensor for block in found.features for tensor in block)


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


class WholeNetwork(nn.Module):
    """Everything that a network says, as one graph: what is exported.

    Networks with actions take clips (N, T, 3, H, W), others images (N, 3, H, W), in [-1, 1].

    Args:
        network: of :mod:`har.models`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network

    def output_names(self) -> list[str]:
        """Names of the outputs: the answers, those of every block, and the features of frames."""
        network = self.network
        poses = [f"pose_{i + 1}" for i in range(network.num_pose_outputs)]
        actions = [f"action_{i + 1}" for i in range(network.num_action_outputs)]
        answers = ["pose", *(["action"] if actions else [])]
        return [*answers, *poses, *actions, *feature_names(network)]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The outputs in the order of :meth:`output_names`."""
        network = self.network
        if not network.num_action_outputs:
            found = look(network, images)
            return found.answer, *found.poses
        clips = images.shape[:2]
        found = look(network, images.flatten(0, 1))
        poses = [pose.unflatten(0, clips) for pose in (found.answer, *found.poses)]
        features = [FrameFeatures(*(f.unflatten(0, clips) for f in b)) for b in found.features]
        actions = [logits.softmax(-1) for logits in network.action_part(features)]
        answer = actions[-len(network.num_actions)]
        return poses[0], answer, *poses[1:], *actions, *(f for block in features for f in block)


def feature_names(network: Any) -> list[str]:
    """Names of the features of frames, two per block with actions."""
    if not network.num_action_outputs:
        return []
    blocks = len(network.action.blocks) if hasattr(network, "action") else 1
    return [f"features_{i + 1}_{kind}" for i in range(blocks) for kind in ("pose", "visual")]
