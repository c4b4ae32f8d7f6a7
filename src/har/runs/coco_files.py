"""Persons of an evaluation as COCO files: the ground truth, and what a network found.

Ids are made anew, from 1: pycocotools takes annotation 0 for none and loses all but one of those
with equal ids. Joints of COCO's persons come in COCO's order, so that its own sigmas fit them.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from har.data.lengths import areas, box_or_extent
from har.data.persons import in_order
from har.data.records import PersonSet
from har.files import whole_file
from har.layouts import Layout
from har.metrics.found_persons import FoundPersons
from har.metrics.keypoint_similarity import coco_order

GROUND_TRUTH, RESULTS = "coco_ground_truth.json", "coco_results.json"
_FAR = -1e4  # px; where joints are put whose place is no number


def coco_files(
    persons: PersonSet, layout: Layout, sigmas: Sequence[float], found: FoundPersons
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The ground truth document and the results of an evaluation.

    Persons without an annotated joint are ignored by the measure where they have a box; where they
    have none (a scene without anybody) their image is listed only.

    Args:
        persons: that were evaluated.
        layout: of the poses that were found.
        sigmas: (J,) that OKS uses, stored with the category.
        found: their poses, by their numbers in ``persons``.
    """
    order = list(coco_order(layout) or range(layout.num_joints))
    names = [layout.joints[number].replace(" ", "_") for number in order]
    places = {number: place + 1 for place, number in enumerate(order)}
    category = {
        "id": 1,
        "name": "person",
        "keypoints": names,
        "skeleton": [[places[i], places[j]] for i, j in layout.links],
        "sigmas": [sigmas[number] for number in order],
    }
    rows = persons.rows
    paths = list(dict.fromkeys(rows["image"].tolist()))
    images = {path: number for number, path in enumerate(paths, start=1)}
    from_stored = np.asarray(layout.order_from(persons.layout))
    joints = in_order(rows["joints_px"], from_stored)[:, order]
    flags = np.where(rows["visible"][:, from_stored][:, order] == 0, 1, 2)
    flags = np.where(np.isfinite(joints).all(-1), flags, 0)
    boxes, sizes = box_or_extent(persons), areas(persons)
    boxes[:, 2:] -= boxes[:, :2]
    listed = np.isfinite(boxes.sum(1))
    annotations = [
        {
            "id": number + 1,
            "image_id": images[rows["image"][number]],
            "category_id": 1,
            "name": rows["id"][number].decode(),
            "iscrowd": 0,
            "bbox": boxes[number].tolist(),
            "area": float(sizes[number]),
            "num_keypoints": int((flags[number] > 0).sum()),
            "keypoints": _flat(np.nan_to_num(joints[number]), flags[number]),
        }
        for number in np.flatnonzero(listed).tolist()
    ]
    results = [
        {
            "image_id": images[rows["image"][number]],
            "category_id": 1,
            "keypoints": _flat(pose[order], sure[order]),
            "score": float(np.nan_to_num(sure).mean()),
        }
        for number, pose, sure in zip(
            found.numbers.tolist(), found.joints_px, found.confidence, strict=True
        )
        if listed[number]
    ]
    document = {
        "info": {"description": f"{persons.source}; key points of the layout {layout.name}"},
        "images": [{"id": images[path], "file_name": path.decode()} for path in paths],
        "categories": [category],
        "annotations": annotations,
    }
    return document, results


def write_coco_files(
    folder: Path, ground_truth: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> None:
    """Writes both into a folder."""
    for name, content in ((GROUND_TRUTH, ground_truth), (RESULTS, results)):
        with whole_file(folder / name) as path:
            path.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")


def _flat(places: np.ndarray, third: np.ndarray) -> list[float]:
    """x, y and a third value of every joint."""
    places = np.where(np.isfinite(places), places, _FAR).astype(np.float64)
    return np.column_stack([places, np.nan_to_num(third)]).ravel().tolist()
