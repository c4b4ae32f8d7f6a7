"""Checkpoints and early stopping: Lightning's own, for runs that are killed and train in phases."""

import logging
import os
from contextlib import suppress
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import callbacks
from pytorch_lightning.trainer.states import TrainerFn

from har.errors import HarError
from har.modules.base import PhasedModule

log = logging.getLogger(__name__)


class _WatchesLastPhase(callbacks.Callback):
    """Where a metric is monitored, only the last phase's validations count: a phase of poses alone
    has nothing to say about actions."""

    monitor: Any

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        if self.monitor is not None and not sum(trainer.num_val_batches):
            what = f"There is no validation set, so nothing is chosen by {self.monitor}"
            keys = "data.val_subjects or data.val_persons"
            log.warning("%s: %s keeps a part of the training set out.", what, keys)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking:
            return
        if self.monitor is not None:
            if self.monitor not in trainer.callback_metrics:
                names = sorted(name for name in trainer.callback_metrics if "val/" in name)
                raise HarError(
                    f"monitor={self.monitor} is not measured by this run; its validation metrics "
                    f"are {', '.join(names)}."
                )
            assert isinstance(pl_module, PhasedModule)
            if not pl_module.schedule.in_last_phase(trainer.current_epoch):
                return
        super().on_validation_end(trainer, pl_module)


class Checkpoint(_WatchesLastPhase, callbacks.ModelCheckpoint):
    """Lightning's checkpoints: every file is written whole, and after the scalars before it.

    A run that is killed at any moment leaves the old file or the new one, and its loggers lack no
    scalar before that file: they keep them in memory for a while, so they are flushed first.

    Args:
        dirpath: folder of the checkpoints.
        **arguments: see :class:`pytorch_lightning.callbacks.ModelCheckpoint`. With ``save_last``
            the last step is always written. With ``monitor`` only the last phase counts.
    """

    def __init__(self, dirpath: str, **arguments: Any) -> None:
        names = {"auto_insert_metric_name": False, "enable_version_counter": False}
        super().__init__(dirpath, **{**names, **arguments})

    @property
    def state_key(self) -> str:
        """One per file name, so that a resumed run may write more or less often."""
        return f"{type(self).__qualname__}({self.filename or self.CHECKPOINT_NAME_LAST})"

    def _save_checkpoint(self, trainer: pl.Trainer, filepath: str) -> None:
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.save()
        partial = f"{filepath}.partial"
        try:
            # every process takes part, the first one writes
            super()._save_checkpoint(trainer, partial)
            self._last_checkpoint_saved = filepath
            if trainer.is_global_zero:
                os.replace(partial, filepath)
        except OSError as error:
            with suppress(OSError):
                os.unlink(partial)
            raise HarError(
                f"The checkpoint {filepath} cannot be written ({error.strerror or error}): make "
                "room, and go on with ckpt_path=last; the checkpoint before it is kept."
            ) from error

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        # A resumed run does not repeat the validation behind an epoch's last step: what it measured
        # belongs to the checkpoint, which is therefore written when the epoch ends.
        if _within_epoch(trainer):
            super().on_train_batch_end(trainer, *args)
            self._save_where_run_ends(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_validation_end(trainer, pl_module)
        if trainer.state.fn == TrainerFn.FITTING and _within_epoch(trainer):
            self._save_where_run_ends(trainer)  # early stopping may have ended it

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # A run that ends within an epoch comes by here too, and this epoch is not over.
        if not _within_epoch(trainer):
            super().on_train_batch_end(trainer, pl_module, None, None, 0)
            super().on_train_epoch_end(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.save_last and self._last_global_step_saved != trainer.global_step:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def _save_where_run_ends(self, trainer: pl.Trainer) -> None:
        """Writes the last step of a run that ends within an epoch (``max_steps``, ``max_time``,
        early stopping) while the epoch is in progress: Lightning then counts it as trained, and a
        run that goes on would skip what is left of it."""
        loop = trainer.fit_loop
        ends = 0 <= trainer.max_steps <= trainer.global_step
        ends = ends or (trainer.should_stop and loop._can_stop_early)
        if self.save_last and ends and self._last_global_step_saved != trainer.global_step:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))


def _within_epoch(trainer: pl.Trainer) -> bool:
    """Whether the epoch in progress has batches left."""
    return not trainer.fit_loop.epoch_loop.batch_progress.is_last_batch


class EarlyStopping(_WatchesLastPhase, callbacks.EarlyStopping):
    """Lightning's early stopping, in the last phase.

    Args:
        monitor: the metric that has to improve.
        **arguments: see :class:`pytorch_lightning.callbacks.EarlyStopping`.
    """

    def __init__(self, monitor: str, **arguments: Any) -> None:
        super().__init__(monitor, check_on_train_epoch_end=False, **arguments)
