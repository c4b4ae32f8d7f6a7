"""One clip: the images of its frames are checked where they lie, its joints stored beside them."""

from collections import Counter
from pathlib import Path

import numpy as np

from har.data.framestore.extraction import Extracted, SkipSample
from har.data.framestore.jpeg import JPEGError, decode
from har.data.framestore.shards import one_sample
from har.data.penn.files import PennError
from har.data.penn.labels import FRAMES_PER_SECOND, PennClip, far_outside, read_label
from har.data.records import Clip

DIGITS = 6  # of 000001.jpg
_NO_JOINT = "no visible joint in any frame"


def group_of(name: str) -> str:
    """The group of a clip: a hundred of them share a shard."""
    return name[:-2]


def labeled_sample(label: Path, frames_dir: Path) -> Extracted:
    """A clip by its official label file; see :func:`clip_sample`."""
    try:
        clip = read_label(label)
    except PennError as error:
        raise SkipSample("bad label file", str(error)) from error
    return clip_sample(clip, frames_dir)


def clip_sample(clip: PennClip, frames_dir: Path) -> Extracted:
    """The record of a clip; every image is decoded once, and those that cannot be are left out, as
    are joints far outside the picture.

    Args:
        clip: its annotation.
        frames_dir: has a folder of images per clip.

    Raises:
        SkipSample: no joint is visible, or less than half of the images can be used.
    """
    if not np.isfinite(clip.joints_px).any():
        raise SkipSample(_NO_JOINT)
    folder = frames_dir / clip.name
    sizes = [_size(folder / f"{number + 1:0{DIGITS}d}.jpg") for number in clip.numbers.tolist()]
    whole = Counter(size for size in sizes if isinstance(size, tuple))
    if not whole:
        if "damaged" in sizes:
            raise SkipSample("damaged frames", f"No frame in {folder} can be decoded.")
        raise SkipSample("no frames", f"There is no frame of the clip in {folder}.")
    size = whole.most_common(1)[0][0]
    kept = [row for row, found in enumerate(sizes) if found == size]
    problems = Counter(
        found if isinstance(found, str) else "of another size" for found in sizes if found != size
    )
    counts = ", ".join(f"{count} of {len(sizes)} frames {what}" for what, count in problems.items())
    if 2 * len(kept) < len(sizes):
        raise SkipSample("too few frames", f"{folder}: {counts}.")
    remarks = [counts] if counts else []
    if size != clip.size:
        stated = " x ".join(map(str, clip.size))
        remarks.append(f"the frames have {size[0]} x {size[1]} pixels, annotated are {stated}")
    joints = clip.joints_px[kept]
    far = far_outside(joints, size)
    if far.any():
        joints = np.where(far[..., None], np.float32(np.nan), joints)
        remarks.append(
            f"{far.sum()} of {far.size} joints lie farther outside the picture than its size and "
            "are left out"
        )
        if not np.isfinite(joints).any():
            raise SkipSample(_NO_JOINT, f"{folder}: {'; '.join(remarks)}.")
    numbers = clip.numbers[kept]
    record = Clip(
        clip.name,
        numbers / FRAMES_PER_SECOND,
        joints[:, None],
        group=group_of(clip.name),
        label=clip.action,
        split=clip.split,
        numbers=numbers,
    )
    return Extracted(one_sample(record, size), "; ".join(remarks))


def _size(path: Path) -> tuple[int, int] | str:
    """Width and height of an image, or what is wrong with it: ``missing`` or ``damaged``."""
    try:
        image = decode(np.fromfile(path, dtype=np.uint8))
    except FileNotFoundError:
        return "missing"
    except (OSError, JPEGError):
        return "damaged"
    return image.shape[1], image.shape[0]
