"""The progress bar, and how many samples a second go through."""

import time
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, RichProgressBar
from pytorch_lightning.callbacks.progress.rich_progress import RichProgressBarTheme

from har.modules.base import PhasedModule

# On a terminal of 80 characters the bar leaves 17 for a name and its value.
_SHORTER = {"train/": "", "joint_error_mm": "error_mm", "action_top1": "top1"}


def _short(name: str) -> str:
    for long, short in _SHORTER.items():
        name = name.replace(long, short)
    return name


class ProgressBar(RichProgressBar):
    """Lightning's bar on a terminal; one line per epoch where the output is a file.

    Values are read from the device every ``log_every_n_steps`` only: Lightning's bar asks for them
    after every step, and each time the device has to finish what it was given.
    """

    def __init__(self) -> None:
        self._between = False  # steps whose values are read
        theme = RichProgressBarTheme(metrics_format=".3g", metrics_text_delimiter="  ")
        super().__init__(refresh_rate=5, leave=False, theme=theme)

    def get_metrics(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        """What the current phase trains, and the last validation.

        Lightning goes on to show losses of earlier phases.
        """
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        if not isinstance(pl_module, PhasedModule) or not pl_module.phase:
            return {_short(name): value for name, value in metrics.items()}
        kinds = pl_module.schedule.epoch(trainer.current_epoch)[0]
        now = tuple(f"train/{kind}_" for kind in kinds)
        of_training = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(now)
        }
        shown = {
            _short(name): value
            for name, value in {**of_training, **metrics}.items()
            if name in of_training or not name.startswith("train/")
        }
        return {"phase": pl_module.phase, **shown}

    def on_train_batch_end(
        self,
        trainer: Any,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._between = (batch_idx + 1) % trainer.log_every_n_steps != 0
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._between = False

    def _update_metrics(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._between:
            super()._update_metrics(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        console = self._console
        if trainer.is_global_zero and console is not None and not console.is_terminal:
            metrics = self.get_metrics(trainer, pl_module).items()
            values = "  ".join(f"{name} {v:.4g}" for name, v in metrics if isinstance(v, float))
            phase = pl_module.phase if isinstance(pl_module, PhasedModule) else ""
            epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            console.print(f"{epoch} {phase}  {values}")


class Throughput(Callback):
    """Logs ``train/images_per_second``, a clip counting as its frames, over all processes.

    The steps between two readings are timed as a whole, waiting for data included.
    """

    def __init__(self) -> None:
        self._images = 0
        self._since = time.perf_counter()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._images, self._since = 0, time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: Any,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Mapping[str, Any],
        batch_idx: int,
    ) -> None:
        images = batch.get("images")
        if images is None:  # stored features
            return
        self._images += images.shape[0] * (images.shape[1] if images.ndim == 5 else 1)
        if (batch_idx + 1) % trainer.log_every_n_steps == 0:
            now = time.perf_counter()
            rate = self._images * trainer.world_size / max(now - self._since, 1e-9)
            pl_module.log("train/images_per_second", rate, rank_zero_only=True)
            self._images, self._since = 0, now
