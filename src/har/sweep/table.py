"""The end of a sweep: its trials as a table, and the command of the best one."""

import re
import shlex
from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.markup import escape
from rich.table import Column

from har.sweep.pruning import Measure
from har.sweep.space import as_words, short_names
from har.visual.terminal import make_table

_STATES = {
    TrialState.COMPLETE: "",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


def best_trial(trials: Sequence[FrozenTrial], measure: Measure) -> FrozenTrial | None:
    """Returns the best of the trials that were trained to their end; of equals the first."""
    done = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return max(done, key=lambda trial: measure.score(trial.value or 0.0), default=None)


def rerun_command(words: Sequence[str], trial: FrozenTrial) -> str:
    """Returns the command that trains once more with the parameters of a trial."""
    # paths without the quotes that Hydra needs: har.train quotes them itself
    plain = [re.sub(r"^([\w.+~]+)='([^']*)'$", r"\1=\2", word) for word in words]
    return shlex.join(["python", "-m", "har.train", *plain, *as_words(trial.params)])


def print_trials(
    study: optuna.Study, measure: Measure, words: Sequence[str], console: Console | None = None
) -> None:
    """Prints all trials, the best one first, its parameters and its command.

    Args:
        study: of the sweep.
        measure: by which it chooses.
        words: of the command line that all runs share.
        console: to print to; None: the terminal.
    """
    console = console or Console()
    trials = [t for t in study.get_trials(deepcopy=False) if t.state in _STATES and t.params]
    trials.sort(key=lambda t: (*_rank(t, measure), t.number))
    best = best_trial(trials, measure)
    names = short_names(sorted({key for trial in trials for key in trial.params}))
    parameters = [Column(escape(name), justify="right", overflow="fold") for name in names.values()]
    columns = [Column("trial", justify="right"), *parameters]
    table = make_table(f"Sweep {study.study_name}", columns, [measure.metric.removeprefix("val/")])
    whole = all(trial.state == TrialState.COMPLETE for trial in trials)
    if not whole:
        table.add_column("")
    for trial in trials:
        values = [_shown(trial.params.get(key)) for key in names]
        value = f"{trial.value:.4g}" if trial.state == TrialState.COMPLETE else ""
        state = _STATES[trial.state]
        if phase := trial.user_attrs.get("pruned_in"):
            state = f"{state} in {phase}"
        style = "bold" if trial is best else None
        table.add_row(str(trial.number), *values, value, *([] if whole else [state]), style=style)
    console.print(table)
    for trial in trials:
        if trial.state == TrialState.FAIL and (why := trial.user_attrs.get("failed")):
            console.print(f"Trial {trial.number} has failed: {why}", markup=False, highlight=False)
    if best is not None:
        print(f"The best is trial {best.number}, {measure.metric} {best.value:.4g}. Once more:")
        print(rerun_command(words, best))


def _rank(trial: FrozenTrial, measure: Measure) -> tuple[int, float]:
    order = list(_STATES).index(trial.state)
    return order, -measure.score(trial.value or 0.0) if trial.state == TrialState.COMPLETE else 0.0


def _shown(value: object) -> str:
    if value is None:
        return ""
    return escape(f"{value:.3g}" if isinstance(value, float) else str(value))
