"""Writes predictions to files, each whole or not at all."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from har.files import whole_file
from har.prediction.results import Actions, Poses, top_actions

_TOP = 5


def write_poses(path: Path, poses: Poses) -> None:
    """Writes ``poses.npz``: the arrays of :class:`har.prediction.results.Poses`."""
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **poses.arrays())  # type: ignore[arg-type]


def write_actions(path: Path, actions: Actions) -> None:
    """Writes ``actions.csv``: time in s, track, the five likeliest actions and probabilities."""
    top = min(_TOP, len(actions.labels))
    columns = [f"{what}_{n}" for n in range(1, top + 1) for what in ("action", "probability")]
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["time_s", "track", *columns])
        rows = zip(actions.time_s, actions.track, actions.probabilities, strict=True)
        for time_s, track, values in rows:
            best = top_actions(values, actions.labels, top)
            cells = [cell for a in best for cell in (a.label, f"{a.probability:.4f}")]
            table.writerow([f"{time_s:.3f}", int(track), *cells])


def write_json(path: Path, value: Any) -> None:
    """Writes plain values as JSON."""
    with whole_file(path) as partial:
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        # names that are no text become escapes of JSON
        partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
