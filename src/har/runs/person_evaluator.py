"""Measures poses of persons of MPII by one crop or several of each, of any network with poses."""

from collections.abc import Mapping
from typing import Any

from har.metrics import PersonMetrics
from har.modules.base import MeasuringModule
from har.modules.pose2d import poses_of_views


class PersonEvaluation(MeasuringModule):
    """For ``trainer.test(module, datamodule=<MPIIDataModule>)``, on any number of processes.

    Args:
        network: of :mod:`har.models`, with weights; it may know actions as well.
        layout: joint layout of its poses.
    """

    scores: PersonMetrics

    def test_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        self.scores.update(poses_of_views(self.network, batch), batch)
