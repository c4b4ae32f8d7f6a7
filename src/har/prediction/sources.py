"""What ``source=`` names: images, videos, cameras, and data from a pipe."""

import glob
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from har.errors import HarError
from har.files import read_image

_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".pgm", ".ppm"}
_VIDEOS = {".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv"}
_VIDEOS |= {".3gp", ".ts", ".mts", ".ogv"}


class Found(NamedTuple):
    """Files that a source names.

    Attributes:
        images, videos: files by the endings of their names, sorted.
        others: number of other files.
    """

    images: list[Path]
    videos: list[Path]
    others: int


def find_files(source: str) -> Found:
    """Returns the images and videos of a path: a file, a folder, or a pattern with ``*``.

    Raises:
        HarError: there is no such file, or no image or video among them.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
    elif path.exists():
        files = [path]
    else:
        names = glob.glob(str(path), recursive=True)
        files = sorted(Path(name) for name in names if Path(name).is_file())
        if not files:
            raise HarError(
                f"There is no file, folder or match of {source}: give an image, a folder, a "
                "pattern such as 'photos/*.jpg', a video, the number of a camera, or - for a pipe."
            )
    images = [file for file in files if file.suffix.lower() in _IMAGES]
    videos = [file for file in files if file.suffix.lower() in _VIDEOS]
    if len(files) == 1 and not images and not videos:  # named by hand: the content decides
        (images if is_image(files[0]) else videos).append(files[0])
    if not images and not videos:
        raise HarError(f"No image or video among the {len(files)} files of {source}.")
    return Found(images, videos, len(files) - len(images) - len(videos))


def is_image(path: Path) -> bool:
    """Returns whether a file is an image: by its ending, or else by its content."""
    if path.suffix.lower() in _IMAGES | _VIDEOS:
        return path.suffix.lower() in _IMAGES
    with suppress(HarError):
        return read_image(path) is not None
    return False


def camera_number(source: str) -> int | None:
    """Returns the number of a camera; None where the source is no number, or names a file."""
    return int(source) if source.isdecimal() and not Path(source).exists() else None


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
