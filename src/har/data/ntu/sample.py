"""One sample: its video and its skeleton become stored frames with the acting person."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from har.data.framestore.jpeg import encode
from har.data.framestore.shards import StoredSamples, one_sample
from har.data.ntu.skeleton import (
    BodyTrack,
    SkeletonError,
    main_body,
    read_deephar_annotation,
    read_skeleton,
)
from har.data.ntu.targets import CropMargin, visible_region
from har.errors import HarError

Region = tuple[int, int, int, int]

_MOST_BODIES = 6

_BLACK = 4  # mean gray level below which a video shows nothing

# What decoders have to say of damaged files is said in the report.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class SkipSample(HarError):
    """Why a sample is left out: the reason in a few words, the same for all its like; details."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(details or reason)
        self.reason, self.details = reason, details


@dataclass(frozen=True)
class Settings:
    """How frames are stored; one folder holds frames of one kind.

    Attributes:
        stride: every how many-th frame is kept.
        scale: of width and height.
        jpeg_quality: 0 to 100.
        margin: keep only the region of the person's track, as far as crops go; None: whole frames.
    """

    stride: int = 2
    scale: float = 0.5
    jpeg_quality: int = 95
    margin: CropMargin | None = None

    def describe(self) -> dict[str, Any]:
        """Plain values, for the index."""
        kept = {"stride": self.stride, "scale": self.scale, "jpeg_quality": self.jpeg_quality}
        if self.margin is None:
            return kept
        shift_px = [float(shift) for shift in self.margin.shift_px]
        return {**kept, "reach_scale": float(self.margin.scale), "reach_shift_px": shift_px}


class Extracted(NamedTuple):
    """A sample ready to be written, and what is odd about it (empty: nothing)."""

    sample: StoredSamples
    remark: str


class Frames(NamedTuple):
    """Frames taken from a video.

    Attributes:
        jpegs: JPEG files of the kept frames.
        seen: frames of the video, as far as it was looked at.
        size: (width, height) of the kept frames in pixels.
        region: x1, y1, x2, y2, the part of them that the JPEG files show.
    """

    jpegs: list[NDArray[np.uint8]]
    seen: int
    size: tuple[int, int]
    region: Region


def open_video(path: Path) -> cv2.VideoCapture:
    """A video that is decoded by one thread: every process has a video of its own."""
    # OpenCV's warning of a damaged file would only tear the progress bar.
    before = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    finally:
        cv2.utils.logging.setLogLevel(before)


def scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    """Width and height of the frames that are kept, in pixels."""
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """An image at another (width, height).

    Shrinking averages areas: at half size that is closer to the filter of the original's
    extraction (bicubic of PIL, which widens when it shrinks) than OpenCV's bicubic, which aliases.
    """
    if (image.shape[1], image.shape[0]) == size:
        return image
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def encode_frames(
    video: Path,
    settings: Settings,
    length: int,
    region_in: Callable[[tuple[int, int]], Region] = lambda size: (0, 0, *size),
) -> Frames:
    """Keeps every ``stride``-th of the first ``length`` frames of a video as a JPEG file.

    Looks at two more, without keeping them, to know whether the video is longer.

    Args:
        video: its path.
        settings: what is kept of it.
        length: number of frames that have an annotation.
        region_in: the part of frames of a given size that is kept.

    Raises:
        SkipSample: nothing can be decoded, or nothing is to be seen.
    """
    if video.stat().st_size == 0:
        raise SkipSample("empty video file")
    capture = open_video(video)
    jpegs: list[NDArray[np.uint8]] = []
    seen, brightest, size, region = 0, 0.0, (0, 0), (0, 0, 0, 0)
    try:
        while seen < length + 2 and capture.grab():
            if seen < length and seen % settings.stride == 0:
                decoded, image = capture.retrieve()
                if not decoded:
                    break
                if not jpegs:
                    height, width = image.shape[:2]
                    size = scaled(width, height, settings.scale)
                    region = region_in(size)
                    x1, y1, x2, y2 = region
                image = shrink(image, size)  # type: ignore[arg-type]
                brightest = max(brightest, float(image[::8, ::8].mean()))
                part = np.ascontiguousarray(image[y1:y2, x1:x2], dtype=np.uint8)
                jpegs.append(encode(part, settings.jpeg_quality))
            seen += 1
    finally:
        capture.release()
    if not jpegs:
        raise SkipSample("unreadable video")
    if brightest < _BLACK:
        raise SkipSample("black video")
    return Frames(jpegs, seen, size, region)


class Track(NamedTuple):
    """The acting person of a recording.

    Attributes:
        numbers: (F,) frames of the video that are annotated, from 0, ascending.
        person: in these frames.
        remark: what is odd about the file; empty: nothing.
    """

    numbers: NDArray[np.int64]
    person: BodyTrack
    remark: str


def read_track(path: Path, called: str = "skeleton") -> Track:
    """Who acts, by a ``.skeleton`` file or by the original program's ``.npy``.

    Args:
        path: of the file.
        called: what the report calls such a file.

    Raises:
        SkipSample: nobody is in it, or the file is damaged.
    """
    remark = ""
    person: BodyTrack | None
    try:
        if path.suffix == ".npy":
            numbers, person = read_deephar_annotation(path)
            numbers = numbers - 1
        else:
            skeleton = read_skeleton(path)
            person, remark = main_body(skeleton), _oddities(skeleton)
            numbers = np.arange(0 if person is None else len(person.depth_mm))
    except SkeletonError as error:
        raise SkipSample(f"bad {called} file", str(error)) from error
    if person is None or not len(numbers):
        raise SkipSample("no body in any frame")
    return Track(numbers, person, remark)


def _oddities(skeleton: dict[str, NDArray[Any]]) -> str:
    """What is in a skeleton file that no recording should have, though it can be used."""
    present = skeleton["present"]
    found = []
    if present.size and present.sum(1).max() > _MOST_BODIES:
        found.append(f"{present.sum(1).max()} bodies in a frame, the Kinect tracks {_MOST_BODIES}")
    lost = np.isnan(skeleton["colour_px"][present]).any(-1) if present.any() else np.zeros(0)
    if lost.any():
        found.append(f"NaN for {lost.sum()} of {lost.size} joints")
    return "; ".join(found)


def extract_sample(name: str, video: Path, skeleton: Path, settings: Settings) -> Extracted:
    """Frames and annotation of one sample.

    The shorter of video and skeleton decides; a video of less than half the skeleton's length is
    cut off, and too little of the action is left.

    Raises:
        SkipSample: why it cannot be used.
    """
    numbers, track, remark = read_track(skeleton)
    length = int(numbers[-1]) + 1
    frames = encode_frames(video, settings, length, _region_of(settings, numbers, track))
    seen = frames.seen
    if abs(seen - length) > 1:
        known = "at least " if seen > length else ""
        counts = f"the video has {known}{seen} frames, the skeleton {length}"
        if 2 * seen < length:
            raise SkipSample("frame count mismatch", f"{video}: {counts}.")
        remark = "; ".join(filter(None, [counts, remark]))
    kept = np.arange(0, min(seen, length), settings.stride, dtype=np.int32)
    person = _at(kept, numbers, track)
    if not (np.isfinite(person.joints_px).all(-1) & (person.state > 0)).any():
        raise SkipSample("no body in any frame")
    sample = one_sample(name, frames.size, person, kept, frames.jpegs, frames.region)
    return Extracted(sample, remark)


def estimate_bytes(video: Path, skeleton: Path, settings: Settings) -> float:
    """Bytes that a sample's frames will take, judged by the first of them.

    Raises:
        SkipSample: it cannot be told.
    """
    numbers, track, _ = read_track(skeleton)
    first = encode_frames(video, settings, 1, _region_of(settings, numbers, track)).jpegs[0]
    return first.size * (int(numbers[-1]) + 1) / settings.stride


def _region_of(
    settings: Settings, numbers: NDArray[np.int64], track: BodyTrack
) -> Callable[[tuple[int, int]], Region]:
    """Which part is stored of frames of a given size."""

    def region(size: tuple[int, int]) -> Region:
        if settings.margin is None:
            return 0, 0, *size
        stored = np.arange(0, int(numbers[-1]) + 1, settings.stride, dtype=np.int32)
        person = _at(stored, numbers, track)
        return visible_region(person.joints_px, person.depth_mm, size, settings.margin)

    return region


def _at(frames: NDArray[np.int32], numbers: NDArray[np.int64], track: BodyTrack) -> BodyTrack:
    """The person in some frames of the video; absent in frames that the annotation leaves out."""
    row = np.searchsorted(numbers, frames)
    annotated = numbers[row] == frames
    return BodyTrack(
        np.where(annotated[:, None, None], track.joints_px[row], np.float32(np.nan)),
        np.where(annotated[:, None], track.depth_mm[row], np.float32(np.nan)),
        np.where(annotated[:, None], track.state[row], np.uint8(0)),
    )


def annotated_sample(name: str, annotation: Path, images: Path, stride: int) -> Extracted:
    """The annotation of a sample whose frames the original program has extracted.

    Args:
        name: of the sample.
        annotation: the original's ``.npy``, or a ``.skeleton`` file.
        images: the sample's folder, ``00001.jpg`` ... by frame number.
        stride: every how many-th annotated frame is kept.

    Raises:
        SkipSample: why it cannot be used.
    """
    numbers, track, odd = read_track(annotation, called="annotation")
    there = set(os.listdir(images)) if images.is_dir() else set()
    rows = np.arange(0, len(numbers), stride)
    kept = [row for row in rows if f"{numbers[row] + 1:05d}.jpg" in there]
    if not kept:
        raise SkipSample("no extracted frames")
    first = images / f"{numbers[kept[0]] + 1:05d}.jpg"
    picture = cv2.imread(str(first))
    if picture is None:
        raise SkipSample("unreadable frame", f"The frame {first} cannot be decoded.")
    person = BodyTrack(track.joints_px[kept], track.depth_mm[kept], track.state[kept])
    size = (picture.shape[1], picture.shape[0])
    missing = len(rows) - len(kept)
    absent = f"{missing} of {len(rows)} frames are not extracted" if missing else ""
    remark = "; ".join(filter(None, [absent, odd]))
    return Extracted(one_sample(name, size, person, numbers[kept].astype(np.int32)), remark)
