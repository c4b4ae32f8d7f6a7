"""The parts of SPNet: stem, prediction blocks, action blocks (TPAMI 2020, section 3)."""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from har.models import layers
from har.models.base import FrameFeatures, frame_features
from har.models.soft_argmax import channel_softmax_2d, joint_confidence, soft_argmax_2d
from har.models.spnet_config import SPNetConfig, Step
from har.precision import at_least_float32


class Stem(layers.FusibleLayer):
    """From the image to features at 1 / ``image_div`` of its size."""

    def __init__(self, config: SPNetConfig) -> None:
        super().__init__()
        self.conv1 = layers.Conv2d(3, 64, 7, stride=2)
        widths = [64, config.growth, 2 * config.growth, 2 * config.growth]
        units: list[nn.Module] = [
            layers.BottleneckUnit(before, after, after // 2)
            for before, after in itertools.pairwise(widths)
        ]
        self.pool_before: list[int] = []  # units that take a pooled plane
        self.width, stride = widths[-1], 4
        while stride < config.image_div:
            strided = config.downsampling == "conv"
            if not strided:
                self.pool_before.append(len(units))
            before, self.width = self.width, self.width + config.growth
            units.append(layers.BottleneckUnit(before, self.width, self.width // 2, 1 + strided))
            units.append(layers.BottleneckUnit(self.width, self.width, self.width // 2))
            stride *= 2
        self.res = nn.ModuleList(units)

    def fuse_(self) -> None:
        first: Any = self.res[0]
        if first.shortcut_conv is not None:  # else the unit's sum reads the convolution as well
            self.fold_("conv1", "res.0.bn1", rectified=True)

    def forward(self, images: Tensor) -> Tensor:
        x = layers.max_pool(self.res[0](self.conv1(images)), 3, 2)
        for i, unit in enumerate(self.res[1:], start=1):
            x = unit(layers.max_pool(x, 2, 2) if i in self.pool_before else x)
        return x


class UpConvolution(nn.Module):
    """A learned enlargement by 2, in place of a residual unit."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.bn1 = layers.BNReLU(in_channels)
        self.convtrans1 = nn.ConvTranspose2d(in_channels, width, 2, stride=2, bias=False)
        nn.init.xavier_uniform_(self.convtrans1.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.convtrans1(self.bn1(x))


class LevelChange(nn.Module):
    """From one level of a pyramid to the next."""

    def __init__(self, in_channels: int, width: int, down: bool, config: SPNetConfig) -> None:
        super().__init__()
        self.down, self.pools = down, config.downsampling == "maxpooling"
        self.r0: nn.Module
        if down or self.pools:
            stride = 1 if self.pools else 2
            self.r0 = layers.SeparableUnit(in_channels, width, config.kernel_size, stride)
        else:
            self.r0 = UpConvolution(in_channels, width)

    def forward(self, x: Tensor) -> Tensor:
        if self.pools:
            x = layers.max_pool(x, 2, 2) if self.down else layers.upsample(x)
        return self.r0(x)


class PoseBlock(layers.FusibleLayer):
    """Prediction block: a pose from the features, fed back into them (TPAMI 2020, figure 3).

    Args:
        width: channels of the features.
        config: of the network.
        replica: a second set of maps for the action part alone.
        feeds_back: False for the last block, whose features nothing reads.
    """

    def __init__(self, width: int, config: SPNetConfig, replica: bool, feeds_back: bool) -> None:
        super().__init__()
        kernel, joints, is_3d = config.kernel_size, config.num_joints, config.dim == 3
        self.alpha, self.feeds_back = config.softargmax_alpha, feeds_back
        self.r1 = layers.SeparableUnit(width, width, kernel)
        self.bn1 = layers.BNReLU(width)
        self.conv1 = layers.SeparableConv2d(width, width, kernel)
        self.bn2 = layers.BNReLU(width)
        self.heatmaps = layers.Conv2d(width, joints)
        self.depthmaps = layers.Conv2d(width, joints) if is_3d else None
        self.heatmaps_replica = layers.Conv2d(width, joints) if replica else None
        self.depthmaps_replica = layers.Conv2d(width, joints) if replica and is_3d else None
        if feeds_back:
            self.forward_maps = layers.Conv2d(width, joints)
            self.heatmaps_back = layers.Conv2d(2 * joints, width)
            self.depthmaps_back = layers.Conv2d(joints, width) if is_3d else None

    def fuse_(self) -> None:
        if not self.feeds_back:  # else the features read the convolution as well
            self.fold_("conv1.pointwise", "bn2", rectified=True)

    def _pose(self, heat: Tensor, depth: Tensor | None) -> tuple[Tensor, Tensor]:
        """Pose (N, J, dim + 1) and probability maps (N, J, H, W), in float32."""
        with torch.autocast(heat.device.type, enabled=False):
            probability = channel_softmax_2d(heat, self.alpha)
            parts = [soft_argmax_2d(probability)]
            if depth is not None:
                z = (torch.sigmoid(depth.to(probability.dtype)) * probability).sum((2, 3))
                parts.append(z[..., None])
            parts.append(joint_confidence(probability)[..., None])
            return torch.cat(parts, -1), probability

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Features (N, C, H, W) to the next features, the pose (N, J, dim + 1), and the pose and
        probability maps (N, J, H, W) that the action part takes."""
        a = self.r1(x)
        b = self.conv1(self.bn1(a))
        h = self.bn2(b)
        heat = self.heatmaps(h)
        depth = self.depthmaps(h) if self.depthmaps is not None else None
        pose, probability = self._pose(heat, depth)
        action_pose = pose
        if self.heatmaps_replica is not None:
            replica_depth = self.depthmaps_replica(h) if self.depthmaps_replica else None
            action_pose, probability = self._pose(self.heatmaps_replica(h), replica_depth)
        if not self.feeds_back:
            return x, pose, action_pose, probability
        maps = torch.cat([self.forward_maps(h), heat], 1)
        features = a + b + self.heatmaps_back(F.relu(maps))
        if self.depthmaps_back is not None:
            features = features + self.depthmaps_back(depth)
        return features, pose, action_pose, probability


class PosePart(nn.Module):
    """Stem, pyramids and prediction blocks: poses of single frames."""

    def __init__(self, steps: Sequence[Step], config: SPNetConfig) -> None:
        super().__init__()
        self.steps, self.num_levels = steps, config.num_levels
        self.stem = Stem(config)
        self.widths = [self.stem.width + i * config.growth for i in range(config.num_levels)]
        self.units = nn.ModuleDict()
        self.blocks = nn.ModuleDict()
        for step in steps:
            before = self.widths[step.level - 1 if step.down else step.level + 1]
            width = self.widths[step.level]
            self.units[step.unit] = LevelChange(before, width, step.down, config)
            replica = config.pose_replica and step.has_action
            self.blocks[step.block] = PoseBlock(width, config, replica, step is not steps[-1])

    def forward(
        self, images: Tensor, with_actions: bool = True
    ) -> tuple[list[Tensor], list[FrameFeatures]]:
        """Images (N, 3, H, W) to one pose per block, (N, J, dim + 1), and, for every block with
        actions, what the action part takes from these frames."""
        poses: list[Tensor] = []
        features: list[FrameFeatures] = []
        x = self.stem(images)
        lateral, stored = {0: x}, {0: x}  # by level
        for i, step in enumerate(self.steps):
            if i and self.steps[i - 1].pyramid != step.pyramid:
                x = stored[0 if step.down else self.num_levels - 1]
            x = self.units[step.unit](x)
            visual = lateral.setdefault(step.level, x)
            if step.level in stored:
                x = x + stored[step.level]
            x, pose, action_pose, probability = self.blocks[step.block](x)
            stored[step.level] = x
            poses.append(pose)
            if step.has_action and with_actions:
                features.append(frame_features(action_pose, probability, visual))
        return poses, features


def _pad_clip(x: Tensor) -> Tensor:
    """Pads (N, C, T, J) with zeros, joints to a multiple of 4, frames to one of 2, of 4 from 16 on,
    the smaller half first; then pools joints (and long clips' frames)."""
    frames, joints = x.shape[-2:]
    long = frames >= 16
    extra_frames, extra_joints = -frames % (4 if long else 2), -joints % 4
    top, left = extra_frames // 2, extra_joints // 2
    x = F.pad(x, (left, extra_joints - left, top, extra_frames - top))
    return layers.max_pool(x, 2, (2 if long else 1, 2))


class ActionBlock(nn.Module):
    """Action prediction from the poses and the appearance of a clip, at one prediction block.

    Tensors are images of a clip, (N, channels, frames, joints).
    """

    def __init__(
        self, visual_width: int, carried_width: int, config: SPNetConfig, feeds_back: bool
    ) -> None:
        super().__init__()
        pose_width, visual_out = config.num_pose_features, config.num_visual_features
        width = max(pose_width, visual_out)
        parts = (pose_width // 16, pose_width // 8, pose_width // 4)
        # the action features of earlier blocks come in through this unit
        self.r0 = layers.SeparableUnit(width, width, 3) if carried_width else None
        self.p_conv0a = layers.Conv2d(config.dim, parts[0], (3, 1))
        self.p_conv0b = layers.Conv2d(config.dim, parts[1], (3, 3))
        self.p_conv0c = layers.Conv2d(config.dim, parts[2], (3, 5))
        self.r1 = layers.BottleneckUnit(sum(parts), pose_width, pose_width // 2)
        self.v_conv0 = layers.Conv2d(visual_width, visual_out)
        self.r2 = layers.BottleneckUnit(pose_width + visual_out + carried_width, width, width // 4)
        self.pred_bn1 = layers.BNReLU(width)
        self.pred_conv1 = layers.Conv2d(width, width, 3)
        self.pred_bn2 = layers.BNReLU(width)
        self.heads = nn.ModuleList(layers.Conv2d(width, n, 3) for n in config.num_actions)
        self.pred_conv3 = layers.Conv2d(sum(config.num_actions), width, 3) if feeds_back else None

    def forward(
        self, frames: FrameFeatures, carried: Tensor | None
    ) -> tuple[Tensor | None, list[Tensor]]:
        """Features of a clip, (N, T, J, ...), and the action features of earlier blocks, to the
        next action features and the logits (N, C) of every action set."""
        pose = frames.pose.permute(0, 3, 1, 2)  # (N, dim, T, J)
        p = torch.cat([self.p_conv0a(pose), self.p_conv0b(pose), self.p_conv0c(pose)], 1)
        p = _pad_clip(self.r1(p))
        v = _pad_clip(self.v_conv0(frames.visual.permute(0, 3, 1, 2)))
        inputs = [p, v] if carried is None else [p, v, carried]
        x = self.r2(torch.cat(inputs, 1))
        y = self.pred_conv1(self.pred_bn1(x))
        q = self.pred_bn2(layers.max_min_pool(y))
        maps = [head(q) for head in self.heads]
        logits = [at_least_float32(layers.global_max_min(m)) for m in maps]
        if self.pred_conv3 is None:
            return None, logits
        return x + y + self.pred_conv3(F.relu(layers.upsample(torch.cat(maps, 1)))), logits


class ActionPart(nn.Module):
    """The action blocks: actions of clips from what the pose part found in their frames."""

    def __init__(self, steps: Sequence[Step], widths: Sequence[int], config: SPNetConfig) -> None:
        super().__init__()
        self.steps, self.num_levels = steps, config.num_levels
        active = [step for step in steps if step.has_action]
        width = max(config.num_pose_features, config.num_visual_features)
        # Visual features are kept from the first time a level is reached: level 0 is the stem's.
        self.blocks = nn.ModuleDict()
        for step in active:
            carried, feeds_back = 0 if step is active[0] else width, step is not active[-1]
            self.blocks[step.block] = ActionBlock(widths[step.level], carried, config, feeds_back)

    def forward(self, features: Sequence[FrameFeatures]) -> list[Tensor]:
        """Features of clips, (N, T, J, ...) per block with actions, to logits (N, C), block by
        block and action set by action set."""
        logits: list[Tensor] = []
        carried: Tensor | None = None
        stored: list[Tensor | None] = [None] * self.num_levels
        remaining = iter(features)
        for i, step in enumerate(self.steps):
            if i and self.steps[i - 1].pyramid != step.pyramid:
                carried = stored[0 if step.down else -1]
            if step.has_action:
                block: Any = self.blocks[step.block]
                before = stored[step.level]
                if carried is not None:
                    carried = block.r0(carried)
                    if before is not None:
                        carried = carried + before
                carried, block_logits = block(next(remaining), carried)
                logits += block_logits
            stored[step.level] = carried
        return logits
