"""Judges the poses of MPII's persons by one crop or several of each, of any network with poses."""

from collections.abc import Mapping
from typing import Any

import torch

from har.layouts import LayoutLike
from har.metrics import PersonMetrics
from har.models.base import PoseNetwork
from har.modules.base import MeasuringModule
from har.modules.pose2d import poses_of_views


class PersonEvaluation(MeasuringModule):
    """For ``trainer.test(module, datamodule=<MPIIDataModule>)``, on any number of processes.

    Args:
        network: of :mod:`har.models`, with weights; it may know actions as well.
        layout: joint layout of its poses.
    """

    scores: PersonMetrics

    def __init__(self, network: PoseNetwork, layout: LayoutLike) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.layout = layout

    def _new_scores(self) -> PersonMetrics:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        return PersonMetrics(self.layout, self.network.num_pose_outputs, *data.person_metric)

    def test_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        self.scores.update(poses_of_views(self.network, batch), batch)
