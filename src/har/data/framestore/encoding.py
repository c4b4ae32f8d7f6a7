"""From a video to the JPEG files of its stored frames."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from har.data.framestore.extraction import SkipSample
from har.data.framestore.jpeg import encode
from har.errors import HarError
from har.video import Video

Size = tuple[int, int]
Region = tuple[int, int, int, int]

_BLACK = 4  # mean gray level below which a video shows nothing


class EncodedFrames(NamedTuple):
    """Frames taken from a video.

    Attributes:
        jpegs: JPEG files of the K kept frames.
        numbers: int32 (K,) of them in the video, from 0.
        times_s: float64 (K,) since the first frame of the video.
        size: (width, height) of the kept frames in pixels.
        region: x1, y1, x2, y2, the part of them that the JPEG files show.
        num_read: frames of the video, as far as it was read; ``last_s``: time of the last of them.
        longer: the video goes on after ``until_s``.
        missing_s: seconds by which a video that was read to its end falls short of its duration.
    """

    jpegs: list[NDArray[np.uint8]]
    numbers: NDArray[np.int32]
    times_s: NDArray[np.float64]
    size: Size
    region: Region
    num_read: int
    last_s: float
    longer: bool
    missing_s: float


def encode_frames(
    video: Path,
    size_of: Callable[[Size], Size],
    jpeg_quality: int,
    *,
    region_in: Callable[[Size], Region] = lambda size: (0, 0, *size),
    **choice: Any,
) -> EncodedFrames:
    """Frames of a video as JPEG files.

    Args:
        video: its path.
        size_of: size of the kept frames by that of the video's, (width, height) in pixels.
        jpeg_quality: 0 to 100.
        region_in: the part of frames of a given size that is kept.
        **choice: which frames, see :meth:`har.video.Video.frames`.

    Raises:
        SkipSample: nothing can be decoded, or the frames are black.
    """
    if video.stat().st_size == 0:
        raise SkipSample("empty video file")
    try:
        reader = Video(video, threads=1, bgr=True)  # every process has a video of its own
    except HarError as error:
        raise SkipSample("unreadable video", str(error)) from error
    jpegs: list[NDArray[np.uint8]] = []
    numbers, times, brightest = [], [], 0.0
    size = size_of(reader.size)
    x1, y1, x2, y2 = region = region_in(size)
    with closing(reader):
        for frame in reader.frames(**choice):
            image = frame.image
            if (image.shape[1], image.shape[0]) != size:
                # Averaged areas: at half size closer to the filter of the original's extraction
                # (bicubic of PIL, which widens when it shrinks) than OpenCV's, which aliases.
                image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            brightest = max(brightest, float(image[::8, ::8].mean()))
            jpegs.append(encode(np.ascontiguousarray(image[y1:y2, x1:x2]), jpeg_quality))
            numbers.append(frame.number)
            times.append(frame.time_s)
        missing_s = reader.missing_s()
    if not jpegs:
        raise SkipSample("unreadable video")
    if brightest < _BLACK:
        raise SkipSample("black video")
    at, times_s = np.array(numbers, dtype=np.int32), np.array(times, dtype=np.float64)
    longer = reader.last_s >= choice.get("until_s", np.inf)
    num_read, last_s = reader.num_read, reader.last_s
    return EncodedFrames(jpegs, at, times_s, size, region, num_read, last_s, longer, missing_s)
