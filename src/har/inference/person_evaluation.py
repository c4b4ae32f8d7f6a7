"""Judges the poses of MPII's persons by one crop or several of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import nn

from har.modules.person_scores import PersonScores
from har.modules.scores import normalise_images


class PersonEvaluation(LightningModule):
    """For ``trainer.test(module, datamodule=<MPIIDataModule>)``, on any number of processes.

    Args:
        network: of :mod:`har.models`, with weights; it may know actions as well.
        layout: joint layout of its poses.
    """

    def __init__(self, network: nn.Module, layout: str) -> None:
        super().__init__()
        self.network: Any = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.layout = layout
        self.scores: PersonScores | None = None
        self.results: dict[str, Any] = {}  # what the last test measured

    def on_test_epoch_start(self) -> None:
        scores = PersonScores(self.layout, self.network.num_pose_outputs)
        self.scores = scores.to(self.device)

    def test_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        assert self.scores is not None
        images = normalise_images(batch["images"], batch["powers"])  # (N, V, 3, H, W)
        out = self.network(images.flatten(0, 1))
        self.scores.update([pose.unflatten(0, images.shape[:2]) for pose in out.poses], batch)

    def on_test_epoch_end(self) -> None:
        assert self.scores is not None
        self.results = self.scores.compute()
        for name in ("pckh", "pckh_auc"):
            if self.results[name] is not None:
                self.log(f"test/{name}", self.results[name], rank_zero_only=True)
