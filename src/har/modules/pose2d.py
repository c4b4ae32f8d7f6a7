"""Poses of single persons in images: what a step computes and what is logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytorch_lightning.utilities.types import STEP_OUTPUT
from torch import Tensor

from har.errors import HarError
from har.layouts import LayoutLike
from har.metrics import PersonMetrics
from har.models.base import PoseNetwork
from har.modules.base import PhasedModule
from har.modules.schedule import Phase
from har.modules.views import poses_of_views
from har.transforms import normalize_images


class Pose2DModule(PhasedModule):
    """Trains a network on persons in images; every prediction block learns the same poses.

    Validation and test see a person in one crop or several (the data module's ``views``), map the
    poses back to the image and measure PCKh there.

    Source: Luvizon, Picard, Tabia, "2D/3D Pose Estimation and Action Recognition using Multitask
    Deep Learning", CVPR 2018, sections 3 and 5.

    Args:
        network: any network whose output has ``poses``: :class:`har.models.ReceptionNet`,
            :class:`har.models.SPNet`, :class:`har.models.TorchvisionPoseNet`. Or its class's name
            and arguments.
        phases: the length, optimizer and schedule of the only phase, ``pose``; see
            :class:`har.modules.schedule.Phase`; None: not to be trained.
        layout: the joint layout of the poses.
        batch_norm_momentum: share of a new batch in the running statistics (PyTorch's
            convention; Keras' momentum 0.99 is 0.01 here).

    Raises:
        HarError: another phase than ``pose``.
    """

    def __init__(
        self,
        network: PoseNetwork | Mapping[str, Any],
        phases: Mapping[str, Phase | None] | None = None,
        layout: LayoutLike = "pa16j",
        batch_norm_momentum: float = 0.01,
    ) -> None:
        super().__init__(network, phases, layout, batch_norm_momentum)
        if phases is not None and list(self.schedule.phases) != ["pose"]:
            raise HarError(
                f"module.phases has {', '.join(self.schedule.phases)}; a network of poses alone "
                "has the phase pose only."
            )
        self.scores: PersonMetrics | None = None

    # ---------------------------------------------------------------- steps

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        images = normalize_images(batch["images"], batch["gamma"])  # (N, 3, H, W)
        return self.pose_step(images, batch)

    def _evaluate(self, batch: Mapping[str, Any]) -> dict[str, Tensor | None]:
        """Measures persons; the last block's poses (N, V, J, dim + 1) are for the pictures."""
        assert self.scores is not None
        poses = poses_of_views(self.network, batch)
        self.scores.update(poses, batch)
        return {"pose": poses[-1], "probabilities": None}

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        return self._evaluate(batch)

    def test_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        return self._evaluate(batch)

    def _new_scores(self) -> None:
        metric = self.data.person_metric
        assert metric is not None, "Pose2DModule evaluates persons in images"
        self.scores = PersonMetrics(self.layout, self.network.num_pose_outputs, *metric).to(
            self.device
        )

    def _measured(self) -> dict[str, Any]:
        assert self.scores is not None
        return self.scores.compute()
