"""Skeleton files of NTU RGB+D, and who in them is the one who acts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from har import HarError

NUM_JOINTS = 25
_JOINT_COLUMNS = 12
_BODY_COLUMNS = 10
_MAX_BODIES = 64  # the Kinect tracks 6 at a time; ids change, so a file may name more

FloatArray = NDArray[np.float32]


class SkeletonError(HarError):
    """A skeleton file that is not as it should be."""


def read_skeleton(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a ``.skeleton`` file of NTU RGB+D (60 and 120).

    Bodies are told apart by their id, not by their place in a frame, which changes when somebody
    enters or leaves. F frames, B bodies in order of appearance, J = 25 joints:

    - ``body_ids``: int64 (B,);
    - ``present``: bool (F, B), whether the body is in the frame; elsewhere the arrays below hold
      NaN, and 0 in those of integers;
    - ``xyz_m``: float32 (F, B, J, 3), metres in the depth camera's space, y up, z away;
    - ``depth_px``: float32 (F, B, J, 2), pixels of the 512x424 depth picture;
    - ``colour_px``: float32 (F, B, J, 2), pixels of the 1920x1080 picture, NaN where unknown;
    - ``orientation``: float32 (F, B, J, 4), quaternion w, x, y, z;
    - ``joint_state``: uint8 (F, B, J), 2 tracked, 1 inferred, 0 not tracked;
    - ``body_info``: float32 (F, B, 9): clipped edges, left hand confidence and state, right hand
      confidence and state, restricted, lean x, lean y, tracking state.

    Infinite numbers are read as NaN.

    Raises:
        SkeletonError: the file is missing, empty, cut off, or anything else than a skeleton.
    """
    path = Path(path)
    try:
        words = path.read_bytes().split()
    except OSError as error:
        raise SkeletonError(
            f"The skeleton file {path} cannot be read: {error.strerror}."
        ) from error
    if not words:
        raise SkeletonError(f"The skeleton file {path} is empty; copy it again.")
    try:
        return _parse(words, path)
    except (ValueError, OverflowError) as error:
        raise SkeletonError(
            f"The skeleton file {path} holds something else than numbers ({error}); copy it again."
        ) from error
    except IndexError as error:
        raise SkeletonError(f"The skeleton file {path} is cut off; copy it again.") from error


def _count(word: bytes, what: str, most: int, path: Path) -> int:
    """A count of the file, refused where the file cannot hold so many."""
    count = int(word)
    if not 0 <= count <= most:
        raise SkeletonError(f"The skeleton file {path} speaks of {count} {what}; copy it again.")
    return count


def _parse(words: list[bytes], path: Path) -> dict[str, np.ndarray]:
    """The arrays of :func:`read_skeleton` from the file's words."""
    num_frames = _count(words[0], "frames", len(words), path)
    place, block = 1, NUM_JOINTS * _JOINT_COLUMNS
    order: dict[int, int] = {}  # body id -> its number
    where: list[tuple[int, int]] = []  # frame and body of every block of joints
    heads: list[list[bytes]] = []
    blocks: list[list[bytes]] = []
    for frame in range(num_frames):
        bodies = _count(words[place], "bodies in a frame", _MAX_BODIES, path)
        place += 1
        for _ in range(bodies):
            head = words[place : place + _BODY_COLUMNS]
            body_id = int(head[0])
            if not 0 <= body_id < 2**63:
                raise ValueError(f"the body id {body_id}")
            place += _BODY_COLUMNS
            joints = int(words[place])
            if joints != NUM_JOINTS:
                raise SkeletonError(
                    f"The skeleton file {path} has {joints} joints in frame {frame}, not 25."
                )
            place += 1
            values = words[place : place + block]
            if len(values) < block:
                raise IndexError
            place += block
            number = order.setdefault(body_id, len(order))
            if number >= _MAX_BODIES or (where and where[-1] == (frame, number)):
                raise SkeletonError(
                    f"The skeleton file {path} names a body twice in frame {frame}, or too many "
                    "bodies; copy it again."
                )
            where.append((frame, number))
            heads.append(head[1:])
            blocks.append(values)
    if place != len(words):
        raise SkeletonError(
            f"The skeleton file {path} goes on after its {num_frames} frames; copy it again."
        )
    count = len(order)
    joint_values = np.full((num_frames, count, NUM_JOINTS, _JOINT_COLUMNS), np.nan, np.float32)
    infos = np.full((num_frames, count, _BODY_COLUMNS - 1), np.nan, np.float32)
    present = np.zeros((num_frames, count), dtype=bool)
    if where:
        frames, numbers = np.array(where).T
        with np.errstate(over="ignore"):  # too large for float32: infinite, so NaN below
            parsed = np.array(blocks, dtype=np.float64).astype(np.float32)
            infos[frames, numbers] = np.array(heads, dtype=np.float64)
        parsed[~np.isfinite(parsed)] = np.nan
        joint_values[frames, numbers] = parsed.reshape(-1, NUM_JOINTS, _JOINT_COLUMNS)
        present[frames, numbers] = True
    states = np.nan_to_num(joint_values[..., 11], nan=0.0)
    return {
        "body_ids": np.array(list(order), dtype=np.int64),
        "present": present,
        "xyz_m": joint_values[..., 0:3],
        "depth_px": joint_values[..., 3:5],
        "colour_px": joint_values[..., 5:7],
        "orientation": joint_values[..., 7:11],
        "joint_state": np.clip(states, 0, 2).astype(np.uint8),
        "body_info": infos,
    }


# --------------------------------------------------------------------------- the acting person


class BodyTrack(NamedTuple):
    """One person through a recording; NaN and state 0 in frames without the person.

    Attributes:
        joints_px: float32 (F, 25, 2), pixels of the 1920x1080 picture.
        depth_mm: float32 (F, 25), distance from the camera's plane.
        state: uint8 (F, 25), 2 tracked, 1 inferred, 0 not tracked.
    """

    joints_px: FloatArray
    depth_mm: FloatArray
    state: NDArray[np.uint8]


# The rules and numbers in common use for skeleton networks on NTU RGB+D.
_SHORT_TRACK = 11  # frames; a body seen no longer is noise
_WIDE = 0.8  # a standing or sitting person is at most so wide against its height
_MOST_WIDE = 0.69754  # share of its frames in which a body may be wider


def main_body(skeleton: dict[str, np.ndarray]) -> BodyTrack | None:
    """The person who acts: of all plausible bodies the one that moves most.

    Where there are several bodies, those seen for 11 frames or fewer are left out, then those
    that are wider than high most of the time (chairs and tables tracked as people). What is
    left is sorted by motion, the variance of the joints over time. The Kinect gives a person a
    new id after losing it, so bodies that do not overlap the first in time continue it. Frame
    numbers are kept, unlike in skeleton-only work: the frames have to meet the video's.

    Args:
        skeleton: of :func:`read_skeleton`.

    Returns:
        None if no frame has a body.
    """
    present, xyz = skeleton["present"], skeleton["xyz_m"]
    bodies = np.flatnonzero(present.any(0))
    if not bodies.size:
        return None
    if bodies.size > 1:
        long = [b for b in bodies if present[:, b].sum() > _SHORT_TRACK]
        plausible = [b for b in long if _share_wide(xyz[present[:, b], b]) < _MOST_WIDE]
        # the last one standing stays, whatever it looks like
        bodies = np.array(plausible or long or list(bodies))
    motion = [_motion(xyz[present[:, b], b]) for b in bodies]
    bodies = bodies[np.argsort(-np.array(motion), kind="stable")]
    owner = np.full(len(present), -1)
    for body in bodies:
        seen = present[:, body]
        if not (seen & (owner >= 0)).any():
            owner[seen] = body
    frames = np.flatnonzero(owner >= 0)
    chosen = (frames, owner[frames])
    joints_px = np.full((len(present), NUM_JOINTS, 2), np.nan, np.float32)
    depth_mm = np.full((len(present), NUM_JOINTS), np.nan, np.float32)
    state = np.zeros((len(present), NUM_JOINTS), np.uint8)
    joints_px[frames] = skeleton["colour_px"][chosen]
    depth_mm[frames] = 1000 * xyz[..., 2][chosen]
    state[frames] = skeleton["joint_state"][chosen]
    return BodyTrack(joints_px, depth_mm, state)


def _motion(xyz: FloatArray) -> float:
    """Sum of the variances over time of all coordinates (F, 25, 3), NaN left out."""
    known = np.isfinite(xyz)
    count = np.maximum(known.sum(0), 1)
    values = np.where(known, xyz, 0).astype(np.float64)
    away = np.where(known, values - values.sum(0) / count, 0)
    return float((away**2 / count).sum())


def _share_wide(xyz: FloatArray) -> float:
    """Share of frames (F, 25, 3) in which a body is too wide for a person."""
    known = np.isfinite(xyz)
    low = np.where(known, xyz, np.inf).min(1)
    high = np.where(known, xyz, -np.inf).max(1)
    extent = high.astype(np.float64) - low
    return float((extent[:, 0] > _WIDE * extent[:, 1]).mean())


def read_deephar_annotation(path: str | Path) -> tuple[NDArray[np.int64], BodyTrack]:
    """Reads an annotation of the original program, ``nturgb+d_numpy/<sample>.npy``.

    A row per frame holds its number, 75 world coordinates, 25 x and 25 y in pixels of 1920x1080,
    and 25 depths in mm.

    Returns:
        Frame numbers (F,) as the file has them, and the person.

    Raises:
        SkeletonError: the file cannot be read or is of another form.
    """
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SkeletonError(f"The annotation {path} cannot be read ({error}).") from error
    if rows.ndim != 2 or rows.shape[1] != 151 or rows.dtype.kind not in "fiu":
        raise SkeletonError(
            f"The annotation {path} is {rows.dtype} of shape {rows.shape}, not numbers of "
            "frames x 151."
        )
    rows = rows.astype(np.float64)
    joints = np.stack([rows[:, 76:101], rows[:, 101:126]], -1).astype(np.float32)
    depth = rows[:, 126:151].astype(np.float32)
    known = np.isfinite(joints).all(-1) & np.isfinite(depth) & (depth > 0)
    return rows[:, 0].astype(np.int64), BodyTrack(joints, depth, 2 * known.astype(np.uint8))
