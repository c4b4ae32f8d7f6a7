"""Parts of MPII's annotation files, to be put together as a test wants them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

EMPTY = np.zeros((0, 0))


def structs(rows: list[dict[str, Any]]) -> np.ndarray:
    names = list(dict.fromkeys(name for row in rows for name in row))
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    for number, row in enumerate(rows):
        for name in names:
            array[0, number][name] = row.get(name, EMPTY)
    return array


def point(joint: float, x: Any, y: Any, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "id": np.array([[joint]]), **more}


def u8(value: float) -> np.ndarray:
    return np.array([[value]]).astype(np.uint8)


def release(path: Path, rects: list[Any], trains: list[int] | None = None) -> Path:
    """An official file of images with these ``annorect``."""
    images = [
        {"image": {"name": f"{number}.jpg"}, "annorect": rect} for number, rect in enumerate(rects)
    ]
    apart = np.empty((len(rects), 1), dtype=object)
    for number in range(len(rects)):
        apart[number, 0] = np.array([[1]], np.uint8) if number % 2 == 0 else EMPTY
    everything = {
        "annolist": structs(images),
        "img_train": np.array([trains or [1] * len(rects)], np.uint8),
        "single_person": apart,
    }
    scipy.io.savemat(path, {"RELEASE": everything})
    return path


PLACE = {"scale": np.array([[1.5]]), "objpos": {"x": u8(100), "y": u8(90)}}


def json_person(**changes: Any) -> dict[str, Any]:
    person = {
        "joints": [[float(10 * n), float(n)] for n in range(16)],
        "joints_vis": [1] * 16,
        "image": "a.jpg",
        "scale": 1.5,
        "center": [80.0, 9.0],
    }
    return {**person, **changes}


def write(path: Path, persons: Any) -> Path:
    path.write_text(json.dumps(persons))
    return path


def cell(items: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(shape)
