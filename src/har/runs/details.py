"""What an evaluation reports beside its metrics: blocks, classes, confused pairs of actions."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Column

from har.files import whole_file
from har.visual.draw import write_image
from har.visual.plots import figure_to_image, plot_per_class
from har.visual.terminal import make_table

MOST_CONFUSED = 10
# column -> (name in the results, its format, 1 where more is better)
_BLOCK_COLUMNS = {
    "top-1": ("action_top1_by_block", "{:.1f} %", 1),
    "joint error": ("joint_error_mm_by_block", "{:.0f} mm", -1),
    "PCKh": ("pckh_by_block", "{:.1f} %", 1),
    "PCK": ("pck_by_block", "{:.1f} %", 1),
}


def add_blocks_and_pairs(
    results: dict[str, Any], confusion: np.ndarray, labels: list[str]
) -> dict[str, Any]:
    """The metrics, with the best block and the commonest mistakes.

    Args:
        results: of :class:`har.metrics.ClipMetrics`.
        confusion: (C, C) counts, rows the true actions.
        labels: names of the C actions.

    Returns:
        Also ``action_best_block`` (from 1) with its ``action_best_block_top1``, and
        ``most_confused``: the ten commonest mistakes.
    """
    blocks = results["action_top1_by_block"]
    best = int(np.argmax(blocks))
    return {
        **results,
        "action_best_block": best + 1,
        "action_best_block_top1": blocks[best],
        "most_confused": most_confused(confusion, labels),
    }


def most_confused(confusion: np.ndarray, labels: list[str]) -> list[dict[str, Any]]:
    """The commonest mistakes by count, at most ten: true and recognized action, how often, and
    the share of the true action's clips in percent."""
    mistakes = confusion.copy()
    np.fill_diagonal(mistakes, 0)
    totals = confusion.sum(1)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:MOST_CONFUSED]
    pairs = np.stack(np.unravel_index(order, mistakes.shape), axis=-1)
    return [
        {
            "true": labels[true],
            "recognised": labels[recognized],  # the key of version 0.1.0
            "count": int(mistakes[true, recognized]),
            "percent": 100 * float(mistakes[true, recognized] / totals[true]),
        }
        for true, recognized in pairs.tolist()
        if mistakes[true, recognized] > 0
    ]


def write_confusion(folder: Path, confusion: np.ndarray, labels: list[str]) -> None:
    """``confusion.csv``, counts with the true actions as rows, and the accuracies as a picture.

    (The matrix as a figure is drawn by the callback that draws all figures of a run.)
    """
    path, rows = folder / "confusion.csv", zip(labels, confusion.tolist(), strict=True)
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["true action", *labels])
        writer.writerows([label, *row] for label, row in rows)
    with np.errstate(invalid="ignore"):
        accuracy = confusion.diagonal() / confusion.sum(1)
    picture = figure_to_image(plot_per_class(accuracy, labels))
    write_image(folder / "figures" / "test_per_class.png", picture)


def print_details(results: dict[str, Any], protocol: dict[str, Any]) -> None:
    """The prediction blocks and the commonest mistakes as tables, and the protocol in a line."""
    console = Console()
    _print_blocks(console, results)
    if results.get("most_confused"):
        names = (Column(name, overflow="fold") for name in ("true action", "recognized as"))
        table = make_table("most confused", names, ["clips", "of its clips"])
        for pair in results["most_confused"]:
            share = f"{pair['percent']:.0f} %"
            classes = escape(pair["true"]), escape(pair["recognised"])
            table.add_row(*classes, str(pair["count"]), share)
        console.print(table)
    # an entry that is a protocol itself is that of a second data set
    others = {name.upper(): part for name, part in protocol.items() if isinstance(part, dict)}
    for title, part in {"Protocol": protocol, **others}.items():
        plain = {name: value for name, value in part.items() if not isinstance(value, dict)}
        shown = plain.keys() - {"actions", "prediction_block"}
        words = (f"{k.replace('_', ' ')}: {v}" for k, v in plain.items() if k in shown)
        console.print(f"{title}: {'; '.join(words)}", highlight=False, markup=False)


def _print_blocks(console: Console, results: dict[str, Any]) -> None:
    """A table per number of blocks (a network may have more with poses than with actions); the
    best block is that of the first column."""
    columns = {name: results.get(key) or [] for name, (key, _, _) in _BLOCK_COLUMNS.items()}
    for count in sorted({len(values) for values in columns.values() if len(values) > 1}):
        shown = {name: values for name, values in columns.items() if len(values) == count}
        table = make_table("by prediction block", [], ["block", *shown])
        table.add_column("")
        by, values = next(iter(shown.items()))
        sign = _BLOCK_COLUMNS[by][2]
        best = max(range(count), key=lambda i: -np.inf if values[i] is None else sign * values[i])
        for block in range(count):
            cells = [
                "-" if values[block] is None else _BLOCK_COLUMNS[name][1].format(values[block])
                for name, values in shown.items()
            ]
            marks = ["best"] * (block == best) + ["last"] * (block == count - 1)
            table.add_row(str(block + 1), *cells, ", ".join(marks))
        console.print(table)
