"""From heat maps to joints, differentiably: softmax, expected place, confidence.

Source: Luvizon, Tabia, Picard, "2D/3D Pose Estimation and Action Recognition using Multitask Deep
Learning", CVPR 2018, section 3.1; joint confidence and depth as in TPAMI 2020, section 4.
All in float32 at least: a bf16 coordinate of a 256-pixel crop would be off by a pixel. So places
are sums of products and not matrix products, which autocast would compute in low precision.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from har.precision import at_least_float32, exact_dtype


def channel_softmax_2d(maps: Tensor, alpha: float = 1.0) -> Tensor:
    """A probability map per channel: softmax over the plane of ``alpha`` times the map.

    Args:
        maps: heat maps (N, J, H, W).
        alpha: factor before the softmax; larger means sharper.

    Returns:
        (N, J, H, W), non-negative, each map summing to 1.
    """
    return (alpha * at_least_float32(maps)).flatten(2).softmax(-1).view(maps.shape)


def soft_argmax_2d(probability: Tensor) -> Tensor:
    """The expected place under a probability map; the outer cells stand for 0 and 1.

    Args:
        probability: (N, J, H, W).

    Returns:
        (N, J, 2), x and y in [0, 1].
    """
    probability = at_least_float32(probability)
    height, width = probability.shape[-2:]
    kwargs = {"dtype": probability.dtype, "device": probability.device}
    columns = torch.linspace(0, 1, width, **kwargs)  # type: ignore[call-overload]
    rows = torch.linspace(0, 1, height, **kwargs)  # type: ignore[call-overload]
    x = (probability.sum(-2) * columns).sum(-1)
    y = (probability.sum(-1) * rows).sum(-1)
    return torch.stack([x, y], -1)


def around_peak(probability: Tensor, radius: int) -> Tensor:
    """The part of each probability map around its largest value, summing to 1 again.

    Where a map has two peaks, as a left and a right leg that are taken for each other, their mean
    is at neither.

    Args:
        probability: (N, J, H, W).
        radius: cells that are kept on each side of the largest one.

    Returns:
        (N, J, H, W).
    """
    height, width = probability.shape[-2:]
    row = probability.amax(3).argmax(2)[..., None, None]
    column = probability.amax(2).argmax(2)[..., None, None]
    rows = torch.arange(height, device=probability.device)[:, None]
    columns = torch.arange(width, device=probability.device)
    near = ((rows - row).abs() <= radius) & ((columns - column).abs() <= radius)
    kept = probability * near
    return kept / kept.sum((2, 3), keepdim=True)


def soft_argmax_1d(maps: Tensor) -> Tensor:
    """The expected depth under the softmax of 1-D maps; cells stand for their centers.

    Args:
        maps: (N, J, D), before the softmax.

    Returns:
        (N, J), in [0, 1].
    """
    cells = maps.shape[-1]
    half = 0.5 / cells
    exact = exact_dtype(maps.device)
    centers = torch.linspace(half, 1 - half, cells, dtype=exact, device=maps.device)
    probability = at_least_float32(maps).softmax(-1)
    return (probability * centers.to(probability.dtype)).sum(-1)


def window_maximum(maps: Tensor) -> Tensor:
    """The largest sum of a 2x2 window, stride 1, no padding: (N, J, H, W) to (N, J)."""
    return 4 * F.avg_pool2d(at_least_float32(maps), 2, stride=1).amax((2, 3))


def joint_confidence(probability: Tensor) -> Tensor:
    """How sure a probability map is of its joint: the most that 2x2 neighboring cells hold.

    Args:
        probability: (N, J, H, W), at least 2x2 cells.

    Returns:
        (N, J), in [0, 1].
    """
    return window_maximum(probability)
