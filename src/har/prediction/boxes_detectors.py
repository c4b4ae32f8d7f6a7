"""Outputs of detectors as rows of a ``boxes`` file: COCO, torchvision and Ultralytics, as JSON.

- COCO: a list of results (``image_id``, ``category_id``, ``bbox`` as x, y, w, h, ``score``), or a
  document with ``images`` and ``annotations`` (https://cocodataset.org/#format-data);
- torchvision: objects with ``boxes`` (x1, y1, x2, y2), ``labels`` and ``scores``, by the name of an
  image, or in a list for the frames of a video;
- Ultralytics: lists of objects with ``name``, ``class``, ``confidence`` and ``box``, likewise, as
  ``results.to_json()`` writes one.

Only persons are used, and only boxes with a score of at least ``min_score``.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from har.errors import HarError

Cells = list[tuple[str, Any]]
Size = tuple[int, int] | None
"""Width and height of the picture that a box was drawn on, where they are given."""
_COCO_PERSON = 1  # torchvision counts as COCO does
_ULTRALYTICS_PERSON = 0
_SIDES = ("x1", "y1", "x2", "y2")


class Detection(NamedTuple):
    """A box before it is checked.

    Attributes:
        image: name of the image or video; "": none.
        frame: number of the frame; None: of an image.
        person: id; None: none is given.
        box: x1, y1, x2, y2 in pixels.
        score: None: none is given.
        is_person: whether its class is that of persons.
        size: width and height of the picture; None: they are not given.
    """

    image: Any
    frame: Any
    person: Any
    box: list[Any]
    score: Any
    is_person: bool
    size: Size = None


def detector_rows(
    path: Path, document: Any, min_score: float
) -> tuple[list[tuple[Cells, Size]], list[str]]:
    """The persons in a detector's output, as cells of a table of boxes.

    Args:
        path: of the file.
        document: its content.
        min_score: boxes with a lower score are left out.

    Returns:
        The cells and the size of the picture, and sentences about what is left out.

    Raises:
        HarError: it is no output of a detector that is known, or a box is none.
    """
    rows: list[tuple[Cells, Size]] = []
    left_out: Counter[str] = Counter()
    for number, found in enumerate(_detections(path, document), start=1):
        box = _numbers(found.box)
        score = None if found.score is None else _numbers([found.score])
        no_score = found.score is not None and (score is None or not math.isfinite(score[0]))
        if box is None or len(box) != 4 or no_score:
            raise HarError(
                f"{path}, box {number}: a box is four numbers and its score is one; this is "
                f"{str(found.box)[:80]} with {str(found.score)[:20]}."
            )
        if not found.is_person:
            left_out["are no persons"] += 1
        elif score is not None and score[0] < min_score:
            left_out[f"have a score below {min_score:g} (boxes_min_score=)"] += 1
        elif box[2] <= box[0] or box[3] <= box[1]:
            left_out["have an area of 0"] += 1
        else:
            first = [("image", found.image), ("frame", found.frame), ("id", found.person)]
            rows.append(([*first, *zip(_SIDES, box, strict=True)], found.size))
    if not rows:
        why = ", ".join(f"{count} {what}" for what, count in left_out.items()) or "it has none"
        raise HarError(f"{path} has no box of a person: {why}.")
    return rows, [f"{path}: {count} boxes {what}." for what, count in left_out.items()]


def _detections(path: Path, document: Any) -> Iterator[Detection]:
    if isinstance(document, dict) and "annotations" in document and "images" in document:
        return _of_coco(path, document)
    if isinstance(document, list) and all(_has(row, "bbox", "image_id") for row in document):
        return _of_coco_results(document)
    if isinstance(document, dict) and "boxes" not in document:
        if document and all(_is_frame(value) or _is_video(value) for value in document.values()):
            return _of_names(path, document)
    elif _is_frame(document):  # of one image: the file has its name
        return _of_frame(path, document, path.stem, None)
    elif _is_video(document):
        return _of_video(path, document, "")
    raise HarError(
        f"{path} is no list of objects with x1, y1, x2 and y2, and no output of COCO, torchvision "
        "or Ultralytics."
    )


def _has(value: Any, *keys: str) -> bool:
    return isinstance(value, dict) and all(key in value for key in keys)


def _is_frame(value: Any) -> bool:
    """Boxes of an image by torchvision or Ultralytics."""
    if isinstance(value, list):
        return all(_has(row, "box") for row in value)
    return _has(value, "boxes")


def _is_video(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_frame, value))


def _of_names(path: Path, document: Mapping[str, Any]) -> Iterator[Detection]:
    for name, value in document.items():
        if _is_frame(value):
            yield from _of_frame(path, value, name, None)
        else:
            yield from _of_video(path, value, name)


def _of_video(path: Path, frames: list[Any], name: str) -> Iterator[Detection]:
    for number, frame in enumerate(frames):
        named = _has(frame, "image") or _has(frame, "file_name")
        if named:  # a list of images
            image = frame["image"] if "image" in frame else frame["file_name"]
            yield from _of_frame(path, frame, image, frame.get("frame"))
        else:
            place = frame.get("frame", number) if isinstance(frame, dict) else number
            yield from _of_frame(path, frame, name, place)


def _of_frame(path: Path, value: Any, image: Any, frame: Any) -> Iterator[Detection]:
    if isinstance(value, list):
        for row in value:
            label = row.get("name", row.get("class", _ULTRALYTICS_PERSON))
            box = row["box"]
            if not _has(box, *_SIDES):
                raise HarError(f"{path}: a box of Ultralytics has x1, y1, x2 and y2, not {box}.")
            sides, score = [box[side] for side in _SIDES], row.get("confidence")
            person = label in ("person", _ULTRALYTICS_PERSON)
            yield Detection(image, frame, row.get("track_id"), sides, score, person)
        return
    boxes = value["boxes"]
    columns = []
    for names in (("labels",), ("scores",), ("ids", "track_ids")):
        given = next((value[name] for name in names if name in value), None)
        if not isinstance(boxes, list) or (given is not None and not isinstance(given, list)):
            raise HarError(f"{path}: boxes, labels and scores are lists (tensor.tolist()).")
        if given is not None and len(given) != len(boxes):
            raise HarError(f"{path}: {len(boxes)} boxes with {len(given)} {names[0]}.")
        columns.append([None] * len(boxes) if given is None else given)
    for box, label, score, person in zip(boxes, *columns, strict=True):
        is_person = label in (None, "person", _COCO_PERSON)
        yield Detection(image, frame, person, box if _is_list(box) else [], score, is_person)


def _of_coco_results(document: list[dict[str, Any]]) -> Iterator[Detection]:
    for row in document:
        image = row.get("file_name", row["image_id"])
        person = row.get("category_id", _COCO_PERSON) == _COCO_PERSON
        frame, track = row.get("frame"), row.get("track_id")
        yield Detection(image, frame, track, _corners(row["bbox"]), row.get("score"), person)


def _of_coco(path: Path, document: Mapping[str, Any]) -> Iterator[Detection]:
    for key in ("images", "annotations", "categories", "videos"):
        rows = document.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise HarError(f"{path}: {key} is a list of objects in a file of COCO.")
        if key != "annotations":
            _check_ids(path, key, rows)
    images = {str(image.get("id")): image for image in document["images"]}
    videos = {str(video.get("id")): video.get("name") for video in document.get("videos", [])}
    categories = {c.get("id"): c.get("name") for c in document.get("categories", [])}
    persons = {id for id, name in categories.items() if str(name).lower() == "person"}
    if categories and not persons:
        names = ", ".join(map(str, categories.values()))[:80]
        raise HarError(
            f"{path} has no category person ({names}): give the category of the persons this name, "
            "or leave out categories where 1 is that of persons."
        )
    persons = persons or {_COCO_PERSON}
    for number, row in enumerate(document["annotations"], start=1):
        image = images.get(str(row.get("image_id")))
        if image is None or not _has(row, "bbox"):
            raise HarError(
                f"{path}, annotation {number}: it needs a bbox, and the image_id of one of the "
                "images of the file."
            )
        frame = next((image[k] for k in ("frame", "frame_id", "frame_index") if k in image), None)
        name = image.get("file_name")
        if frame is not None:
            name = image.get("video", videos.get(str(image.get("video_id")), ""))
        person = row.get("category_id", _COCO_PERSON) in persons and not row.get("iscrowd")
        track = row.get("track_id", row.get("instance_id"))
        box, score = _corners(row["bbox"]), row.get("score")
        yield Detection(name, frame, track, box, score, person, _size(image))


def _check_ids(path: Path, key: str, rows: list[dict[str, Any]]) -> None:
    """Refuses two objects of one id, of which an annotation may mean either."""
    seen: dict[str, dict[str, Any]] = {}
    for row in rows:
        first = seen.setdefault(str(row.get("id")), row)
        if first != row:
            both = " and ".join(str(r.get("file_name", r.get("name"))) for r in (first, row))
            raise HarError(
                f"{path}: two {key} have the id {row.get('id')} ({both}); give each an id of its "
                "own, for its annotations too."
            )


def _size(image: Mapping[str, Any]) -> Size:
    width, height = image.get("width"), image.get("height")
    given = [type(side) is int and side > 0 for side in (width, height)]
    return (int(width), int(height)) if width and height and all(given) else None


def _corners(box: Any) -> list[Any]:
    """x, y, w, h as x1, y1, x2, y2; empty: they are none."""
    sides = _numbers(box) if _is_list(box) else None
    if sides is None or len(sides) != 4:
        return []
    x, y, width, height = sides
    return [x, y, x + width, y + height]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _numbers(values: list[Any]) -> list[float] | None:
    plain = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    return [float(value) for value in values] if plain else None
