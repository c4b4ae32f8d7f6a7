"""EfficientNet-Lite without its classifier: feature maps of strides 4 to 32.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019
(arXiv 1905.11946); the Lite networks have neither squeeze-and-excitation nor Swish, so that small
processors compute them quickly. timm knows them as ``tf_efficientnet_lite0`` and so on, to which
the parameters here correspond one to one; but timm takes longer to import than an image to compute.
"""

import math
import re
from collections.abc import Mapping
from typing import Self

from torch import Tensor, nn

from har.errors import HarError
from har.models.layers import BATCH_NORM_EPS, Conv2d, FusibleLayer

# kernel, stride, expansion, channels, blocks: the stages of EfficientNet-B0
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_TAPS = (1, 2, 4, 6)  # the last stages of strides 4, 8, 16 and 32
_STEM = 32
SCALES = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}
"""Name -> factors of width and depth."""


class ConvNormAct(FusibleLayer):
    """Convolution, batch normalization and, on request, ReLU6."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        rectified: bool = True,
    ) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, kernel_size, stride, groups)
        self.bn = nn.BatchNorm2d(out_channels, eps=BATCH_NORM_EPS)
        self.act = nn.ReLU6(inplace=True) if rectified else nn.Identity()

    def fuse_(self) -> None:
        self.fold_("conv", "bn", rectified=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.conv(x)))


class InvertedResidual(nn.Module):
    """1x1 to more channels, depthwise, 1x1 to fewer; added to its input where shapes agree."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        width = in_channels * expansion
        self.expand = ConvNormAct(in_channels, width) if expansion > 1 else nn.Identity()
        self.depthwise = ConvNormAct(width, width, kernel_size, stride, groups=width)
        self.project = ConvNormAct(width, out_channels, rectified=False)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """Feature maps of an image (N, 3, H, W), normalized by ImageNet's mean and deviation.

    Args:
        name: one of :data:`SCALES`.

    Attributes:
        channels: of the four feature maps, which have strides 4, 8, 16 and 32.

    Raises:
        HarError: an unknown name.
    """

    def __init__(self, name: str = "efficientnet_lite0") -> None:
        super().__init__()
        if name not in SCALES:
            raise HarError(f"There is no {name}: choose {', '.join(SCALES)}.")
        width, depth = SCALES[name]
        self.stem = ConvNormAct(3, _STEM, 3, 2)
        self.stages = nn.ModuleList()
        channels, self.channels = _STEM, [_rounded(width * _STAGES[tap][3]) for tap in _TAPS]
        for number, (kernel, stride, expansion, plain, count) in enumerate(_STAGES):
            # the first and the last stage of the Lite networks do not get deeper
            repeats = count if number in (0, len(_STAGES) - 1) else math.ceil(depth * count)
            blocks = []
            for block in range(repeats):
                out = _rounded(width * plain)
                step = stride if block == 0 else 1
                blocks.append(InvertedResidual(channels, out, kernel, step, expansion))
                channels = out
            self.stages.append(nn.Sequential(*blocks))
        self.frozen: list[nn.Module] = []

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps of strides 4, 8, 16 and 32."""
        x, maps = self.stem(x), []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in _TAPS:
                maps.append(x)
        return maps

    def freeze(self, stages: int) -> None:
        """Fixes the stem and so many stages: weights and statistics; 0: nothing."""
        self.frozen = [self.stem, *self.stages[:stages]] if stages else []
        for part in self.frozen:
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for part in self.frozen:
            part.eval()
        return self

    def load_imagenet(self, state: Mapping[str, Tensor]) -> None:
        """Takes over weights by the names of the published files (``_blocks.0._bn1.weight``).

        Raises:
            HarError: weights of another network.
        """
        flat = [(s, b) for s, stage in enumerate(self.stages) for b in range(len(stage))]  # type: ignore[arg-type]
        renamed = {}
        for name, value in state.items():
            if name.startswith(("_conv_head", "_bn1", "_fc")):  # the classifier
                continue
            renamed[_own_name(name, flat)] = value
        try:
            self.load_state_dict(renamed)
        except RuntimeError as error:
            raise HarError("These are weights of another backbone than the network's.") from error


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, at most 10 % less."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


_LAYERS = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.bn",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.bn",
    "_project_conv": "project.conv",
    "_bn2": "project.bn",
}


def _own_name(name: str, blocks: list[tuple[int, int]]) -> str:
    """The name here of a tensor in a published file; the name itself where it is unknown."""
    if name.startswith("_conv_stem."):
        return name.replace("_conv_stem", "stem.conv")
    if name.startswith("_bn0."):
        return name.replace("_bn0", "stem.bn")
    match = re.fullmatch(r"_blocks\.(\d+)\.(_\w+)\.(\w+)", name)
    if match is None or int(match[1]) >= len(blocks) or match[2] not in _LAYERS:
        return name
    stage, block = blocks[int(match[1])]
    return f"stages.{stage}.{block}.{_LAYERS[match[2]]}.{match[3]}"
