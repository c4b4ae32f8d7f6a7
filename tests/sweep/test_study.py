"""What a sweep does with its trials, with a function in place of training."""

import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

optuna = pytest.importorskip("optuna", reason="the extra `sweep` is not installed")

from rich.console import Console

from har.errors import HarError
from har.sweep import study as module
from har.sweep.study import Sweep
from har.sweep.table import best_trial, print_trials, rerun_command
from har.sweep.trials import is_dead, this_process

SETTINGS: dict[str, Any] = {
    "metric": "val/action_top1",
    "mode": "max",
    "trials": 8,
    "seed": 0,
    "startup_trials": 3,
    "prune": None,
    "prune_after": 2,
    "space": {
        "model.growth": {"low": 1, "high": 100},
        "module.phases.pose.lr": {"low": 1e-4, "high": 1.0, "log": True},
    },
}
WORDS = ["experiment=demo", "paths.data_dir='/a b/data'"]
Train = Callable[[dict[str, str], Path], float]


def values_of(words: Sequence[str]) -> dict[str, str]:
    return dict(word.partition("=")[::2] for word in words)


def peak(values: dict[str, str]) -> float:
    """Best at a growth of 30 and a rate of 0.01."""
    rate = math.log10(float(values["module.phases.pose.lr"])) + 2
    return 100 - abs(int(values["model.growth"]) - 30) / 10 - rate**2


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., "optuna.Study"]:
    """Runs a sweep with a function of the values and the folder."""

    def run(train: Train = lambda values, _: peak(values), **settings: Any) -> "optuna.Study":
        def trained(words: list[str], folder: Path, metric: str, callbacks: list[Any]) -> float:
            assert words[: len(WORDS)] == WORDS
            folder.mkdir(parents=True, exist_ok=True)
            return train(values_of(words), folder)

        monkeypatch.setattr(module, "run_trial", trained)
        sweep = Sweep(tmp_path / "sweep_a", WORDS, {**SETTINGS, **settings})
        study = sweep.open()
        sweep.run(study)
        return study

    return run


def test_the_best_is_that_of_the_table(run: Callable[..., Any]) -> None:
    study = run()
    assert len(study.trials) == 8
    sweep = Sweep(Path(), WORDS, SETTINGS)
    best = best_trial(study.trials, sweep.measure)
    assert best.value == max(trial.value for trial in study.trials)
    command = rerun_command(WORDS, best)
    assert command.startswith("python -m har.train experiment=demo 'paths.data_dir=/a b/data' mod")
    assert peak(values_of(command.split())) == best.value


def test_the_lowest_is_best_where_it_is_an_error(run: Callable[..., Any]) -> None:
    settings = {"metric": "val/joint_error_mm", "mode": "min"}
    study = run(lambda values, _: -peak(values), **settings)
    sweep = Sweep(Path(), WORDS, {**SETTINGS, **settings})
    assert best_trial(study.trials, sweep.measure).value == min(t.value for t in study.trials)


def test_more_trials_go_on_with_other_values(run: Callable[..., Any]) -> None:
    assert len(run(trials=4).trials) == 4
    assert len(run(trials=4).trials) == 4
    study = run(trials=6)
    assert len(study.trials) == 6
    assert len({trial.params["module.phases.pose.lr"] for trial in study.trials}) == 6


def test_a_trial_that_fails_ends_alone(run: Callable[..., Any]) -> None:
    def train(values: dict[str, str], folder: Path) -> float:
        if folder.name == "1":
            raise HarError("The loss is nan\n at step 3.")
        if folder.name == "3":
            return math.nan
        return peak(values)

    study = run(train)
    states = [trial.state.name for trial in study.trials]
    assert [n for n, state in enumerate(states) if state == "FAIL"] == [1, 3]
    assert states.count("COMPLETE") == 8
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    print_trials(study, Sweep(Path(), WORDS, SETTINGS).measure, WORDS, console)
    text = console.export_text()
    assert "Trial 1 has failed: The loss is nan at step 3." in text
    assert max(map(len, text.splitlines())) <= 80
    rows = [line.split("│") for line in text.splitlines() if line.startswith("│")]
    assert len(rows) == 10
    best = best_trial(study.trials, Sweep(Path(), WORDS, SETTINGS).measure)
    assert int(rows[0][1]) == best.number


def test_a_sweep_whose_trials_all_fail_ends(run: Callable[..., Any]) -> None:
    def train(values: dict[str, str], folder: Path) -> float:
        raise HarError("There is no data.")

    with pytest.raises(HarError, match=r"^3 trials have failed .* There is no data\.$"):
        run(train)


class Killed(BaseException):
    """The process ends at once."""


def test_a_trial_whose_process_died_goes_on_in_its_folder(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    def train(values: dict[str, str], folder: Path) -> float:
        seen.append((folder.name, values["model.growth"]))
        if len(seen) == 3:
            raise Killed
        return peak(values)

    with pytest.raises(Killed):
        run(train)
    monkeypatch.setattr(module, "is_dead", lambda process: process == this_process())
    study = run(train)
    assert seen[3] == seen[2]
    assert seen[2][0] == "2"
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 8


def test_a_trial_of_a_process_that_lives_is_left_to_it(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(values: dict[str, str], folder: Path) -> float:
        raise Killed

    with pytest.raises(Killed):
        run(train)
    monkeypatch.setattr(module, "is_dead", lambda process: False)
    study = run()
    assert [trial.state.name for trial in study.trials] == ["RUNNING"] + ["COMPLETE"] * 7


def test_other_settings_need_another_name(run: Callable[..., Any]) -> None:
    run(trials=1)
    space = {"model.growth": {"choices": [1, 2]}}
    with pytest.raises(
        HarError, match=r"^The study a in .* give another name, sweep\.study=<name>"
    ):
        run(space=space)


def test_a_pruned_trial_counts_and_is_not_the_best(run: Callable[..., Any]) -> None:
    def train(values: dict[str, str], folder: Path) -> float:
        if int(folder.name) % 2:
            raise optuna.TrialPruned("pruned in phase pose, epoch 1")
        return peak(values)

    study = run(train)
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE", "PRUNED"] * 4
    assert best_trial(study.trials, Sweep(Path(), WORDS, SETTINGS).measure).number % 2 == 0


def test_processes_of_this_machine() -> None:
    host = this_process().partition(":")[0]
    assert is_dead(f"{host}:{2**22 + 1}")  # more than a number of a process can be
    assert not is_dead(f"{host}:{os.getppid()}")
    assert not is_dead("another:1")
    assert is_dead(this_process())  # it has just begun
