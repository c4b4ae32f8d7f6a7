"""Human3.6M as the original program annotates it: ``annotations.mat``, all sequences in one file.

``sequences_tr`` and ``sequences_val`` (the tested subjects; those of ``sequences_te`` have no
joints) are structs with ``name``, whose characters 2 and 3 are the action's place in
``action_labels``, ``camera_parameters`` (``R``, ``T``, ``f``, ``c``, ``k``, ``p``) and ``frames``,
structs with ``f`` (the number of ``images/<name>/00001.jpg``), ``w``, ``h`` and ``pose3d`` (3, 32)
in millimeters of the world.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.data.h36m.cameras import Intrinsics
from har.data.h36m.files import ACTIONS, OTHER_NAMES, TESTING, TRAINING, H36MError
from har.data.h36m.mmpose import MAX_COORDINATE
from har.data.h36m.sequence import Sequence
from har.data.matlab import (
    bare_struct,
    count_upwards,
    entries,
    field,
    number,
    numbers,
    only_of_structs,
    read_matlab,
    text,
)

_SEQUENCES = {"train": "sequences_tr", "test": "sequences_val"}
_SUBJECTS = {"train": TRAINING, "test": TESTING}
_NUM_JOINTS = 32
# Those of layout h36m among the 32.
FROM_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27, 11)
_DIGITS = 5
_ROTATION_OFF = 1e-3  # of R times its transpose from 1; a rotation of doubles is off by 1e-12
_PLAIN = {name.lower(): name for name in ACTIONS} | {
    other.lower(): name for other, name in OTHER_NAMES.items()
}


def read_sequences(
    path: Path, train_every: int, test_every: int
) -> tuple[list[Sequence], dict[str, Intrinsics]]:
    """Reads ``annotations.mat``.

    Args:
        path: of the file.
        train_every, test_every: of the frames 1, 1 + n, ... are taken.

    Returns:
        The sequences, and their cameras by name.

    Raises:
        H36MError: it cannot be read, or is of another form.
    """
    found = read_matlab(path, "action_labels", *_SEQUENCES.values(), error=H36MError)
    labels = [_action(text(label), path) for label in entries(found[0])]
    every = {"train": train_every, "test": test_every}
    cameras: dict[tuple[float, ...], str] = {}
    intrinsics: dict[str, Intrinsics] = {}
    sequences: list[Sequence] = []
    names: set[str] = set()
    for split, listed in zip(_SEQUENCES, found[1:], strict=True):
        for entry in _structs(listed, _SEQUENCES[split], path):
            name = text(field(entry, "name")).strip()
            place = _number(name[1:3])
            if not 1 <= place <= len(labels) or "/" in name:
                raise _wrong(path, f"has a sequence {name[:40]!r} without an action in its name")
            subject = _number(name[5:7])
            if subject and subject not in _SUBJECTS[split]:
                raise _wrong(
                    path,
                    f"has the sequence {name[:40]} of subject {subject} in {_SEQUENCES[split]}, "
                    f"which is of the subjects {', '.join(map(str, _SUBJECTS[split]))}",
                )
            if name in names:
                raise _wrong(path, f"has the sequence {name[:40]} twice")
            names.add(name)
            lens, to_camera = _camera(field(entry, "camera_parameters"), name, path)
            key = tuple(lens.values)
            camera = cameras.setdefault(key, f"camera {len(cameras) + 1}")
            intrinsics[camera] = lens
            at, mm = _frames(field(entry, "frames"), name, path)
            kept = (at - 1) % every[split] == 0
            if not kept.any():
                continue
            seen = to_camera(mm[kept])
            if not ((seen[..., 2] > 0) & (np.abs(seen) < MAX_COORDINATE).all(-1)).all():
                raise _wrong(path, f"has joints of {name} that are no place before its camera")
            pixels = lens.project(seen)
            joints = np.concatenate(
                [pixels, seen[..., 2:], np.ones((*seen.shape[:2], 1))], -1
            ).astype(np.float32)
            whole = (at[kept] - 1).astype(np.int32)
            sequences.append(
                Sequence(name, camera, labels[place - 1], split, whole, joints, _DIGITS, False)
            )
    if not sequences:
        raise _wrong(path, "has no sequence with frames")
    return sequences, intrinsics


def _wrong(path: Path, what: str) -> H36MError:
    return H36MError(f"{path} {what}: it is not the original program's; download it again.")


def _action(label: str, path: Path) -> str:
    plain = "".join(letter for letter in label.lower() if letter.isalpha())
    if plain not in _PLAIN:
        raise _wrong(path, f"names the action {label[:40]!r}, which Human3.6M does not have")
    return _PLAIN[plain]


def _number(digits: str) -> int:
    """The number that a part of a name is; 0 where it is none."""
    return int(digits) if digits.isascii() and digits.isdecimal() else 0


def _structs(listed: Any, what: str, path: Path) -> list[Any]:
    """The structs of a list; H36MError where it is one of numbers or of text."""
    if not only_of_structs(listed):
        array = np.asarray(listed)
        raise _wrong(path, f"has {array.dtype} {array.shape} as {what}")
    return [bare_struct(entry) for entry in entries(listed)]


def _camera(parameters: Any, name: str, path: Path) -> tuple[Intrinsics, Any]:
    """The lens, and the map from the world to the camera's space."""
    sizes = {"R": 9, "T": 3, "f": 2, "c": 2, "k": 3, "p": 2}
    of = {key: numbers(field(bare_struct(parameters), key)) for key in sizes}
    fits = all(of[key].size == size and np.isfinite(of[key]).all() for key, size in sizes.items())
    turn = np.asarray(field(bare_struct(parameters), "R"))
    if not fits or turn.shape != (3, 3) or not (of["f"] > 0).all():
        raise _wrong(path, f"has no camera for the sequence {name}")
    turn = turn.astype(np.float64)
    rotates = np.abs(turn @ turn.T - np.eye(3)).max() < _ROTATION_OFF and np.linalg.det(turn) > 0
    if not rotates:
        raise _wrong(path, f"has a matrix R of the sequence {name} that is no rotation")
    # The original multiplies p with x and y in this order, as it adds it.
    lens = Intrinsics(of["f"], of["c"], of["k"], of["p"][::-1].copy())
    return lens, lambda points: (points - of["T"]) @ turn.T


def _frames(listed: Any, name: str, path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Numbers (F,) of the frames, from 1, and joints (F, 18, 3) of the world."""
    frames = _structs(listed, f"frames of {name}", path)
    poses = [np.asarray(field(frame, "pose3d")) for frame in frames]
    at = np.array([number(field(frame, "f")) for frame in frames])
    fits = all(p.shape == (3, _NUM_JOINTS) and p.dtype.kind in "uif" for p in poses)
    if not fits or not count_upwards(at, 10**_DIGITS - 1):
        raise _wrong(path, f"has no frames of {name} with 32 joints each, counted upwards from 1")
    joints = np.array([pose.astype(np.float64).T for pose in poses]).reshape(-1, _NUM_JOINTS, 3)
    if not np.isfinite(joints).all():
        raise _wrong(path, f"has joints of {name} that are no numbers")
    return at, joints[:, FROM_32]
