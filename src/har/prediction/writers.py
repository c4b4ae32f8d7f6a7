"""Writes predictions to files, each whole or not at all."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from har.files import whole_file
from har.prediction.results import Actions, Poses, top_actions

_TOP = 5


def write_poses(path: Path, poses: Poses, names: Sequence[str] = ()) -> None:
    """Writes ``poses.npz``: the arrays of :class:`har.prediction.results.Poses`.

    Args:
        path: of the file.
        poses: of all frames.
        names: of images by frame number: another array ``image_names``.
    """
    extra = {"image_names": np.array(names)} if names else {}
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **poses.arrays(), **extra)  # type: ignore[arg-type]


def write_pose_table(path: Path, poses: Poses, names: Sequence[str] = ()) -> None:
    """Writes ``poses.csv``, a line for every joint of every person in every frame.

    Args:
        path: of the file.
        poses: of all frames; the columns are those of :meth:`Poses.columns`.
        names: of images by frame number: a first column ``image``.
    """
    head = ["image"] if names else []
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*head, *poses.columns()])
        joints = range(len(poses.joint_names))
        for row in range(len(poses)):
            frame = int(poses.frame[row])
            first = [names[frame]] if names else []
            first += [str(frame), f"{poses.time_s[row]:.4f}", str(int(poses.track[row]))]
            x, y = poses.joints_px[row].T.tolist()
            depth, confidence = poses.depth_mm[row].tolist(), poses.confidence[row].tolist()
            table.writerows(
                [
                    *first,
                    poses.joint_names[j],
                    f"{x[j]:.3f}",
                    f"{y[j]:.3f}",
                    "" if math.isnan(depth[j]) else f"{depth[j]:.1f}",
                    f"{confidence[j]:.4f}",
                ]
                for j in joints
            )


def write_actions(path: Path, actions: Actions) -> None:
    """Writes ``actions.csv``: time in s, track, the five likeliest actions and probabilities."""
    top = min(_TOP, len(actions.labels))
    columns = [f"{what}_{n}" for n in range(1, top + 1) for what in ("action", "probability")]
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["time_s", "track", *columns])
        rows = zip(actions.time_s, actions.track, actions.probabilities, strict=True)
        for time_s, track, values in rows:
            best = top_actions(values, actions.labels, top, actions.unknown_below)
            cells = [cell for a in best for cell in (a.label, f"{a.probability:.4f}")]
            table.writerow([f"{time_s:.3f}", int(track), *cells])


def write_json(path: Path, value: Any) -> None:
    """Writes plain values as JSON."""
    with whole_file(path) as partial:
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        # names that are no text become escapes of JSON
        partial.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
