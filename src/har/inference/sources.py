"""What can be looked at: images, videos, cameras, and what is piped in. Frames are uint8 RGB."""

from __future__ import annotations

import glob
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# libav writes into the terminal whatever it dislikes in a file; we say it in one sentence
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np
from numpy.typing import NDArray

from har import HarError

Image = NDArray[np.uint8]

_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".pgm", ".ppm"}
_VIDEOS = {".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv"}
_VIDEOS |= {".3gp", ".ts", ".mts", ".ogv"}
_USUAL_FPS, _HIGHEST_FPS = 30.0, 240.0


class Frame(NamedTuple):
    """A frame of a video.

    Attributes:
        image: uint8 RGB (H, W, 3).
        number: from 0.
        time_s: since the first frame.
    """

    image: Image
    number: int
    time_s: float


class Found(NamedTuple):
    """Files that a source names.

    Attributes:
        images, videos: files that look like it by their names, sorted.
        others: number of files that are neither.
    """

    images: list[Path]
    videos: list[Path]
    others: int


def find_files(source: str) -> Found:
    """The images and videos that a path means: a file, a folder, or a pattern with ``*``.

    Raises:
        HarError: there is nothing.
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
    if len(files) == 1 and not images and not videos:  # named by hand: look inside
        (images if is_image(files[0]) else videos).append(files[0])
    if not images and not videos:
        raise HarError(f"No image or video among the {len(files)} files of {source}.")
    return Found(images, videos, len(files) - len(images) - len(videos))


def is_image(path: Path) -> bool:
    """Whether a file is an image: by its name, or else by its content."""
    if path.suffix.lower() in _IMAGES | _VIDEOS:
        return path.suffix.lower() in _IMAGES
    with suppress(HarError):
        return read_image(path) is not None
    return False


def camera_number(source: str) -> int | None:
    """The number of a camera where the source is one, and no file is called so."""
    return int(source) if source.isdecimal() and not Path(source).exists() else None


def read_pipe(folder: Path) -> Path:
    """What is piped in, as a file in a folder: an encoded image or video.

    Raises:
        HarError: nothing is piped in, or no space for it.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise HarError("source=- reads an image or a video from a pipe: ... | har-predict source=-")
    path = folder / "stdin"
    try:
        with path.open("wb") as file:
            while block := sys.stdin.buffer.read(2**20):
                file.write(block)
    except OSError as error:
        raise HarError(f"The pipe cannot be read: {error.strerror}.") from error
    if not path.stat().st_size:
        raise HarError("Nothing came through the pipe (source=-): pipe in an image or a video.")
    return path


# ------------------------------------------------------------------------------------------ images


def read_image(path: str | Path) -> Image:
    """An image file as uint8 RGB (H, W, 3).

    Grey images get three channels, 16 bits become 8, an alpha channel is dropped, and images that
    say that they are turned (EXIF) are put upright.

    Raises:
        HarError: not there, or no image.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)  # cv2.imread loses some letters on some systems
    except OSError as error:
        raise HarError(f"The image {path} cannot be read: {error.strerror}.") from error
    image = decode_image(data)
    if image is None:
        raise HarError(f"{path} is no image, or a broken one.")
    return image


def decode_image(data: NDArray[np.uint8]) -> Image | None:
    """The encoded bytes of an image as uint8 RGB (H, W, 3); None where they are none."""
    with suppress(cv2.error):
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is not None:
            return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    return None


# ------------------------------------------------------------------------------------------ videos


class Video:
    """Frames of a video file or a camera, one after the other, once.

    Turned videos come upright, grey ones with three channels. Times are those of the file, so that
    videos of varying frame rate are right; where a file has none, they follow from its frame rate.

    Attributes:
        name: what to call it.
        fps: frames per second, on average; 30 where nobody says.
        num_frames: what the file says, which may be wrong; None: not known.
        live: it is a camera, which does not wait.

    Args:
        source: path of a file, or number of a camera.

    Raises:
        HarError: it cannot be opened, or has no frames.
    """

    def __init__(self, source: str | Path | int) -> None:
        self.live = isinstance(source, int)
        self.name = f"camera {source}" if self.live else str(source)
        if not isinstance(source, int) and not Path(source).is_file():
            raise HarError(f"There is no video {source}.")
        self._capture = _open(source)
        if not self._capture.isOpened():
            if self.live:
                raise HarError(
                    f"There is no camera {source}, or another program uses it: try source=0, or "
                    "give a video file."
                )
            raise HarError(f"{source} is no video that OpenCV can read, or a broken one.")
        fps = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.fps = fps if 0 < fps <= _HIGHEST_FPS else _USUAL_FPS
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.num_frames = count if count > 0 and not self.live else None
        self._first = self._read()
        if self._first is None:
            self.close()
            raise HarError(f"{self.name} has no frame that can be read.")
        self.size = self._first.shape[1], self._first.shape[0]

    def __iter__(self) -> Iterator[Frame]:
        image, number, began = self._first, 0, time.monotonic()
        first_s = self._position_s()
        last_s = -1 / self.fps
        while image is not None:
            time_s = time.monotonic() - began if self.live else self._position_s() - first_s
            if not time_s > last_s:  # no time stamps, or wrong ones
                time_s = last_s + 1 / self.fps
            yield Frame(image, number, time_s)
            number, last_s = number + 1, time_s
            image = self._read()
            if image is not None and image.shape[1::-1] != self.size:  # changes on the way
                resized = cv2.resize(image, self.size, interpolation=cv2.INTER_AREA)
                image = np.asarray(resized, dtype=np.uint8)

    def close(self) -> None:
        """Lets go of the file or camera."""
        self._capture.release()

    def _read(self) -> Image | None:
        with suppress(cv2.error):
            done, image = self._capture.read()
            if done and image is not None:
                code = cv2.COLOR_GRAY2RGB if image.ndim == 2 else cv2.COLOR_BGR2RGB
                return np.asarray(cv2.cvtColor(image, code), dtype=np.uint8)
        return None

    def _position_s(self) -> float:
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000


def _open(source: str | Path | int) -> cv2.VideoCapture:
    """A capture, opened or not, without OpenCV's own words about it."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)
    try:
        return cv2.VideoCapture(source if isinstance(source, int) else str(source))
    finally:
        cv2.utils.logging.setLogLevel(level)
