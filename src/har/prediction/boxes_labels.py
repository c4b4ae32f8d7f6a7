"""Folders of label files by Ultralytics (``save_txt=True``): a line for every box.

A line has class, center x, center y, width and height as shares of the picture, and where they were
saved confidence and track. ``<image>.txt`` belongs to an image, ``<video>_<n>.txt`` to frame n of a
video, from 1.
"""

import math
from collections.abc import Collection
from pathlib import Path

from har.errors import HarError
from har.prediction.boxes_linking import link_persons
from har.prediction.boxes_row import Row

_PERSON = "0"


def read_labels(
    folder: Path, videos: Collection[str], min_score: float
) -> tuple[list[Row], list[str]]:
    """The rows of the label files of a folder, and remarks about what in it is not used.

    Args:
        folder: of the .txt files; a subfolder ``labels`` is looked into.
        videos: names of the videos, without ending.
        min_score: boxes with a lower confidence are left out.

    Raises:
        HarError: there are none, or a line is not valid.
    """
    files = sorted(folder.glob("*.txt")) or sorted(folder.glob("labels/*.txt"))
    rows: list[Row] = []
    others = low = 0
    for file in files:
        image, frame = file.stem, None
        name, _, number = file.stem.rpartition("_")
        if name in videos and number.isdecimal() and int(number) > 0:
            image, frame = name, int(number) - 1
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise HarError(f"The file of labels {file} cannot be read ({error}).") from error
        for count, line in enumerate(lines, start=1):
            words = line.split()
            if not words:
                continue
            box, score, person = _read(file, count, words)
            if words[0] != _PERSON:
                others += 1
            elif score is not None and score < min_score:
                low += 1
            else:
                rows.append(Row(len(rows) + 1, image, frame, person, box, share=True))
    if not rows:
        raise HarError(
            f"{folder} has no boxes of persons: give the folder with the .txt files of Ultralytics "
            "(class 0), or a .csv or .json file."
        )
    remarks = [f"{folder}: {others} boxes are no persons."] if others else []
    if low:
        below = f"have a confidence below {min_score:g} (boxes_min_score=)"
        remarks.append(f"{folder}: {low} boxes {below}.")
    return link_persons(rows), remarks


def _read(file: Path, count: int, words: list[str]) -> tuple[list[float], float | None, int | None]:
    where = f"{file}, line {count}"
    try:
        x, y, width, height, *rest = map(float, words[1:])
    except ValueError as error:
        raise HarError(
            f"{where}: class, x, y, width and height are needed, then confidence and track."
        ) from error
    if not (0 <= x <= 1 and 0 <= y <= 1 and 0 < width <= 1.01 and 0 < height <= 1.01):
        raise HarError(f"{where}: x, y, width and height are shares of the picture, from 0 to 1.")
    if len(rest) > 2:
        raise HarError(f"{where}: outlines of segments are no boxes; give those of detection.")
    if not all(map(math.isfinite, rest)):
        raise HarError(f"{where}: confidence and track are numbers.")
    score = person = None
    if len(rest) == 2:
        score, track = rest
        person = int(track) if track.is_integer() else None
    elif rest and "." not in words[5] and rest[0] >= 1:  # a track, where no confidence was saved
        person = int(rest[0])
    elif rest:
        score = rest[0]
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2], score, person
