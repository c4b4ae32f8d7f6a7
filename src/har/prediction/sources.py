"""What ``source=`` names: images, videos, cameras, and data from a pipe."""

import glob
import os
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from har.animation import is_video_inside
from har.endings import ENDINGS, IMAGE_ENDINGS, ending_of
from har.errors import HarError
from har.files import read_image
from har.paths import check_path, exists, is_file, is_folder
from har.prediction.formats import NAMES

_FOLDERS = "folders"
_APPLE_DOUBLE = "._"  # begins the names of the files in which macOS keeps what is no content
_MOST_DIGITS = 9  # of a camera's number, which has to fit into 32 bits
_LONGEST_NAME = 120  # letters of a result's name: systems allow 255 bytes with all endings


class Found(NamedTuple):
    """Files that a source names.

    Attributes:
        images, videos: files by the endings of their names, sorted; an animation is a video.
        left_out: number of other files and folders by the ending of their names.
    """

    images: list[Path]
    videos: list[Path]
    left_out: dict[str, int]

    @property
    def others(self) -> int:
        """Number of files that are left out."""
        return sum(count for kind, count in self.left_out.items() if kind != _FOLDERS)


def find_files(source: str) -> Found:
    """Returns the images and videos of a path: a file, a folder, or a pattern with ``*``.

    Raises:
        HarError: there is no such file, no image or video among them, or a path that cannot be
            looked at.
    """
    path = Path(source)
    if not exists(path):
        with suppress(RuntimeError):  # no home folder
            path = path.expanduser()
    if is_folder(path):
        try:
            found = sorted(path.iterdir())
        except OSError as error:
            raise HarError(f"The folder {path} cannot be read: {error.strerror}.") from error
    elif exists(path):
        found = [path]
    else:
        found = sorted(Path(name) for name in glob.glob(_pattern(path), recursive=True))
        if not any(map(is_file, found)):
            check_path(path)
            raise HarError(
                f"There is no file, folder or match of {source}: give an image, a folder, a "
                "pattern such as 'photos/*.jpg', a video, the number of a camera, or - for a pipe."
            )
    files = [each for each in found if is_file(each)]
    if len(files) == 1 and len(found) == 1 and ending_of(files[0]) not in ENDINGS:
        known = files  # named by hand: the content decides
    else:
        known = [file for file in files if ending_of(file) in ENDINGS]
        if len(found) > 1:
            known = [file for file in known if not file.name.startswith(_APPLE_DOUBLE)]
    images: list[Path] = []
    videos: list[Path] = []
    for file in known:
        (images if is_image(file) else videos).append(file)
    left_out = Counter(_kind(each) for each in found if each not in set(known))
    if not known:
        kinds = _counted(left_out)
        raise HarError(f"No image or video among the {len(files)} files of {source} ({kinds}).")
    return Found(images, videos, dict(left_out))


def _pattern(path: Path) -> str:
    """A path as a pattern, in which folders that are there are meant by their names: ``g[1]`` is
    not ``g1``."""
    there = next(above for above in (*path.parents, Path()) if is_folder(above))
    return os.path.join(glob.escape(str(there)), path.relative_to(there))


def describe_left_out(found: Found, source: str) -> str:
    """A sentence about the files and folders of a source that are left out; empty: none."""
    parts = []
    if found.others:
        files = {kind: n for kind, n in found.left_out.items() if kind != _FOLDERS}
        parts.append(f"{found.others} other files in {source} are skipped ({_counted(files)}).")
    if count := found.left_out.get(_FOLDERS):
        parts.append(f"{count} folders in {source} are not looked into: source='<folder>/**/*' is.")
    return " ".join(parts)


def _kind(path: Path) -> str:
    if is_folder(path):
        return _FOLDERS
    if path.name.startswith(_APPLE_DOUBLE):
        return "._* of macOS"
    return ending_of(path) or "no ending"


def _counted(kinds: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "it is empty"


def result_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Returns names of the results, of images without ending and of videos of a folder, that differ
    for different sources, on systems too that do not tell large from small letters."""
    stems = Counter(path.stem.casefold() for path in paths)
    names: dict[Path, str] = {}
    taken = {"summary", "poses", "poses_coco", "summary.json", *NAMES.values()}
    for path in paths:
        name = path.name if stems[path.stem.casefold()] > 1 else path.stem
        base, name, number = path.name, _short(name), 2
        # an image's files are the name and an ending, a video's folder is the name itself
        while taken & {f"{name}{end}".casefold() for end in ("", ".png", ".json")}:
            name, number = f"{_short(base)}_{number}", number + 1
        taken |= {f"{name}{end}".casefold() for end in ("", ".png", ".json")}
        names[path] = name
    return names


def _short(name: str) -> str:
    """A name short enough to get an ending, without the dots and spaces at its end that Windows
    leaves out of a folder's name."""
    short = name[: _LONGEST_NAME // 2] if len(os.fsencode(name)) > _LONGEST_NAME else name
    return short.rstrip(". ") or "_"


def is_image(path: Path) -> bool:
    """Returns whether a file is an image: by its ending, or else by its content; a video or an
    animation that is named as an image is none."""
    ending = ending_of(path)
    if ending in ENDINGS:
        return ending in IMAGE_ENDINGS and not is_video_inside(path)
    if is_video_inside(path):
        return False
    with suppress(HarError):
        return read_image(path) is not None
    return False


def camera_number(source: str) -> int | None:
    """Returns the number of a camera; None where the source is no number, or names a file."""
    is_number = source.isdecimal() and len(source) <= _MOST_DIGITS
    return int(source) if is_number and not exists(source) else None


def read_pipe(folder: Path) -> Path:
    """Writes the image or video from the pipe to a file in a folder.

    Raises:
        HarError: the pipe is empty, or the disk is full.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise HarError("source=- reads an image or a video from a pipe: ... | har-predict source=-")
    path = folder / "stdin"
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    except OSError as error:
        raise HarError(f"The pipe cannot be read: {error.strerror}.") from error
    if not path.stat().st_size:
        raise HarError("Nothing came through the pipe (source=-): pipe in an image or a video.")
    return path
