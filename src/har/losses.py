"""Losses of poses and actions, as the original computes them.

Source: Luvizon et al., CVPR 2018, section 3.1 (elastic net: L1 + L2) and TPAMI 2020, section 5,
with the binary cross-entropy of the published program.
"""

import torch
from torch import Tensor

from har.errors import HarError
from har.precision import at_least_float32

EPSILON = 1e-7  # probabilities are kept this far from 0 and 1
POSE_KINDS = ("l1", "l2", "l1l2", "l1l2bincross")
COORDINATE_CROSS_ENTROPY_WEIGHT = 0.01


def _binary_cross_entropy(predicted: Tensor, target: Tensor) -> Tensor:
    p = predicted.clamp(EPSILON, 1 - EPSILON)
    return -(target * p.log() + (1 - target) * (1 - p).log())


def pose_loss(
    pred: Tensor, target: Tensor, kind: str = "l1l2bincross", visibility_weight: float = 0.01
) -> Tensor:
    """The loss of one prediction block's poses, per sample.

    A coordinate counts if its target is greater than 0. The sum over coordinates is divided by
    the number of those that count; the confidence is compared with the visibility by binary
    cross-entropy, averaged over the joints whose visibility is known. Clips average over their
    frames.

    Args:
        pred: (N, [T,] J, dim + 1), coordinates in [0, 1] and confidence.
        target: the same shape, coordinates and visibility (0 or 1; NaN for joints that a data
            set does not annotate at all, which teach nothing).
        kind: ``l1``, ``l2``, ``l1l2``, or ``l1l2bincross`` with 0.01 times the binary
            cross-entropy of the coordinates.
        visibility_weight: weight of the confidence's cross-entropy.

    Returns:
        (N,) float32 (float64 for float64).

    Raises:
        HarError: an unknown kind, or shapes that differ.
    """
    if kind not in POSE_KINDS:
        raise HarError(f"pose_loss: kind={kind}; choose one of {', '.join(POSE_KINDS)}.")
    if pred.shape != target.shape:
        raise HarError(
            f"pose_loss: the prediction is {tuple(pred.shape)} and the target "
            f"{tuple(target.shape)}; both have to be (N, [T,] J, dim + 1)."
        )
    with torch.autocast(pred.device.type, enabled=False):
        pred, target = at_least_float32(pred), at_least_float32(target)
        counts = target[..., :-1] > 0
        # Targets that do not count may be -1e9: replaced before, not after, they are squared.
        y = torch.where(counts, target[..., :-1], 0.0)
        p = torch.where(counts, pred[..., :-1], 0.0)
        difference = p - y
        terms = torch.zeros_like(difference)
        if kind != "l2":
            terms = terms + difference.abs()
        if kind != "l1":
            terms = terms + difference.square()
        if kind == "l1l2bincross":
            terms = terms + COORDINATE_CROSS_ENTROPY_WEIGHT * torch.where(
                counts, _binary_cross_entropy(p, y), 0.0
            )
        loss = terms.sum((-1, -2)) / counts.sum((-1, -2)).clamp(min=1)
        known = ~target[..., -1].isnan()
        visibility = torch.where(known, target[..., -1], 0.0)
        cross_entropy = _binary_cross_entropy(pred[..., -1], visibility)
        confidence = torch.where(known, cross_entropy, 0.0).sum(-1) / known.sum(-1).clamp(min=1)
        loss = loss + visibility_weight * confidence  # (N, [T])
        return loss.flatten(1).mean(1) if loss.ndim > 1 else loss


def heat_map_loss(maps: Tensor, target: Tensor, sigma: float = 0.8) -> Tensor:
    """Cross-entropy between heat maps and Gaussians around the true joints, per sample.

    A soft-argmax alone learns slowly where a map has several peaks: their mean has a gradient only
    together. This is beside it what heat-map regression is to integral regression in Sun et al.,
    "Integral Human Pose Regression", ECCV 2018, section 2.

    Args:
        maps: (N, J, H, W) before the softmax; outer cells stand for 0 and 1.
        target: (N, J, dim + 1), coordinates in [0, 1] and visibility; joints count whose x and y
            are greater than 0.
        sigma: of the Gaussian, in cells: at 0.8 the best 2x2 cells hold 62 % of it, which is the
            confidence of a joint that was learned perfectly (31 % at 1.3).

    Returns:
        (N,) mean over the joints that count, float32 (float64 for float64).
    """
    with torch.autocast(maps.device.type, enabled=False):
        maps = at_least_float32(maps)
        log_probability = maps.flatten(2).log_softmax(-1).view(maps.shape)
        places = target[..., :2].to(maps.dtype)
        counts = (places > 0).all(-1)
        places = torch.where(counts[..., None], places, 0.5)
        # A Gaussian is a product, so is its normalization: (N, J, W) and (N, J, H).
        columns, rows = (
            _gaussian(places[..., axis], maps.shape[-1 - axis], sigma) for axis in (0, 1)
        )
        in_rows = (log_probability * columns[..., None, :]).sum(-1)
        entropy = -(in_rows * rows).sum(-1)
        return torch.where(counts, entropy, 0.0).sum(-1) / counts.sum(-1).clamp(min=1)


def _gaussian(places: Tensor, cells: int, sigma: float) -> Tensor:
    """(..., cells), each row summing to 1, around places (...) in [0, 1]."""
    grid = torch.arange(cells, dtype=places.dtype, device=places.device)
    return (-0.5 * ((grid - places[..., None] * (cells - 1)) / sigma).square()).softmax(-1)


def action_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of actions, per clip, with probabilities kept off 0 and 1 by 1e-7.

    Args:
        logits: (N, C), before the softmax.
        target: class indices (N,), or one-hot rows (N, C).

    Returns:
        (N,) float32 (float64 for float64).
    """
    with torch.autocast(logits.device.type, enabled=False):
        probabilities = at_least_float32(logits).softmax(-1).clamp(EPSILON, 1 - EPSILON)
        if target.ndim == 1:
            return -probabilities.log().gather(1, target.long()[:, None]).squeeze(1)
        return -(target.to(probabilities.dtype) * probabilities.log()).sum(-1)
