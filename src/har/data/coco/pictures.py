"""The pictures of a COCO file in a folder: found by their names, and each decoded once."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from har.data.coco.document import COCOError, Notes, Picture, note
from har.data.processes import run_in_processes
from har.errors import HarError
from har.files import quiet_opencv, read_stored_image

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".avif", ".jp2")
_FEW_IMAGES = 100  # are checked sooner than processes are started
_SMALLEST_PX = 8
_SAME_PX = 2  # sizes that differ by no more are the same: some tools round
_TURNING = (b"Exif", b"eXIf", b"EXIF", b"irot", b"imir")  # in JPEG, PNG and WebP; in AVIF
_TIFF = (b"II*\0", b"MM\0*")


class PictureFolder:
    """The files below a folder, to be found by the names that a file of annotations has for them.

    A name is the path from the folder, or longer than that (absolute, of another machine), or
    shorter (the folder has sub-folders that the file does not name). It never differs otherwise:
    ``day2/a.jpg`` is not ``day1/a.jpg``.

    Args:
        root: the folder.

    Raises:
        COCOError: there is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise COCOError(f"There is no folder of pictures {root}: give images=<folder>.")
        self.root = root
        self.files: list[str] = []
        seen: set[str] = set()
        for folder, folders, names in os.walk(root, followlinks=True):
            if os.path.realpath(folder) in seen:  # a link to a folder around it
                folders.clear()
                continue
            seen.add(os.path.realpath(folder))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            below = Path(folder).relative_to(root)
            files = ((below / name).as_posix() for name in sorted(names) if name[0] != ".")
            # a record holds names in UTF-8 only
            self.files += [f for f in files if f.encode(errors="replace").decode() == f]
        self._exact = {plain_name(file): file for file in self.files}
        self._by_name: dict[str, list[str]] = {}
        for file in self.files:
            self._by_name.setdefault(_last_part(file), []).append(file)

    def find(self, name: str) -> list[str]:
        """The files that a name may stand for: one, or none, or several."""
        texts = [name, unquote(name.rpartition("?d=")[2])]
        if "://" in name:  # an address may end with a query or a place in the page
            texts.append(unquote(re.split(r"[?#]", name)[0]))
        for text in dict.fromkeys(texts):
            wanted = plain_name(text)
            if wanted in self._exact:
                return [self._exact[wanted]]
            others = self._by_name.get(_last_part(text), [])
            for fold in (str, str.casefold):
                whole = fold(f"/{wanted}")
                longer = [file for file in others if whole.endswith(fold(f"/{plain_name(file)}"))]
                if longer:  # the one with the most folders in common
                    most = max(file.count("/") for file in longer)
                    return [file for file in longer if file.count("/") == most]
                shorter = [file for file in others if fold(f"/{plain_name(file)}").endswith(whole)]
                if shorter:
                    return shorter
        return []


def plain_name(name: str) -> str:
    """A path as it is compared: one kind of slash, one way of writing an accent."""
    text = unicodedata.normalize("NFC", name.strip().replace("\\", "/"))
    return "/".join(part for part in text.split("/") if part not in ("", "."))


def _last_part(name: str) -> str:
    return plain_name(name).rpartition("/")[2].casefold()


def find_pictures(
    pictures: Sequence[Picture], folder: PictureFolder, notes: Notes
) -> dict[str, str]:
    """The file of every picture that has one for itself, by the picture's id.

    Two pictures of one name, or two that lead to the same file, are left out: the labels of one
    would be taught with the other. Where one of them names the file exactly, it is that one's.
    """
    names: dict[str, list[Picture]] = {}
    for picture in pictures:
        if picture.file_name:
            names.setdefault(plain_name(picture.file_name), []).append(picture)
    found: dict[str, list[Picture]] = {}
    for name, same in names.items():
        files = folder.find(same[0].file_name)
        if len(same) > 1 or len(files) > 1:
            note(
                notes,
                "left out: a name stands for several images or several files",
                f"{name} (images {', '.join(p.id for p in same)}; {', '.join(files) or 'no file'})",
            )
        elif not files:
            note(notes, "left out: the picture is not in the folder", same[0])
        else:
            found.setdefault(files[0], []).append(same[0])
    by_id = {}
    for file, candidates in found.items():
        exact = [each for each in candidates if plain_name(each.file_name) == plain_name(file)]
        owner = exact or candidates
        for each in candidates:
            if owner != [each]:
                note(notes, "left out: two images lead to the same file", f"{each}: {file}")
                continue
            by_id[each.id] = file
            if not exact:
                note(notes, "found by a part of its name (used)", f"{each.file_name} is {file}")
    return by_id


@dataclass(frozen=True)
class PictureCheck:
    """What was found when a picture was decoded.

    Attributes:
        file: its path below the folder.
        problem: why it cannot be used; empty: it can.
        stored: width and height as its pixels are stored.
        upright: the same after turning it as its EXIF orientation says.
        turns: it has an orientation that changes something.
        remark: what is odd about it; empty: nothing.
    """

    file: str
    problem: str = ""
    stored: tuple[int, int] = (0, 0)
    upright: tuple[int, int] = (0, 0)
    turns: bool = False
    remark: str = ""

    def fits(self, stated: tuple[int, int]) -> bool:
        """Whether it has this size, one way or the other."""
        return _close(self.stored, stated) or _close(self.upright, stated)

    def means_upright(self, stated: tuple[int, int]) -> bool | None:
        """Whether a file that states this size means the upright picture; None: either, or none."""
        fits_stored, fits_upright = _close(self.stored, stated), _close(self.upright, stated)
        return None if fits_stored == fits_upright else fits_upright


def _close(size: tuple[int, int], stated: tuple[int, int]) -> bool:
    return max(abs(one - other) for one, other in zip(size, stated, strict=True)) <= _SAME_PX


def check_picture(file: str, root: str) -> PictureCheck:
    """Decodes a picture, as stored and upright."""
    path = Path(root, file)
    try:
        stored = upright = read_stored_image(path)
        data = path.read_bytes()
        if data[:4] in _TIFF or any(mark in data for mark in _TURNING):
            upright = read_stored_image(path, upright=True)
    except HarError as error:
        return PictureCheck(file, str(error).replace(f"The image {path} ", "").partition(":")[0])
    height, width = stored.shape[:2]
    if min(height, width) < _SMALLEST_PX:
        return PictureCheck(file, f"has {width}x{height} pixels only")
    turns = stored.shape != upright.shape or not np.array_equal(stored, upright)
    remark = "is black and white only" if np.isin(stored, (0, 255)).all() else ""
    return PictureCheck(
        file, "", (width, height), (upright.shape[1], upright.shape[0]), turns, remark
    )


def _killed(file: str) -> PictureCheck:
    return PictureCheck(file, "is so damaged that it ended the process")


def check_pictures(
    files: Iterable[str], root: Path, workers: int, progress: Callable[..., None] | None
) -> dict[str, PictureCheck]:
    """Decodes pictures, each once, in several processes where there are many."""
    names, problems = list(files), 0
    found: dict[str, PictureCheck] = {}
    with quiet_opencv():
        check = partial(check_picture, root=str(root))
        processes = 0 if len(names) <= _FEW_IMAGES else workers
        for result in run_in_processes(check, names, _killed, processes):
            found[result.file] = result
            problems += bool(result.problem)
            if progress is not None:
                progress(len(found), len(names), errors=problems)
    return found
