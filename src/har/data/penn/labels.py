"""The label files of Penn Action: an action, a split, and 13 joints in every frame of a clip.

Zhang, Zhu, Derpanis, "From Actemes to Action", ICCV 2013. ``labels/0001.mat`` holds ``action``,
``train`` (1 or -1), ``x``, ``y`` and ``visibility`` (T, 13), ``nframes``, ``dimensions`` (height,
width, T), ``bbox`` and ``pose`` (the view). All of it has the smallest type that holds it.

The files' authors list the joints as head, left shoulder, right shoulder and so on, as the picture
of a person who faces the camera shows them: their left is the person's right. (In the 612 clips
seen from the front the second joint lies left of the third; in the 604 from behind, right of it.)
Layout ``penn13`` names the joints by the person, as the original program's ``pa16j`` and MPII do.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.data.matlab import read_matlab, text
from har.data.penn.files import PennError
from har.layouts import get_layout

LAYOUT = get_layout("penn13")
FRAMES_PER_SECOND = 30  # no file states it; the original program counts frames
ACTIONS = (
    *("baseball_pitch", "baseball_swing", "bench_press", "bowl", "clean_and_jerk", "golf_swing"),
    *("jump_rope", "jumping_jacks", "pullup", "pushup", "situp", "squat", "strum_guitar"),
    *("tennis_forehand", "tennis_serve"),
)
"""Names of the actions, in the order of the clips' numbers."""

MAX_COORDINATE_PX = 1e5  # beyond it a number is damage, not a place
_FIELDS = ("action", "train", "x", "y", "visibility", "nframes", "dimensions")


@dataclass(frozen=True)
class PennClip:
    """What is annotated of a clip.

    Attributes:
        name: its number in four digits.
        action: one of :data:`ACTIONS`.
        split: ``train`` or ``test``.
        numbers: int32 (T,) of the annotated frames, from 0, ascending.
        joints_px: float32 (T, 13, 2), pixels as the files count them (from 1), NaN for joints that
            are not visible; in the order of layout ``penn13``.
        size: width and height of the frames, as stated.
    """

    name: str
    action: str
    split: str
    numbers: NDArray[np.int32]
    joints_px: NDArray[np.float32]
    size: tuple[int, int]


def read_label(path: Path) -> PennClip:
    """Reads a label file.

    Raises:
        PennError: it cannot be read, lacks something, or what it states does not fit together.
    """
    found = read_matlab(path, *_FIELDS, error=PennError)
    fields = {name: np.asarray(value) for name, value in zip(_FIELDS, found, strict=True)}
    action = text(fields["action"])
    if action not in ACTIONS:
        raise _wrong(path, f"names the action {action[:40]!r}, which Penn Action does not have")
    (train,) = _integers(fields["train"], 1, "train", path)
    if train not in (1, -1):
        raise _wrong(path, f"has train {train}, neither 1 nor -1")
    joints = visible_joints(fields["x"], fields["y"], fields["visibility"], f"{path}")
    (stated,) = _integers(fields["nframes"], 1, "nframes", path)
    height, width, third = _integers(fields["dimensions"], 3, "dimensions", path)
    if not stated == third == len(joints) or min(height, width) < 1:
        raise _wrong(
            path,
            f"states {stated} frames and dimensions {height} x {width} x {third}, and has joints "
            f"of {len(joints)} frames",
        )
    split = "train" if train == 1 else "test"
    numbers = np.arange(len(joints), dtype=np.int32)
    return PennClip(path.stem, action, split, numbers, joints, (width, height))


def visible_joints(x: Any, y: Any, visibility: Any, where: str) -> NDArray[np.float32]:
    """Joints (T, 13, 2), NaN where they are not visible.

    Args:
        x, y, visibility: (T, 13) of any type of numbers.
        where: what the error names.

    Raises:
        PennError: another shape, or a visible joint that is no place.
    """
    arrays = [np.asarray(values) for values in (x, y, visibility)]
    shapes = {values.shape for values in arrays}
    good = len(shapes) == 1 and all(values.dtype.kind in "buif" for values in arrays)
    if not good or arrays[0].ndim != 2 or arrays[0].shape[1] != LAYOUT.num_joints:
        found = ", ".join(f"{values.dtype} {values.shape}" for values in arrays)
        raise PennError(
            f"{where} has x, y and visibility of {found}, not numbers of (frames, 13): unpack it "
            "again."
        )
    seen = arrays[2].astype(np.float64)
    if not np.isin(seen, (0, 1)).all():
        raise PennError(f"{where} has a visibility other than 0 and 1: unpack it again.")
    places = np.stack([values.astype(np.float64) for values in arrays[:2]], -1)
    if not len(places) or not (np.abs(places[seen == 1]) < MAX_COORDINATE_PX).all():
        raise PennError(
            f"{where} has no frame, or a visible joint whose coordinates are no place in a "
            "picture: unpack it again."
        )
    return np.where((seen == 1)[..., None], places, np.nan).astype(np.float32)


def far_outside(joints_px: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which joints (...) of (..., 2) lie farther outside a picture than its own width or height.

    Damage, for no part of a person whom the picture shows is there: of the official labels the
    farthest one lies outside by 0.45 of the height.
    """
    off = np.abs(joints_px - np.divide(size, 2)) > np.multiply(size, 1.5)  # from the middle
    far: NDArray[np.bool_] = np.asarray(off.any(-1))
    return far


def _integers(values: NDArray[Any], count: int, name: str, path: Path) -> list[int]:
    """Whole numbers as Python's own: those of the files have 8 bits and wrap around."""
    numbers = values.ravel()
    if numbers.size != count or numbers.dtype.kind not in "buif":
        raise _wrong(path, f"has {name} of {values.dtype} {values.shape}, not {count} numbers")
    if not (np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all()):
        raise _wrong(path, f"has {name} {numbers.tolist()}, not whole numbers")
    return [int(number) for number in numbers.tolist()]


def _wrong(path: Path, what: str) -> PennError:
    return PennError(f"The label file {path} {what}: unpack it again.")
