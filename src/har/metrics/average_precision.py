"""Average precision of poses by COCO's own program, pycocotools, whatever the skeleton."""

import contextlib
import copy
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError

WITHOUT_PYCOCOTOOLS = (
    "Average precision by OKS needs pycocotools: pip install pycocotools (or har[coco])."
)
# Where no joint lies. The area of a pose stays below 1e10, beyond which COCOeval would ignore it.
_FAR_PX = -1e5
_NAMES = {"ap": 0, "ap50": 1, "ap75": 2, "ar": 5}  # places among COCOeval's ten values


class NoPycocotools(HarError):
    """The package pycocotools is not installed."""


def average_precision(
    ground_truth: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    sigmas: Sequence[float],
) -> dict[str, float | None]:
    """AP of poses over OKS 0.5, 0.55, ..., 0.95, that at 0.5 and at 0.75, and the mean recall.

    Crowds and persons without a labeled joint count neither for nor against. Of an image the 20
    results of the highest scores count, as pycocotools has it for key points (``maxDets``).

    Args:
        ground_truth: a COCO key point document. It is made sound first, see :func:`sound`.
        results: COCO results: image_id, category_id, keypoints (x, y and anything, of every joint)
            and score. A joint that is not a finite number is never right.
        sigmas: (J,) of the joints.

    Returns:
        "ap", "ap50", "ap75" and "ar" in [0, 1]; None where nobody can be found.

    Raises:
        NoPycocotools: the package is not installed.
        HarError: results of an image or with a number of joints that the ground truth lacks, or
            an entry that lacks what COCO's have.
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
    images = _ids(document["images"], "images")
    categories = _ids(ground_truth["categories"], "categories")
    poses = [_bare(result, images, categories) for result in results]
    _check(document, poses, len(sigmas))
    if not results:
        return dict.fromkeys(_NAMES, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its progress
        truth = COCO()
        truth.dataset = document
        truth.createIndex()
        found = truth.loadRes(poses)
        evaluation = COCOeval(truth, found, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.asarray(sigmas, dtype=np.float64)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return {name: float(evaluation.stats[place]) for name, place in _NAMES.items()}


def sound(ground_truth: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a COCO document that pycocotools counts right.

    Annotations get ids from 1 on (0 would be "no match", and of equal ids one person would be
    left), and the ids of images and categories as those are listed ("2" is image 2); categories
    without key points are left out with their annotations; labeled joints are counted anew, a joint
    without a finite place is not labeled; areas and boxes that are missing or empty become those of
    the box or the joints.

    Raises:
        HarError: an entry that lacks what COCO's have, or is of an image that is not listed.
    """
    document = {key: value for key, value in ground_truth.items() if key != "annotations"}
    document = copy.deepcopy(document)
    document.setdefault("info", {})
    images = _ids(document.get("images"), "images")
    categories = _ids(document.get("categories", []), "categories")
    kept = [each for each in document.get("categories", []) if each.get("keypoints")]
    joints = {each["id"]: len(each["keypoints"]) for each in kept}
    document["categories"] = kept
    document["annotations"] = []
    for place, annotation in enumerate(_entries(ground_truth.get("annotations"), "annotations")):
        what = f"Annotation {annotation.get('id', f'number {place}')}"
        category = _known(annotation, "category_id", categories, what)
        if category in joints:
            image = _known(annotation, "image_id", images, what)
            same = {**annotation, "image_id": image, "category_id": category}
            number = len(document["annotations"]) + 1
            document["annotations"].append(_sound_annotation(same, number, joints[category], what))
    return document


def _entries(entries: Any, what: str) -> Sequence[Mapping[str, Any]]:
    """A list of a document, which has objects alone."""
    if not isinstance(entries, Sequence) or not all(isinstance(e, Mapping) for e in entries):
        raise HarError(f"The ground truth has no list of objects for its entries of {what}.")
    return entries


def _ids(entries: Any, what: str) -> dict[str, Any]:
    """The ids of entries, by what they are compared by."""
    found = {}
    for entry in _entries(entries, what):
        if not isinstance(entry.get("id"), (int, float, str)):
            raise HarError(f"The ground truth has an entry of {what} without an id: {entry!r:.80}")
        found[_key(entry["id"])] = entry["id"]
    return found


def _key(value: Any) -> str:
    """An id as it is compared: 7, 7.0 and "7" are the same."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def _known(entry: Mapping[str, Any], key: str, ids: Mapping[str, Any], what: str) -> Any:
    """What an entry refers to, as that is listed."""
    value = entry.get(key)
    if _key(value) not in ids:
        raise HarError(
            f"{what} is of {key.removesuffix('_id')} {value}, which the ground truth does not list."
        )
    return ids[_key(value)]


def _numbers(value: Any, key: str, what: str) -> NDArray[np.float64]:
    """Numbers of an entry; NaN for null."""
    try:
        found = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise HarError(f"{what} has {key} that is not of numbers: {value!r:.60}.") from error
    return np.where(np.isfinite(found), found, np.nan)


def _sound_annotation(
    annotation: Mapping[str, Any], number: int, joints: int, what: str
) -> dict[str, Any]:
    listed = annotation.get("keypoints") or [0] * 3 * joints
    keypoints = np.ravel(_numbers(listed, "a list of keypoints", what))
    points = keypoints[: len(keypoints) // 3 * 3].reshape(-1, 3)  # a view: flags change in both
    points[np.isnan(points).any(-1)] = 0  # not labeled
    labeled = points[points[:, 2] > 0, :2]
    box = _numbers(annotation.get("bbox") or [0] * 4, "a bbox", what)
    if box.shape != (4,) or np.isnan(box).any() or not (box[2:] > 0).all():
        low, high = (labeled.min(0), labeled.max(0)) if len(labeled) else (np.zeros(2),) * 2
        box = np.concatenate([low, np.maximum(high - low, 1)])
    area = _numbers(annotation.get("area") or 0, "an area", what)
    if area.shape != () or not area > 0:
        area = box[2] * box[3]
    return {
        **annotation,
        "id": number,
        "keypoints": keypoints.tolist(),
        "bbox": box.tolist(),
        "area": float(area),
        "iscrowd": int(is_crowd(annotation.get("iscrowd"))),
        "num_keypoints": len(labeled),
    }


def is_crowd(value: Any) -> bool:
    """What ``iscrowd`` of an annotation means: 0, false, no and nothing are no crowd."""
    return str(value).strip().lower() not in ("0", "0.0", "false", "no", "none", "null", "")


def _check(document: Mapping[str, Any], results: Sequence[Mapping[str, Any]], joints: int) -> None:
    """Poses have as many joints as there are sigmas, which pycocotools would say by a trace."""
    for each in (*document["annotations"], *results):
        if len(each["keypoints"]) != 3 * joints:
            raise HarError(
                f"A pose of image {each['image_id']} has {len(each['keypoints'])} numbers; "
                f"{joints} joints have {3 * joints}."
            )


def _bare(
    result: Mapping[str, Any], images: Mapping[str, Any], categories: Mapping[str, Any]
) -> dict[str, Any]:
    """What is measured of a result: a box in it would be taken for its area.

    A joint without a place lies far to the left of the image: NaN would be a perfect one.
    """
    what = "A result"
    image = _known(result, "image_id", images, what)
    what = f"A result of image {image}"
    category = _known(result, "category_id", categories, what)
    score = _numbers(result.get("score"), "a score", what)
    if score.shape != () or np.isnan(score):
        raise HarError(f"{what} has the score {result.get('score')}: give a finite number.")
    keypoints = np.ravel(_numbers(result.get("keypoints"), "a list of keypoints", what))
    points = keypoints[: len(keypoints) // 3 * 3].reshape(-1, 3)
    points[np.isnan(points[:, :2]).any(-1)] = (_FAR_PX, 0, 0)
    points[:, 2] = np.nan_to_num(points[:, 2])
    return {
        "image_id": image,
        "category_id": category,
        "keypoints": keypoints.tolist(),
        "score": float(score),
    }
