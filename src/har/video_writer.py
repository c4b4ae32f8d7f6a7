"""The one writer of videos: images at their times."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from har.errors import HarError
from har.files import Image, check_writable, whole_file
from har.video import open_capture, plain_path

_CODEC = "mp4v"  # MPEG-4 part 2 in .mp4: what OpenCV can write everywhere
LONGEST_GAP_S = 10.0  # of one picture: a clock that jumps would repeat it for hours
_GAP_FRAMES = 10  # and at least so many usual intervals, as in time-lapse videos
_CHECK_S = 2.0  # from look to look whether the disk takes more: OpenCV reports nothing


@contextmanager
def video_file(path: Path, fps: float) -> Iterator[VideoFile]:
    """A video file to write to; it gets its name when the block ends without an error.

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
    """Writes images at their times: H.264, which browsers play, where PyAV is installed (the extra
    ``video``), else what OpenCV can write everywhere, MPEG-4 part 2.

    Where the frame rate varies, images are repeated or skipped by their times, so that each is
    shown when it was taken and as long as it was, but not longer than 10 s or ten intervals.

    Args:
        path: ending in .mp4.
        fps: frames per second of the file.

    Attributes:
        num_frames: frames of the file so far.
        gaps_s: seconds without an image that were shortened, one by one.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps, self.num_frames = path, fps, 0
        self.longest_gap_s = max(LONGEST_GAP_S, _GAP_FRAMES / fps)
        self.gaps_s: list[float] = []
        self._last_s = self._left_out_s = 0.0
        self._encoder: _H264 | _MPEG4 | None = None
        self._last: Image | None = None
        self._checked_s = time.monotonic()

    def write(self, image: Image, time_s: float) -> None:
        """Adds an image.

        Args:
            image: uint8 RGB (H, W, 3), all of one size.
            time_s: since the first image.

        Raises:
            HarError: no video can be written here, or the disk is full by now.
        """
        height, width = image.shape[:2]
        if height % 2 or width % 2:  # codecs want even sizes
            image = np.asarray(
                cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE),
                dtype=np.uint8,
            )
        if self._encoder is None:
            encoder = _H264 if h264_is_here() else _MPEG4
            with plain_path(self.path) as path:
                self._encoder = encoder(path, self.fps, image.shape)
        gap_s = time_s - self._last_s
        self._last_s = time_s
        if gap_s > self.longest_gap_s:
            self.gaps_s.append(gap_s)
            self._left_out_s += gap_s - self.longest_gap_s
        place = round((time_s - self._left_out_s) * self.fps)
        while self.num_frames <= place:
            # until its own time the picture before it stays
            shown = image if self.num_frames == place or self._last is None else self._last
            self._encoder.write(shown)
            self.num_frames += 1
        self._last = image
        if time.monotonic() - self._checked_s > _CHECK_S:
            self._checked_s = time.monotonic()
            check_writable(self.path.parent)

    def close(self) -> None:
        """Closes the file."""
        if self._encoder is not None:
            self._encoder.close()

    def is_whole(self) -> bool:
        """Returns whether the file has all images: OpenCV does not report a full disk."""
        capture = open_capture(self.path)
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        return count == self.num_frames > 0


def h264_is_here() -> bool:
    """Whether PyAV is installed, with an encoder of H.264."""
    try:
        import av
    except ImportError:
        return False
    return _H264.codec in av.codecs_available


class _H264:
    """PyAV's encoder: yuv420p and the index in front, as browsers want it."""

    codec = "libx264"

    def __init__(self, path: str, fps: float, shape: tuple[int, ...]) -> None:
        import av

        self._frame = av.VideoFrame.from_ndarray
        file: Any = av.open(path, "w", options={"movflags": "faststart"})
        options = {"preset": "veryfast", "crf": "23"}
        rate = Fraction(fps).limit_denominator(1001)
        stream: Any = file.add_stream(self.codec, rate=rate, options=options)
        stream.height, stream.width = shape[:2]
        stream.pix_fmt = "yuv420p"
        self._file, self._stream, self._count = file, stream, 0

    def write(self, image: Image) -> None:
        # three times as fast as the encoder's own conversion, which would be the same (BT.601)
        planes = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), np.uint8)
        frame = self._frame(planes, format="yuv420p")
        frame.pts = self._count
        self._count += 1
        self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        try:
            self._file.mux(self._stream.encode())
        finally:
            self._file.close()


class _MPEG4:
    """OpenCV's encoder."""

    def __init__(self, path: str, fps: float, shape: tuple[int, ...]) -> None:
        height, width = shape[:2]
        code = cv2.VideoWriter.fourcc(*_CODEC)
        self._writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, code, fps, (width, height))
        if not self._writer.isOpened():
            raise HarError(
                f"OpenCV cannot write a video of {width}x{height} to {Path(path).parent}: is there "
                "space, and may you write there? video=false leaves it out."
            )

    def write(self, image: Image) -> None:
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        self._writer.release()
