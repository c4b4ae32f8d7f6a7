"""Videos: one reader, whose frames carry their time stamps, and one writer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

# libav writes into the terminal whatever it dislikes in a file; we say it in one sentence
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

from har.errors import HarError
from har.files import Image, whole_file

_CODEC = "mp4v"  # MPEG-4 part 2 in .mp4: what OpenCV can write everywhere
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


class Video:
    """Frames of a video file or a camera, one after the other, once.

    Turned videos come upright, gray ones with three channels. Times are those of the file, so that
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


@contextmanager
def video_file(path: Path, fps: float) -> Iterator[VideoFile]:
    """A video to write to, which gets its name when the block is left without an error.

    Args:
        path: ending in .mp4.
        fps: frames per second of the file.

    Raises:
        HarError: OpenCV cannot write there, or the disk is full.
    """
    with whole_file(path) as partial:
        video = VideoFile(partial, fps)
        try:
            yield video
        finally:
            video.close()
        if not video.is_whole():
            raise HarError(f"{path} could not be written to its end: is the disk full?")


class VideoFile:
    """Writes pictures that come with their times.

    Where the frame rate varies, some are repeated or left out, so that the file runs as long as
    what it was made from.

    Args:
        path: ending in .mp4.
        fps: frames per second of the file.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps, self.num_frames = path, fps, 0
        self._writer: cv2.VideoWriter | None = None

    def write(self, image: Image, time_s: float) -> None:
        """Adds a picture.

        Args:
            image: uint8 RGB (H, W, 3), all of one size.
            time_s: since the first one.

        Raises:
            HarError: OpenCV cannot write here.
        """
        if self._writer is None:
            self._writer = self._open(image)
        height, width = image.shape[:2]
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if height % 2 or width % 2:  # codecs want even sizes
            picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        while self.num_frames < round(time_s * self.fps) + 1:
            self._writer.write(picture)
            self.num_frames += 1

    def close(self) -> None:
        """Nothing more comes."""
        if self._writer is not None:
            self._writer.release()

    def is_whole(self) -> bool:
        """OpenCV does not say when the disk is full: does the file hold what was written?"""
        capture = cv2.VideoCapture(str(self.path))
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        return count == self.num_frames > 0

    def _open(self, image: Image) -> cv2.VideoWriter:
        code = cv2.VideoWriter.fourcc(*_CODEC)
        size = image.shape[1] + image.shape[1] % 2, image.shape[0] + image.shape[0] % 2
        writer = cv2.VideoWriter(str(self.path), code, self.fps, size)
        if not writer.isOpened():
            raise HarError(
                f"OpenCV cannot write a video of {size[0]}x{size[1]} to {self.path.parent}: is "
                "there space, and may you write there? video=false leaves it out."
            )
        return writer
