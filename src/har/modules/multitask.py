"""Poses and actions with one network: what a step computes and what is logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch import Tensor, nn

from har import HarError
from har.data import MixedPoseDataModule
from har.losses import action_loss, pose_loss
from har.modules.phases import Phase, PhasePlan
from har.modules.scores import MultitaskScores, PersonScores, normalise_images


class MultitaskModule(LightningModule):
    """Trains a network on single frames (poses) and clips (actions) in phases.

    ``pose`` learns poses from single frames, ``frozen`` the action part on a fixed pose part,
    ``joint`` both, one update on frames and one on clips in turn, ``full`` everything from clips
    and their actions alone. In the frozen phase the pose part's batch normalisation uses its
    stored statistics: what its weights will meet later (the original normalises by the batch
    there).

    Source: Luvizon, Picard, Tabia, "Multi-task Deep Learning for Real-Time 3D Human Pose
    Estimation and Action Recognition", TPAMI 2020, section 6; CVPR 2018, section 5.

    Args:
        network: an :class:`har.models.SPNet` or :class:`har.models.ActionMergeNet`; in a plan of
            the pose phase alone, one without an action part.
        phases: by name, see :class:`har.modules.phases.Phase`.
        layout: the joint layout of the poses.
        action_weight: weight of every action output's cross-entropy; pose losses weigh 1.
        batch_norm_momentum: share of a new batch in the running statistics (PyTorch's
            convention; Keras' momentum 0.99 is 0.01 here).
    """

    def __init__(
        self,
        network: nn.Module,
        phases: Mapping[str, Phase | None],
        layout: str = "pa17j",
        action_weight: float = 0.1,
        batch_norm_momentum: float = 0.01,
    ) -> None:
        super().__init__()
        self.network: Any = network.to(memory_format=torch.channels_last)
        for layer in network.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.momentum = batch_norm_momentum
        self.plan = PhasePlan(phases)
        self.phase = next(iter(self.plan.phases))
        self.layout = layout
        self.action_weight = action_weight
        self.scores: MultitaskScores | None = None
        self.person_scores: PersonScores | None = None
        self.run_info: dict[str, Any] = {}  # plain values that a checkpoint carries
        self.results: dict[str, Any] = {}  # what the last test measured

    @property
    def _data(self) -> Any:
        """The trainer's data module (Lightning's annotations do not know of it)."""
        return cast(Any, self.trainer).datamodule

    # ---------------------------------------------------------------- phases and optimisers

    def train(self, mode: bool = True) -> MultitaskModule:
        """Training mode; a frozen pose part keeps normalising by its stored statistics."""
        super().train(mode)
        if mode and self.phase == "frozen":
            for part in self.network.pose_modules():
                part.eval()
        return self

    def _learning(self) -> list[nn.Parameter]:
        """The parameters that the current phase trains."""
        everything = list(self.network.parameters())
        if self.phase in ("joint", "full"):
            return everything
        actions = {id(parameter) for parameter in self.network.action_parameters()}
        return [p for p in everything if (id(p) in actions) == (self.phase == "frozen")]

    def _apply_phase(self) -> None:
        learning = {id(parameter) for parameter in self._learning()}
        for parameter in self.network.parameters():
            parameter.requires_grad_(id(parameter) in learning)
        self.train()

    def configure_optimizers(self) -> Any:
        phase = self.plan.phases[self.phase]
        optimizer = phase.optimizer(self._learning())
        batches = self._data.batches_in_epoch(*self.plan.epoch(self.plan.first_epoch(self.phase)))
        schedule = phase.build_scheduler(optimizer, phase.epochs * batches)
        return optimizer if schedule is None else {"optimizer": optimizer, "lr_scheduler": schedule}

    def on_train_start(self) -> None:
        self._apply_phase()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Not in on_train_epoch_start: a run resumed within an epoch does not come by there.
        phase = self.plan.name_at(self.current_epoch)
        if phase != self.phase:
            self.phase = phase
            self._apply_phase()
            self.trainer.strategy.setup_optimizers(self.trainer)

    # ---------------------------------------------------------------- steps

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        images = normalise_images(batch["images"], batch["powers"])
        size = len(images)
        if images.ndim == 4:  # single frames
            # ActionMergeNet shows its last pose only; in training every block has to learn.
            out = getattr(self.network, "pose_net", self.network)(images)
            parts = [pose_loss(pose, batch["pose"]).mean() for pose in out.poses]
            kind, loss = "pose", torch.stack(parts).sum()
        else:
            out = self.network(images)
            parts = [action_loss(logits, batch["action"]).mean() for logits in out.action_logits]
            kind, loss = "action", self.action_weight * torch.stack(parts).sum()
            hits = (out.action_logits[-1].argmax(1) == batch["action"]).float().mean()
            self.log("train/action_top1", hits, prog_bar=True, batch_size=size)
        self._check_finite(loss, batch)
        blocks = {f"train/{kind}_loss/block_{i + 1}": part for i, part in enumerate(parts)}
        self.log_dict(blocks, batch_size=size)
        self.log(f"train/{kind}_loss", loss, prog_bar=True, batch_size=size)
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log("train/learning_rate", rate, batch_size=size)
        return loss

    def _check_finite(self, loss: Tensor, batch: Mapping[str, Any]) -> None:
        if not torch.isfinite(loss):
            names = ", ".join(sorted(set(batch["name"])))
            raise HarError(
                f"The loss is {loss.item()} at step {self.global_step} (phase {self.phase}) on "
                f"the samples {names}; look at these samples, or lower the learning rate."
            )

    def _evaluate(self, batch: Mapping[str, Any]) -> Any:
        images = normalise_images(batch["images"], batch["powers"])
        out = self.network(images)
        if "head_size_px" in batch:  # persons of MPII
            assert self.person_scores is not None
            return self.person_scores.update(out.poses[-1], batch)
        assert self.scores is not None
        self.scores.update(out, batch)
        return {"pose": out.poses[-1], "probabilities": out.actions[-1] if out.actions else None}

    def validation_step(
        self, batch: Mapping[str, Any], batch_idx: int, dataloader_idx: int = 0
    ) -> STEP_OUTPUT:
        return self._evaluate(batch)

    def test_step(
        self, batch: Mapping[str, Any], batch_idx: int, dataloader_idx: int = 0
    ) -> STEP_OUTPUT:
        return self._evaluate(batch)

    def _new_scores(self) -> None:
        self.scores = MultitaskScores(
            self.layout,
            len(self._data.labels),
            self.network.num_pose_outputs,
            self.network.num_action_outputs,
        ).to(self.device)
        mixed = isinstance(self._data, MixedPoseDataModule)
        self.person_scores = PersonScores(self.layout).to(self.device) if mixed else None

    def _measured(self) -> dict[str, Any]:
        assert self.scores is not None
        persons = self.person_scores.compute() if self.person_scores is not None else {}
        return {**self.scores.compute(), **persons}

    def on_validation_epoch_start(self) -> None:
        self._new_scores()

    def on_test_epoch_start(self) -> None:
        self._new_scores()

    def on_validation_epoch_end(self) -> None:
        shown = ("action_top1", "joint_error_mm", "pckh")
        for name, value in MultitaskScores.scalars(self._measured()).items():
            self.log(f"val/{name}", value, prog_bar=name in shown, rank_zero_only=True)

    def on_test_epoch_end(self) -> None:
        self.results = self._measured()
        for name, value in MultitaskScores.scalars(self.results).items():
            self.log(f"test/{name}", value, rank_zero_only=True)

    # ---------------------------------------------------------------- checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["har"] = {**self.run_info, "phase": self.phase}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint.get("har", {}).get("phase")
        if saved in self.plan.phases:
            self.phase = saved

    @property
    def label_names(self) -> Sequence[str]:
        """The classes' names, in the order of the network's outputs."""
        labels: Sequence[str] = self._data.labels
        return labels
