"""A COCO key-point JSON file as it was written, by an official program or by an annotation tool.

Only what a file cannot do without is required here; numbers, boxes and joints are judged where they
are used, so that a bad entry costs itself alone.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from har.errors import HarError

Notes = dict[str, list[str]]
"""What is odd, and where: "a joint lies outside its picture: not used" -> places."""

MAX_NUMBER = 1e7  # beyond it a number is damage, not a place


class COCOError(HarError):
    """Annotations that cannot be used."""


def note(notes: Notes, what: str, place: object) -> None:
    """Notes something odd; the same place once."""
    places = notes.setdefault(what, [])
    if str(place) not in places[-1:]:
        places.append(str(place))


@dataclass(frozen=True)
class Picture:
    """An entry of ``images``: its id, its file as the file names it, its size (0: not stated)."""

    id: str
    file_name: str
    size: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.file_name} (image {self.id})"


@dataclass
class Document:
    """What a file holds.

    Attributes:
        path: the file.
        notes: what was found odd.
        categories: entries of ``categories`` by id.
        pictures: by id.
        annotations: entries as they are.
    """

    path: Path
    notes: Notes
    categories: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    pictures: dict[str, Picture] = field(default_factory=dict)
    annotations: list[Mapping[str, Any]] = field(default_factory=list)


def read_document(path: Path, notes: Notes) -> Document:
    """Reads a file; ``notes`` gets what is odd.

    Raises:
        COCOError: it cannot be read, is no JSON, or lacks what COCO's files have.
    """
    try:
        content = json.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except OSError as error:
        raise COCOError(f"The annotations {path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:  # also of letters in another encoding
        raise COCOError(f"{path} is not a whole JSON file ({error}): export it again.") from error
    wanted = ("images", "annotations", "categories")
    lists = [content.get(name) if isinstance(content, dict) else None for name in wanted]
    for name, entries in zip(wanted, lists, strict=True):
        if not isinstance(entries, list):
            raise COCOError(
                f"{path} has no list of {name}, so it is not COCO key-point JSON: export the "
                'annotations in the format "COCO Keypoints".'
            )
    document = Document(path, notes)
    images, annotations, categories = lists
    for entry in _mappings(document, "a category", categories):
        _add_category(document, entry)
    for entry in _mappings(document, "an image", images):
        _add_picture(document, entry)
    document.annotations = list(_mappings(document, "an annotation", annotations))
    if not document.annotations:
        named = any(entry.get("keypoints") for entry in document.categories.values())
        raise COCOError(
            f"{path} has no annotation{'' if named else ' and no category with key points'}: "
            "nothing can be trained with it; export it again after people were annotated with key "
            "points."
        )
    if not document.pictures:
        raise COCOError(f"{path} lists no image with an id and a file_name: export it again.")
    return document


def _mappings(document: Document, what: str, entries: Any) -> Iterator[Mapping[str, Any]]:
    for place, entry in enumerate(entries):
        if isinstance(entry, Mapping):
            yield entry
        else:
            note(document.notes, f"left out: {what} is not an object of JSON", f"number {place}")


def _add_category(document: Document, entry: Mapping[str, Any]) -> None:
    """Adds a category; of two with one id that with key points counts."""
    key = identity(entry.get("id"))
    before = document.categories.get(key)
    if before is None:
        document.categories[key] = entry
    elif before != entry:
        joints = [each.get("keypoints") for each in (before, entry)]
        if all(joints) and joints[0] != joints[1]:
            raise COCOError(
                f"The category id {key} of {document.path} stands for two lists of key points: "
                "give each category, and its annotations, an id of its own."
            )
        note(document.notes, "a category id is listed twice (that with key points counts)", key)
        if joints[1] and not joints[0]:
            document.categories[key] = entry


def _add_picture(document: Document, entry: Mapping[str, Any]) -> None:
    key, name = identity(entry.get("id")), entry.get("file_name")
    if not key or not isinstance(name, str) or not name.strip() or "\0" in name:
        note(document.notes, "left out: an image without an id or a file_name", f"image {key}")
        return
    width, height = (number(entry.get(side)) for side in ("width", "height"))
    known = 1 <= width < MAX_NUMBER and 1 <= height < MAX_NUMBER  # false for NaN
    picture = Picture(key, name, (round(width), round(height)) if known else (0, 0))
    before = document.pictures.get(key)
    if before is None:
        document.pictures[key] = picture
    elif before.file_name != name:
        note(document.notes, "left out: an image id stands for two files", f"image {key}")
        document.pictures[key] = Picture(key, "", (0, 0))  # found nowhere
    elif not known or before.size == picture.size:
        return
    elif before.size == (0, 0):
        document.pictures[key] = picture
    else:
        note(
            document.notes,
            "an image is listed twice, with two sizes (the first counts)",
            f"{before}: {before.size[0]}x{before.size[1]} and {picture.size[0]}x{picture.size[1]}",
        )


def identity(value: Any) -> str:
    """An id as it is compared: 7, 7.0 and "7" are the same; empty for what is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return clean(str(value)) if isinstance(value, (int, str)) else ""


def clean(text: str) -> str:
    """A text as files can hold it: half characters and NUL are written out, spaces around go."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0").strip()


def number(value: Any) -> float:
    """A number of the file; NaN for what is none, or too large to be a place."""
    if not isinstance(value, (int, float, str)):
        return math.nan
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return found if abs(found) < MAX_NUMBER else math.nan
