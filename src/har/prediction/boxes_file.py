"""Boxes from a file: where another program located the persons of images or of a video.

A CSV file with a header, or a JSON list of objects: ``image``, the name of a file, or ``frame``,
the number of the video's frame, from 0; ``x1``, ``y1``, ``x2``, ``y2``, the smallest rectangle
around the person in pixels; ``id``, whole number of the person (optional: 0). In a video a person's
box is interpolated between the frames that have one.
"""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError
from har.geometry import FloatArray

_SIDES = ("x1", "y1", "x2", "y2")


class BoxesFile:
    """A file of boxes.

    Args:
        path: ending in .csv or .json.

    Raises:
        HarError: it cannot be read, or a row is not valid.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        rows = _read_rows(self.path)
        if not rows:
            raise HarError(f"{path} has no boxes.")
        self._of_image: dict[str, list[tuple[int, list[float]]]] = {}
        self._of_frame: dict[int, dict[int, list[float]]] = {}
        for number, row in enumerate(rows, start=1):
            box, person = _box_of(self.path, number, row)
            if row.get("image") not in (None, ""):
                self._of_image.setdefault(Path(str(row["image"])).name, []).append((person, box))
            else:
                frame = _whole(self.path, number, row, "frame")
                self._of_frame.setdefault(person, {})[frame] = box

    def of_image(self, name: str) -> tuple[list[int], FloatArray]:
        """Numbers of the N persons in an image, and their boxes (N, 4) in pixels; N may be 0."""
        found = self._of_image.get(name, [])
        return [person for person, _ in found], np.array([box for _, box in found]).reshape(-1, 4)

    def of_video(self) -> tuple[dict[int, NDArray[np.int64]], dict[int, FloatArray]]:
        """By person, the frames that have a box, ascending (K,), and the boxes (K, 4) in pixels.

        Raises:
            HarError: the boxes are those of images.
        """
        if not self._of_frame:
            raise HarError(f"{self.path} has the boxes of images: a video needs a column frame.")
        ordered = {person: dict(sorted(boxes.items())) for person, boxes in self._of_frame.items()}
        numbers = {person: np.array(list(boxes)) for person, boxes in ordered.items()}
        return numbers, {person: np.array(list(b.values())) for person, b in ordered.items()}


Boxes = BoxesFile | Callable[[NDArray[np.uint8]], FloatArray] | None
"""How persons are located: by a file, by a detector (image to boxes), or None, by the poses."""


def _read_rows(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise HarError(f"The file of boxes {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise HarError(
            f"The file of boxes {path} is no text: give a .csv or .json file."
        ) from error
    if path.suffix.lower() == ".csv":
        return list(csv.DictReader(text.splitlines()))
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HarError(f"The file of boxes {path} is no JSON ({error}).") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise HarError(f"{path} is no list of objects with x1, y1, x2 and y2.")
    return rows


def _box_of(path: Path, number: int, row: dict[str, Any]) -> tuple[list[float], int]:
    try:
        box = [float(row[side]) for side in _SIDES]
    except (KeyError, TypeError, ValueError) as error:
        raise HarError(f"{path}, box {number}: x1, y1, x2 and y2 must be numbers.") from error
    if not all(map(math.isfinite, box)) or box[2] <= box[0] or box[3] <= box[1]:
        raise HarError(f"{path}, box {number}: its area is 0; x2 > x1 and y2 > y1 are needed.")
    person = 0 if row.get("id") in (None, "") else _whole(path, number, row, "id")
    return box, person


def _whole(path: Path, number: int, row: dict[str, Any], key: str) -> int:
    try:
        value = int(row[key])
    except (KeyError, TypeError, ValueError) as error:
        raise HarError(
            f"{path}, box {number}: give the name of an image (image) or the number of a frame "
            "(frame), and the person as a whole number (id)."
        ) from error
    if value < 0:
        raise HarError(f"{path}, box {number}: {key} counts from 0.")
    return value
