"""What was found of every person of an evaluation, over batches and processes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

_OF_PERSON = 3  # number, error and OKS, before the joints


@dataclass(frozen=True)
class FoundPersons:
    """The poses of M persons, sorted by their numbers.

    Attributes:
        numbers: (M,) in the data set.
        errors: (M,) mean distance of the annotated joints, in the lengths that PCK measures in;
            NaN without a length or an annotated joint.
        oks: (M,) OKS in [0, 1]; NaN where it is not measured.
        joints_px: float32 (M, J, 2) in pixels of the images.
        confidence: float32 (M, J) of the joints.
    """

    numbers: NDArray[np.int64]
    errors: NDArray[np.float32]
    oks: NDArray[np.float32]
    joints_px: NDArray[np.float32]
    confidence: NDArray[np.float32]


class PersonCollector(Metric):
    """Keeps the pose of every person until the evaluation ends.

    Args:
        num_joints: J.
    """

    full_state_update = False

    rows: list[Tensor]

    def __init__(self, num_joints: int) -> None:
        super().__init__()
        self.num_joints = num_joints
        # One flat float32 list: a process without a person sends an empty one of that kind.
        self.add_state("rows", [], dist_reduce_fx="cat")

    def update(
        self, number: Tensor, error: Tensor, oks: Tensor, joints_px: Tensor, confidence: Tensor
    ) -> None:
        """Adds N persons: (N,), (N,), (N,), (N, J, 2) and (N, J)."""
        pose = torch.cat([joints_px, confidence[..., None].to(joints_px.dtype)], dim=-1)
        of_person = torch.stack([number.to(error.dtype), error, oks.to(error.dtype)], dim=-1)
        row = torch.cat([of_person.to(pose.dtype), pose.flatten(1)], dim=1)
        self.rows.append(row.float().flatten())

    def compute(self) -> Tensor:
        """Everything that was kept, over all processes."""
        return dim_zero_cat(self.rows) if len(self.rows) else torch.zeros(0)

    def persons(self) -> FoundPersons:
        """All persons, each once."""
        rows = self.compute().reshape(-1, _OF_PERSON + 3 * self.num_joints).cpu().numpy()
        numbers, first = np.unique(rows[:, 0].astype(np.int64), return_index=True)
        rows = rows[first]
        poses = rows[:, _OF_PERSON:].reshape(len(rows), self.num_joints, 3)
        return FoundPersons(numbers, rows[:, 1], rows[:, 2], poses[..., :2], poses[..., 2])
