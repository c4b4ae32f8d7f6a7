"""How often the right action is recognized."""

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix


class ActionMetrics(MetricCollection):
    """Top-1, top-5 and per-class accuracy in percent, and the confusion matrix behind them.

    One object judges one action output (one prediction block). Counts are summed over batches and
    processes.

    Args:
        num_classes: number of actions; top-5 is left out where there are 5 or fewer.
    """

    def __init__(self, num_classes: int) -> None:
        metrics: dict[str, Metric | MetricCollection] = {
            "top1": MulticlassAccuracy(num_classes, average="micro"),
            "confusion": MulticlassConfusionMatrix(num_classes),
        }
        if num_classes > 5:
            metrics["top5"] = MulticlassAccuracy(num_classes, average="micro", top_k=5)
        # each state is its own: groups would tie top-1 to top-5, which only look alike
        super().__init__(metrics, compute_groups=False)

    def compute(self) -> dict[str, Tensor]:
        """Figures of all clips so far.

        Returns:
            "top1" and "top5": percent; "per_class": (C,) percent, NaN for actions without a clip;
            "mean_class": percent, the mean of the classes that have one; "confusion": (C, C)
            counts, rows the true actions, columns the recognized ones.
        """
        figures: dict[str, Tensor] = super().compute()
        confusion = figures["confusion"]
        per_class = 100 * confusion.diagonal().to(torch.float64) / confusion.sum(1)
        result: dict[str, Tensor] = {
            name: 100 * figures[name] for name in ("top1", "top5") if name in figures
        }
        result["per_class"] = per_class
        result["mean_class"] = per_class.nanmean()
        result["confusion"] = confusion
        return result
