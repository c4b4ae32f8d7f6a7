"""The layers that the networks share: TensorFlow's padding, separable convolutions, residual units.

What differs from PyTorch is settled here, once: padding "same" puts the odd row and column at the
end, max pooling pads with minus infinity, batch normalization has epsilon 1e-3, no convolution has
a bias, and weights start Glorot-uniform with the fans of the kernel as TensorFlow stores it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

BATCH_NORM_EPS = 1e-3


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding of one axis before and after, as TensorFlow's "same": the odd one comes last."""
    # integer arithmetic only: rounding functions cannot be traced with a symbolic size
    total = max(kernel - stride if size % stride == 0 else kernel - size % stride, 0)
    return total // 2, total - total // 2


def pad_same(
    x: Tensor, kernel: tuple[int, int], stride: tuple[int, int], value: float = 0.0
) -> Tensor:
    """Pads (N, C, H, W) so that the window covers ceil(size / stride) places."""
    top, bottom = same_padding(x.shape[-2], kernel[0], stride[0])
    left, right = same_padding(x.shape[-1], kernel[1], stride[1])
    if top == bottom == left == right == 0:
        return x
    return F.pad(x, (left, right, top, bottom), value=value)


class Conv2d(nn.Conv2d):
    """Convolution without bias, padding "same"; ``groups=in_channels`` makes it depthwise."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int] = 1,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        kernel = _pair(kernel_size)
        # With an odd kernel and no stride both sides get the same: the convolution pads itself.
        self.pads_itself = stride == 1 and kernel[0] % 2 == kernel[1] % 2 == 1
        padding = (kernel[0] // 2, kernel[1] // 2) if self.pads_itself else 0
        super().__init__(
            in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False
        )

    def reset_parameters(self) -> None:
        """Glorot-uniform; a depthwise kernel's fan-in counts all input channels."""
        glorot_uniform_(self.weight, depthwise=self.groups > 1)

    def forward(self, x: Tensor) -> Tensor:
        if not self.pads_itself:
            x = pad_same(x, _pair(self.kernel_size), _pair(self.stride))  # type: ignore[arg-type]
        if self.groups > 1 and x.device.type == "cpu" and _learns_in_low_precision():
            # a depthwise kernel's gradient takes five times as long in bfloat16 as in float32
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float()).to(torch.get_autocast_dtype("cpu"))
        return super().forward(x)


def _learns_in_low_precision() -> bool:
    return torch.is_autocast_enabled("cpu") and torch.is_grad_enabled()


def glorot_uniform_(weight: Tensor, depthwise: bool = False) -> None:
    """Fills a kernel (out, in / groups, kh, kw) from +-sqrt(6 / (fan_in + fan_out)).

    The fans are those of the kernel as Keras stores it, (kh, kw, in, out), where a depthwise
    kernel is (kh, kw, channels, 1).
    """
    area = weight.shape[2] * weight.shape[3]
    fan_in, fan_out = area * weight.shape[1], area * weight.shape[0]
    if depthwise:
        fan_in, fan_out = area * weight.shape[0], area
    limit = (6 / (fan_in + fan_out)) ** 0.5
    with torch.no_grad():
        weight.uniform_(-limit, limit)


class FusibleLayer(nn.Module):
    """A layer with a convolution whose output batch normalization alone reads."""

    def fuse_(self) -> None:
        """Folds batch normalization into the convolution before it, in place; ``eval`` only."""
        raise NotImplementedError

    def fold_(self, convolution: str, normalization: str, *, rectified: bool) -> None:
        """Folds one pair of submodules.

        Args:
            convolution, normalization: their names in this layer.
            rectified: a ReLU comes with the normalization and stays.
        """
        conv: Any = self.get_submodule(convolution)
        norm: Any = self.get_submodule(normalization)
        fused: nn.Module = fuse_conv_bn_eval(conv, norm)
        self.set_submodule(convolution, fused.requires_grad_(False))
        self.set_submodule(normalization, nn.ReLU(inplace=True) if rectified else nn.Identity())


class SeparableConv2d(nn.Module):
    """A depthwise convolution, then a 1x1 convolution over channels."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.depthwise = Conv2d(in_channels, in_channels, kernel_size, stride, groups=in_channels)
        self.pointwise = Conv2d(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalization with Keras' epsilon and momentum 0.99 (0.01 in PyTorch's terms).

    Args:
        channels: number of channels.
        scale: learn a factor; without it (as in ReceptionNet) it stays 1.
    """

    def __init__(self, channels: int, scale: bool = True) -> None:
        super().__init__(channels, eps=BATCH_NORM_EPS, momentum=0.01)
        if not scale:  # nothing to learn, also where all parameters are unfrozen
            del self.weight
            self.register_buffer("weight", torch.ones(channels), persistent=False)


class BNReLU(BatchNorm2d):
    """Batch normalization, then ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(super().forward(x), inplace=True)


def max_pool(x: Tensor, window: int | tuple[int, int], stride: int | tuple[int, int]) -> Tensor:
    """Max pooling with padding "same", which is minus infinity."""
    kernel, steps = _pair(window), _pair(stride)
    return F.max_pool2d(pad_same(x, kernel, steps, value=float("-inf")), kernel, steps)


def max_min_pool(x: Tensor, window: int = 2, stride: int = 2) -> Tensor:
    """Maximum plus minimum of every window (CVPR 2018, section 4.2), padding "same"."""
    return max_pool(x, window, stride) - max_pool(-x, window, stride)


def global_max_min(x: Tensor) -> Tensor:
    """Maximum plus minimum over the plane: (N, C, H, W) to (N, C)."""
    return x.amax((2, 3)) + x.amin((2, 3))


def upsample(x: Tensor) -> Tensor:
    """Enlarges the plane by 2, every value repeated."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


class BottleneckUnit(FusibleLayer):
    """Residual unit of SPNet's stem and action part: 1x1 to a middle width, then 3x3.

    Where width or stride change, the shortcut is a 1x1 convolution of the normalized input;
    else it is the input itself.
    """

    def __init__(self, in_channels: int, width: int, middle: int, stride: int = 1) -> None:
        super().__init__()
        self.bn1 = BNReLU(in_channels)
        self.conv1 = Conv2d(in_channels, middle)
        self.bn2 = BNReLU(middle)
        self.conv2 = Conv2d(middle, width, 3, stride)
        changes = in_channels != width or stride != 1
        self.shortcut_conv = Conv2d(in_channels, width, 1, stride) if changes else None

    def fuse_(self) -> None:
        self.fold_("conv1", "bn2", rectified=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(x)
        shortcut = x if self.shortcut_conv is None else self.shortcut_conv(y)
        return shortcut + self.conv2(self.bn2(self.conv1(y)))


class SeparableUnit(nn.Module):
    """Residual unit of SPNet's pyramids: one separable convolution."""

    def __init__(
        self, in_channels: int, width: int, kernel_size: int | tuple[int, int], stride: int = 1
    ) -> None:
        super().__init__()
        self.bn1 = BNReLU(in_channels)
        self.conv1 = SeparableConv2d(in_channels, width, kernel_size, stride)
        changes = in_channels != width or stride != 1
        self.shortcut_conv = Conv2d(in_channels, width, 1, stride) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(x)
        shortcut = x if self.shortcut_conv is None else self.shortcut_conv(y)
        return shortcut + self.conv1(y)
