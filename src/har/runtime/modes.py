"""Ways of computing the same answers faster.

Batch normalization behind a convolution is a factor and a shift of each of its channels, so it
goes into the kernel: exact but for rounding. Where a ReLU stands between the two, as in most of
SPNet, which normalizes first, nothing can be folded, and compiling makes one pass of the two.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from har.models.layers import BottleneckUnit
from har.models.reception import ConvBN, SeparableBN
from har.models.spnet import PoseBlock, Stem
from har.precision import has_fast_bfloat16

# Layers with a convolution that batch normalization reads: names of the two in the layer, whether a
# ReLU comes with the normalization, and where nobody else reads the convolution.
_Rule: TypeAlias = tuple[type[nn.Module], str, str, bool, Callable[[Any], bool]]
_RULES: tuple[_Rule, ...] = (
    (BottleneckUnit, "conv1", "bn2", True, lambda unit: True),
    (Stem, "conv1", "res.0.bn1", True, lambda stem: stem.res[0].shortcut_conv is not None),
    (PoseBlock, "conv1.pointwise", "bn2", True, lambda block: not block.feeds_back),
    (ConvBN, "conv", "bn", False, lambda layer: True),
    (SeparableBN, "conv.pointwise", "bn", False, lambda layer: True),
)


def optimize(network: nn.Module) -> nn.Module:
    """A copy of a network for inference: batch normalization folded into the convolutions before
    it, channels last in memory, nothing to be trained.

    Args:
        network: of :mod:`har.models`; stays as it is.

    Returns:
        The copy, in ``eval`` mode. It answers as the network does, up to rounding.
    """
    optimized: Any = copy.deepcopy(network).eval().requires_grad_(False)
    for layer in list(optimized.modules()):
        for kind, convolution, normalization, rectified, alone in _RULES:
            if isinstance(layer, kind) and alone(layer):
                _fold(layer, convolution, normalization, rectified)
    folded: nn.Module = optimized.to(memory_format=torch.channels_last)
    return folded


def _fold(layer: Any, convolution: str, normalization: str, rectified: bool) -> None:
    fused = fuse_conv_bn_eval(layer.get_submodule(convolution), layer.get_submodule(normalization))
    layer.set_submodule(convolution, fused.requires_grad_(False))
    layer.set_submodule(normalization, nn.ReLU(inplace=True) if rectified else nn.Identity())


@dataclass(frozen=True)
class Mode:
    """A way of computing.

    Attributes:
        optimized: see :func:`optimize`; else the network as it is trained, channels last.
        precision: of convolutions; softmax and places are float32 in every mode.
        compiled: with ``torch.compile``.
    """

    optimized: bool = True
    precision: torch.dtype = torch.float32
    compiled: bool = True

    def __str__(self) -> str:
        parts = ["compiled"] * self.compiled + ["folded"] * self.optimized
        return ", ".join([*parts, str(self.precision).removeprefix("torch.")])


PLAIN = Mode(optimized=False, compiled=False)


def fastest_mode(device: torch.device) -> Mode:
    """The fastest mode whose poses stay within half a pixel of 256, for a kind of device.

    Low precision is for devices that compute in it: elsewhere it is emulated, ten times slower
    than float32.
    """
    if device.type == "cuda":
        return Mode(precision=torch.float16)
    if device.type == "cpu" and has_fast_bfloat16("cpu"):
        return Mode(precision=torch.bfloat16)
    return Mode()
