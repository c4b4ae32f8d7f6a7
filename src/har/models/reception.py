"""ReceptionNet: poses of single images from a chain of prediction blocks.

Luvizon, Picard, Tabia, "2D/3D Pose Estimation and Action Recognition using Multitask Deep
Learning", CVPR 2018 (arXiv 1802.09232), section 3 and appendix A, and the authors' published
program. Every convolution comes with a batch normalization that learns no scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from har.errors import HarError
from har.models.base import FrameOutput, JointChannels, NetworkOutput, PoseNetwork, with_confidence
from har.models.layers import BatchNorm2d, Conv2d, FusibleLayer, SeparableConv2d, max_pool, upsample
from har.models.soft_argmax import (
    channel_softmax_2d,
    soft_argmax_1d,
    soft_argmax_2d,
    window_maximum,
)
from har.precision import at_least_float32


class ConvBN(FusibleLayer):
    """A convolution, then batch normalization; the ReLU is where it is used."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int] = 1,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, kernel_size, stride)
        self.bn = BatchNorm2d(out_channels, scale=False)

    def fuse_(self) -> None:
        self.fold_("conv", "bn", rectified=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x))


class SeparableBN(FusibleLayer):
    """ReLU, a separable convolution, then batch normalization."""

    def __init__(self, in_channels: int, width: int, kernel_size: int | tuple[int, int]) -> None:
        super().__init__()
        self.conv = SeparableConv2d(in_channels, width, kernel_size)
        self.bn = BatchNorm2d(width, scale=False)

    def fuse_(self) -> None:
        self.fold_("conv.pointwise", "bn", rectified=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(F.relu(x)))


class SeparableResidual(SeparableBN):
    """The same beside a shortcut, which is a 1x1 convolution where the width changes."""

    def __init__(self, in_channels: int, width: int, kernel_size: int | tuple[int, int]) -> None:
        super().__init__(in_channels, width, kernel_size)
        self.shortcut = ConvBN(in_channels, width) if in_channels != width else None

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (x if self.shortcut is None else self.shortcut(F.relu(x)))


class ReceptionStem(nn.Module):
    """From the image to features at an eighth of its size, after Inception-v4.

    Args:
        old: the stem of the authors' earliest weights, which is narrower and one layer shorter.
    """

    def __init__(self, old: bool) -> None:
        super().__init__()
        self.width = 512 if old else 576
        first = 32 if old else 96
        self.conv1 = ConvBN(3, 32, 3, stride=2)
        self.conv2 = None if old else ConvBN(32, 32, 3)
        self.conv3 = ConvBN(32, 64, 3)
        self.down1 = ConvBN(64, first, 3, stride=2)
        self.short1 = ConvBN(64 + first, 64)
        self.short2 = ConvBN(64, 96, 3)
        self.long1 = ConvBN(64 + first, 64)
        self.long2 = ConvBN(64, 64, (5, 1))
        self.long3 = ConvBN(64, 64, (1, 5))
        self.long4 = ConvBN(64, 96, 3)
        self.down2 = ConvBN(192, 192, 3, stride=2)
        self.sepconv = SeparableResidual(384, self.width, 3)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.conv1(images))
        if self.conv2 is not None:
            x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        x = torch.cat([F.relu(self.down1(x)), max_pool(x, 3, 2)], 1)
        short = self.short2(F.relu(self.short1(x)))
        long = F.relu(self.long2(F.relu(self.long1(x))))
        long = self.long4(F.relu(self.long3(long)))
        x = F.relu(torch.cat([short, long], 1))
        x = torch.cat([self.down2(x), F.max_pool2d(x, 2)], 1)
        return self.sepconv(x)


class ReceptionBlock(nn.Module):
    """An hourglass of three scales (CVPR 2018, figure 10)."""

    def __init__(self, width: int, kernel_size: int | tuple[int, int]) -> None:
        super().__init__()
        half = width // 2
        self.l1 = SeparableResidual(width, width, kernel_size)
        self.reduce = ConvBN(width, half)
        self.l2_1 = SeparableResidual(half, half, kernel_size)
        self.l2_2 = SeparableResidual(half, half, kernel_size)
        self.l2_3 = SeparableResidual(half, width, kernel_size)
        self.l3_1 = SeparableResidual(half, half, kernel_size)
        self.l3_2 = SeparableResidual(half, half, kernel_size)
        self.l3_3 = SeparableResidual(half, half, kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        middle = self.l2_1(self.reduce(F.relu(F.max_pool2d(x, 2))))
        low = self.l3_3(self.l3_2(self.l3_1(F.max_pool2d(middle, 2))))
        return self.l1(x) + upsample(self.l2_3(self.l2_2(middle) + upsample(low)))


class PredictionBlock(nn.Module):
    """Heat maps from the features, fed back into them.

    Args:
        width: channels of the features.
        num_maps: heat maps of all kinds.
        kernel_size: of the separable convolutions.
        feeds_back: False for the last block, whose features nothing reads.
    """

    def __init__(
        self, width: int, num_maps: int, kernel_size: int | tuple[int, int], feeds_back: bool
    ) -> None:
        super().__init__()
        self.reception = ReceptionBlock(width, kernel_size)
        self.sepconv = SeparableBN(width, width, kernel_size)
        self.maps = Conv2d(width, num_maps)
        self.maps_back = ConvBN(num_maps, width) if feeds_back else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (N, C, H, W) to the next features, the heat maps (N, M, H, W), and the
        hourglass's output (N, C, H, W)."""
        inner = self.reception(x)
        y = self.sepconv(inner)
        maps = self.maps(F.relu(y))
        if self.maps_back is None:
            return inner, maps, inner
        return inner + y + self.maps_back(F.relu(maps)), maps, inner


@dataclass(frozen=True)
class ReceptionNetConfig:
    """The arguments of :class:`ReceptionNet`, checked; ``num_context`` is a number here."""

    num_joints: int
    dim: int
    num_blocks: int
    num_context: int
    context_alpha: float
    depth_maps: int
    kernel_size: int | tuple[int, int]
    old_stem: bool
    stop_after: int | None = None

    def __post_init__(self) -> None:
        if self.dim not in (2, 3):
            raise HarError(f"dim={self.dim}: poses have 2 or 3 dimensions.")
        if self.dim == 3 and self.num_context:
            raise HarError(
                f"num_context={self.num_context}: context maps exist in 2-D only; leave "
                "num_context out for dim=3."
            )
        if self.num_context < 0 or self.num_joints < 1 or self.depth_maps < 1:
            raise HarError(
                "ReceptionNet needs num_joints and depth_maps of at least 1, and num_context of "
                f"at least 0, not {self.num_joints}, {self.depth_maps} and {self.num_context}."
            )
        if self.num_blocks < 1:
            raise HarError(f"num_blocks={self.num_blocks}: ReceptionNet needs at least one block.")
        if self.stop_after is not None and self.stop_after not in range(1, self.num_blocks + 1):
            raise HarError(
                f"stop_after={self.stop_after}: choose a prediction block from 1 to "
                f"{self.num_blocks}."
            )

    @property
    def num_maps(self) -> int:
        """Channels of a block's heat maps."""
        return self.num_joints * (self.depth_maps if self.dim == 3 else 1 + self.num_context)


class ReceptionNet(PoseNetwork):
    """Poses from images (CVPR 2018).

    Example:
        >>> model = ReceptionNet(num_joints=16, num_blocks=1)
        >>> model(torch.zeros(1, 3, 64, 64)).poses[-1].shape
        torch.Size([1, 16, 3])

    Args:
        num_joints: joints of a pose.
        dim: 2 for x, y; 3 with depth.
        num_blocks: prediction blocks.
        num_context: further heat maps per joint, of its surroundings (2-D only); None
            means 2 in 2-D and 0 in 3-D.
        context_alpha: weight of a joint's own heat map against its context.
        depth_maps: cells of depth (3-D only).
        kernel_size: of the separable convolutions; one number or (rows, columns).
        old_stem: the stem of the authors' earliest weights.
        stop_after: number, from 1, of the last block; later ones are not built. None: all blocks.

    Raises:
        HarError: arguments that contradict each other.
    """

    size_multiple = 32  # the three scales of a block at an eighth of the image

    def __init__(
        self,
        num_joints: int = 16,
        dim: int = 2,
        num_blocks: int = 8,
        num_context: int | None = None,
        context_alpha: float = 0.8,
        depth_maps: int = 16,
        kernel_size: int | Sequence[int] = 5,
        old_stem: bool = False,
        stop_after: int | None = None,
    ) -> None:
        if num_context is None:
            num_context = 2 if dim == 2 else 0
        kernel = kernel_size if isinstance(kernel_size, int) else (kernel_size[0], kernel_size[1])
        shape = num_joints, dim, num_blocks, num_context, context_alpha, depth_maps
        config = ReceptionNetConfig(*shape, kernel, old_stem, stop_after)
        super().__init__(config, num_joints=num_joints, dim=dim)
        blocks = stop_after or num_blocks
        self.num_pose_outputs = blocks
        self.block_names = tuple(str(number + 1) for number in range(blocks))
        self.stem = ReceptionStem(old_stem)
        self.blocks = nn.ModuleList(
            PredictionBlock(self.stem.width, config.num_maps, kernel, i < blocks - 1)
            for i in range(blocks)
        )

    def joint_channels(self) -> dict[str, JointChannels]:
        joints, config = torch.arange(self.num_joints)[:, None], self.config
        if config.dim == 3:  # cell of depth by cell of depth
            channels = joints + self.num_joints * torch.arange(config.depth_maps)
        else:  # all own maps, then the context of each joint
            count = config.num_context
            context = self.num_joints + count * joints + torch.arange(count)
            channels = torch.cat([joints, context], 1)
        layers = {"maps": JointChannels(0, channels), "maps_back.conv": JointChannels(1, channels)}
        return self._channels_of_layers(layers)

    def pose_modules(self) -> list[nn.Module]:
        return [self.stem, self.blocks]

    def maps_and_features(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        """The heat maps (N, M, H, W) of every block for images (N, 3, H, W), and the features
        (N, C, H, W) of the first hourglass."""
        x = self.stem(images)
        maps, features = [], []
        for block in self.blocks:
            x, block_maps, inner = block(x)
            maps.append(block_maps)
            features.append(inner)
        return maps, features[0]

    def regress(self, maps: Tensor, scale: float = 1.0) -> tuple[Tensor, Tensor]:
        """A pose from a block's heat maps.

        Args:
            maps: (N, M, H, W).
            scale: factor of the confidence, in 3-D before its sigmoid.

        Returns:
            Pose (N, J, dim + 1), and the joints' own maps (N, J, H, W), both at least float32.
        """
        joints = self.config.num_joints
        with torch.autocast(maps.device.type, enabled=False):
            maps = at_least_float32(maps)
            if self.config.dim == 3:
                cells = maps.unflatten(1, (self.config.depth_maps, joints))  # (N, D, J, H, W)
                own, depth = cells.mean(1), cells.mean((3, 4)).transpose(1, 2)  # (N, J, D)
                place = soft_argmax_2d(channel_softmax_2d(own))
                place = torch.cat([place, soft_argmax_1d(depth)[..., None]], -1)
                confidence = torch.sigmoid(scale * (own.amax((2, 3)) + depth.amax(2)))
            else:
                own, context = maps[:, :joints], maps[:, joints:]
                place = soft_argmax_2d(channel_softmax_2d(own))
                if self.config.num_context:
                    alpha = self.config.context_alpha
                    place = alpha * place + (1 - alpha) * self._from_context(context)
                confidence = scale * window_maximum(own)
            return torch.cat([place, confidence[..., None]], -1), own

    def _from_context(self, maps: Tensor) -> Tensor:
        """Where the context maps (N, J C, H, W) of every joint are on average, (N, J, 2)."""
        per_joint = (self.config.num_joints, self.config.num_context)
        places = soft_argmax_2d(channel_softmax_2d(maps)).unflatten(1, per_joint)  # (N, J, C, 2)
        # the raw confidence as a weight: of any sign, as the weights were trained
        weights = window_maximum(maps).unflatten(1, per_joint)[..., None]
        return (weights * places).sum(2) / weights.sum(2)

    def _blocks(self, images: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Of every block the pose (N, J, dim + 1) and the joints' own maps (N, J, H, W)."""
        maps, _ = self.maps_and_features(images)
        poses, own = zip(*(self.regress(block_maps) for block_maps in maps), strict=True)
        return tuple(poses), tuple(own)

    def forward_frames(self, images: Tensor) -> FrameOutput:
        self.check_frames(images)
        poses, own = self._blocks(images)
        if self.dim == 3:
            return FrameOutput(poses, poses[-1])
        return FrameOutput(poses, with_confidence(poses[-1], channel_softmax_2d(own[-1])))

    def forward(self, x: Tensor, heat_maps: bool = False) -> NetworkOutput:
        """Images (N, 3, H, W) or clips (N, T, 3, H, W) give poses; ``heat_maps`` as well, if asked.

        Raises:
            HarError: other shapes; height and width have to be multiples of 32.
        """
        if not heat_maps:
            return super().forward(x)
        frames, clips = self.split_clips(x)
        poses, own = self._blocks(frames)
        if clips is not None:
            poses = tuple(pose.unflatten(0, clips) for pose in poses)
            own = tuple(maps.unflatten(0, clips) for maps in own)
        return NetworkOutput(poses, heat_maps=own)
