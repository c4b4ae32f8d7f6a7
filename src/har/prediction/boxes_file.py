"""A ``boxes`` file: where another program located the persons of images or of videos.

A CSV file with a header, or a JSON list of objects: ``image``, the name of an image or video file;
``frame``, the number of the video's frame, from 0; ``x1``, ``y1``, ``x2``, ``y2``, the smallest
rectangle around the person in pixels; ``id``, whole number of the person; or the output of a
detector (:mod:`har.prediction.boxes_detectors`, :mod:`har.prediction.boxes_labels`). In a video a
person's box is interpolated between the frames that have one. How the columns are read:
:mod:`har.prediction.boxes_table`.
"""

import unicodedata
from collections.abc import Callable, Collection, Sequence
from itertools import count
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError
from har.geometry import FloatArray
from har.paths import check_path, is_folder
from har.prediction.boxes_labels import read_labels
from har.prediction.boxes_row import Row
from har.prediction.boxes_table import MIN_SCORE, read_table


class OfVideo(NamedTuple):
    """The boxes of a video.

    Attributes:
        numbers: by person, the frames that have a box, ascending (K,).
        boxes: by person, (K, 4) in pixels.
    """

    numbers: dict[int, NDArray[np.int64]]
    boxes: dict[int, FloatArray]


class BoxesFile:
    """A file of boxes.

    Args:
        path: ending in .csv or .json, or a folder of Ultralytics' label files.
        min_score: boxes of a detector's output with a lower score are left out.
        videos: names of the videos without ending, whose frames label files are called after.

    Attributes:
        path: the file.
        remarks: sentences about what in it is not used.

    Raises:
        HarError: it cannot be read, a row is not valid, or a person has two boxes in a frame.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        min_score: float = MIN_SCORE,
        videos: Collection[str] = (),
    ) -> None:
        self.path = Path(path)
        check_path(self.path)
        if is_folder(self.path):
            self._rows, self.remarks = read_labels(self.path, videos, min_score)
        else:
            self._rows, self.remarks = read_table(self.path, min_score)
        self._names: dict[str, list[Row]] = {}  # rows by the name that they give, "" for none
        for row in self._rows:
            self._names.setdefault(row.image, []).append(row)
        self._scaled = False
        self._assigned: dict[Path, list[str]] = {}
        for name, rows in self._names.items():
            self._numbered(rows, of_video=not name or any(row.frame is not None for row in rows))

    def check_sources(self, images: Sequence[Path], videos: Sequence[Path]) -> None:
        """Assigns the rows to the sources, and remarks on names that are none of them.

        Args:
            images, videos: paths of all; a video without a path has a name that no row gives.

        Raises:
            HarError: rows that may belong to several sources, or to none by their kind.
        """
        sources, films = [*images, *videos], set(videos)
        assigned = self._assign(sources)
        for path, names in assigned.items():
            rows = [row for name in names for row in self._names[name]]
            if len(names) > 1:
                raise HarError(
                    f"{self.path}: {names[0]} and {names[1]} are both taken for {path}; name "
                    "files in one way."
                )
            if path in films and any(row.frame is None for row in rows):
                raise HarError(self._lacks_frame())
            frames = self._names.get("", []) if path in films else []
            self._numbered([*frames, *rows], of_video=path in films)
        if "" in self._names and not videos:
            raise HarError(
                f"{self.path} has the boxes of a video's frames: images need a column image."
            )
        if "" in self._names and len(videos) > 1:
            raise HarError(
                f"{self.path} does not say which of the {len(videos)} videos its frames belong to: "
                "add a column image with the names of the videos."
            )
        if videos and not images and not any(row.frame is not None for row in self._rows):
            raise HarError(self._lacks_frame())
        unknown = sorted(set(self._names) - {""} - {n for ns in assigned.values() for n in ns})
        if unknown:
            number = sum(len(self._names[name]) for name in unknown)
            self.remarks.append(
                f"{number} boxes in {self.path} belong to no image or video of the source "
                f"({_some(unknown)})."
            )
        self._assigned = assigned

    def of_image(
        self, image: str | Path, size: tuple[int, int] | None = None
    ) -> tuple[list[int], FloatArray]:
        """Numbers of the N persons in an image, and their boxes (N, 4) in pixels; N may be 0.

        Boxes in shares of the picture need its ``size``, width and height in pixels; by it boxes
        are scaled that were drawn on a larger or smaller one.

        Persons without an id get the lowest numbers that are free.

        Raises:
            HarError: two boxes of one person, or boxes of a picture of other proportions.
        """
        rows = self._numbered(self._rows_of(Path(image)), of_video=False)
        boxes = [self._box_px(row, Path(image), size) for _, row in rows]
        return [person for person, _ in rows], np.array(boxes).reshape(-1, 4)

    def of_video(
        self, video: str | Path | None = None, size: tuple[int, int] | None = None
    ) -> OfVideo:
        """The boxes of a video.

        Args:
            video: its path; None: a camera or a pipe, whose rows have no name.
            size: width and height in pixels, for boxes in shares of the picture and those
                that were drawn on a larger or smaller one.

        Raises:
            HarError: the boxes are those of images, two of one person in a frame, or those
                of a picture of other proportions.
        """
        if not any(row.frame is not None for row in self._rows):
            raise HarError(self._lacks_frame())
        rows = [*self._names.get("", []), *self._rows_of(None if video is None else Path(video))]
        by_person: dict[int, dict[int, list[float]]] = {}
        numbered = self._numbered(rows, of_video=True)
        for person, row in sorted(numbered, key=lambda each: each[1].frame or 0):
            if row.frame is not None:
                by_person.setdefault(person, {})[row.frame] = self._box_px(row, video, size)
        numbers = {person: np.array(list(boxes)) for person, boxes in by_person.items()}
        return OfVideo(numbers, {p: np.array(list(b.values())) for p, b in by_person.items()})

    def _box_px(
        self, row: Row, source: str | Path | None, size: tuple[int, int] | None
    ) -> list[float]:
        """The box of a row in pixels of a picture or video of a size."""
        if row.share and size is None:
            raise ValueError("boxes in shares of the picture need its size")
        if size is None or (not row.share and row.size in (None, size)):
            return row.box
        of = (1, 1) if row.size is None else row.size
        if row.size is not None:
            sizes = f"{row.size[0]}x{row.size[1]} pixels, and {source} has {size[0]}x{size[1]}"
            if abs(row.size[0] * size[1] - row.size[1] * size[0]) > max(*row.size, *size):
                raise HarError(
                    f"{self.path}, box {row.number}: it is of a picture of {sizes}, which is "
                    "another part of it or turned; give boxes of this one."
                )
            if not self._scaled:
                self.remarks.append(f"{self.path}: boxes are of pictures of {sizes}: scaled.")
            self._scaled = True
        scale = size[0] / of[0], size[1] / of[1]
        return [side * scale[number % 2] for number, side in enumerate(row.box)]

    def _lacks_frame(self) -> str:
        return f"{self.path} has the boxes of images: a video needs a column frame."

    def _rows_of(self, path: Path | None) -> list[Row]:
        if path is not None and path not in self._assigned:
            self._assigned.update(self._assign([path]))
        names = [] if path is None else self._assigned.get(path, [])
        return [row for name in names for row in self._names[name]]

    def _numbered(self, rows: Sequence[Row], *, of_video: bool) -> list[tuple[int, Row]]:
        """The rows of one source, each with the number of its person: the lowest that are free for
        those without an id, who are one person in a video and all different ones in an image.

        Raises:
            HarError: a person has two boxes in a frame.
        """
        taken = {row.person for row in rows}
        free = (number for number in count() if number not in taken)
        nobody = next(free) if of_video else None
        numbered: list[tuple[int, Row]] = []
        seen: dict[tuple[int | None, int], Row] = {}
        for row in rows:
            person = row.person if row.person is not None else nobody
            person = next(free) if person is None else person
            first = seen.setdefault((row.frame if of_video else None, person), row)
            if first is not row:
                whose = "without an id" if row.person is None else f"of the person {row.person}"
                raise HarError(
                    f"{self.path}, boxes {first.number} and {row.number}: two boxes {whose} in "
                    "one image or frame; give every person an id of its own (a column id)."
                )
            numbered.append((person, row))
        return numbered

    def _assign(self, sources: Sequence[Path]) -> dict[Path, list[str]]:
        """The names in the file by the source that they mean.

        A name means the file at the end of whose path it stands; where there is none, the one with
        its last part. Both count with the ending first, and then without.

        Raises:
            HarError: a name that may mean two files.
        """
        found: dict[Path, list[str]] = {path: [] for path in sources}
        by_last: dict[str, list[Path]] = {}
        for path in sources:
            for last in dict.fromkeys((path.name, path.stem)):
                by_last.setdefault(last, []).append(path)
        open_names = []
        for name in self._names:
            if not name:
                continue
            parts = _parts(name)
            exact = [path for path in by_last.get(name, []) if path.name == name]
            ends = [p for p in by_last.get(parts[-1], []) if _ends(p, parts)]
            whole = [path for path in ends if path.name == parts[-1]]
            if not self._claim(name, exact or whole or ends, found):
                open_names.append((name, parts))
        for name, parts in open_names:
            others = [path for path in by_last.get(parts[-1], []) if not found[path]]
            if not self._claim(name, [p for p in others if p.name == parts[-1]] or others, found):
                # COCO's number of an image, whose file has it with zeros before it
                same = [p for p in sources if not found[p] and _is_number(p.stem, name)]
                last = _plain(parts[-1])  # another way of writing an accent
                whole = [p for p in sources if not found[p] and _plain(p.name) == last]
                accent = whole or [p for p in sources if not found[p] and _plain(p.stem) == last]
                self._claim(name, same or accent, found)
        return found

    def _claim(self, name: str, paths: Sequence[Path], found: dict[Path, list[str]]) -> bool:
        if len(paths) > 1:
            raise HarError(
                f"{self.path}, box {self._names[name][0].number}: {name} may be {paths[0]} or "
                f"{paths[1]}; write the folder before the name."
            )
        for path in paths:
            found[path].append(name)
        return bool(paths)


def _parts(name: str) -> tuple[str, ...]:
    """The parts of a name without drive and root; both kinds of slashes part them."""
    path = PureWindowsPath(name)
    return path.parts[1:] if path.anchor and path.parts[1:] else path.parts or (name,)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _is_number(stem: str, name: str) -> bool:
    return stem.isdecimal() and name.isdecimal() and int(stem) == int(name)


def _ends(path: Path, parts: tuple[str, ...]) -> bool:
    """Whether a path ends in these parts, the last one with or without its ending."""
    whole = path.absolute().parts
    return whole[-len(parts) : -1] == parts[:-1]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


Boxes = BoxesFile | Callable[[NDArray[np.uint8]], FloatArray] | None
"""How persons are located: by a file, by a detector (image to boxes), or None, by the poses."""
