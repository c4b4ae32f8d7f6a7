"""Pruning compares a trial with the others at the same epoch of the same phase."""

import statistics
from types import SimpleNamespace
from typing import Any

import pytest

optuna = pytest.importorskip("optuna", reason="the extra `sweep` is not installed")

import torch
from hypothesis import given
from hypothesis import strategies as st

from har.errors import HarError
from har.sweep.pruning import Measure, PhasePruner, Pruning, read_prune
from tests.helpers.tiny import make_module

optuna.logging.set_verbosity(optuna.logging.WARNING)


def study_of(scores: list[dict[int, float]], after: int = 2) -> "optuna.Study":
    study = optuna.create_study(direction="maximize", pruner=PhasePruner(after))
    for values in scores:
        study.add_trial(optuna.trial.create_trial(value=0.0, intermediate_values=values))
    return study


@given(st.lists(st.floats(-100, 100), max_size=6), st.floats(-100, 100), st.integers(1, 4))
def test_below_the_median_of_the_others(others: list[float], own: float, after: int) -> None:
    study = study_of([{0: 0.0, 7: score} for score in others], after)
    trial = study.ask()
    trial.report(own, 7)
    expected = len(others) >= after and own < statistics.median(others or [0.0])
    assert trial.should_prune() == expected


def test_only_the_same_step_counts() -> None:
    """An earlier phase's metric, of another unit, does not matter."""
    study = study_of([{0: -500.0, 1_000_000: 60.0}, {0: -400.0, 1_000_000: 50.0}])
    trial = study.ask()
    assert not trial.should_prune()
    trial.report(-450.0, 0)
    assert not trial.should_prune()
    trial.report(40.0, 1_000_000)
    assert trial.should_prune()
    last = study.ask()
    last.report(40.0, 2_000_000)
    assert not last.should_prune()


def test_other_metrics_than_those_of_the_validation_are_refused() -> None:
    for metric in ("test/action_top1", "train/action_loss", "action_top1"):
        with pytest.raises(HarError, match="A sweep chooses by a validation metric"):
            Measure(metric)
        with pytest.raises(HarError, match="A sweep chooses by a validation metric"):
            read_prune({"pose": {"metric": metric}})
    with pytest.raises(HarError, match="has the mode up: choose max or min"):
        Measure("val/action_top1", "up")
    with pytest.raises(HarError, match=r"sweep\.prune: pose is val/x; give metric:"):
        read_prune({"pose": "val/x"})
    assert read_prune(None) == {}
    assert read_prune({"pose": None, "joint": {"metric": "val/x", "mode": "min"}}) == {
        "joint": Measure("val/x", "min")
    }


def validate(callback: Pruning, epoch: int, **metrics: float) -> None:
    """What Lightning calls after a validation."""
    named = {f"val/{name}": torch.tensor(value) for name, value in metrics.items()}
    trainer: Any = SimpleNamespace(
        callback_metrics=named, current_epoch=epoch, sanity_checking=False
    )
    callback.on_validation_end(trainer, make_module())


def test_each_phase_reports_its_own_metric() -> None:
    """The phases pose, frozen and joint have two epochs each."""
    study = optuna.create_study(direction="maximize", pruner=PhasePruner(1))
    trial = study.ask()
    measures = {"pose": Measure("val/error", "min"), "joint": Measure("val/top1")}
    for epoch in range(6):
        validate(Pruning(trial, measures), epoch, error=100.0 - epoch, top1=10.0 * epoch)
    reported = study.get_trials()[0].intermediate_values
    assert reported == {0: -100.0, 1: -99.0, 2_000_000: 40.0, 2_000_001: 50.0}
    study.tell(trial, 50.0)
    worse = study.ask()
    with pytest.raises(optuna.TrialPruned):
        validate(Pruning(worse, measures), 1, error=120.0, top1=90.0)
    assert worse.user_attrs["pruned_in"] == "pose"
    with pytest.raises(HarError, match=r"val/error is not measured by these runs; .* val/top1\."):
        validate(Pruning(study.ask(), measures), 0, top1=90.0)
