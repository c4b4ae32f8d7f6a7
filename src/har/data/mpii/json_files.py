"""The JSON files that came with HRNet and that mmpose uses: ``train.json`` and ``valid.json``.

"Vis" in them means labeled, not visible. Head boxes, which PCKh needs, are not in them but in
``gt_valid.mat``, for the persons of ``valid.json`` in the same order.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from har.data.matlab import read_matlab
from har.data.mpii.persons import NUM_JOINTS, Annotations, MPIIError, PersonList, Split

SOURCE = "JSON annotations"
_SAME_PLACE_PX = 2.0  # the two files round differently, and may count pixels from 0 or 1
_FEW = 0.01  # of the persons may differ: single coordinates are lost in copies that go round


def read_json(
    train: Path | None, valid: Path | None, head_boxes: Path | None = None
) -> Annotations:
    """Persons of ``train.json`` and ``valid.json``, each where it is given.

    Args:
        train, valid: the two files.
        head_boxes: ``gt_valid.mat``; without it no validation person can be scored.

    Raises:
        MPIIError: a file is damaged, or ``head_boxes`` belongs to other persons than ``valid``.
    """
    persons = PersonList(SOURCE)
    if train is not None:
        _add(persons, train, _load(train), Split.TRAIN, None)
    if valid is not None:
        rows = _load(valid)
        boxes = _head_boxes(head_boxes, valid, rows) if head_boxes is not None else None
        _add(persons, valid, rows, Split.VALIDATION, boxes)
    return persons.finish()


def _load(path: Path) -> list[Any]:
    """Images, joints (16, 2) with NaN where unlabeled, centers and scales of a file's persons."""
    try:
        persons = json.loads(path.read_bytes())
    except OSError as error:
        raise MPIIError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise MPIIError(f"{path} is damaged or is not a JSON file: download it again.") from error
    if not isinstance(persons, list):
        raise MPIIError(f"{path} has to be a list of persons, as HRNet and mmpose write it.")
    return [_row(path, number, person) for number, person in enumerate(persons)]


def _row(path: Path, number: int, person: Any) -> tuple[str, np.ndarray, np.ndarray, float]:
    try:
        joints = np.asarray(person["joints"], dtype=np.float64)
        labeled = np.asarray(person["joints_vis"], dtype=np.float64)
        center = np.asarray(person["center"], dtype=np.float64)
        image, scale = person["image"], float(person["scale"])
        fits = joints.shape == (NUM_JOINTS, 2) and labeled.shape == (NUM_JOINTS,)
        if not (fits and center.shape == (2,) and isinstance(image, str)):
            raise ValueError
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise MPIIError(
            f"Person {number} (from 0) of {path} is not as HRNet and mmpose write it: it needs "
            "image, scale, center (2), joints (16 x 2) and joints_vis (16)."
        ) from error
    joints[np.isnan(joints).any(-1)] = np.inf  # labeled, yet not a number: to be noted
    joints[labeled == 0] = np.nan
    if center[0] == -1:
        center = np.full(2, np.nan)  # these files' mark for none
    return image, joints, center, scale


def _add(
    persons: PersonList, path: Path, rows: list[Any], split: Split, boxes: np.ndarray | None
) -> None:
    running: dict[str, int] = {}
    for number, (image, joints, center, scale) in enumerate(rows):
        running[image] = running.get(image, 0) + 1
        persons.add(
            image,
            running[image],
            joints,
            centre_px=center,
            scale=scale,
            head_box_px=None if boxes is None else boxes[number],
            split=split,
        )


def _head_boxes(path: Path, valid: Path, rows: list[Any]) -> np.ndarray:
    """Head boxes (N, 4) of the persons of ``valid``, checked to be theirs."""
    boxes, truth, missing = (
        np.asarray(array)
        for array in read_matlab(
            path, "headboxes_src", "pos_gt_src", "jnt_missing", error=MPIIError
        )
    )
    count = boxes.shape[-1]
    shapes = (2, 2, count), (NUM_JOINTS, 2, count), (NUM_JOINTS, count)
    if (boxes.shape, truth.shape, missing.shape) != shapes or boxes.dtype.kind not in "uif":
        raise MPIIError(f"{path} does not hold head boxes as gt_valid.mat of MPII does.")
    if count != len(rows):
        raise MPIIError(
            f"{path} holds head boxes of {count} persons, but {valid} has {len(rows)}: take the "
            "valid.json that belongs to it (test.json, with 7,247 persons, cannot be scored)."
        )
    if count == 0:
        return np.empty((0, 4))
    joints = np.array([row[1] for row in rows]).reshape(count, NUM_JOINTS, 2)
    truth = truth.transpose(2, 0, 1).astype(np.float64)
    known = np.isfinite(joints).all(-1) & (missing.T == 0)
    apart = np.where(known, np.abs(truth - np.where(known[..., None], joints, 0)).max(-1), 0)
    others = (apart > _SAME_PLACE_PX).sum(-1) > known.sum(-1) / 2
    if others.mean() > _FEW:
        first = int(np.flatnonzero(others)[0])
        raise MPIIError(
            f"{path} and {valid} hold different persons from number {first} (from 0) on: take the "
            "two files from the same download."
        )
    return boxes.transpose(2, 0, 1).reshape(count, 4).astype(np.float64)
