"""Ends trials that do worse than others did at the same point of the same phase."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
import pytorch_lightning as pl
from optuna.trial import FrozenTrial, TrialState

from har.errors import HarError
from har.modules.base import PhasedModule

_PHASE = 1_000_000  # steps of a phase: epoch 3 of the second one is 1000003


@dataclass(frozen=True)
class Measure:
    """A validation metric, and whether the greatest or the lowest value is best."""

    metric: str
    mode: str = "max"

    def __post_init__(self) -> None:
        if not self.metric.startswith("val/"):
            raise HarError(
                f"A sweep chooses by a validation metric, and {self.metric} is none: give "
                "sweep.metric=val/..., for example val/action_top1."
            )
        if self.mode not in ("max", "min"):
            raise HarError(f"{self.metric} has the mode {self.mode}: choose max or min.")

    def score(self, value: float) -> float:
        """Returns a value as a number of which the greatest is best."""
        return value if self.mode == "max" else -value


def read_prune(prune: Any) -> dict[str, Measure]:
    """Returns by which metric trials are pruned in every phase.

    Raises:
        HarError: something in it is not a metric and its mode.
    """
    found = {}
    for phase, measure in (prune or {}).items():
        if measure is None:
            continue
        if not isinstance(measure, Mapping) or not {"metric"} <= set(measure) <= {"metric", "mode"}:
            raise HarError(f"sweep.prune: {phase} is {measure}; give metric: val/... and mode:.")
        found[str(phase)] = Measure(**{str(key): str(value) for key, value in measure.items()})
    return found


class PhasePruner(optuna.pruners.BasePruner):
    """Prunes a trial whose last score is below the median of the others' at the same step.

    Optuna's own median pruner compares with the best score of all earlier steps, which would mix
    the metrics of different phases.

    Args:
        after: scores of other trials at a step that are needed.
    """

    def __init__(self, after: int) -> None:
        self._after = after

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        step = trial.last_step
        if step is None:
            return False
        states = TrialState.COMPLETE, TrialState.PRUNED
        others = study.get_trials(deepcopy=False, states=states)
        scores = [t.intermediate_values[step] for t in others if step in t.intermediate_values]
        if len(scores) < self._after:
            return False
        return trial.intermediate_values[step] < statistics.median(scores)


class Pruning(pl.Callback):
    """Reports the validations of a run to its trial, and ends it where it is pruned.

    Args:
        trial: of the run.
        measures: by phase; other phases are not pruned.
    """

    def __init__(self, trial: optuna.Trial, measures: Mapping[str, Measure]) -> None:
        self._trial, self._measures = trial, measures

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, PhasedModule)
        schedule, epoch = pl_module.schedule, trainer.current_epoch
        phase = schedule.name_at(epoch)
        measure = self._measures.get(phase)
        if trainer.sanity_checking or measure is None:
            return
        if measure.metric not in trainer.callback_metrics:
            names = sorted(name for name in trainer.callback_metrics if "val/" in name)
            raise HarError(
                f"sweep.prune: {measure.metric} is not measured by these runs; their validation "
                f"metrics are {', '.join(names)}."
            )
        score = measure.score(trainer.callback_metrics[measure.metric].item())
        number = list(schedule.phases).index(phase)
        self._trial.report(score, _PHASE * number + epoch - schedule.first_epoch(phase))
        if self._trial.should_prune():
            self._trial.set_user_attr("pruned_in", phase)
            raise optuna.TrialPruned(f"pruned in phase {phase}, epoch {epoch}")
