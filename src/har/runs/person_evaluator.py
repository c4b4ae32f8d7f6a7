"""Judges the poses of MPII's persons by one crop or several of each, of any network with poses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import LightningModule

from har.layouts import LayoutLike
from har.metrics import PersonMetrics, scalars
from har.models.base import PoseNetwork
from har.modules.views import poses_of_views


class PersonEvaluation(LightningModule):
    """For ``trainer.test(module, datamodule=<MPIIDataModule>)``, on any number of processes.

    Args:
        network: of :mod:`har.models`, with weights; it may know actions as well.
        layout: joint layout of its poses.
    """

    def __init__(self, network: PoseNetwork, layout: LayoutLike) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.layout = layout
        self.scores: PersonMetrics | None = None
        self.results: dict[str, Any] = {}  # what the last test measured

    def on_test_epoch_start(self) -> None:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        self.scores = PersonMetrics(
            self.layout, self.network.num_pose_outputs, *data.person_metric
        ).to(self.device)

    def test_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        assert self.scores is not None
        self.scores.update(poses_of_views(self.network, batch), batch)

    def on_test_epoch_end(self) -> None:
        assert self.scores is not None
        self.results = self.scores.compute()
        for name, value in scalars(self.results).items():
            self.log(f"test/{name}", value, rank_zero_only=True)
