"""``last.ckpt``, from which a killed run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback


class LastCheckpoint(Callback):
    """Writes ``last.ckpt`` every few steps and at the end.

    One file, replaced in one move, so a kill at any moment leaves the old one or the new one.
    Nothing is chosen by a metric: the published recipe reports the last weights.

    Args:
        dirpath: folder of the checkpoints.
        every_n_steps: batches between two writings.
    """

    def __init__(self, dirpath: str, every_n_steps: int = 200) -> None:
        self.path = Path(dirpath) / "last.ckpt"
        self.every_n_steps = every_n_steps
        self._written_at = -1

    def _write(self, trainer: pl.Trainer) -> None:
        if self._written_at != trainer.global_step:
            self._written_at = trainer.global_step
            partial = self.path.with_name("last.ckpt.partial")
            # every process takes part, the first one writes; optimizer and loops are in it
            trainer.save_checkpoint(partial, weights_only=False)
            if trainer.is_global_zero:
                partial.replace(self.path)

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if trainer.global_step % self.every_n_steps == 0:
            self._write(trainer)

    def on_train_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self._write(trainer)
