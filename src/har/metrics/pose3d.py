"""Errors of poses as distances: mean joint error, and the share of joints within a threshold.

Both are used on 3-D poses in millimeters; the mean joint error also takes 2-D poses in pixels.
Protocols: Ionescu et al., "Human3.6M", TPAMI 2014 (mean error per joint); Mehta et al., "Monocular
3D Human Pose Estimation in the Wild", 3DV 2017 (3D PCK at 150 mm and its area under the curve).
"""

from functools import partial, reduce

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from har.errors import HarError
from har.precision import exact_dtype

# The number of joints is known with the first batch only, but states must have one shape on all
# processes, also on one that gets no batch: so there are as many places as any layout may need.
_PLACES = 64


class _JointMetric(Metric):
    """What both metrics share: which joints count, and how far off each one is."""

    is_differentiable = False
    full_state_update = False

    num_joints: Tensor
    counted: Tensor

    def __init__(self, root: int | None) -> None:
        super().__init__()
        self.root = root
        self.add_state("num_joints", torch.zeros((), dtype=torch.long), dist_reduce_fx="max")
        self.add_state("counted", torch.zeros(_PLACES, dtype=torch.long), dist_reduce_fx="sum")

    def _distances(self, pred: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Distance (N, J) of every joint, and whether it counts (N, J)."""
        joints = pred.shape[1] if pred.ndim == 3 else 0
        if pred.shape != target.shape or pred.shape[:2] != valid.shape or not 0 < joints <= _PLACES:
            raise HarError(
                "Joint errors compare poses (N, J, 3), (N, J, 3) with valid joints (N, J), but got "
                f"{tuple(pred.shape)}, {tuple(target.shape)} and {tuple(valid.shape)}."
            )
        valid = valid.bool()
        exact = exact_dtype(pred.device)
        pred, target = pred.to(exact), target.to(exact)
        if self.root is not None:
            root = slice(self.root, self.root + 1)
            pred, target = pred - pred[:, root], target - target[:, root]
            valid = valid & valid[:, root]
        self.num_joints = torch.clamp(self.num_joints, min=joints)
        return (pred - target).norm(dim=-1), valid


def _add(one: Tensor, other: Tensor) -> Tensor:
    """Sum of two sums (2, P), each a float32 number and what it lacks, to twice its digits, without
    float64 (Knuth, "The Art of Computer Programming", volume 2, section 4.2.2, theorem B)."""
    high = one[0] + other[0]
    part = high - one[0]
    low = (one[0] - (high - part)) + (other[0] - part) + one[1] + other[1]
    total = high + low
    return torch.stack([total, low - (total - high)])


class MeanJointError(_JointMetric):
    """Mean distance between predicted and true joints, in the unit of the poses (mm or pixels).

    Args:
        root: joint that is moved to the origin in both poses first; None compares the poses as they
            are ("absolute"). A pose whose true root is not valid cannot be compared relative to it
            and does not count. The root itself counts with its error of 0, as in Human3.6M.
    """

    higher_is_better = False

    distance: Tensor  # (2, P): a float32 sum, and what it lacks

    def __init__(self, root: int | None = 0) -> None:
        super().__init__(root)
        self.add_state("distance", torch.zeros(2, _PLACES), dist_reduce_fx=partial(reduce, _add))

    def update(self, pred: Tensor, target: Tensor, valid: Tensor) -> None:
        """Adds N poses.

        Args:
            pred: (N, J, 3) in mm, or (N, J, 2) in pixels.
            target: likewise.
            valid: (N, J) bool.

        Raises:
            HarError: shapes that do not go together.
        """
        distance, valid = self._distances(pred, target, valid)
        joints = distance.shape[1]
        added = torch.where(valid, distance, 0.0).sum(0)  # no product: a missing joint may be NaN
        pair = torch.stack([added.float(), (added - added.float()).float()])
        self.distance = _add(self.distance, nn.functional.pad(pair, (0, _PLACES - joints)))
        self.counted[:joints] += valid.sum(0)

    def compute(self) -> dict[str, Tensor]:
        """ "total": scalar, the mean over all joints; "per_joint": (J,); NaN where none counted."""
        distance = self.distance.to(exact_dtype(self.distance.device)).sum(0)
        per_joint = (distance / self.counted)[: int(self.num_joints)]
        return {"total": distance.sum() / self.counted.sum(), "per_joint": per_joint}


class PCK3D(_JointMetric):
    """Joints within a distance of where they should be, in percent.

    Args:
        threshold_mm: allowed distance; on the threshold counts as right.
        root: joint that is moved to the origin in both poses first, and then left out, as it would
            always be right; None compares the poses as they are.
    """

    higher_is_better = True

    correct: Tensor
    correct_by_threshold: Tensor

    def __init__(self, threshold_mm: float = 150, root: int | None = 0) -> None:
        super().__init__(root)
        self.threshold_mm = threshold_mm
        self.add_state("correct", torch.zeros(_PLACES, dtype=torch.long), dist_reduce_fx="sum")
        levels = torch.zeros(31, dtype=torch.long)
        self.add_state("correct_by_threshold", levels, dist_reduce_fx="sum")

    def update(self, pred: Tensor, target: Tensor, valid: Tensor) -> None:
        """Counts the joints of N poses in mm, see :meth:`MeanJointError.update`; a prediction that
        is not a number counts as wrong."""
        distance, valid = self._distances(pred, target, valid)
        if self.root is not None:
            valid[:, self.root] = False
        joints = distance.shape[1]
        levels = torch.arange(31, dtype=distance.dtype, device=distance.device)
        levels = self.threshold_mm * levels / 30
        self.correct[:joints] += ((distance <= self.threshold_mm) & valid).sum(0)
        self.correct_by_threshold += ((distance <= levels[:, None, None]) & valid).sum((1, 2))
        self.counted[:joints] += valid.sum(0)

    def compute(self) -> dict[str, Tensor]:
        """All in percent; NaN where nothing counted (the root).

        Returns:
            "total": scalar; "per_joint": (J,); "auc": scalar, the mean over 31 thresholds from 0 to
            ``threshold_mm`` (0, 5, ..., 150).
        """
        counted = self.counted.to(exact_dtype(self.counted.device))
        per_joint = 100 * self.correct / counted
        return {
            "total": 100 * self.correct.sum() / counted.sum(),
            "per_joint": per_joint[: int(self.num_joints)],
            "auc": 100 * (self.correct_by_threshold / counted.sum()).mean(),
        }


class ActionJointError(Metric):
    """Mean distance of root-relative joints for every action of the clips, as Human3.6M reports it.

    Args:
        num_actions: C.
        root: joint that each pose is measured from.
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False

    total: Tensor
    count: Tensor

    def __init__(self, num_actions: int, root: int = 0) -> None:
        super().__init__()
        self.root = root
        self.add_state("total", torch.zeros(num_actions), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(num_actions, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, pred: Tensor, target: Tensor, valid: Tensor, action: Tensor) -> None:
        """Adds N frames of M clips or frames.

        Args:
            pred, target: (N, J, 3) mm.
            valid: (N, J) bool.
            action: (M,) class indices, each of N / M frames in a row.
        """
        action = action.repeat_interleave(len(pred) // len(action))
        known = valid & valid[:, self.root : self.root + 1]
        difference = pred - pred[:, self.root, None] - target + target[:, self.root, None]
        distance = torch.where(known, difference.norm(dim=-1), 0.0).sum(1)
        self.total.index_add_(0, action, distance.to(self.total.dtype))
        self.count.index_add_(0, action, known.sum(1))

    def compute(self) -> Tensor:
        """Millimeters (C,), NaN for actions without a joint."""
        return self.total / self.count
