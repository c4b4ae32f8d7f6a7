"""``python -m har.evaluate compare=[run1,run2]``: metrics of two or more runs side by side."""

import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Column

from har.errors import HarError
from har.files import whole_file
from har.runs.config import run_folder
from har.runs.report import ROWS
from har.visual.terminal import make_table

_ROWS = {
    **ROWS,
    "action_mean_class": ("action, mean of the classes", "{:.1f} %"),
    "action_best_block_top1": ("action, top-1 of the best block", "{:.1f} %"),
    "pck3d_auc": ("3-D PCK, area under the curve", "{:.1f} %"),
}
_LEFT_OUT = {"action_best_block"}  # a number, but no figure
_PROTOCOL = ("split", "clips", "steps", "flip", "box_per", "boxes", "views", "num_test_clips")


def compare(cfg: DictConfig) -> None:
    """Prints the runs as columns, and writes the same as ``comparison.md`` into the run folder.

    Raises:
        HarError: fewer than two runs, or one without readable ``metrics.json``.
    """
    named = [cfg.compare] if isinstance(cfg.compare, str) else cfg.compare
    paths = [Path(str(path)) for path in named]
    if len(paths) < 2:
        raise HarError("compare=[run1,run2] needs two run folders at least.")
    names, rows = _short_names(paths), comparison([read_metrics(path) for path in paths])
    columns = [Column(name, justify="right", overflow="fold") for name in names]
    table = make_table("runs side by side", ["", *columns])
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    lines = [["", *names], ["---", *["---:"] * len(names)], *rows]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    with whole_file(run_folder() / "comparison.md") as partial:
        partial.write_text(text, encoding="utf-8")


def read_metrics(path: Path) -> dict[str, Any]:
    """``metrics.json`` of a run folder, or that file itself.

    Raises:
        HarError: it is missing, or not one that a run has written.
    """
    file = path / "metrics.json" if path.is_dir() else path
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        if not all(isinstance(document[key], dict) for key in ("protocol", "metrics", "model")):
            raise TypeError
    except OSError as error:
        what = f"There is no {file} to compare ({error.strerror})"
        raise HarError(f"{what}: give folders of finished runs.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise HarError(f"{file} is not the metrics.json of a run: evaluate it again.") from error
    return document


def comparison(runs: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of text: a name, then a cell per run; first the metrics, then their protocols."""
    rows = []
    found = {name for run in runs for name, value in run["metrics"].items() if _is_number(value)}
    known = found - _LEFT_OUT
    for name in [*(name for name in _ROWS if name in known), *sorted(known - set(_ROWS))]:
        text, form = _ROWS.get(name, (name.replace("_", " "), "{:.2f}"))
        values = [run["metrics"].get(name) for run in runs]
        rows.append([text, *(form.format(v) if _is_number(v) else "-" for v in values)])
    for name in _PROTOCOL:
        values = [run["protocol"].get(name) for run in runs]
        if any(value is not None for value in values):
            rows.append([name.replace("_", " "), *("-" if v is None else str(v) for v in values)])
    checksums = [str(run["model"].get("weights_sha256", "-"))[:8] for run in runs]
    rows.append(["weights (SHA-256)", *checksums])
    return rows


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _short_names(paths: list[Path]) -> list[str]:
    """The last parts of the paths that tell the runs apart."""
    parts = [path.resolve().parts for path in paths]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-length:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]
