"""Average precision of poses by COCO's own program, pycocotools, whatever the skeleton."""

import contextlib
import copy
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from har.errors import HarError

WITHOUT_PYCOCOTOOLS = (
    "Average precision by OKS needs pycocotools: pip install pycocotools (or har[coco])."
)
_NAMES = {"ap": 0, "ap50": 1, "ap75": 2, "ar": 5}  # places among COCOeval's ten values


class NoPycocotools(HarError):
    """The package pycocotools is not installed."""


def average_precision(
    ground_truth: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    sigmas: Sequence[float],
) -> dict[str, float | None]:
    """AP of poses over OKS 0.5, 0.55, ..., 0.95, that at 0.5 and at 0.75, and the mean recall.

    Crowds and persons without a labeled joint count neither for nor against.

    Args:
        ground_truth: a COCO key point document. It is made sound first, see :func:`sound`.
        results: COCO results: image_id, category_id, keypoints (x, y and anything, of every joint)
            and score.
        sigmas: (J,) of the joints.

    Returns:
        "ap", "ap50", "ap75" and "ar" in [0, 1]; None where nobody can be found.

    Raises:
        NoPycocotools: the package is not installed.
        HarError: results of an image or with a number of joints that the ground truth lacks.
    """
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise NoPycocotools(WITHOUT_PYCOCOTOOLS) from error
    document = sound(ground_truth)
    labeled = [a for a in document["annotations"] if a["num_keypoints"] and not a["iscrowd"]]
    if not labeled:
        return dict.fromkeys(_NAMES)
    _check(document, results, len(sigmas))
    if not results:
        return dict.fromkeys(_NAMES, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth = COCO()
        truth.dataset = document
        truth.createIndex()
        found = truth.loadRes([_bare(result) for result in results])
        evaluation = COCOeval(truth, found, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(evaluation.stats[place]) for name, place in _NAMES.items()}


def sound(ground_truth: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a COCO document that pycocotools counts right.

    Annotations get ids from 1 on (0 would be "no match", and of equal ids one person would be
    left); categories without key points are left out with their annotations; labeled joints are
    counted anew; areas and boxes that are missing or empty become those of the box or the joints.
    """
    document = {key: value for key, value in ground_truth.items() if key != "annotations"}
    document = copy.deepcopy(document)
    document.setdefault("info", {})
    kept = [each for each in document.get("categories", []) if each.get("keypoints")]
    joints = {each["id"]: len(each["keypoints"]) for each in kept}
    of_persons = [a for a in ground_truth["annotations"] if a["category_id"] in joints]
    document["categories"] = kept
    document["annotations"] = [
        _sound_annotation(annotation, number, joints[annotation["category_id"]])
        for number, annotation in enumerate(of_persons, start=1)
    ]
    return document


def _sound_annotation(annotation: Mapping[str, Any], number: int, joints: int) -> dict[str, Any]:
    keypoints = annotation.get("keypoints") or [0] * 3 * joints
    points = np.array(keypoints[: len(keypoints) // 3 * 3], dtype=np.float64).reshape(-1, 3)
    labeled = points[points[:, 2] > 0, :2]
    box = np.array(annotation.get("bbox") or [0] * 4, dtype=np.float64)
    if box.shape != (4,) or not (box[2:] > 0).all():
        low, high = (labeled.min(0), labeled.max(0)) if len(labeled) else (box[:2], box[:2])
        box = np.concatenate([low, np.maximum(high - low, 1)])
    area = annotation.get("area") or 0
    if not (math.isfinite(area) and area > 0):
        area = box[2] * box[3]
    return {
        **annotation,
        "id": number,
        "keypoints": keypoints,
        "bbox": box.tolist(),
        "area": float(area),
        "iscrowd": int(annotation.get("iscrowd", 0)),
        "num_keypoints": len(labeled),
    }


def _check(document: Mapping[str, Any], results: Sequence[Mapping[str, Any]], joints: int) -> None:
    """Results fit their ground truth, which pycocotools would say by a trace."""
    images = {image["id"] for image in document["images"]}
    for result in results:
        if result["image_id"] not in images:
            raise HarError(
                f"A result is of image {result['image_id']}, which the ground truth does not list."
            )
    for each in (*document["annotations"], *results):
        if len(each["keypoints"]) != 3 * joints:
            raise HarError(
                f"A pose of image {each['image_id']} has {len(each['keypoints'])} numbers; "
                f"{joints} joints have {3 * joints}."
            )


def _bare(result: Mapping[str, Any]) -> dict[str, Any]:
    """What is measured of a result: a box in it would be taken for its area."""
    return {name: result[name] for name in ("image_id", "category_id", "keypoints", "score")}
