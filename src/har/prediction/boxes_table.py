"""The rows of a ``boxes`` file: CSV or JSON, and what is wrong with them."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from har.errors import HarError
from har.prediction.boxes_detectors import Cells, Size, detector_rows
from har.prediction.boxes_linking import link_persons
from har.prediction.boxes_row import Row

_SIDES = ("x1", "y1", "x2", "y2")
# Other names of a column whose meaning is certain.
_NAMES = {name: name for name in (*_SIDES, "image", "frame", "id")}
_NAMES |= dict(zip(("xmin", "ymin", "xmax", "ymax"), _SIDES, strict=True))
_NAMES |= dict(zip(("left", "top", "right", "bottom"), _SIDES, strict=True))
_NAMES |= dict.fromkeys(("file", "filename", "file_name", "image_name", "video"), "image")
_NAMES |= dict.fromkeys(("track", "track_id", "person", "person_id"), "id")
# Columns that a box does without.
_NOT_USED = {"score", "confidence", "conf", "label", "class", "category", "category_id", "class_id"}
_OF_SIZES = {"bbox", "w", "h", "width", "height", "x", "y", "cx", "cy"}
# Keys of the outputs of detectors, which no row of a table has.
_NESTED = {"image_id", "box", "boxes"}
MIN_SCORE = 0.5
"""Score of a detector's output below which a box is left out, where nothing else is asked for."""
_LARGEST = 1e6  # pixels; frames and ids are whole numbers below 2**31
_SEPARATORS = ",;\t|"
_POINT, _COMMA = re.compile(r"[+-]?\d+\.\d+"), re.compile(r"[+-]?(\d+,\d*|,\d+)")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?")
_WIDEST_PX = 20_000  # of pictures as they are: larger numbers are no thousands


def read_table(path: Path, min_score: float = MIN_SCORE) -> tuple[list[Row], list[str]]:
    """The rows of a file, and remarks about what in it is not used.

    Args:
        path: ending in .csv, .tsv or .json; another ending: by its content.
        min_score: boxes of a detector's output with a lower score are left out.

    Raises:
        HarError: it cannot be read, or a row is not valid.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise HarError(f"The file of boxes {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        what = f"The file of boxes {path} is no text in UTF-8"
        raise HarError(f"{what}: give a .csv or .json file.") from error
    remarks: list[str] = []
    detected = False
    tables: Iterable[tuple[Cells, Size]]
    if _is_table(path, text):
        tables = ((cells, None) for cells in _csv_rows(path, text))
    else:
        tables, remarks, detected = _json_rows(path, text, min_score)
    found: list[Row] = []
    unused: set[str] = set()
    for number, (cells, size) in enumerate(tables, start=1):
        row = _named_cells(path, number, cells, unused)
        found.append(_row(path, number, row)._replace(size=size))
    if not found:
        raise HarError(f"{path} has no boxes.")
    if detected:
        found = link_persons(found)
    columns = ", ".join(sorted(unused))
    return found, [*remarks, *([f"{path}: {columns} are not used."] if unused else [])]


def _is_table(path: Path, text: str) -> bool:
    """Whether a file is CSV, and not JSON.

    Raises:
        HarError: it is neither.
    """
    ending, begin = path.suffix.lower(), text.lstrip()[:1]
    if begin == "<":
        raise HarError(f"The file of boxes {path} is XML: give a .csv or .json file.")
    return ending in (".csv", ".tsv") or (ending != ".json" and begin not in ("{", "["))


def _csv_rows(path: Path, text: str) -> Iterable[Cells]:
    stated = re.match(r"sep=(.)\s*?\r?\n", text, re.IGNORECASE)  # of Excel
    text = text if stated is None else text[stated.end() :]
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count) if stated is None else stated[1]
    if re.fullmatch(r"[\d\s.,;|+-]+", first):
        raise HarError(
            f"{path} has no header: its first line names the columns, of image, frame, id, x1, y1, "
            "x2 and y2."
        )
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=separator) if line]
    except csv.Error as error:
        raise HarError(f"The file of boxes {path} is no CSV ({error}).") from error
    plain = _plain_numbers(path, lines[1:]) if separator == ";" else None
    for number, line in enumerate(lines[1:], start=1):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) > len(lines[0]):
            raise HarError(
                f"{path}, box {number}: it has {len(line)} values, and the header names "
                f"{len(lines[0])} columns."
            )
        cells = [*line, *[""] * (len(lines[0]) - len(line))]
        if plain is not None:
            cells = [plain(cell) for cell in cells]
        yield list(zip(lines[0], cells, strict=True))


def _plain_numbers(path: Path, lines: Iterable[Sequence[str]]) -> Callable[[str], str]:
    """How the cells of a table with ``;`` become numbers: spreadsheets write it where a comma is
    the decimal point, and a point may part thousands.

    Raises:
        HarError: points may be either.
    """
    cells = [cell.strip() for line in lines for cell in line]
    with_point = [cell for cell in cells if _POINT.fullmatch(cell)]
    in_thousands = bool(with_point) and all(map(_THOUSANDS.fullmatch, with_point))
    with_comma = any(_COMMA.fullmatch(cell.replace(".", "")) for cell in cells)
    if in_thousands and not with_comma:
        largest = max(with_point, key=lambda cell: float(cell.lstrip("+-")))
        whole = largest.replace(".", "")
        if abs(float(whole)) <= _WIDEST_PX:
            raise HarError(
                f"{path}: {largest} may be {whole} or {float(largest):g}; write numbers without "
                "points between thousands, or with a comma between the columns."
            )

    def plain(cell: str) -> str:
        parted = in_thousands if _POINT.fullmatch(cell.strip()) else True
        if with_comma and parted and _THOUSANDS.fullmatch(cell.strip()):
            cell = cell.replace(".", "")
        return cell.replace(",", ".") if _COMMA.fullmatch(cell.strip()) else cell

    return plain


def _json_rows(
    path: Path, text: str, min_score: float
) -> tuple[list[tuple[Cells, Size]], list[str], bool]:
    try:
        rows = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except (ValueError, RecursionError) as error:
        raise HarError(f"The file of boxes {path} is no JSON ({error}).") from error
    # an object is the list of its pairs here, so that none hides another
    plain = isinstance(rows, list) and all(isinstance(row, list) for row in rows)
    plain = plain and all(isinstance(cell, tuple) for row in rows for cell in row)
    if not plain or not rows or any({key for key, _ in row} & _NESTED for row in rows):
        try:
            document = json.loads(text, object_pairs_hook=_object)
        except (ValueError, RecursionError) as error:
            raise HarError(f"The file of boxes {path} is no JSON ({error}).") from error
        return *detector_rows(path, document, min_score), True
    return [(row, None) for row in rows], [], False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"an object has a key twice: {', '.join(key for key, _ in pairs)[:80]}")
    return found


def _named_cells(
    path: Path, number: int, cells: list[tuple[str, Any]], unused: set[str]
) -> dict[str, Any]:
    """The cells of a row by the columns' names."""
    row: dict[str, Any] = {}
    for given, value in cells:
        column = given.strip().lower()
        if column not in _NAMES:
            if column in _NOT_USED:
                unused.add(given.strip())
                continue
            what = f"{path}, box {number}: the column {given.strip()!r} is not known"
            if column in _OF_SIZES:
                raise HarError(
                    f"{what}: x1, y1, x2 and y2 are needed; of a corner and a size (x, y, w, h, as "
                    "in COCO) they are x, y, x + w and y + h."
                )
            raise HarError(
                f"{what}; the columns are image, frame, id, x1, y1, x2 and y2, which must be "
                "numbers: rename or remove it."
            )
        if _NAMES[column] in row:
            raise HarError(
                f"{path}, box {number}: two columns give {_NAMES[column]}; keep one of them."
            )
        row[_NAMES[column]] = value
    return row


def _row(path: Path, number: int, row: dict[str, Any]) -> Row:
    box = [_number(row.get(side)) for side in _SIDES]
    where = f"{path}, box {number}"
    if any(value is None for value in box):
        raise HarError(f"{where}: x1, y1, x2 and y2 must be numbers.")
    sides = [float(value) for value in box if value is not None]
    if (fault := fault_of(sides)) is not None:
        raise HarError(f"{where}: {fault}.")
    image = row.get("image")
    if isinstance(image, bool) or not isinstance(image, (str, int, type(None))):
        raise HarError(f"{where}: image is the name of a file.")
    name = "" if image is None else str(image).strip()
    frame, person = (_whole(where, row, key) for key in ("frame", "id"))
    if not name and frame is None:
        raise HarError(
            f"{where}: give the name of an image (image) or the number of a frame (frame)."
        )
    return Row(number, name, frame, person, sides)


def fault_of(box: Sequence[float]) -> str | None:
    """What is wrong with x1, y1, x2, y2, whatever the picture; None: nothing."""
    x1, y1, x2, y2 = box
    if not all(map(math.isfinite, box)):
        return "x1, y1, x2 and y2 must be finite numbers"
    if x2 <= x1 or y2 <= y1:
        return (
            "its area is 0; x2 > x1 and y2 > y1 are needed (of a corner and a size, as in COCO, "
            "x2 is x + w)"
        )
    if max(map(abs, box)) > _LARGEST:
        return "it is larger than any picture"
    if max(x2 - x1, y2 - y1) <= 1 and max(x2, y2) <= 2:
        return (
            "it is no larger than a pixel; boxes are in pixels, so shares of the picture (0 to 1) "
            "have to be multiplied by its width and height"
        )
    return None


def _number(value: Any) -> float | None:
    """A cell as a number; None: it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and "_" in value:
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _whole(where: str, row: dict[str, Any], key: str) -> int | None:
    value = row.get(key)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = _number(value)
    if number is None or not number.is_integer() or abs(number) >= 2**31:
        raise HarError(f"{where}: {key} has to be a whole number, not {value!r}.")
    if number < 0:
        raise HarError(f"{where}: {key} counts from 0.")
    return int(number)
