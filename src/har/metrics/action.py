"""Accuracies of recognized actions, and the confusion matrix behind them."""

import torch
from torch import Tensor
from torchmetrics import Metric

from har.precision import exact_dtype

_TOP = 5


class ActionMetrics(Metric):
    """Top-1, top-5 and per-class accuracy in percent, and the confusion matrix behind them.

    One metric per action output (prediction block). Counts are summed over batches and processes.

    Args:
        num_classes: number of actions; top-5 is left out where there are 5 or fewer.
    """

    is_differentiable = False
    full_state_update = False

    confusion: Tensor
    in_top5: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        counts = torch.zeros(num_classes, num_classes, dtype=torch.long)
        self.add_state("confusion", counts, dist_reduce_fx="sum")
        self.add_state("in_top5", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, scores: Tensor, target: Tensor) -> None:
        """Counts N clips.

        Args:
            scores: (N, C), probabilities or anything in their order.
            target: (N,) class indices.
        """
        cells = target.long() * self.num_classes + scores.argmax(1)
        # on the device: torch.bincount asks it for the largest value
        self.confusion.view(-1).index_add_(0, cells, torch.ones_like(cells))
        if self.num_classes > _TOP:
            self.in_top5 += (scores.topk(_TOP, dim=1).indices == target[:, None]).sum()

    def compute(self) -> dict[str, Tensor]:
        """Accuracies of all clips so far.

        Returns:
            "top1" and "top5": percent; "per_class": (C,) percent, NaN for actions without a clip;
            "mean_class": percent, the mean of the classes that have one; "confusion": (C, C)
            counts, rows the true actions, columns the recognized ones.
        """
        counts = self.confusion.to(exact_dtype(self.confusion.device))
        per_class = 100 * counts.diagonal() / counts.sum(1)
        result = {"top1": 100 * counts.diagonal().sum() / counts.sum()}
        if self.num_classes > _TOP:
            result["top5"] = 100 * self.in_top5 / counts.sum()
        result |= {"per_class": per_class, "mean_class": per_class.nanmean()}
        return {**result, "confusion": self.confusion}
