"""The one reader of videos, whose frames carry their time stamps."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

# libav writes into the terminal whatever it dislikes in a file; har reports it in one sentence
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

from har.animation import AnimationCapture, is_animation
from har.containers import (
    cannot_decode,
    counts_from_zero,
    has_short_clock,
    mp4_duration_s,
    mp4_orientation,
    num_video_tracks,
)
from har.errors import HarError
from har.files import Image, quiet_opencv

_USUAL_FPS, _HIGHEST_FPS = 30.0, 240.0
_ROUNDED = 0.05  # share by which rounded intervals are off
_MEASURED_FRAMES = 60  # of which the time stamps tell the frame rate
_HALF_CLOCK_S = 2**32 / 90000  # a longer step forward in MPEG's clock is one back, or a new clock
_SQUARE = 0.1  # share by which pixels may be wider or narrower than high
# OpenCV turns pictures, but knows no mirrors: what it shows then is upside down.
_MIRRORS: dict[tuple[int, ...], Callable[[Any], Any]] = {
    (-1, 0, 0, 1): lambda image: cv2.flip(image, 1),
    (1, 0, 0, -1): lambda image: cv2.flip(image, 0),
    (0, 1, 1, 0): cv2.transpose,
    (0, -1, -1, 0): lambda image: cv2.flip(cv2.transpose(image), -1),
}


class Frame(NamedTuple):
    """A frame of a video.

    Attributes:
        image: uint8 RGB (H, W, 3); BGR where the reader was asked for it.
        number: from 0.
        time_s: since the first frame.
    """

    image: Image
    number: int
    time_s: float


class Video:
    """Frames of a video file or a camera, one after the other, once.

    Rotated and mirrored videos come upright, gray ones with three channels, all frames in the size
    of the first.
    Time stamps decide: neither the frame rate nor the number of frames that a container states is
    trusted, since streamed files state a clock (1000) and an edit list hides frames. Where a file
    has no time stamps, or one that does not increase, times follow from the frame rate.

    Example:
        >>> video = Video("clip.mp4", threads=1)  # doctest: +SKIP
        >>> kept = list(video.frames(every_s=1 / 15, until_s=60))  # doctest: +SKIP
        >>> video.num_read, video.last_s, video.missing_s()  # doctest: +SKIP

    Attributes:
        name: of the file or camera; ``path``: of the file, None of a camera.
        live: whether it is a camera, which does not wait.
        size: width and height of the frames in pixels.
        duration_s: of what the file shows; None where it does not state it, or not consistently.
        num_read: frames that were passed so far, kept or not.
        last_s: time of the last of them.
        ended: whether all that can be read was passed.
        remarks: sentences about what is not read as the file means it: other tracks, wide pixels.

    Args:
        source: path of a file, or number of a camera.
        threads: of the decoder; None: as many as there are cores.
        bgr: images in OpenCV's order of channels, as its encoder takes them.

    Raises:
        HarError: it cannot be opened, has no frames, or is turned by no right angle.
    """

    def __init__(
        self, source: str | Path | int, *, threads: int | None = None, bgr: bool = False
    ) -> None:
        self.live = isinstance(source, int)
        self.name = f"camera {source}" if self.live else str(source)
        self.path = None if isinstance(source, int) else Path(source)
        self._source, self._bgr = source, bgr
        if not isinstance(source, int) and not Path(source).is_file():
            raise HarError(f"There is no video {source}.")
        self._capture = open_capture(source, threads)
        if not self._capture.isOpened():
            if self.live:
                raise HarError(
                    f"There is no camera {source}, or another program uses it: try source=0, or "
                    "give a video file."
                )
            raise HarError(cannot_decode(Path(str(source))))
        self._mirror = None if self.path is None else _MIRRORS.get(mp4_orientation(self.path))
        if self._mirror is not None:
            self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        self._short_clock = self.path is not None and has_short_clock(self.path)
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        count = self._capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self._stated_fps = fps if 0 < fps <= _HIGHEST_FPS else _USUAL_FPS
        # both come from one clock, whatever it counts, so that their ratio is a time
        stated = not self.live and 0 < fps < math.inf and 0 < count < math.inf
        self.duration_s = count / fps if stated else None
        if not isinstance(source, int):
            self.duration_s = mp4_duration_s(Path(source)) or self.duration_s
        if self._short_clock and self.duration_s is not None and self.duration_s > _HALF_CLOCK_S:
            self.duration_s = None  # its clock begins anew on the way
        self.num_read, self.last_s, self.ended = 0, 0.0, False
        self._first = self._retrieve() if self._grab() else None
        if self.duration_s is not None and self.path is not None and counts_from_zero(self.path):
            # in steps of that clock; a large negative number where there is none
            self.duration_s -= max(0.0, self._capture.get(cv2.CAP_PROP_PTS)) / fps
        if self._first is None:
            self.close()
            if isinstance(source, int):
                raise HarError(f"{self.name} has no frame that can be read.")
            raise HarError(cannot_decode(Path(source)))
        self.size = self._first.shape[1], self._first.shape[0]
        self.remarks = [] if self.path is None else self._remarks(self.path)

    def _remarks(self, path: Path) -> list[str]:
        found = []
        if (tracks := num_video_tracks(path)) > 1:
            found.append(
                f"{path.name} has {tracks} video tracks, of which the one of {self.size[0]}x"
                f"{self.size[1]} pixels was read: ffmpeg -i {quote(str(path))} -map 0:v:1 "
                f"{quote(path.stem + '_track2.mp4')} writes the second one."
            )
        wide, high = (
            self._capture.get(what) for what in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN)
        )
        if wide > 0 and high > 0 and abs(math.log(wide / high)) > _SQUARE:
            found.append(
                f"The pixels of {path.name} are {wide:g}:{high:g} (width to height) and were taken "
                "for square, so persons are distorted: ffmpeg -i "
                f"{quote(str(path))} -vf scale=iw*sar:ih,setsar=1 "
                f"{quote(path.stem + '_square.mp4')} makes them square."
            )
        return found

    @cached_property
    def fps(self) -> float:
        """Frames per second, by the median interval of the first frames' time stamps: a long gap
        does not count. 30 where there are none."""
        if self.live:
            return self._stated_fps
        times: list[float] = []
        capture = open_capture(self._source, 1)
        while len(times) < _MEASURED_FRAMES and capture.grab():
            times.append(float(capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000)
        capture.release()
        if len(times) < 2 or not (np.diff(times) > 0).all():
            return self._stated_fps
        measured = 1 / float(np.median(np.diff(times)))
        mean = (len(times) - 1) / (times[-1] - times[0])
        if abs(mean / measured - 1) < _ROUNDED:  # intervals rounded to 1 ms: 33, 33, 34
            measured = mean
        # time stamps are rounded: a stated rate that agrees is the exact one
        return self._stated_fps if abs(self._stated_fps / measured - 1) < 0.01 else measured

    @property
    def num_frames(self) -> int | None:
        """About how many frames there are; None: not known."""
        return None if self.duration_s is None else max(1, round(self.duration_s * self.fps))

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()

    def frames(
        self,
        *,
        every_s: float | None = None,
        keep: Callable[[int, float], bool] | None = None,
        limit: int | None = None,
        until_s: float = math.inf,
    ) -> Iterator[Frame]:
        """Frames in order; those that are not kept are decoded only as far as others need them.

        Args:
            every_s: keeps the frames closest to 0, ``every_s``, ``2 * every_s`` ... seconds; where
                they are further apart, all of them.
            keep: keeps the frames of which ``keep(number, time_s)`` is true.
            limit: passes so many frames at most.
            until_s: ends before the first frame of this time or later, which counts as passed.
        """
        grid = None if every_s is None else _TimeGrid(every_s)
        began, first_s = time.monotonic(), self._position_s()
        there = True
        while there and (limit is None or self.num_read < limit):
            number = self.num_read
            time_s = time.monotonic() - began if self.live else self._position_s() - first_s
            if number == 0:
                time_s = 0.0
            elif self._short_clock and time_s - self.last_s > _HALF_CLOCK_S:
                first_s += time_s - self.last_s - 1 / self.fps
                time_s, self.duration_s = self.last_s + 1 / self.fps, None
            elif not time_s > self.last_s:  # no time stamps, or wrong ones
                time_s = self.last_s + 1 / self.fps
            self.num_read, self.last_s = number + 1, time_s
            if time_s >= until_s:
                return
            if (grid is None or grid.takes(time_s)) and (keep is None or keep(number, time_s)):
                image = self._first if number == 0 else self._retrieve()
                if image is None:
                    self.num_read = number
                    break
                yield Frame(image, number, time_s)
            there = self._grab()
        self.ended = limit is None or self.num_read < limit

    def missing_s(self) -> float:
        """Seconds by which the frames, read to their end, fall short of the file's duration.

        0 for a whole file: less than two frames, 0.1 s or 2 % is rounding, or the end of the sound.
        """
        if not self.ended or self.duration_s is None or self.live:
            return 0.0
        interval = self.last_s / (self.num_read - 1) if self.num_read > 1 else 1 / self.fps
        missing = self.duration_s - self.last_s - interval
        return missing if missing > max(2 * interval, 0.1, 0.02 * self.duration_s) else 0.0

    def close(self) -> None:
        """Releases the file or camera."""
        self._capture.release()

    def _grab(self) -> bool:
        with suppress(cv2.error):
            return bool(self._capture.grab())
        return False

    def _retrieve(self) -> Image | None:
        with suppress(cv2.error):
            done, image = self._capture.retrieve()
            if done and image is not None:
                if self._mirror is not None:
                    image = self._mirror(image)
                size = self.size if self.num_read else image.shape[1::-1]
                if image.shape[1::-1] != size:  # it changed within the video
                    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
                if image.ndim == 2:
                    image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
                if not self._bgr:
                    image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
                return np.asarray(image, dtype=np.uint8)
        return None

    def _position_s(self) -> float:
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000


class _TimeGrid:
    """Which of the frames, given in order, are the closest to multiples of ``every_s``."""

    def __init__(self, every_s: float) -> None:
        self._every_s, self._next, self._last_s = every_s, 0, -math.inf

    def takes(self, time_s: float) -> bool:
        # half the distance to the next frame, if equal to the last distance; clocks round to 1 ms
        reach_s = min(time_s - self._last_s, self._every_s) / 2 + 1e-4
        self._last_s = time_s
        if time_s + reach_s < self._next * self._every_s:
            return False
        self._next = math.floor((time_s + reach_s) / self._every_s) + 1
        return True


def open_capture(source: str | Path | int, threads: int | None = None) -> Any:
    """A capture, opened or not, without OpenCV's own words about it."""
    with quiet_opencv():
        if isinstance(source, int):
            return cv2.VideoCapture(source)
        if is_animation(Path(source)):
            return AnimationCapture(Path(source))
        with plain_path(Path(source)) as path:
            if threads is None:
                return cv2.VideoCapture(path, cv2.CAP_FFMPEG)
            return cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])


@contextmanager
def plain_path(path: Path) -> Iterator[str]:
    """A path that OpenCV and FFmpeg take for that file: absolute, since what stands before a colon
    may be a protocol (``12:30.mp4``), and in UTF-8, without which OpenCV ends the process."""
    whole = path.absolute()
    try:
        str(whole).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory(prefix="har-") as folder:
            link = Path(folder, "file")
            if whole.exists():
                link.symlink_to(whole)
                yield str(link)
            else:  # to be written: its name is ours
                link.symlink_to(whole.parent)
                yield str(link / whole.name)
    else:
        yield str(whole)
