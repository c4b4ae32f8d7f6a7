"""Poses of single persons in images: what a step computes and what is logged."""

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
from har.transforms import normalize_images


def poses_of_views(network: PoseNetwork, batch: Mapping[str, Any]) -> list[Tensor]:
    """A network's poses in every crop of every person.

    Args:
        network: its output has ``poses``; actions, if it has them, are not used.
        batch: with ``images`` uint8 (N, V, H, W, 3) and ``gamma`` (N, 3).

    Returns:
        Of every prediction block, (N, V, J, dim + 1).
    """
    images = normalize_images(batch["images"], batch["gamma"])  # (N, V, 3, H, W)
    out = network.forward_frames(images.flatten(0, 1))
    return [pose.unflatten(0, images.shape[:2]) for pose in out.poses]


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
        phases: the only phase, ``pose``; None: not to be trained.
        layout, batch_norm_momentum: see :class:`PhasedModule`.

    Raises:
        HarError: another phase than ``pose``.
    """

    scores: PersonMetrics

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

    def training_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        return self.pose_step(batch)

    def validation_step(self, batch: Mapping[str, Any], batch_idx: int) -> STEP_OUTPUT:
        """Measures persons; the last block's poses (N, V, J, dim + 1) are for the pictures."""
        poses = poses_of_views(self.network, batch)
        self.scores.update(poses, batch)
        return {"pose": poses[-1], "probabilities": None}

    test_step = validation_step
