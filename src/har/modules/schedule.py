"""The training schedule: which phase trains what, for how long, with which optimizer.

TPAMI 2020, section 6: the pose part is trained first; then the action part learns on top of a
fixed pose part; at last everything is tuned together, on poses and actions in turn (``joint``), or
on actions alone (``full``, CVPR 2018).
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import Optimizer

from har.errors import HarError

# What a phase is fed with, batch by batch in turn.
KINDS = {"pose": ("pose",), "frozen": ("action",), "joint": ("pose", "action"), "full": ("action",)}


@dataclass(frozen=True)
class Phase:
    """One phase of training.

    Args:
        epochs: length of the phase.
        optimizer: builds the optimizer from parameters (a partial of its class).
        scheduler: builds the learning rate schedule from the optimizer; ``total_steps`` is
            filled in where the schedule takes it. None: a constant rate.
        scheduler_interval: the schedule moves every ``"step"`` or every ``"epoch"``.
        steps_per_epoch: batches of every kind in an epoch; None: one pass over the clips (in a
            phase without clips over the images; where data sets are mixed, over the first one's).
    """

    epochs: int
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    scheduler: Callable[..., Any] | None = None
    scheduler_interval: str = "epoch"
    steps_per_epoch: int | None = None

    def build(self, parameters: Iterable[nn.Parameter], total_steps: int) -> dict[str, Any]:
        """Optimizer and schedule in Lightning's form.

        Args:
            parameters: what the phase trains.
            total_steps: number of updates in the phase.
        """
        parameters = list(parameters)
        optimizer = self.optimizer(parameters, **self._fused(parameters))
        if self.scheduler is None:
            return {"optimizer": optimizer}
        target = getattr(self.scheduler, "func", self.scheduler)
        takes_total = "total_steps" in inspect.signature(target).parameters
        extra = {"total_steps": self.total_steps(total_steps)} if takes_total else {}
        schedule = self.scheduler(optimizer, **extra)
        lr_scheduler = {"scheduler": schedule, "interval": self.scheduler_interval}
        return {"optimizer": optimizer, "lr_scheduler": lr_scheduler}

    def total_steps(self, steps: int) -> int:
        """What a schedule that takes a total of steps is given for a phase of so many."""
        # OneCycleLR divides by zero where its warm-up is a single step.
        warm_up = getattr(self.scheduler, "keywords", {}).get("pct_start", 0.1)
        return max(steps, math.ceil(2 / warm_up))

    def _fused(self, parameters: Iterable[nn.Parameter]) -> dict[str, bool]:
        """``fused=True`` on a GPU for optimizers that have it, unless the configuration chooses."""
        target = getattr(self.optimizer, "func", self.optimizer)
        chosen = {"fused", "foreach", "capturable"} & set(getattr(self.optimizer, "keywords", {}))
        on_gpu = all(parameter.device.type == "cuda" for parameter in parameters)
        has_it = "fused" in inspect.signature(target).parameters
        return {"fused": True} if on_gpu and has_it and not chosen else {}


class Schedule:
    """A training schedule: the phases in their order, addressed by epoch.

    One object for the module, which trains by it, and for its data module, which makes the batches.

    Args:
        phases: by name (``pose``, ``frozen``, ``joint``, ``full``); None leaves a phase out.

    Raises:
        HarError: an unknown name, or no phase at all.
    """

    def __init__(self, phases: Mapping[str, Phase | None]) -> None:
        unknown = sorted(set(phases) - set(KINDS))
        if unknown:
            raise HarError(
                f"module.phases has {', '.join(unknown)}; the phases are {', '.join(KINDS)}."
            )
        # The order is the method's, whatever order a configuration lists them in.
        in_order = ((name, phases.get(name)) for name in KINDS)
        self.phases = {name: phase for name, phase in in_order if phase and phase.epochs > 0}
        if not self.phases:
            raise HarError(f"module.phases is empty: give at least one of {', '.join(KINDS)}.")

    @property
    def total_epochs(self) -> int:
        """Length of all phases."""
        return sum(phase.epochs for phase in self.phases.values())

    def name_at(self, epoch: int) -> str:
        """The phase of an epoch; the last one goes on where a run is longer than the schedule."""
        end = 0
        for name, phase in self.phases.items():
            end += phase.epochs
            if epoch < end:
                return name
        return name

    def in_last_phase(self, epoch: int) -> bool:
        """Whether an epoch belongs to the phase that ends the run."""
        return self.name_at(epoch) == next(reversed(self.phases))

    def first_epoch(self, name: str) -> int:
        """The epoch in which a phase begins."""
        before = list(self.phases)[: list(self.phases).index(name)]
        return sum(self.phases[earlier].epochs for earlier in before)

    def epoch(self, epoch: int) -> tuple[tuple[str, ...], int | None]:
        """The kinds of an epoch's batches, in turn, and the batches of each (None: one pass)."""
        name = self.name_at(epoch)
        return KINDS[name], self.phases[name].steps_per_epoch
