"""SPNet: poses and actions from one network of prediction blocks in pyramids.

Luvizon, Picard, Tabia, "Multi-task Deep Learning for Real-Time 3D Human Pose Estimation and Action
Recognition", TPAMI 2020 (arXiv 1912.08077), section 3, and the authors' published program.

The pose part looks at one frame at a time and never at the action part. The action part sees, of
every frame, only poses, confidences and the appearance gathered around the joints. So the two are
two modules: frames may pass through the pose part once each, whatever clips they belong to.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from har.errors import HarError
from har.models.layers import (
    BNReLU,
    BottleneckUnit,
    Conv2d,
    SeparableConv2d,
    SeparableUnit,
    global_max_min,
    max_min_pool,
    max_pool,
    upsample,
)
from har.models.soft_argmax import channel_softmax_2d, joint_confidence, soft_argmax_2d


class NetworkOutput(NamedTuple):
    """What a network says about images or clips.

    Attributes:
        poses: one per prediction block, (N, [T,] J, dim + 1): x, y in [0, 1] of the crop, z in
            [0, 1] of the depth range, confidence.
        actions: probabilities (N, C), block by block, action set by action set.
        action_logits: the same before the softmax.
    """

    poses: tuple[Tensor, ...]
    actions: tuple[Tensor, ...] = ()
    action_logits: tuple[Tensor, ...] = ()


class FrameFeatures(NamedTuple):
    """What one action block needs to know of single frames.

    Attributes:
        pose: (N, [T,] J, dim), coordinates times confidence.
        visual: (N, [T,] J, C), appearance around every joint.
    """

    pose: Tensor
    visual: Tensor


@dataclass(frozen=True)
class Step:
    """One step through a pyramid, with the prediction block at its end."""

    pyramid: int  # from 1; odd ones go down, even ones up
    level: int
    has_action: bool

    @property
    def down(self) -> bool:
        return self.pyramid % 2 == 1

    @property
    def unit(self) -> str:
        """Name of what leads to the level, as in the original: ``dp1_du2``, ``up2_uu0``."""
        way = "d" if self.down else "u"
        return f"{way}p{self.pyramid}_{way}u{self.level}"

    @property
    def block(self) -> str:
        """Name of the prediction block, as in the original: ``dp1_pb2``."""
        return f"{'dp' if self.down else 'up'}{self.pyramid}_pb{self.level}"


def plan_steps(num_pyramids: int, num_levels: int, action_pyramids: Sequence[int]) -> list[Step]:
    """All steps in the order in which data meets them."""
    steps = []
    for pyramid in range(1, num_pyramids + 1):
        downwards = range(1, num_levels)
        upwards = range(num_levels - 2, -1, -1)
        for level in downwards if pyramid % 2 else upwards:
            steps.append(Step(pyramid, level, pyramid in action_pyramids))
    return steps


def steps_until(steps: Sequence[Step], stop_after: int | str) -> list[Step]:
    """The steps up to a prediction block, given by its name or its number from 1.

    Raises:
        HarError: there is no such block.
    """
    names = [step.block for step in steps]
    if str(stop_after).isdecimal() and 1 <= int(stop_after) <= len(steps):
        return list(steps[: int(stop_after)])
    if stop_after in names:
        return list(steps[: 1 + names.index(str(stop_after))])
    raise HarError(
        f"stop_after={stop_after}: there is no such prediction block; choose 1 to {len(steps)}, or "
        f"by pyramid and level {', '.join(names)}."
    )


class Stem(nn.Module):
    """From the image to features at 1 / ``image_div`` of its size."""

    def __init__(self, growth: int, image_div: int, downsampling: str) -> None:
        super().__init__()
        self.conv1 = Conv2d(3, 64, 7, stride=2)
        widths = [64, growth, 2 * growth, 2 * growth]
        units: list[nn.Module] = [
            BottleneckUnit(before, after, after // 2)
            for before, after in itertools.pairwise(widths)
        ]
        self.pool_before: list[int] = []  # units that look at a pooled plane
        width = 2 * growth
        stride = 4
        while stride < image_div:
            strided = downsampling == "conv"
            if not strided:
                self.pool_before.append(len(units))
            units.append(BottleneckUnit(width, width + growth, (width + growth) // 2, 1 + strided))
            width += growth
            units.append(BottleneckUnit(width, width, width // 2))
            stride *= 2
        self.res = nn.ModuleList(units)
        self.width = width

    def forward(self, images: Tensor) -> Tensor:
        x = max_pool(self.res[0](self.conv1(images)), 3, 2)
        for i, unit in enumerate(self.res[1:], start=1):
            x = unit(max_pool(x, 2, 2) if i in self.pool_before else x)
        return x


class UpConvolution(nn.Module):
    """A learned enlargement by 2, in place of a residual unit."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.bn1 = BNReLU(in_channels)
        self.convtrans1 = nn.ConvTranspose2d(in_channels, width, 2, stride=2, bias=False)
        nn.init.xavier_uniform_(self.convtrans1.weight)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.convtrans1(self.bn1(x))
        return y


class LevelChange(nn.Module):
    """From one level of a pyramid to the next."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        kernel_size: int | tuple[int, int],
        down: bool,
        downsampling: str,
    ) -> None:
        super().__init__()
        self.down, self.pools = down, downsampling == "maxpooling"
        self.r0: nn.Module
        if down:
            self.r0 = SeparableUnit(in_channels, width, kernel_size, 1 if self.pools else 2)
        elif self.pools:
            self.r0 = SeparableUnit(in_channels, width, kernel_size)
        else:
            self.r0 = UpConvolution(in_channels, width)

    def forward(self, x: Tensor) -> Tensor:
        if self.pools:
            x = max_pool(x, 2, 2) if self.down else upsample(x)
        y: Tensor = self.r0(x)
        return y


class PoseBlock(nn.Module):
    """Prediction block: a pose from the features, fed back into them (TPAMI 2020, figure 3).

    Args:
        width: channels of the features.
        num_joints, dim: of the pose.
        kernel_size: of the separable convolutions.
        replica: a second set of maps for the action part alone.
        feeds_back: False for the last block, whose features nobody reads.
        alpha: factor before the softmax of heat maps.
    """

    def __init__(
        self,
        width: int,
        num_joints: int,
        dim: int,
        kernel_size: int | tuple[int, int],
        replica: bool,
        feeds_back: bool,
        alpha: float,
    ) -> None:
        super().__init__()
        self.alpha, self.feeds_back = alpha, feeds_back
        self.r1 = SeparableUnit(width, width, kernel_size)
        self.bn1 = BNReLU(width)
        self.conv1 = SeparableConv2d(width, width, kernel_size)
        self.bn2 = BNReLU(width)
        self.heatmaps = Conv2d(width, num_joints)
        self.depthmaps = Conv2d(width, num_joints) if dim == 3 else None
        self.heatmaps_replica = Conv2d(width, num_joints) if replica else None
        self.depthmaps_replica = Conv2d(width, num_joints) if replica and dim == 3 else None
        if feeds_back:
            self.forward_maps = Conv2d(width, num_joints)
            self.heatmaps_back = Conv2d(2 * num_joints, width)
            self.depthmaps_back = Conv2d(num_joints, width) if dim == 3 else None

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
        self.stem = Stem(config.growth, config.image_div, config.downsampling)
        widths = [self.stem.width + level * config.growth for level in range(config.num_levels)]
        self.widths = widths
        self.units = nn.ModuleDict()
        self.blocks = nn.ModuleDict()
        for step in steps:
            before = step.level - 1 if step.down else step.level + 1
            self.units[step.unit] = LevelChange(
                widths[before],
                widths[step.level],
                config.kernel_size,
                step.down,
                config.downsampling,
            )
            self.blocks[step.block] = PoseBlock(
                widths[step.level],
                config.num_joints,
                config.dim,
                config.kernel_size,
                replica=config.pose_replica and step.has_action,
                feeds_back=step is not steps[-1],
                alpha=config.softargmax_alpha,
            )

    def forward(
        self, images: Tensor, with_actions: bool = True
    ) -> tuple[list[Tensor], list[FrameFeatures]]:
        """Images (N, 3, H, W) to one pose per block, (N, J, dim + 1), and, for every block with
        actions, what the action part takes from these frames."""
        poses: list[Tensor] = []
        features: list[FrameFeatures] = []
        x = self.stem(images)
        lateral: list[Tensor | None] = [x] + [None] * (self.num_levels - 1)
        stored = list(lateral)
        for i, step in enumerate(self.steps):
            if i and self.steps[i - 1].pyramid != step.pyramid:
                start = stored[0 if step.down else -1]
                assert start is not None
                x = start
            x = self.units[step.unit](x)
            visual = lateral[step.level]
            if visual is None:
                visual = lateral[step.level] = x
            before = stored[step.level]
            if before is not None:
                x = x + before
            x, pose, action_pose, probability = self.blocks[step.block](x)
            stored[step.level] = x
            poses.append(pose)
            if step.has_action and with_actions:
                features.append(frame_features(action_pose, probability, visual))
        return poses, features


def frame_features(pose: Tensor, probability: Tensor, visual: Tensor) -> FrameFeatures:
    """Coordinates times confidence, and the visual features summed under each joint's map."""
    maps = probability.flatten(2).to(visual.dtype)  # (N, J, H W)
    gathered = maps @ visual.flatten(2).transpose(1, 2)  # (N, J, C)
    return FrameFeatures(pose[..., :-1] * pose[..., -1:], gathered)


def _pad_clip(x: Tensor) -> Tensor:
    """Pads (N, C, T, J) with zeros for the poolings, then pools joints (and long clips' frames).

    Joints to a multiple of 4, frames to one of 2, of 4 from 16 frames on, the smaller half first.
    """
    frames, joints = x.shape[-2:]
    long = frames >= 16
    extra_frames, extra_joints = -frames % (4 if long else 2), -joints % 4
    top, left = extra_frames // 2, extra_joints // 2
    x = F.pad(x, (left, extra_joints - left, top, extra_frames - top))
    return max_pool(x, 2, (2 if long else 1, 2))


class ActionBlock(nn.Module):
    """Action prediction from the poses and the appearance of a clip, at one prediction block.

    Tensors are images of a clip, (N, channels, frames, joints).
    """

    def __init__(
        self,
        visual_width: int,
        carried_width: int,
        config: SPNetConfig,
        feeds_back: bool,
        separate_unit: bool,
    ) -> None:
        super().__init__()
        pose_width, visual_out = config.num_pose_features, config.num_visual_features
        width = max(pose_width, visual_out)
        parts = (pose_width // 16, pose_width // 8, pose_width // 4)
        # what earlier blocks say of the action comes in through this unit
        self.r0 = SeparableUnit(width, width, 3) if separate_unit else None
        self.p_conv0a = Conv2d(config.dim, parts[0], (3, 1))
        self.p_conv0b = Conv2d(config.dim, parts[1], (3, 3))
        self.p_conv0c = Conv2d(config.dim, parts[2], (3, 5))
        self.r1 = BottleneckUnit(sum(parts), pose_width, pose_width // 2)
        self.v_conv0 = Conv2d(visual_width, visual_out)
        self.r2 = BottleneckUnit(pose_width + visual_out + carried_width, width, width // 4)
        self.pred_bn1 = BNReLU(width)
        self.pred_conv1 = Conv2d(width, width, 3)
        self.pred_bn2 = BNReLU(width)
        self.heads = nn.ModuleList(Conv2d(width, actions, 3) for actions in config.num_actions)
        self.pred_conv3 = Conv2d(sum(config.num_actions), width, 3) if feeds_back else None

    def forward(
        self, frames: FrameFeatures, carried: Tensor | None
    ) -> tuple[Tensor | None, list[Tensor]]:
        """Features of a clip, (N, T, J, ...), and what is carried on from earlier blocks, to what
        is carried on, and the logits (N, C) of every action set."""
        pose = frames.pose.permute(0, 3, 1, 2)  # (N, dim, T, J)
        p = torch.cat([self.p_conv0a(pose), self.p_conv0b(pose), self.p_conv0c(pose)], 1)
        p = _pad_clip(self.r1(p))
        v = _pad_clip(self.v_conv0(frames.visual.permute(0, 3, 1, 2)))
        inputs = [p, v] if carried is None else [p, v, carried]
        x = self.r2(torch.cat(inputs, 1))
        y = self.pred_conv1(self.pred_bn1(x))
        q = self.pred_bn2(max_min_pool(y))
        maps = [head(q) for head in self.heads]
        logits = [
            global_max_min(m).float() if m.dtype != torch.float64 else global_max_min(m)
            for m in maps
        ]
        if self.pred_conv3 is None:
            return None, logits
        return x + y + self.pred_conv3(F.relu(upsample(torch.cat(maps, 1)))), logits


class ActionPart(nn.Module):
    """The action blocks: actions of clips from what the pose part found in their frames."""

    def __init__(self, steps: Sequence[Step], widths: Sequence[int], config: SPNetConfig) -> None:
        super().__init__()
        self.steps, self.num_levels = steps, config.num_levels
        active = [step for step in steps if step.has_action]
        width = max(config.num_pose_features, config.num_visual_features)
        # Visual features are kept from the first time a level is reached: level 0 is the stem's.
        self.blocks = nn.ModuleDict(
            {
                step.block: ActionBlock(
                    widths[step.level],
                    0 if step is active[0] else width,
                    config,
                    feeds_back=step is not active[-1],
                    separate_unit=step is not active[0],
                )
                for step in active
            }
        )

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
                carried, answers = block(next(remaining), carried)
                logits += answers
            stored[step.level] = carried
        return logits


@dataclass(frozen=True)
class SPNetConfig:
    """The arguments of :class:`SPNet`, checked."""

    num_joints: int
    dim: int
    num_actions: tuple[int, ...]
    num_pyramids: int
    action_pyramids: tuple[int, ...]
    num_levels: int
    kernel_size: int | tuple[int, int]
    growth: int
    image_div: int
    downsampling: str
    pose_replica: bool
    num_pose_features: int
    num_visual_features: int
    softargmax_alpha: float
    stop_after: int | str | None = None

    def __post_init__(self) -> None:
        wrong = [p for p in self.action_pyramids if not 1 <= p <= self.num_pyramids]
        if wrong:
            raise HarError(
                f"action_pyramids={list(self.action_pyramids)} counts pyramids from 1 to "
                f"{self.num_pyramids} (num_pyramids): {wrong[0]} is not there."
            )
        if bool(self.action_pyramids) != bool(self.num_actions):
            raise HarError(
                "num_actions and action_pyramids go together: give both, or neither for poses only."
            )
        if self.dim not in (2, 3):
            raise HarError(f"dim={self.dim}: poses have 2 or 3 dimensions.")
        if self.downsampling not in ("maxpooling", "conv"):
            raise HarError(f"downsampling={self.downsampling}: choose maxpooling or conv.")
        if self.image_div not in (4, 8, 16):
            raise HarError(f"image_div={self.image_div}: choose 4, 8 or 16.")
        if self.num_levels < 2 or self.num_pyramids < 1:
            raise HarError("SPNet needs at least one pyramid (num_pyramids) of 2 num_levels.")


class SPNet(nn.Module):
    """Poses from images, poses and actions from clips (TPAMI 2020).

    Example:
        >>> model = SPNet(num_actions=(12,), growth=32, num_levels=3)
        >>> out = model(torch.zeros(1, 8, 3, 96, 96))
        >>> out.poses[-1].shape, out.actions[-1].shape
        (torch.Size([1, 8, 17, 4]), torch.Size([1, 12]))

    Args:
        num_joints: joints of a pose.
        dim: 2 for x, y; 3 with depth.
        num_actions: classes of every action set; () for poses only.
        num_pyramids: pyramids, by turns down and up.
        action_pyramids: pyramids with an action part, from 1; () for poses only.
        num_levels: levels of a pyramid.
        kernel_size: of the pyramids' separable convolutions; one number or (rows, columns).
        growth: channels that every level adds.
        image_div: size of the image over that of level 0.
        downsampling: ``"maxpooling"``, or ``"conv"`` for strided and transposed convolutions.
        pose_replica: own heat maps for the action part.
        num_pose_features, num_visual_features: channels of the action part's two streams.
        softargmax_alpha: factor before the softmax of heat maps.
        stop_after: the prediction block that answers last, by its number from 1 or its name
            (pyramid and level, ``"up2_pb0"``): what lies behind it is not there. None: all blocks.

    Raises:
        HarError: arguments that contradict each other.
    """

    def __init__(
        self,
        num_joints: int = 17,
        dim: int = 3,
        num_actions: Sequence[int] = (60,),
        num_pyramids: int = 2,
        action_pyramids: Sequence[int] = (1, 2),
        num_levels: int = 4,
        kernel_size: int | Sequence[int] = 5,
        growth: int = 96,
        image_div: int = 8,
        downsampling: str = "maxpooling",
        pose_replica: bool = False,
        num_pose_features: int = 128,
        num_visual_features: int = 128,
        softargmax_alpha: float = 1.0,
        stop_after: int | str | None = None,
    ) -> None:
        super().__init__()
        kernel = kernel_size if isinstance(kernel_size, int) else (kernel_size[0], kernel_size[1])
        self.config = SPNetConfig(
            num_joints,
            dim,
            tuple(num_actions),
            num_pyramids,
            tuple(action_pyramids),
            num_levels,
            kernel,
            growth,
            image_div,
            downsampling,
            pose_replica,
            num_pose_features,
            num_visual_features,
            softargmax_alpha,
            stop_after,
        )
        self.num_actions = self.config.num_actions
        self.steps = plan_steps(num_pyramids, num_levels, self.config.action_pyramids)
        if stop_after is not None:
            self.steps = steps_until(self.steps, stop_after)
        self.pose = PosePart(self.steps, self.config)
        self.action = ActionPart(self.steps, self.pose.widths, self.config)

    @property
    def num_pose_outputs(self) -> int:
        """Number of prediction blocks, each with a pose."""
        return len(self.steps)

    @property
    def num_action_outputs(self) -> int:
        """Number of action outputs: blocks with actions times action sets."""
        return len(self.action.blocks) * len(self.num_actions)

    def pose_modules(self) -> list[nn.Module]:
        """What is fixed while only actions are learned."""
        return [self.pose]

    def action_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the action part."""
        return self.action.parameters()

    def pose_part(self, images: Tensor) -> tuple[list[Tensor], list[FrameFeatures]]:
        """Poses of single frames, and what the action part needs of them.

        Args:
            images: (N, 3, H, W) in [-1, 1].

        Returns:
            One (N, J, dim + 1) per prediction block, and :class:`FrameFeatures` with (N, J, dim)
            and (N, J, C) per block with actions.

        Raises:
            HarError: not single frames, or of a size that does not fit the pyramids.
        """
        if images.ndim != 4:
            raise HarError(
                "SPNet.pose_part takes single frames (N, 3, H, W), not "
                f"{tuple(images.shape)}; flatten a clip's frames into N."
            )
        self._check_images(images)
        poses, features = self.pose(images)
        return poses, features

    def action_part(self, features: Sequence[FrameFeatures]) -> list[Tensor]:
        """Logits of clips from the features of their frames.

        Args:
            features: per block with actions, (N, T, J, dim) and (N, T, J, C).

        Returns:
            (N, C) per action output, in the order of :attr:`NetworkOutput.actions`.
        """
        logits: list[Tensor] = self.action(features)
        return logits

    def _check_images(self, x: Tensor) -> None:
        """Says what is wrong with an input before a convolution fails over it."""
        if x.ndim not in (4, 5) or x.shape[-3] != 3:
            raise HarError(
                f"SPNet takes images (N, 3, H, W) or clips (N, T, 3, H, W), not {tuple(x.shape)}."
            )
        if not x.is_floating_point():
            raise HarError(f"SPNet takes floating-point images in [-1, 1], not {x.dtype}.")
        shrinking = 2 ** (self.config.num_levels - 1)  # from level 0 to the last level
        for size in x.shape[-2:]:
            cells = -(-size // self.config.image_div)  # every stride rounds up
            # The way up doubles exactly; a confidence needs 2x2 cells.
            uneven = self.config.num_pyramids > 1 and cells % shrinking != 0
            if uneven or cells <= shrinking:
                multiple = self.config.image_div * shrinking
                raise HarError(
                    f"SPNet cannot take images of {x.shape[-1]}x{x.shape[-2]} (width x height): "
                    f"with image_div={self.config.image_div} and num_levels="
                    f"{self.config.num_levels} choose sides that are multiples of {multiple}, "
                    f"at least {2 * multiple}."
                )

    def forward(self, x: Tensor) -> NetworkOutput:
        """Images (N, 3, H, W) give poses; clips (N, T, 3, H, W) give poses and actions.

        Raises:
            HarError: another shape, or images of a size that does not fit the pyramids.
        """
        is_clip = x.ndim == 5
        self._check_images(x)
        frames = x.flatten(0, 1) if is_clip else x
        poses, features = self.pose(frames, with_actions=is_clip)
        if not is_clip:
            return NetworkOutput(tuple(poses))
        clips = x.shape[:2]
        poses = [pose.unflatten(0, clips) for pose in poses]
        features = [
            FrameFeatures(pose.unflatten(0, clips), visual.unflatten(0, clips))
            for pose, visual in features
        ]
        logits = self.action_part(features) if features else []
        return NetworkOutput(
            tuple(poses), tuple(values.softmax(-1) for values in logits), tuple(logits)
        )
