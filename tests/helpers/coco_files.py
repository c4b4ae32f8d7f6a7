"""Drawn pictures with COCO key points: people of colored dots, in any skeleton."""

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from har.data.coco.prepare import PrepareReport, prepare_persons
from har.data.records import PersonSet

FIVE = ("head", "hand_left", "hand_right", "foot_left", "foot_right")
TWENTY_ONE = tuple(f"point {number}" for number in range(21))  # without left and right


def write_dots(
    folder: Path, joints: Sequence[str], *, pictures: int = 8, people: int = 2, seed: int = 0
) -> Path:
    """Pictures of ``people`` persons each and ``annotations.json`` in a folder."""
    rng = np.random.default_rng(seed)
    colors = rng.integers(60, 255, (len(joints), 3)).tolist()
    (folder / "images").mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for number in range(pictures):
        width, height = 100 * people + 20, 120
        picture = np.full((height, width, 3), 30, dtype=np.uint8)
        for person in range(people):
            low = np.array([100 * person + 15, 10])
            places = low + rng.integers(0, [80, 100], (len(joints), 2))
            for (x, y), color in zip(places.tolist(), colors, strict=True):
                cv2.circle(picture, (x, y), 3, color[::-1], -1)
            span = np.ptp(places, axis=0)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": 0,
                    "bbox": [*places.min(0).tolist(), *span.tolist()],
                    "area": float(span.prod()),
                    "keypoints": np.insert(places, 2, 2, axis=1).ravel().tolist(),
                    "num_keypoints": len(joints),
                }
            )
        name = f"video{number // 2}_{number % 2:03d}.png"
        cv2.imwrite(str(folder / "images" / name), picture)
        images.append({"id": number, "file_name": name, "width": width, "height": height})
    links = [[1, 1 + n] for n in range(1, len(joints))]
    category = {"id": 1, "name": "dots", "keypoints": list(joints), "skeleton": links}
    return write_json(folder / "annotations.json", images, annotations, [category])


def write_json(path: Path, images: Any, annotations: Any, categories: Any) -> Path:
    """A file of annotations."""
    content = {"images": images, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def changed(path: Path, out: Path, change: Any) -> Path:
    """A copy of a file of annotations after ``change(content)``."""
    content = copy.deepcopy(json.loads(path.read_text(encoding="utf-8")))
    change(content)
    out.write_text(json.dumps(content), encoding="utf-8")
    return out


def prepare(
    folder: Path, out: Path, name: str = "annotations.json", **options: Any
) -> tuple[PrepareReport, PersonSet]:
    """Prepares the pictures and annotations of a folder."""
    return prepare_persons(folder / "images", {"train": folder / name}, out, workers=0, **options)


def stems(persons: PersonSet, somebody: bool = True) -> list[str]:
    """The images of somebody, or of nobody."""
    rows = persons.rows
    chosen = np.isfinite(rows["joints_px"]).any((1, 2)) == somebody
    return [name.decode() for name in rows["image"][chosen].tolist()]
