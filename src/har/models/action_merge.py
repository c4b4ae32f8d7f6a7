"""ActionMergeNet: actions of clips from the poses and the appearance that ReceptionNet extracts.

Luvizon, Picard, Tabia, "2D/3D Pose Estimation and Action Recognition using Multitask Deep
Learning", CVPR 2018 (arXiv 1802.09232), section 4, and the authors' published program.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from har.errors import HarError
from har.models.base import FrameFeatures, FrameOutput, PoseNetwork, frame_features, with_confidence
from har.models.layers import Conv2d, SeparableConv2d, global_max_min, max_min_pool, upsample
from har.models.reception import ConvBN, ReceptionNet, ReceptionNetConfig
from har.models.soft_argmax import channel_softmax_2d
from har.precision import at_least_float32

NUM_HEADS = 4
# Channels of the pose stream: the three branches, the narrow middle, half of its output.
_POSE_WIDTHS = {"v1": ((8, 16, 24), 32, 56), "v2": ((12, 24, 36), 64, 112)}
_VISUAL_WIDTH = 256


class ActionHead(nn.Module):
    """One of a stream's predictions, fed back into its features (N, channels, frames, joints)."""

    def __init__(self, width: int, num_actions: int, feeds_back: bool) -> None:
        super().__init__()
        self.reduce = ConvBN(width, width // 2)
        self.expand = ConvBN(width // 2, width, 3)
        self.conv = ConvBN(width, width, 3)
        self.maps = Conv2d(width, num_actions, 3)
        self.maps_back = ConvBN(num_actions, width, 3) if feeds_back else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features to the next features and the action maps (N, actions, frames/2, joints/2)."""
        x = x + self.expand(F.relu(self.reduce(F.relu(x))))
        y = self.conv(F.relu(x))
        maps = self.maps(F.relu(max_min_pool(y)))
        if self.maps_back is None:
            return x, maps
        return x + y + self.maps_back(F.relu(upsample(maps))), maps


def _heads(width: int, num_actions: int) -> nn.ModuleList:
    return nn.ModuleList(
        ActionHead(width, num_actions, feeds_back=i < NUM_HEADS - 1) for i in range(NUM_HEADS)
    )


def _predict(heads: nn.ModuleList, x: Tensor) -> list[Tensor]:
    maps = []
    for head in heads:
        x, head_maps = head(x)
        maps.append(head_maps)
    return maps


class PoseStream(nn.Module):
    """Action maps from poses (section 4.1)."""

    def __init__(self, dim: int, num_actions: int, version: str) -> None:
        super().__init__()
        branches, narrow, half = _POSE_WIDTHS[version]
        width = sum(branches)
        self.branch_a = ConvBN(dim, branches[0], (3, 1))
        self.branch_b = ConvBN(dim, branches[1], (3, 3))
        self.branch_c = ConvBN(dim, branches[2], (3, 5))
        self.short = ConvBN(width, half, 3)
        self.long1 = ConvBN(width, narrow)
        self.long2 = ConvBN(narrow, half, 3)
        self.heads = _heads(2 * half, num_actions)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Coordinates times confidence, (N, dim, T, J), to the action maps of every head."""
        x = F.relu(torch.cat([self.branch_a(x), self.branch_b(x), self.branch_c(x)], 1))
        x = torch.cat([self.short(x), self.long2(self.long1(x))], 1)
        return _predict(self.heads, max_min_pool(x))


class VisualStream(nn.Module):
    """Action maps from the appearance around the joints (section 4.2)."""

    def __init__(self, in_channels: int, num_actions: int) -> None:
        super().__init__()
        self.reduce = ConvBN(in_channels, _VISUAL_WIDTH)
        self.heads = _heads(_VISUAL_WIDTH, num_actions)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Gathered features, (N, C, T, J), to the action maps of every head."""
        return _predict(self.heads, F.max_pool2d(self.reduce(x), 2))


@dataclass(frozen=True)
class ActionMergeNetConfig:
    """The arguments of :class:`ActionMergeNet`, checked."""

    pose_net: ReceptionNetConfig
    num_actions: int
    num_frames: int
    version: str
    weighted_merge: bool

    def __post_init__(self) -> None:
        if self.version not in _POSE_WIDTHS:
            raise HarError(f"version={self.version}: choose {' or '.join(_POSE_WIDTHS)}.")
        if self.num_actions < 1:
            raise HarError(f"num_actions={self.num_actions}: there has to be an action.")
        for name, count in (
            ("num_frames", self.num_frames),
            ("num_joints of pose_net", self.pose_net.num_joints),
        ):
            if count < 4 or count % 4:
                raise HarError(
                    f"{name} is {count}, and ActionMergeNet halves frames and joints twice: "
                    "choose a multiple of 4."
                )


class ActionMergeNet(PoseNetwork):
    """Poses and actions from clips (CVPR 2018).

    Example:
        >>> pose_net = ReceptionNet(num_joints=16, num_blocks=2)
        >>> model = ActionMergeNet(pose_net, num_actions=5, num_frames=4, version="v1")
        >>> out = model(torch.zeros(1, 4, 3, 64, 64))
        >>> len(out.actions), out.actions[-1].shape
        (9, torch.Size([1, 5]))

    Args:
        pose_net: the network for the poses, with its weights; or its arguments.
        num_actions: classes; also as a list of one number, as SPNet takes sets of actions.
        num_frames: frames of a clip; a multiple of 4. Any other multiple of 4 is taken as well.
        version: ``"v1"`` as for Penn Action, ``"v2"`` as for NTU, with more pose features.
        weighted_merge: a learned weighting of the two streams' last action maps.

    Raises:
        HarError: arguments that contradict each other.
    """

    size_multiple = ReceptionNet.size_multiple
    num_action_blocks = 1

    def __init__(
        self,
        pose_net: ReceptionNet | Mapping[str, Any],
        num_actions: int | Sequence[int] = 60,
        num_frames: int = 20,
        version: str = "v2",
        weighted_merge: bool = True,
    ) -> None:
        if not isinstance(pose_net, ReceptionNet):
            pose_net = ReceptionNet(**pose_net)
        if not isinstance(num_actions, int):
            if len(num_actions) != 1:
                given = f"num_actions={list(num_actions)}"
                raise HarError(f"{given}: ActionMergeNet has one set of actions.")
            num_actions = num_actions[0]
        shape = pose_net.config, num_actions, num_frames, version, weighted_merge
        joints = {"num_joints": pose_net.num_joints, "dim": pose_net.dim}
        super().__init__(ActionMergeNetConfig(*shape), **joints, num_actions=(num_actions,))
        self.pose_net = pose_net
        self.pose_stream = PoseStream(pose_net.dim, num_actions, version)
        self.visual_stream = VisualStream(pose_net.stem.width, num_actions)
        self.pose_weighting = _weighting(num_actions) if weighted_merge else None
        self.visual_weighting = _weighting(num_actions) if weighted_merge else None

    @property
    def num_action_outputs(self) -> int:
        """Four of each stream, and the merged one."""
        return 2 * NUM_HEADS + 1

    @property
    def clip_size(self) -> int:
        """Frames of a clip."""
        return int(self.config.num_frames)

    @property
    def pose_network(self) -> ReceptionNet:
        """The network of poses inside."""
        return self.pose_net

    def pose_modules(self) -> list[nn.Module]:
        return [self.pose_net]

    def forward_frames(self, images: Tensor) -> FrameOutput:
        self.check_frames(images)
        maps, visual = self.pose_net.maps_and_features(images)
        # The confidence is sharper than ReceptionNet's own, as the weights were trained.
        pose, own = self.pose_net.regress(maps[-1], scale=2 if self.dim == 3 else 4)
        probability = channel_softmax_2d(own)
        # The action part takes the raw confidence of 2-D poses, as it was trained.
        features = frame_features(pose, probability, visual)
        bounded = pose if self.dim == 3 else with_confidence(pose, probability)
        return FrameOutput((pose,), bounded, (features,))

    def training_frames(self, images: Tensor) -> FrameOutput:
        """Of every block of ``pose_net``: the network itself has its last pose only."""
        return self.pose_net.training_frames(images)

    def forward_clips(self, features: Sequence[FrameFeatures]) -> list[Tensor]:
        """Logits (N, C) of the pose stream's heads, of the visual stream's, and merged, of clips
        whose number of frames is a multiple of 4."""
        pose = self.pose_stream(features[0].pose.permute(0, 3, 1, 2))
        visual = self.visual_stream(features[0].visual.permute(0, 3, 1, 2))
        pose_map, visual_map = pose[-1], visual[-1]
        if self.pose_weighting is not None and self.visual_weighting is not None:
            pose_map = self.pose_weighting(pose_map)
            visual_map = self.visual_weighting(visual_map)
        maps = [*pose, *visual, pose_map + visual_map]
        return [at_least_float32(global_max_min(m)) for m in maps]

    def check_images(self, x: Tensor) -> None:
        super().check_images(x)
        if x.ndim == 5 and x.shape[1] % 4:
            what = "clips of a multiple of 4 frames"
            raise HarError(f"ActionMergeNet takes {what}, not of {x.shape[1]}.")


def _weighting(num_actions: int) -> SeparableConv2d:
    """A 1x1 separable convolution that starts by changing nothing."""
    layer = SeparableConv2d(num_actions, num_actions, 1)
    with torch.no_grad():
        layer.depthwise.weight.fill_(1)
        layer.pointwise.weight.copy_(torch.eye(num_actions)[..., None, None])
    return layer
