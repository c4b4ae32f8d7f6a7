"""One sample: its video and its skeleton become stored frames with the acting person."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from har.data.augment import CropMargin
from har.data.framestore.encoding import Region, Size, encode_frames
from har.data.framestore.extraction import Extracted, SkipSample
from har.data.framestore.shards import one_sample
from har.data.ntu import skeleton as skeletons
from har.data.ntu.labels import ACTION_NAMES, parse_sample_name
from har.data.ntu.targets import COLOR_WIDTH_PX, visible_region
from har.data.records import Clip
from har.layouts import LAYOUTS

FRAMES_PER_SECOND = 30
_MOST_BODIES = 6


SKELETON_JOINTS = {
    "layout": "ntu25",
    "joint_names": list(LAYOUTS["ntu25"].joints),
    "joints_width_px": COLOR_WIDTH_PX,
}
"""What an index states of joints from skeleton files."""


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
        names = ("stride", "scale", "jpeg_quality")
        kept: dict[str, Any] = {name: getattr(self, name) for name in names}
        if self.margin is not None:
            kept["margin_scale"] = float(self.margin.scale)
            kept["margin_shift_px"] = [float(shift) for shift in self.margin.shift_px]
        return {**kept, **SKELETON_JOINTS}

    def size_of(self, size: Size) -> Size:
        """Width and height of the frames that are kept, in pixels."""
        width, height = size
        return max(1, round(width * self.scale)), max(1, round(height * self.scale))


class Track(NamedTuple):
    """The acting person of a recording.

    Attributes:
        numbers: (F,) frames of the video that are annotated, from 0, ascending.
        person: in these frames.
        remark: what is odd about the file; empty: nothing.
    """

    numbers: NDArray[np.int64]
    person: skeletons.BodyTrack
    remark: str


def read_track(path: Path, called: str = "skeleton") -> Track:
    """Who acts, by a ``.skeleton`` file or by the original program's ``.npy``.

    Args:
        path: of the file.
        called: what the report calls such a file.

    Raises:
        SkipSample: no body is in it, or the file is damaged.
    """
    remark = ""
    person: skeletons.BodyTrack | None
    try:
        if path.suffix == ".npy":
            numbers, person = skeletons.read_deephar_annotation(path)
            numbers = numbers - 1
        else:
            skeleton = skeletons.read_skeleton(path)
            person, remark = skeletons.main_body(skeleton), _oddities(skeleton)
            numbers = np.arange(0 if person is None else len(person.depth_mm))
    except skeletons.SkeletonError as error:
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
    track = read_track(skeleton)
    length = int(track.numbers[-1]) + 1
    # Two more are passed, without keeping them, to know whether the video is longer.
    frames = encode_frames(
        video,
        settings.size_of,
        settings.jpeg_quality,
        region_in=partial(_region, settings=settings, track=track),
        keep=lambda number, _: number < length and number % settings.stride == 0,
        limit=length + 2,
    )
    remarks = [compare_lengths(video, frames.num_read, length), track.remark]
    clip = _clip(name, frames.times_s, frames.numbers, track)
    check_tracked(clip.joints)
    sample = one_sample(clip, frames.size, frames.jpegs, frames.region)
    return Extracted(sample, "; ".join(filter(None, remarks)))


def check_tracked(joints: NDArray[np.float32]) -> None:
    """SkipSample where no joint of (F, P, J, 4) is known and tracked."""
    if not (np.isfinite(joints[..., :2]).all(-1) & (joints[..., 3] > 0)).any():
        raise SkipSample("no body in any frame")


def compare_lengths(video: Path, seen: int, length: int) -> str:
    """How a video's frames, as far as they were read, differ in number from the skeleton's.

    Returns:
        Empty where they do not, but for one.

    Raises:
        SkipSample: less than half of them are there.
    """
    if abs(seen - length) <= 1:
        return ""
    counts = f"the video has {'at least ' * (seen > length)}{seen} frames, the skeleton {length}"
    if 2 * seen < length:
        raise SkipSample("frame count mismatch", f"{video}: {counts}.")
    return counts


def _clip(
    name: str, times_s: NDArray[np.float64], numbers: NDArray[np.int32], track: Track
) -> Clip:
    """The record of a sample; a setup's samples make a shard."""
    joints = joints_at(numbers, track)
    label = ACTION_NAMES[parse_sample_name(name).action - 1]
    return Clip(name, times_s, joints, group=name[:4], label=label, numbers=numbers)


def estimate_bytes(video: Path, skeleton: Path, settings: Settings) -> float:
    """Bytes that a sample's frames will take, estimated by the first of them.

    Raises:
        SkipSample: there is no such frame.
    """
    track = read_track(skeleton)
    region_in = partial(_region, settings=settings, track=track)
    quality = settings.jpeg_quality
    first = encode_frames(video, settings.size_of, quality, region_in=region_in, limit=1).jpegs[0]
    return first.size * (int(track.numbers[-1]) + 1) / settings.stride


def _region(size: Size, settings: Settings, track: Track) -> Region:
    """Which part is stored of frames of a given size."""
    if settings.margin is None:
        return 0, 0, *size
    stored = np.arange(0, int(track.numbers[-1]) + 1, settings.stride, dtype=np.int32)
    joints = joints_at(stored, track)[:, 0]
    return visible_region(joints[..., :2], joints[..., 2], size, settings.margin)


def joints_at(frames: NDArray[np.int32], track: Track) -> NDArray[np.float32]:
    """The person in frames of the video, numbers (F,) from 0: x, y, depth and state (F, 1, 25, 4).

    NaN and state 0 in frames that the annotation leaves out.
    """
    person, numbers = track.person, track.numbers
    row = np.minimum(np.searchsorted(numbers, frames), len(numbers) - 1)
    joints = np.concatenate(
        [person.joints_px[row], person.depth_mm[row][..., None], person.state[row][..., None]], -1
    ).astype(np.float32)
    joints[numbers[row] != frames] = (np.nan, np.nan, np.nan, 0)
    return joints[:, None]


def annotated_sample(name: str, images: Path, annotation: Path, settings: Settings) -> Extracted:
    """The annotation of a sample whose frames the original program has extracted.

    Args:
        name: of the sample.
        images: the sample's folder, ``00001.jpg`` ... by frame number.
        annotation: the original's ``.npy``, or a ``.skeleton`` file.
        settings: whose ``stride`` chooses among the annotated frames.

    Raises:
        SkipSample: why it cannot be used.
    """
    track = read_track(annotation, called="annotation")
    numbers = track.numbers
    there = set(os.listdir(images)) if images.is_dir() else set()
    rows = np.arange(0, len(numbers), settings.stride)
    kept = [row for row in rows if f"{numbers[row] + 1:05d}.jpg" in there]
    if not kept:
        raise SkipSample("no extracted frames")
    first = images / f"{numbers[kept[0]] + 1:05d}.jpg"
    picture = cv2.imread(str(first))
    if picture is None:
        raise SkipSample("unreadable frame", f"The frame {first} cannot be decoded.")
    stored = numbers[kept].astype(np.int32)
    size = (picture.shape[1], picture.shape[0])
    missing = len(rows) - len(kept)
    absent = f"{missing} of {len(rows)} frames are not extracted" if missing else ""
    clip = _clip(name, stored / FRAMES_PER_SECOND, stored, track)
    return Extracted(one_sample(clip, size), "; ".join(filter(None, [absent, track.remark])))
