"""What every training module does alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from har import HarError
from har.losses import pose_loss


def set_batch_norm_momentum(network: nn.Module, momentum: float) -> None:
    """Sets the share of a new batch in the running statistics of every batch normalisation.

    PyTorch's convention: Keras' momentum 0.99 is 0.01 here.
    """
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = momentum


def pose_losses(poses: Sequence[Tensor], target: Tensor) -> list[Tensor]:
    """The mean loss of every prediction block; what is learned is their sum.

    Args:
        poses: of every block, (N, J, dim + 1).
        target: (N, J, dim + 1).
    """
    return [pose_loss(pose, target).mean() for pose in poses]


def check_finite(loss: Tensor, names: Iterable[str], step: int, phase: str) -> None:
    """Stops a run whose loss is not a number any more.

    Raises:
        HarError: the loss is infinite or not a number; it names the samples.
    """
    if not torch.isfinite(loss):
        raise HarError(
            f"The loss is {loss.item()} at step {step} (phase {phase}) on the samples "
            f"{', '.join(sorted(set(names)))}; look at these samples, or lower the learning rate."
        )
