"""Poses of single images: what a step computes and what is logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch import Tensor, nn

from har import HarError
from har.modules.persons import PersonScores
from har.modules.phases import Phase, PhasePlan
from har.modules.scores import normalise_images
from har.modules.steps import check_finite, pose_losses, set_batch_norm_momentum


class Pose2DModule(LightningModule):
    """Trains a network on persons in images; every prediction block learns the same poses.

    Validation and test see a person in one crop or several (the data module's ``views``), map the
    poses back to the image and measure PCKh there.

    Source: Luvizon, Picard, Tabia, "2D/3D Pose Estimation and Action Recognition using Multitask
    Deep Learning", CVPR 2018, sections 3 and 5.

    Args:
        network: any network whose output has ``poses``: :class:`har.models.ReceptionNet`,
            :class:`har.models.SPNet`, :class:`har.models.TorchvisionPoseNet`.
        phases: the length, optimiser and schedule of the only phase, ``pose``; see
            :class:`har.modules.phases.Phase`.
        layout: the joint layout of the poses.
        batch_norm_momentum: share of a new batch in the running statistics (PyTorch's
            convention; Keras' momentum 0.99 is 0.01 here).

    Raises:
        HarError: another phase than ``pose``.
    """

    label_names: tuple[str, ...] = ()  # nobody acts here
    phase = "pose"

    def __init__(
        self,
        network: nn.Module,
        phases: Mapping[str, Phase | None],
        layout: str = "pa16j",
        batch_norm_momentum: float = 0.01,
    ) -> None:
        super().__init__()
        self.network: Any = network.to(memory_format=torch.channels_last)
        set_batch_norm_momentum(network, batch_norm_momentum)
        self.plan = PhasePlan(phases)
        if list(self.plan.phases) != ["pose"]:
            raise HarError(
                f"module.phases has {', '.join(self.plan.phases)}; a network of poses alone has "
                "the phase pose only."
            )
        self.layout = layout
        self.person_scores: PersonScores | None = None
        self.run_info: dict[str, Any] = {}  # plain values that a checkpoint carries
        self.results: dict[str, Any] = {}  # what the last test measured

    def configure_optimizers(self) -> Any:
        phase = self.plan.phases["pose"]
        batches = cast(Any, self.trainer).datamodule.batches_in_epoch(*self.plan.epoch(0))
        return phase.build(self.network.parameters(), phase.epochs * batches)

    # ---------------------------------------------------------------- steps

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        images = normalise_images(batch["images"], batch["powers"])  # (N, 3, H, W)
        size = len(images)
        parts = pose_losses(self.network(images).poses, batch["pose"])
        loss = torch.stack(parts).sum()
        check_finite(loss, batch["name"], self.global_step, self.phase)
        blocks = {f"train/pose_loss/block_{i}": part for i, part in enumerate(parts, start=1)}
        self.log_dict(blocks, batch_size=size)
        self.log("train/pose_loss", loss, prog_bar=True, batch_size=size)
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log("train/learning_rate", rate, batch_size=size)
        return loss

    def _evaluate(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        """Measures persons; the last block's poses (N, V, J, dim + 1) are for the pictures."""
        assert self.person_scores is not None
        poses = poses_of_views(self.network, batch)
        self.person_scores.update(poses, batch)
        return {"pose": poses[-1]}

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        return self._evaluate(batch)

    def test_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        return self._evaluate(batch)

    def _new_scores(self) -> None:
        self.person_scores = PersonScores(self.layout, self.network.num_pose_outputs)
        self.person_scores.to(self.device)

    def _measured(self) -> dict[str, Any]:
        assert self.person_scores is not None
        return self.person_scores.compute()

    def on_validation_epoch_start(self) -> None:
        self._new_scores()

    def on_test_epoch_start(self) -> None:
        self._new_scores()

    def on_validation_epoch_end(self) -> None:
        for name, value in PersonScores.scalars(self._measured()).items():
            self.log(f"val/{name}", value, prog_bar=name == "pckh", rank_zero_only=True)

    def on_test_epoch_end(self) -> None:
        self.results = self._measured()
        for name, value in PersonScores.scalars(self.results).items():
            self.log(f"test/{name}", value, rank_zero_only=True)

    # ---------------------------------------------------------------- checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["har"] = {**self.run_info, "phase": self.phase}


def poses_of_views(network: nn.Module, batch: Mapping[str, Any]) -> list[Tensor]:
    """What a network sees in every crop of every person.

    Args:
        network: its output has ``poses``.
        batch: with ``images`` uint8 (N, V, H, W, 3).

    Returns:
        Of every prediction block, (N, V, J, dim + 1).
    """
    views = batch["images"].shape[:2]
    images = batch["images"].flatten(0, 1)
    out = network(normalise_images(images, images.new_ones(len(images), 3)))
    return [pose.unflatten(0, views) for pose in out.poses]
