"""The end of a run of own actions: tables, ``metrics.json``, confusion, clips named wrong."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Column

from har.data.modules.own_features import Fold, OwnFeaturesDataModule
from har.files import whole_file
from har.modules.base import PhasedModule
from har.modules.stored_actions import ActionScores
from har.runs.details import most_confused, write_confusion
from har.runs.report import optimized, print_table, write_metrics
from har.visual.draw import write_image
from har.visual.plots import figure_to_image, plot_confusion
from har.visual.terminal import make_table

_SHOWN = 20  # lines of a table


class OwnResults(NamedTuple):
    """What a run has measured.

    Attributes:
        data: the clips.
        folds: of the cross-validation over the training clips.
        held_out: (N, C) log probabilities of each fold's held-out clips.
        tested: (N,) rows that the metrics count.
        log_probabilities: (N, C) of them; None: nothing was tested.
        unknown_below: see :class:`har.models.spec.ModelSpec`.
    """

    data: OwnFeaturesDataModule
    folds: list[Fold]
    held_out: list[NDArray[np.float64]]
    tested: NDArray[np.int64]
    log_probabilities: NDArray[np.float64] | None
    unknown_below: float | None

    @property
    def is_cross_validated(self) -> bool:
        """Whether the metrics are those of the held-out clips of all folds."""
        return self.data.folds != "none"


def report_own(
    cfg: DictConfig,
    folder: Path,
    module: PhasedModule,
    results: OwnResults,
    trained: Mapping[str, float],
) -> dict[str, float] | float:
    """Writes and prints what was measured.

    Args:
        cfg: of the run.
        folder: of the run.
        module: trained.
        results: what was measured.
        trained: numbers of the training.

    Returns:
        The numbers, those of the training too, by name; with ``optimized_metric`` that one alone.

    Raises:
        HarError: no metric of that name was measured.
    """
    data, console = results.data, Console()
    metrics = _metrics(results)
    labels = list(data.labels)
    if results.log_probabilities is not None:
        confusion = _confusion(data, results.tested, results.log_probabilities)
        metrics["most_confused"] = most_confused(confusion, labels)
        write_confusion(folder, confusion, labels)
        picture = figure_to_image(plot_confusion(confusion, labels))
        write_image(folder / "confusion.png", picture)
        _write_clips(folder / "clips.csv", results)
    protocol = data.describe_protocol()
    write_metrics(folder / "metrics.json", cfg, module.network, protocol, metrics, {})
    if results.folds:
        console.print(_folds_table(results))
    if results.log_probabilities is not None:
        print_table(metrics, {}, labels, title=f"{cfg.name}, {protocol['split']}")
        if metrics["wrong_clips"]:
            console.print(_wrong_table(metrics["wrong_clips"]))
    for file, reason in sorted(data.left_out.items()):
        console.print(f"Left out: {file} ({reason})", markup=False, highlight=False)
    named = ", ".join(f"{number} {label}" for number, label in enumerate(labels))
    console.print(f"Classes: {named}", markup=False, highlight=False)
    if results.unknown_below is not None:
        text = f'Below a probability of {results.unknown_below:.2f} the answer is "unknown"'
        console.print(f"{text} (calibrated on held-out training clips).", highlight=False)
    print(f"Run folder: {folder}")
    measured = {name: value for name, value in metrics.items() if isinstance(value, (int, float))}
    numbers = {**trained, **measured}
    return optimized(cfg, numbers)


def _metrics(results: OwnResults) -> dict[str, Any]:
    data = results.data
    found: dict[str, Any] = {}
    if results.log_probabilities is not None:
        found |= _accuracies(data, results.tested, results.log_probabilities)
        found["wrong_clips"] = _wrong(results)
    if results.folds:
        rows = np.concatenate([fold.held_out for fold in results.folds])
        held = _accuracies(data, rows, np.concatenate(results.held_out))
        found["cross_validation_top1"] = held["action_top1"]
        found["cross_validation_mean_class"] = held["action_mean_class"]
        found["folds"] = [
            {"held_out": fold.name, "right": right, "clips": len(fold.held_out)}
            for fold, right in zip(results.folds, _right_by_fold(results), strict=True)
        ]
    if results.unknown_below is not None:
        found["unknown_below"] = results.unknown_below
        if results.log_probabilities is not None:
            best = np.exp(results.log_probabilities.max(1))
            found["unknown_percent"] = 100 * float((best < results.unknown_below).mean())
    return found


def _accuracies(
    data: OwnFeaturesDataModule, rows: NDArray[np.int64], scores: NDArray[np.float64]
) -> dict[str, Any]:
    return _scores(data, rows, scores).compute()


def _confusion(
    data: OwnFeaturesDataModule, rows: NDArray[np.int64], scores: NDArray[np.float64]
) -> NDArray[Any]:
    return _scores(data, rows, scores).confusion_matrix()


def _scores(
    data: OwnFeaturesDataModule, rows: NDArray[np.int64], scores: NDArray[np.float64]
) -> ActionScores:
    counted = ActionScores(len(data.labels))
    counted.update(torch.from_numpy(scores), torch.from_numpy(data.classes[rows]))
    return counted


def _right_by_fold(results: OwnResults) -> list[int]:
    pairs = zip(results.folds, results.held_out, strict=True)
    return [int((s.argmax(1) == results.data.classes[f.held_out]).sum()) for f, s in pairs]


def _wrong(results: OwnResults) -> list[dict[str, Any]]:
    """The clips that were named wrong, by file."""
    data, scores = results.data, results.log_probabilities
    assert scores is not None
    taken, labels = scores.argmax(1), data.labels
    return sorted(
        (
            {
                "file": data.files[row],
                "true": labels[int(data.classes[row])],
                "recognised": labels[int(best)],
                "probability": round(float(np.exp(score[best])), 4),
            }
            for row, best, score in zip(results.tested.tolist(), taken, scores, strict=True)
            if best != data.classes[row]
        ),
        key=lambda clip: str(clip["file"]),
    )


def _write_clips(path: Path, results: OwnResults) -> None:
    """``clips.csv``: every clip that was tested, by its probabilities."""
    data, scores = results.data, results.log_probabilities
    assert scores is not None
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "group", "true action", "recognized", *data.labels])
        for row, values in zip(results.tested.tolist(), scores, strict=True):
            true, best = data.labels[int(data.classes[row])], data.labels[int(values.argmax())]
            shown = [f"{value:.4f}" for value in np.exp(values)]
            group = data.groups[row].removeprefix("group ")
            table.writerow([data.files[row], group, true, best, *shown])


def _folds_table(results: OwnResults) -> Any:
    title = "leave one group out" if results.is_cross_validated else "cross-validation, training"
    table = make_table(title, [Column("held out", overflow="fold")], ["right", "clips", ""])
    right, total = 0, 0
    for fold, count in zip(results.folds, _right_by_fold(results), strict=True):
        clips = len(fold.held_out)
        table.add_row(escape(fold.name), str(count), str(clips), f"{100 * count / clips:.1f} %")
        right, total = right + count, total + clips
    table.add_section()
    table.add_row("all", str(right), str(total), f"{100 * right / total:.1f} %")
    return table


def _wrong_table(wrong: list[dict[str, Any]]) -> Any:
    columns = (Column(name, overflow="fold") for name in ("named wrong", "as"))
    table = make_table("clips", columns, ["probability"])
    for clip in wrong[:_SHOWN]:
        shown = escape(clip["file"]), escape(clip["recognised"])
        table.add_row(*shown, f"{100 * clip['probability']:.0f} %")
    if len(wrong) > _SHOWN:
        table.add_row(f"... {len(wrong) - _SHOWN} more, see clips.csv", "", "")
    return table
