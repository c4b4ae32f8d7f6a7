"""PCKh: the share of joints that lie within a part of the head size of where they should be.

Andriluka et al., "2D Human Pose Estimation: New Benchmark and State of the Art Analysis",
CVPR 2014.
"""

import torch
from torch import Tensor
from torchmetrics import Metric

from har.errors import HarError
from har.layouts import Layout, get_layout


class PCKh(Metric):
    """Correct joints in percent: in total, of each joint, and averaged over thresholds.

    A joint is correct if its distance is at most ``threshold`` head sizes; on the threshold counts.
    MPII's total weighs every annotated joint alike and leaves pelvis and thorax out. Counts are
    summed over batches and processes, so uneven batches do no harm.

    Args:
        threshold: allowed distance in head sizes; MPII's published figures use 0.5.
        layout: order of the joints, a layout or its name.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    correct: Tensor
    correct_by_threshold: Tensor
    annotated: Tensor

    def __init__(self, threshold: float = 0.5, layout: str | Layout = "pa16j") -> None:
        super().__init__()
        self.threshold = threshold
        self.layout = layout if isinstance(layout, Layout) else get_layout(layout)
        joints = self.layout.num_joints
        # i / 100 is the float nearest to each threshold, which a sum of steps would miss
        self.auc_thresholds = tuple(i / 100 for i in range(51))
        zeros = torch.zeros(joints, dtype=torch.long)
        self.add_state("correct", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("annotated", zeros.clone(), dist_reduce_fx="sum")
        self.add_state(
            "correct_by_threshold", zeros.repeat(len(self.auc_thresholds), 1), dist_reduce_fx="sum"
        )

    def update(self, pred: Tensor, target: Tensor, valid: Tensor, head_size: Tensor) -> None:
        """Count the joints of N persons.

        Args:
            pred: (N, J, 2) in image pixels; what is not a number counts as wrong.
            target: (N, J, 2) in image pixels.
            valid: (N, J) bool, joints that are annotated.
            head_size: (N,) in image pixels: 0.6 times the diagonal of MPII's head box.

        Raises:
            HarError: another number of joints than the layout has, or a head size that is not
                greater than 0.
        """
        joints = self.layout.num_joints
        if pred.shape != target.shape or pred.shape[1:] != (joints, 2):
            raise HarError(
                f"PCKh with layout {self.layout.name} compares poses of shape (N, {joints}, 2), "
                f"but got {tuple(pred.shape)} and {tuple(target.shape)}."
            )
        head = head_size.to(torch.float64).reshape(-1, 1)
        without = int((~(torch.isfinite(head) & (head > 0))).sum())
        if without:
            raise HarError(
                f"PCKh needs head sizes greater than 0 pixels, but {without} of {len(head)} "
                "persons have none: leave them out, or mend their head boxes."
            )
        # in float64, and divided: a joint exactly on the threshold stays there
        distance = (pred.to(torch.float64) - target.to(torch.float64)).norm(dim=-1) / head  # (N, J)
        valid = valid.bool()
        levels = torch.tensor(self.auc_thresholds, dtype=torch.float64, device=distance.device)
        self.correct += ((distance <= self.threshold) & valid).sum(0)
        self.correct_by_threshold += ((distance <= levels[:, None, None]) & valid).sum(1)
        self.annotated += valid.sum(0)

    def compute(self) -> dict[str, Tensor]:
        """All in percent; NaN where nothing is annotated.

        Returns:
            "total": scalar; "per_joint": (J,); "auc": scalar, the mean of the totals at thresholds
            0, 0.01, ..., 0.5.
        """
        used = torch.ones_like(self.annotated, dtype=torch.bool)
        used[list(self.layout.excluded_from_pck)] = False
        annotated = self.annotated[used].sum()
        return {
            "total": _percent(self.correct[used].sum(), annotated),
            "per_joint": _percent(self.correct, self.annotated),
            "auc": _percent(self.correct_by_threshold[:, used].sum(1), annotated).mean(),
        }


def by_part(per_joint: Tensor, layout: Layout) -> dict[str, float]:
    """Figures of single joints as the rows of a published table, the plain mean of left and right.

    Args:
        per_joint: (J,).
        layout: the order of the joints.

    Returns:
        part without its side ("head", "shoulder", ...) to figure, in the layout's order.
    """
    values: dict[str, list[float]] = {}
    for joint, value in zip(layout.joints, per_joint.tolist(), strict=True):
        values.setdefault(joint.removeprefix("left ").removeprefix("right "), []).append(value)
    return {part: sum(figures) / len(figures) for part, figures in values.items()}


def _percent(part: Tensor, whole: Tensor) -> Tensor:
    return 100 * part.to(torch.float64) / whole.to(torch.float64)
