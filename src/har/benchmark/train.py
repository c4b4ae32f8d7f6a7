"""``python -m har.benchmark train``: how fast the trainer trains here, and what holds it up.

Every phase on its kinds of batches, as the trainer runs them; the same on batches that are on the
device already, again and again: the ceiling that data cannot lower; and the loader alone. On a GPU
also how much of a step's time the device works.
"""

import copy
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, open_dict
from pytorch_lightning.utilities import move_data_to_device
from rich.console import Console
from rich.table import Column

from har.data.modules.base import BATCHES_AHEAD, TrainingDataModule
from har.modules.base import PhasedModule
from har.modules.compiling import StepCompiler
from har.modules.schedule import KINDS
from har.runs import building
from har.visual.terminal import make_table

_WARM_UP = 4  # rounds of the phase's kinds of batches, the first of which compiles
_PROFILED = 10  # steps


@dataclass
class Speed:
    """Of one phase on some of its kinds of batches.

    Attributes:
        name: phase, kinds, and whether it was compiled.
        steps, images: per second, as the trainer runs them; a clip counts as its frames.
        resident: images per second from batches that are on the device.
        loader: images per second of the loader alone.
        first_s: seconds from the start of ``trainer.fit`` until every kind was trained on once;
            None where the phase was measured before.
        step_ms, device_ms: of a step on resident batches, and how long the device works in it;
            None without a GPU.
    """

    name: str
    steps: float
    images: float
    resident: float
    loader: float
    first_s: float | None
    step_ms: float
    device_ms: float | None


class Epochs:
    """A schedule for the data module: every epoch has the same kinds and number of batches."""

    def __init__(self, kinds: Sequence[str], steps: int) -> None:
        self.kinds, self.steps = tuple(kinds), steps

    def epoch(self, epoch: int) -> tuple[tuple[str, ...], int | None]:
        """See :class:`har.data.modules.base.TrainingSchedule`."""
        return self.kinds, self.steps


class _Resident:
    """A loader of the same batches in turn."""

    def __init__(self, batches: Sequence[Any], count: int) -> None:
        self.batches, self.count = batches, count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        return (self.batches[i % len(self.batches)] for i in range(self.count))


class Clock(pl.Callback):
    """Times steps once they are warm; then profiles some more on a GPU.

    Args:
        kinds: of batches in turn.
        steps: that are timed.
    """

    def __init__(self, kinds: int, steps: int) -> None:
        self.kinds, self.steps, self.images = kinds, steps, 0
        self.warm = kinds * _WARM_UP
        self.first_s = self.seconds = 0.0
        self.device_ms: float | None = None
        self._began = time.perf_counter()
        self._profiler: Any = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        done, last = batch_idx + 1, self.warm + self.steps
        if self.warm < done <= last:
            self.images += count_images(batch)
        if done not in (self.kinds, self.warm, last):
            return
        on_gpu = module.device.type == "cuda"
        if on_gpu:
            torch.cuda.synchronize()
        now = time.perf_counter()
        if done == self.kinds:
            self.first_s = now - self._began
        if done == self.warm:
            self._began = now
        if done == last:
            self.seconds = now - self._began
            if on_gpu:
                self._profiler = torch.profiler.profile(
                    activities=[torch.profiler.ProfilerActivity.CUDA]
                )
                self._profiler.start()

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        if self._profiler is not None:
            torch.cuda.synchronize()
            self._profiler.stop()
            events = self._profiler.key_averages()
            total_us = sum(event.self_device_time_total for event in events)
            self.device_ms = total_us / 1000 / _PROFILED


def benchmark_train(cfg: DictConfig) -> None:
    """Measures every phase on every kind of its batches and prints the tables."""
    logging.getLogger("pytorch_lightning.utilities.rank_zero").setLevel(logging.WARNING)
    pl.seed_everything(cfg.seed, verbose=False)
    torch.set_float32_matmul_precision("high")
    cfg = copy.deepcopy(cfg)
    with open_dict(cfg):
        cfg.ckpt_path = None
    data = building.build_data(cfg, "fit")
    cfg = building.decide(cfg, data)
    phases = [name for name, phase in cfg.module.phases.items() if phase is not None]
    speeds = []
    for phase in [name for name in KINDS if name in phases]:
        for compiled in _settings(cfg):
            module = _module(cfg, data, phase, compiled)
            kinds = KINDS[phase]
            for some in dict.fromkeys([kinds, *((kind,) for kind in kinds)]):
                speeds.append(_measure(cfg, data, module, some))
    _print(cfg, speeds)


def count_images(batch: Mapping[str, Any]) -> int:
    """Images of a batch, (N, H, W, 3) or (N, T, H, W, 3)."""
    shape = batch["images"].shape
    return int(shape[0] * (shape[1] if len(shape) == 5 else 1))


def _settings(cfg: DictConfig) -> list[bool]:
    """Whether to measure without and with compiling."""
    setting = cfg.trainer.get("compile", "auto")
    on_gpu = cfg.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return [False, True] if setting is True or (setting == "auto" and on_gpu) else [False]


def _module(cfg: DictConfig, data: TrainingDataModule, phase: str, compiled: bool) -> PhasedModule:
    """A module that trains one phase; it is compiled once, however often it is measured."""
    cfg = copy.deepcopy(cfg)
    for name in cfg.module.phases:
        if name != phase:
            cfg.module.phases[name] = None
    module = building.build_module(cfg, data)
    module.step_compiler = StepCompiler(compiled)
    return module


def _measure(
    cfg: DictConfig, data: TrainingDataModule, module: PhasedModule, kinds: tuple[str, ...]
) -> Speed:
    as_trained, trainer = _fit(cfg, data, module, kinds)
    loader = _loader_alone(data, kinds, as_trained.steps)
    data.schedule = Epochs(kinds, 1)
    device = trainer.strategy.root_device
    batches = [move_data_to_device(batch, device) for batch in data.train_dataloader()]
    resident, _ = _fit(cfg, data, module, kinds, batches)
    compiled = ", compiled" * module.step_compiler.active
    return Speed(
        f"{module.phase}: {' + '.join(kinds)}{compiled}",
        steps=as_trained.steps / as_trained.seconds,
        images=as_trained.images / as_trained.seconds,
        resident=resident.images / resident.seconds,
        loader=loader,
        first_s=as_trained.first_s if kinds == KINDS[module.phase] else None,
        step_ms=1000 * resident.seconds / resident.steps,
        device_ms=resident.device_ms,
    )


def _fit(
    cfg: DictConfig,
    data: TrainingDataModule,
    module: PhasedModule,
    kinds: tuple[str, ...],
    batches: Sequence[Any] = (),
) -> tuple[Clock, pl.Trainer]:
    """Trains for some steps, on ``batches`` if they are given."""
    timed = -(-int(cfg.steps) // len(kinds)) * len(kinds)
    total = len(kinds) * _WARM_UP + timed + _PROFILED
    data.schedule = Epochs(kinds, -(-total // len(kinds)))
    clock = Clock(len(kinds), timed)
    limits = {"max_epochs": 1, "max_steps": total, "limit_val_batches": 0}
    quiet = {"logger": False, "enable_progress_bar": False}
    trainer = building.build_trainer(cfg, callbacks=[clock], **limits, **quiet)
    if batches:
        vars(data)["train_dataloader"] = lambda: _Resident(batches, total)
    try:
        trainer.fit(module, datamodule=data)
    finally:
        vars(data).pop("train_dataloader", None)
    return clock, trainer


def _loader_alone(data: TrainingDataModule, kinds: tuple[str, ...], steps: int) -> float:
    """Images per second of the loader, once all its processes work."""
    ahead = max(1, 2 * BATCHES_AHEAD * data.num_workers)  # prefetched batches do not count
    data.schedule = Epochs(kinds, -(-(ahead + steps) // len(kinds)))
    images, began = 0, 0.0
    for number, batch in enumerate(data.train_dataloader()):
        if number == ahead - 1:
            began = time.perf_counter()
        elif number >= ahead:
            images += count_images(batch)
    return images / (time.perf_counter() - began)


def _print(cfg: DictConfig, speeds: Sequence[Speed]) -> None:
    console = Console()
    sizes = f"{cfg.data.resolution[0]}x{cfg.data.resolution[1]}, {cfg.trainer.precision}"
    where = torch.cuda.get_device_name() if any(s.device_ms for s in speeds) else "CPU"
    names = Column("phase: batches", overflow="fold")
    table = make_table(
        f"Training, {sizes}, {where}",
        [names],
        ["steps/s", "images/s", "resident", "loader", "first step"],
        caption="Images per second as trained, from batches on the device, of the loader\n"
        "alone; seconds from the start until every kind of batch was trained on once.",
        caption_justify="left",
    )
    for s in speeds:
        rates = [f"{value:.0f}" for value in (s.images, s.resident, s.loader)]
        first = "" if s.first_s is None else f"{s.first_s:.1f} s"
        table.add_row(s.name, f"{s.steps:.1f}", *rates, first)
    console.print(table)
    if all(s.device_ms is None for s in speeds):
        return
    table = make_table("A step on resident batches", [names], ["ms", "device works", "share"])
    for s in speeds:
        works = s.device_ms or 0.0
        table.add_row(
            s.name, f"{s.step_ms:.1f}", f"{works:.1f} ms", f"{100 * works / s.step_ms:.0f} %"
        )
    console.print(table)
