"""What the LightningModules share: a network that learns in phases, and what every step logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from har.errors import HarError
from har.losses import pose_loss
from har.modules.schedule import Phase, PhasePlan


class PhasedModule(LightningModule):
    """Base of the modules.

    Args:
        network: of :mod:`har.models`.
        phases: by name, see :class:`har.modules.schedule.Phase`.
        layout: the joint layout of the poses.
        batch_norm_momentum: share of a new batch in the running statistics (PyTorch's
            convention; Keras' momentum 0.99 is 0.01 here).

    Attributes:
        plan: the phases in their order; ``phase``: name of the current one.
        run_info: plain values that a checkpoint carries.
        results: what the last test measured.
    """

    def __init__(
        self,
        network: nn.Module,
        phases: Mapping[str, Phase | None],
        layout: str,
        batch_norm_momentum: float,
    ) -> None:
        super().__init__()
        self.network: Any = network.to(memory_format=torch.channels_last)
        for layer in network.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.momentum = batch_norm_momentum
        self.plan = PhasePlan(phases)
        self.phase = next(iter(self.plan.phases))
        self.layout = layout
        self.run_info: dict[str, Any] = {}
        self.results: dict[str, Any] = {}

    @property
    def _data(self) -> Any:
        """The trainer's data module (Lightning's annotations do not know of it)."""
        return cast(Any, self.trainer).datamodule

    @property
    def label_names(self) -> Sequence[str]:
        """The classes' names, in the order of the network's outputs."""
        labels: Sequence[str] = self._data.labels
        return labels

    def _learning(self) -> Iterable[nn.Parameter]:
        """The parameters that the current phase trains."""
        return list(self.network.parameters())

    def configure_optimizers(self) -> Any:
        phase = self.plan.phases[self.phase]
        batches = self._data.batches_in_epoch(*self.plan.epoch(self.plan.first_epoch(self.phase)))
        return phase.build(self._learning(), phase.epochs * batches)

    # ---------------------------------------------------------------- steps

    def pose_step(self, network: Any, images: Tensor, batch: Mapping[str, Any]) -> Tensor:
        """Sum of the pose losses of every prediction block.

        Args:
            network: what is to learn the poses.
            images: (N, 3, H, W) in [-1, 1].
            batch: with ``pose`` (N, J, dim + 1) and ``name``.
        """
        parts = [pose_loss(pose, batch["pose"]).mean() for pose in network(images).poses]
        return self.logged("pose", torch.stack(parts).sum(), parts, batch)

    def logged(
        self, kind: str, loss: Tensor, parts: Sequence[Tensor], batch: Mapping[str, Any]
    ) -> Tensor:
        """The loss, after it and its parts were logged.

        Raises:
            HarError: it is not a number.
        """
        if not torch.isfinite(loss):
            names = ", ".join(sorted(set(batch["name"])))
            raise HarError(
                f"The loss is {loss.item()} at step {self.global_step} (phase {self.phase}) on "
                f"the samples {names}; look at these samples, or lower the learning rate."
            )
        size = len(batch["images"])
        blocks = {f"train/{kind}_loss/block_{i + 1}": part for i, part in enumerate(parts)}
        self.log_dict(blocks, batch_size=size)
        self.log(f"train/{kind}_loss", loss, prog_bar=True, batch_size=size)
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        self.log("train/learning_rate", rate, batch_size=size)
        return loss

    # ---------------------------------------------------------------- checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["har"] = {**self.run_info, "phase": self.phase}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        saved = checkpoint.get("har", {}).get("phase")
        if saved in self.plan.phases:
            self.phase = saved
