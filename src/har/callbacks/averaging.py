"""A moving average of the weights, which follows quickly at first."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor, nn


class EMA(WeightAveraging):
    """Lightning's weight averaging with an exponential average, after every update.

    Validation measures the average, checkpoints hold it (and the weights that training goes on
    with), and the end of training takes it. Its decay rises from 0.1 to ``decay``, as in
    TensorFlow's moving averages: else the random weights of the start would count for thousands of
    updates.

    Lightning averages weight by weight and reads from the device how many updates there were; here
    all weights are averaged at once, and no update waits for the device.

    Args:
        decay: share of the average that stays; the last 1 / (1 - decay) updates count.
        **options: see :class:`pytorch_lightning.callbacks.WeightAveraging`.
    """

    def __init__(self, decay: float = 0.999, **options: Any) -> None:
        super().__init__(use_buffers=True, **options)
        self.decay = decay
        self._count = 0  # of the updates in the average, which the checkpoint's model has too

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert self._average_model is not None
        self._count = int(self._average_model.n_averaged)  # of a resumed run

    @torch.no_grad()
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        step, model = trainer.global_step, self._average_model
        if step <= self._latest_update_step or not self.should_update(step_idx=step - 1):
            return
        assert model is not None
        share = min(self.decay, (1 + self._count) / (10 + self._count)) if self._count else 0.0
        # Metrics of a validation are not in the copy: they come last and are left out.
        pairs = list(zip(_weights(model.module), _weights(pl_module), strict=False))
        averages = [average for average, _ in pairs]
        values = [value.to(average.device) for average, value in pairs]
        real = [average.is_floating_point() for average in averages]
        torch._foreach_lerp_(_of(averages, real, True), _of(values, real, True), 1 - share)
        if not all(real):  # counters
            torch._foreach_copy_(_of(averages, real, False), _of(values, real, False))
        model.n_averaged += 1
        self._count += 1
        self._latest_update_step = step


def _weights(module: nn.Module) -> list[Tensor]:
    return [*(parameter.detach() for parameter in module.parameters()), *module.buffers()]


def _of(tensors: list[Tensor], flags: list[bool], flag: bool) -> list[Tensor]:
    return [tensor for tensor, its in zip(tensors, flags, strict=True) if its is flag]
