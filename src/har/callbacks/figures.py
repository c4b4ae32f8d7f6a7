"""Pictures of a validation: poses on frames, a skeleton in 3-D, the confusion matrix."""

from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from har.layouts import get_layout
from har.visual.draw import label, write_image
from har.visual.plots import figure_to_image, plot_confusion, plot_skeleton_3d
from har.visual.sheets import pose_sheet, pose_tile, side_colors


def log_picture(logger: Logger, name: str, picture: np.ndarray, step: int) -> None:
    """Hands an RGB picture (H, W, 3) uint8 to a logger; those that take none are left alone."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_image(name, picture, step, dataformats="HWC")
    elif isinstance(logger, WandbLogger):
        logger.log_image(name, [picture], step=step)
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_image(logger.run_id, picture, key=name, step=step)


class Figures(Callback):
    """Draws figures after every validation and test, for all loggers that take pictures and as
    the newest PNG files.

    Args:
        dirpath: folder of the PNG files.
        num_samples: how many samples are drawn: the first ones, the same every time.
    """

    def __init__(self, dirpath: str, num_samples: int = 6) -> None:
        self.dirpath = Path(dirpath)
        self.num_samples = num_samples
        self._tiles: list[np.ndarray] = []
        self._skeleton: np.ndarray | None = None

    def _collect(self, module: Any, outputs: Any, batch: Any) -> None:
        if len(self._tiles) >= self.num_samples or not isinstance(outputs, dict):
            return
        layout = get_layout(module.layout)
        names = list(module.label_names)
        images = batch["images"].cpu().numpy()  # (N, T, H, W, 3), or the views of persons
        predicted = outputs["pose"].float().cpu().numpy()  # (N, T, J, dim + 1)
        true = batch["pose"].cpu().numpy()
        true = np.where(true[..., -1:] > 0, true[..., :-1], np.nan)  # joints that are visible
        probabilities = outputs["probabilities"]  # None for a network of poses only
        for i in range(min(len(images), self.num_samples - len(self._tiles))):
            frame = images.shape[1] // 2
            found, wanted = (poses[i, frame, :, :2] for poses in (predicted, true))
            tile = pose_tile(images[i, frame], layout, found, wanted)
            if probabilities is not None:
                best = int(probabilities[i].argmax())
                tile = label(tile, f"{names[best]} {float(probabilities[i, best]):.0%}")
            self._tiles.append(tile)
            if self._skeleton is None and true.shape[-1] == 3:  # poses with a depth
                pose = predicted[i, frame, :, :3]
                figure = plot_skeleton_3d(pose, layout, true=true[i, frame])
                self._skeleton = figure_to_image(figure)

    def _show(self, trainer: pl.Trainer, module: Any, stage: str) -> None:
        tiles, skeleton = self._tiles, self._skeleton
        self._tiles, self._skeleton = [], None
        if not trainer.is_global_zero or not tiles:
            return
        colors = side_colors(get_layout(module.layout), truth=True)
        pictures = {"poses": pose_sheet(tiles, colors, columns=3)}
        if skeleton is not None:
            pictures["skeleton"] = skeleton
        confusion = module.scores.confusion_matrix()
        if confusion is not None:
            figure = plot_confusion(confusion, list(module.label_names))
            pictures["confusion"] = figure_to_image(figure)
        self.dirpath.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            write_image(self.dirpath / f"{stage}_{name}.png", picture)
            for logger in trainer.loggers:
                log_picture(logger, f"{stage}/{name}", picture, trainer.global_step)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, *args: Any
    ) -> None:
        self._collect(pl_module, outputs, batch)

    on_test_batch_end: Any = on_validation_batch_end

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._show(trainer, pl_module, "val")

    def on_test_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self._show(trainer, pl_module, "test")
