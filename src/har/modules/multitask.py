"""Poses and actions with one network: what a step computes and what is logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch import nn

from har.layouts import LayoutLike
from har.metrics import ClipMetrics, PersonMetrics
from har.models.base import PoseNetwork
from har.modules.base import PhasedModule
from har.modules.pose2d import poses_of_views
from har.modules.schedule import Phase
from har.modules.steps import action_losses
from har.transforms import normalize_images


class MultitaskModule(PhasedModule):
    """Trains a network on single frames (poses) and clips (actions) in phases.

    ``pose`` learns poses from single frames, ``frozen`` the action part on a fixed pose part,
    ``joint`` both, one update on frames and one on clips in turn, ``full`` everything from clips
    and their actions alone. In the frozen phase the pose part's batch normalization uses its
    stored statistics: what its weights will meet later (the original normalizes by the batch
    there).

    Source: Luvizon, Picard, Tabia, "Multi-task Deep Learning for Real-Time 3D Human Pose
    Estimation and Action Recognition", TPAMI 2020, section 6; CVPR 2018, section 5.

    Args:
        network, phases, layout, batch_norm_momentum: see :class:`PhasedModule`; the network is an
            :class:`har.models.SPNet` or :class:`har.models.ActionMergeNet`; in a schedule of the
            pose phase alone, one without an action part.
        action_weight: weight of every action output's cross-entropy; pose losses weigh 1.
    """

    in_progress_bar = ("action_top1", "joint_error_mm", "pckh")
    scores: ClipMetrics

    def __init__(
        self,
        network: PoseNetwork | Mapping[str, Any],
        phases: Mapping[str, Phase | None] | None = None,
        layout: LayoutLike = "pa17j",
        action_weight: float = 0.1,
        batch_norm_momentum: float = 0.01,
    ) -> None:
        super().__init__(network, phases, layout, batch_norm_momentum)
        self.save_hyperparameters({"action_weight": action_weight}, logger=False)
        self.action_weight = action_weight
        self.person_scores: PersonMetrics | None = None

    def train(self, mode: bool = True) -> MultitaskModule:
        """Training mode; a frozen pose part keeps normalizing by its stored statistics."""
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

    def _begin_phase(self) -> None:
        super()._begin_phase()
        learning = {id(parameter) for parameter in self._learning()}
        for parameter in self.network.parameters():
            parameter.requires_grad_(id(parameter) in learning)
        self.train()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Not in on_train_epoch_start: a run resumed within an epoch does not come by there.
        phase = self.schedule.name_at(self.current_epoch)
        if phase != self.phase:
            self.phase = phase
            self._begin_phase()
            self.trainer.strategy.setup_optimizers(self.trainer)

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        images, gamma = batch["images"], batch["gamma"]
        if images.ndim == 4:  # single frames
            return self.pose_step(batch)
        arguments = images, gamma, batch["action"], self.action_weight
        found = self.step_compiler(action_losses, self.network, *arguments)
        assert found.extra is not None
        return self.logged("action", found.loss, found.parts, batch, action_top1=found.extra)

    def validation_step(
        self, batch: Mapping[str, Any], batch_idx: int, dataloader_idx: int = 0
    ) -> STEP_OUTPUT:
        kinds = self.data.test_kinds if self.trainer.testing else self.data.val_kinds
        if kinds[dataloader_idx] == "person":
            assert self.person_scores is not None
            self.person_scores.update(poses_of_views(self.network, batch), batch)
            return None
        out = self.network(normalize_images(batch["images"], batch["gamma"]))
        self.scores.update(out.poses, batch, out.actions)
        return {"pose": out.poses[-1], "probabilities": out.actions[-1] if out.actions else None}

    test_step = validation_step

    def _new_scores(self) -> ClipMetrics:
        self.person_scores = None
        if self.data.person_metric is not None:
            self.person_scores = self._person_metrics().to(self.device)
        counts = (self.network.num_pose_outputs, self.network.num_action_outputs)
        of_data = (self.data.camera, self.data.depth_range_mm)
        return ClipMetrics(self.layout, len(self.label_names), *counts, *of_data)

    def _measured(self) -> dict[str, Any]:
        persons = self.person_scores.compute() if self.person_scores is not None else {}
        return {**self.scores.compute(), **persons}
