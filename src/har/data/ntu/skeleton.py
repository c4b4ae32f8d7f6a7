"""Skeleton files of NTU RGB+D, and who in them is the one who acts."""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError

NUM_JOINTS = 25
_JOINT_COLUMNS = 12
_BODY_COLUMNS = 10
_BLOCK = _BODY_COLUMNS + 1 + NUM_JOINTS * _JOINT_COLUMNS  # values of a body in a frame
# The longest recordings have some 300 frames, and the Kinect tracks 6 people at a time. Limits far
# above that keep a damaged file from taking the memory of the machine.
_MAX_BYTES = 64 * 2**20
_MAX_TRACKED = 100_000  # frames x bodies

FloatArray = NDArray[np.float32]


class SkeletonError(HarError):
    """A skeleton file that is not as it should be."""


def _wrong(path: Path, what: str) -> SkeletonError:
    return SkeletonError(f"The skeleton file {path} {what}; copy it again.")


def read_skeleton(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a ``.skeleton`` file of NTU RGB+D (60 and 120).

    Bodies are distinguished by their id, not by their place in a frame, which changes when a body
    enters or leaves. F frames, B bodies in order of appearance, J = 25 joints:

    - ``body_ids``: int64 (B,);
    - ``present``: bool (F, B), whether the body is in the frame; elsewhere the arrays below hold
      NaN, and 0 in those of integers;
    - ``xyz_m``: float32 (F, B, J, 3), meters in the depth camera's space, y up, z away;
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
    data = _read_bytes(path)
    words = data.split()
    if not words:
        raise _wrong(path, "is empty")
    try:
        if b"_" in data:
            raise ValueError  # only Python reads 1_0 as ten
        return _parse(words, path)
    except (ValueError, OverflowError) as error:
        raise _wrong(path, "holds something else than numbers") from error
    except IndexError as error:
        raise _wrong(path, "is cut off") from error


def _read_bytes(path: Path) -> bytes:
    """A file's content, refused where it is far larger than any recording."""
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise _wrong(path, f"has {size / 1e6:.0f} MB, far more than a recording needs")
        return path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        reason = getattr(error, "strerror", None) or error
        raise SkeletonError(f"The skeleton file {path} cannot be read: {reason}.") from error


def _count(word: bytes, what: str, most: int, path: Path) -> int:
    """A count of the file, refused where the file cannot hold so many."""
    count = int(word)
    if not 0 <= count <= most:
        raise _wrong(path, f"speaks of {count:.6g} {what}")
    return count


def _parse(words: list[bytes], path: Path) -> dict[str, np.ndarray]:
    """The arrays of :func:`read_skeleton` from the file's words."""
    num_frames = _count(words[0], "frames", len(words) - 1, path)
    place = 1
    order: dict[int, int] = {}  # body id -> its number
    blocks: dict[tuple[int, int], int] = {}  # frame and body -> place of its first value
    for frame in range(num_frames):
        bodies = _count(words[place], "bodies in a frame", len(words) // _BLOCK, path)
        place += 1
        for _ in range(bodies):
            body_id, joints = int(words[place]), int(words[place + _BODY_COLUMNS])
            if not 0 <= body_id < 2**63:
                raise ValueError
            if joints != NUM_JOINTS:
                raise SkeletonError(
                    f"The skeleton file {path} has {joints:.6g} joints in frame {frame}, not 25."
                )
            key = frame, order.setdefault(body_id, len(order))
            if key in blocks:
                raise _wrong(path, f"names the body {body_id} twice in frame {frame}")
            blocks[key] = place
            place += _BLOCK
    if place > len(words):
        raise IndexError
    if place < len(words):
        raise _wrong(path, f"goes on after its {num_frames} frames")
    if num_frames * len(order) > _MAX_TRACKED:
        tracked = f"{num_frames} frames with {len(order)} bodies in all"
        raise _wrong(path, f"has {tracked}, more than a recording can have")
    shape = (num_frames, len(order))
    values = np.full((*shape, _BLOCK), np.nan, dtype=np.float32)
    present = np.zeros(shape, dtype=bool)
    if blocks:
        numbers = np.fromiter(map(float, words), np.float64, len(words))
        filled = tuple(np.array(list(blocks)).T)
        starts = np.fromiter(blocks.values(), np.int64, len(blocks))
        with np.errstate(over="ignore"):
            values[filled] = numbers[starts[:, None] + np.arange(_BLOCK)]
        values[~np.isfinite(values)] = np.nan
        present[filled] = True
    joint_values = values[..., _BODY_COLUMNS + 1 :].reshape(*shape, NUM_JOINTS, _JOINT_COLUMNS)
    states = np.nan_to_num(joint_values[..., 11], nan=0.0)
    return {
        "body_ids": np.array(list(order), dtype=np.int64),
        "present": present,
        "xyz_m": joint_values[..., 0:3],
        "depth_px": joint_values[..., 3:5],
        "colour_px": joint_values[..., 5:7],
        "orientation": joint_values[..., 7:11],
        "joint_state": np.clip(states, 0, 2).astype(np.uint8),
        "body_info": values[..., 1:_BODY_COLUMNS],
    }


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
    left is sorted by motion, the variance of all its joints' places (in all its frames or in the
    plausible ones, whichever is less). The Kinect gives a person a new id after losing it, so
    bodies that do not overlap the first in time continue it. Frame numbers are kept, unlike in
    skeleton-only work: the frames have to meet the video's.

    Args:
        skeleton: of :func:`read_skeleton`.

    Returns:
        None if no frame has a body.
    """
    present = skeleton["present"]
    bodies = np.flatnonzero(present.any(0))
    if not bodies.size:
        return None
    if bodies.size > 1:
        bodies = _by_motion(skeleton, bodies)
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
    depth_mm[frames] = 1000 * skeleton["xyz_m"][..., 2][chosen]
    state[frames] = skeleton["joint_state"][chosen]
    return BodyTrack(joints_px, depth_mm, state)


def _by_motion(skeleton: dict[str, np.ndarray], bodies: NDArray[np.intp]) -> NDArray[np.intp]:
    """The plausible ones among several bodies, those that move most first."""
    motion: dict[int, float] = {}
    wide: list[int] = []
    long = skeleton["present"].sum(0) > _SHORT_TRACK
    for body in bodies[long[bodies]] if long.any() else bodies:
        frames = skeleton["present"][:, body]
        # Joints of a body that is about to vanish have state 0 and lie in the camera.
        tracked = (skeleton["joint_state"][frames, body] > 0)[..., None]
        xyz = np.where(tracked, skeleton["xyz_m"][frames, body], np.nan)  # (F, 25, 3)
        known = np.isfinite(xyz)
        low = xyz.min(1, where=known, initial=np.inf)
        extent = xyz.max(1, where=known, initial=-np.inf) - low
        is_wide = extent[:, 0] > _WIDE * extent[:, 1]
        motion[body] = min(_variance(xyz), _variance(xyz[~is_wide]))
        if is_wide.mean() >= _MOST_WIDE:
            wide.append(body)
    for body in wide:
        if len(motion) > 1:  # the last one stays, however wide it is
            del motion[body]
    return np.array(sorted(motion, key=lambda body: -motion[body]))


def _variance(xyz: FloatArray) -> float:
    """How much a body moves: the sum over the axes of the variance of all its joints' places;
    infinite where there is no joint, so that the smaller of two is a variance."""
    if not np.isfinite(xyz).any():
        return np.inf
    return float(np.nanvar(xyz.reshape(-1, 3), axis=0).sum())


def read_deephar_annotation(path: str | Path) -> tuple[NDArray[np.int64], BodyTrack]:
    """Reads an annotation of the original program, ``nturgb+d_numpy/<sample>.npy``.

    A row per frame holds its number, 75 world coordinates, 25 x and 25 y in pixels of 1920x1080,
    and 25 depths in mm.

    Returns:
        Frame numbers (F,) as the file has them, and the person.

    Raises:
        SkeletonError: the file cannot be read or is of another form.
    """
    path = Path(path)
    rows = _read_array(path)
    if rows.ndim != 2 or rows.shape[1] != 151 or rows.dtype.kind not in "fiu":
        raise SkeletonError(
            f"The annotation {path} is {rows.dtype} of shape {rows.shape}, not numbers of "
            "frames x 151."
        )
    rows = rows.astype(np.float64)
    with np.errstate(over="ignore"):
        joints = np.stack([rows[:, 76:101], rows[:, 101:126]], -1).astype(np.float32)
        depth = rows[:, 126:151].astype(np.float32)
    numbers = rows[:, 0]
    if not ((numbers >= 1) & (numbers < 1e6)).all() or (np.diff(numbers) < 1).any():
        raise SkeletonError(
            f"The annotation {path} does not count its frames upwards from 1 in its first column."
        )
    known = np.isfinite(joints).all(-1) & np.isfinite(depth) & (depth > 0)
    return numbers.astype(np.int64), BodyTrack(joints, depth, 2 * known.astype(np.uint8))


def _read_array(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file, nothing allocated that the file does not hold."""
    file = io.BytesIO(_read_bytes(path))
    try:
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, in_columns, dtype = read_header(file)
        if dtype.hasobject:
            raise ValueError
        flat = np.frombuffer(file.read(), dtype)
        return flat.reshape(shape, order="F" if in_columns else "C")
    except Exception as error:  # numpy reads the header as Python: anything may come out
        raise SkeletonError(f"The annotation {path} is damaged; copy it again.") from error
