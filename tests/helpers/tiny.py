"""A network, data and trainer small enough to train within a test."""

from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from har.callbacks import Checkpoint
from har.data import MultitaskDataModule
from har.data.augment import Augmentation
from har.models import SPNet
from har.modules import MultitaskModule, Phase

# The demo, small enough for a test.
DEMO = [
    "experiment=demo",
    "data.actions=[22,43]",
    "data.val_subjects=[4]",
    "data.resolution=[32,32]",
    "data.clip_size=4",
    "data.batch_size=2",
    "data.frame_batch_size=2",
    "data.num_workers=0",
    "model.num_actions=[2]",
    "model.num_levels=2",
    "model.growth=8",
    "model.num_pose_features=16",
    "model.num_visual_features=16",
    "trainer.log_every_n_steps=1",
    *(f"module.phases.{phase}.epochs=1" for phase in ("pose", "frozen", "joint")),
]

STEPS = {"pose": 3, "frozen": 2, "joint": 2}


def make_module(**phases: Phase | None) -> MultitaskModule:
    torch.manual_seed(0)
    network = SPNet(
        num_actions=(2,), num_levels=2, growth=8, num_pose_features=16, num_visual_features=16
    )
    optimizer = partial(torch.optim.SGD, lr=0.01, momentum=0.9, nesterov=True)
    schedule = partial(torch.optim.lr_scheduler.MultiStepLR, milestones=[1], gamma=0.5)
    plan: dict[str, Phase | None] = {
        name: Phase(2, optimizer, schedule, steps_per_epoch=steps) for name, steps in STEPS.items()
    }
    return MultitaskModule(network, {**plan, **phases})


def make_data(data_dir: Path, **arguments: Any) -> MultitaskDataModule:
    augmentation = Augmentation(scales=[0.9, 1.1], flip=True, steps=[2, 3])
    settings: dict[str, Any] = {
        "actions": [22, 43],
        "val_subjects": [4],
        "batch_size": 2,
        "frame_batch_size": 2,
        "clip_size": 4,
        "resolution": (32, 32),
        "augmentation": augmentation,
        "frame_augmentation": augmentation,
        "num_workers": 0,
    }
    return MultitaskDataModule(str(data_dir), **{**settings, **arguments})


class Recorder(pl.Callback):
    """Notes of every step: its number, the phase, the samples and the loss."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, str, tuple[str, ...], torch.Tensor]] = []

    @property
    def steps(self) -> list[tuple[int, str, tuple[str, ...], float]]:
        return [(*step, round(float(loss), 6)) for *step, loss in self._steps]  # type: ignore[misc]

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, *_: Any):
        loss = outputs["loss"].detach().clone()  # read when the run has ended: no step waits
        self._steps.append((trainer.global_step, module.phase, tuple(batch["name"]), loss))


def last_checkpoint(folder: Path, every_n_steps: int = 1) -> Checkpoint:
    return Checkpoint(str(folder), save_last=True, save_top_k=0, every_n_train_steps=every_n_steps)


def fit(
    data_dir: Path,
    folder: Path,
    *,
    max_steps: int = -1,
    ckpt_path: Path | None = None,
    every_n_steps: int = 1,
    module: MultitaskModule | None = None,
    data: dict[str, Any] | None = None,
    data_module: Any = None,
    **trainer_arguments: Any,
) -> tuple[MultitaskModule, list[tuple[int, str, tuple[str, ...], float]]]:
    module = module or make_module()
    recorder = Recorder()
    callbacks = trainer_arguments.pop("callbacks", [last_checkpoint(folder, every_n_steps)])
    trainer = pl.Trainer(
        **{
            "accelerator": "cpu",
            "devices": 1,
            "max_epochs": module.schedule.total_epochs,
            "max_steps": max_steps,
            "logger": False,
            "enable_checkpointing": any(isinstance(each, Checkpoint) for each in callbacks),
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "reload_dataloaders_every_n_epochs": 1,
            "use_distributed_sampler": False,
            "callbacks": [recorder, *callbacks],
            **trainer_arguments,
        }
    )
    data_module = data_module or make_data(data_dir, **(data or {}))
    data_module.schedule = module.schedule
    trainer.fit(
        module,
        datamodule=data_module,
        ckpt_path=ckpt_path,
        weights_only=True,
    )
    return module, recorder.steps
