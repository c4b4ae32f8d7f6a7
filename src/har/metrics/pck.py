"""PCK: the share of joints that lie within a part of a length of where they should be.

PCKh measures in head sizes: Andriluka et al., "2D Human Pose Estimation: New Benchmark and State of
the Art Analysis", CVPR 2014. PCK takes any length, as that of a torso or a box: Yang and Ramanan,
"Articulated Human Detection with Flexible Mixtures of Parts", TPAMI 2013.
"""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from har.errors import HarError
from har.layouts import LAYOUTS, Layout, LayoutLike, get_layout
from har.precision import exact_dtype

log = logging.getLogger(__name__)

# What rounding may add to a distance that is exactly on the threshold.
_SLACK = {torch.float64: 1e-9, torch.float32: 1e-6}
# Rows of the field's tables of Leeds Sports Pose, and which joints its row of the head has.
_LSP_ROWS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_LSP_HEAD = ({"neck", "head"}, {"neck", "head top"})


class PCK(Metric):
    """Correct joints in percent: in total, of each joint, and averaged over thresholds.

    A joint is correct if its distance is at most ``threshold`` lengths; on the threshold counts.
    The total weighs every annotated joint alike. In the layouts of this package it leaves pelvis
    and thorax out, as MPII's does; in a layout of a data set's own it counts all joints.
    Counts are summed over batches and processes, so uneven batches do no harm. Persons whose length
    is 0 or unknown are left out, which :meth:`compute` logs.

    Args:
        threshold: allowed distance in lengths.
        layout: order of the joints, a layout or its name.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    correct: Tensor
    correct_by_threshold: Tensor
    annotated: Tensor
    persons: Tensor
    without_length: Tensor

    _length_name = "length"
    _leaves_out = True  # persons without a length; else they are refused

    def __init__(self, threshold: float = 0.2, layout: LayoutLike = "pa16j") -> None:
        super().__init__()
        self.threshold = threshold
        self.layout = get_layout(layout)
        joints = self.layout.num_joints
        zeros = torch.zeros(joints, dtype=torch.long)
        self.add_state("correct", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("annotated", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("correct_by_threshold", zeros.repeat(51, 1), dist_reduce_fx="sum")
        self.add_state("persons", zeros.new_zeros(()), dist_reduce_fx="sum")
        self.add_state("without_length", zeros.new_zeros(()), dist_reduce_fx="sum")
        self._named: list[tuple[Sequence[str], Tensor]] = []  # names, and who has a length

    def update(
        self,
        pred: Tensor,
        target: Tensor,
        valid: Tensor,
        length: Tensor,
        names: Sequence[str] = (),
    ) -> None:
        """Counts the joints of N persons.

        Args:
            pred: (N, J, 2) in image pixels; what is not a number counts as wrong.
            target: (N, J, 2) in image pixels.
            valid: (N, J) bool, joints that are annotated.
            length: (N,) in image pixels: what the threshold is multiplied by.
            names: of the persons, to name those that are left out.

        Raises:
            HarError: another number of joints than the layout has.
        """
        joints = self.layout.num_joints
        if pred.shape != target.shape or pred.shape[1:] != (joints, 2):
            raise HarError(
                f"{type(self).__name__} with layout {self.layout.name} compares poses of shape "
                f"(N, {joints}, 2), but got {tuple(pred.shape)} and {tuple(target.shape)}."
            )
        exact = exact_dtype(pred.device)
        length = length.to(exact).reshape(-1, 1)
        measured = torch.isfinite(length) & (length > 0)
        # Divided, not multiplied: a joint exactly on the threshold stays there.
        distance = (pred.to(exact) - target.to(exact)).norm(dim=-1) / length  # (N, J)
        valid = valid.bool() & measured
        slack = 1 + _SLACK[exact]
        # i / 100 is the float nearest to each threshold, which a sum of steps would miss.
        levels = slack * torch.arange(51, dtype=exact, device=distance.device) / 100
        self.correct += ((distance <= slack * self.threshold) & valid).sum(0)
        self.correct_by_threshold += ((distance <= levels[:, None, None]) & valid).sum(1)
        self.annotated += valid.sum(0)
        self.persons += len(length)
        self.without_length += (~measured).sum()
        if len(names):
            self._named.append((names, measured.flatten()))

    def reset(self) -> None:
        """Forgets what was counted."""
        super().reset()
        self._named = []

    def compute(self) -> dict[str, Tensor]:
        """Shares in percent; NaN where nothing is annotated.

        Returns:
            "total": scalar; "per_joint": (J,); "curve": (51,), the totals at thresholds 0, 0.01,
            ..., 0.5; "auc": scalar, their mean.

        Raises:
            HarError: a person has no head size (of :class:`PCKh` only).
        """
        without = int(self.without_length)
        if without:
            self._without_length(without)
        excluded = self._excluded()
        used = [i for i in range(len(self.annotated)) if i not in excluded]
        annotated = self.annotated.to(exact_dtype(self.annotated.device))
        whole = annotated[used].sum()
        curve = 100 * self.correct_by_threshold[:, used].sum(1) / whole
        return {
            "total": 100 * self.correct[used].sum() / whole,
            "per_joint": 100 * self.correct / annotated,
            "curve": curve,
            "auc": curve.mean(),
        }

    def _excluded(self) -> tuple[int, ...]:
        """Joints that the total leaves out."""
        own = LAYOUTS.get(self.layout.name) != self.layout
        return () if own else self.layout.excluded_from_pck

    def _without_length(self, count: int) -> None:
        """Logs or refuses that persons have no length."""
        of = f"{count} of {int(self.persons)} persons"
        if not self._leaves_out:
            raise HarError(
                f"{type(self).__name__} needs a {self._length_name} greater than 0 pixels, but "
                f"{of} have none: leave them out, or mend their annotations."
            )
        measured = (
            (name, has) for names, who in self._named for name, has in zip(names, who, strict=True)
        )
        missing = [name for name, has in measured if not has]
        log.warning(
            "%s is not measured of %s, whose %s is 0 or not known%s.",
            type(self).__name__,
            of,
            self._length_name,
            f": {', '.join(missing)}" if missing else "",
        )


class PCKh(PCK):
    """PCK in head sizes, as MPII publishes it at 0.5: see :class:`PCK`.

    ``update(pred, target, valid, head_size)``; MPII's head size is 0.6 times the diagonal of the
    head box. The total leaves joints that are called pelvis or thorax out, in any layout.

    Args:
        threshold: allowed distance in head sizes.
        layout: order of the joints, a layout or its name.
    """

    _length_name = "head size"
    _leaves_out = False  # it is published of all persons of a list

    def __init__(self, threshold: float = 0.5, layout: LayoutLike = "pa16j") -> None:
        super().__init__(threshold, layout)

    def update(
        self,
        pred: Tensor,
        target: Tensor,
        valid: Tensor,
        head_size: Tensor,
        names: Sequence[str] = (),
    ) -> None:
        """Counts the joints of N persons; see :meth:`PCK.update`."""
        super().update(pred, target, valid, head_size, names)

    def compute(self) -> dict[str, Tensor]:
        """Shares in percent: "total", "per_joint" and "auc" of :meth:`PCK.compute`."""
        return {name: value for name, value in super().compute().items() if name != "curve"}

    def _excluded(self) -> tuple[int, ...]:
        return self.layout.excluded_from_pck


def by_part(per_joint: Tensor, layout: Layout) -> dict[str, float]:
    """Values of single joints as the rows of a published table, the plain mean of left and right.

    Joints of Leeds Sports Pose, which has the neck and the top of the head, come in the rows of its
    tables: head (the mean of both), shoulder, elbow, wrist, hip, knee, ankle.

    Args:
        per_joint: (J,).
        layout: the order of the joints.

    Returns:
        part without its side ("head", "shoulder", ...) to value, in the layout's order.
    """
    of_head = set(layout.parts) - set(_LSP_ROWS[1:])
    of_lsp = of_head in _LSP_HEAD and len(set(layout.parts)) == len(_LSP_ROWS) + 1
    values: dict[str, list[float]] = {}
    for part, value in zip(layout.parts, per_joint.tolist(), strict=True):
        row = "head" if of_lsp and part in of_head else part
        values.setdefault(row, []).append(value)
    rows = _LSP_ROWS if of_lsp else values
    return {row: sum(values[row]) / len(values[row]) for row in rows}
