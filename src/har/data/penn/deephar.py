"""Penn Action as the original program annotates it: ``annotations.mat``, all clips in one file.

``sequences_te`` and ``sequences_tr`` are structs with ``idx`` (the clip's number), ``action_id``
(from 1, a place in ``action_labels``) and ``frames``, structs with ``f`` (the number of
``frames/0001/000001.jpg``), ``w``, ``h``, ``pose`` (2, 13) and ``visible`` (13,).
"""

from pathlib import Path
from typing import Any

import numpy as np

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
from har.data.penn.files import PennError
from har.data.penn.labels import ACTIONS, MAX_COORDINATE_PX, PennClip, visible_joints

_SEQUENCES = {"test": "sequences_te", "train": "sequences_tr"}  # in the order of its box file
_LAST_FRAME = 999_999  # of six digits


def read_annotations(path: Path) -> dict[str, PennClip]:
    """Reads ``annotations.mat``: clips by name, those of the test split first, in its order.

    Raises:
        PennError: it cannot be read, or is of another form.
    """
    found = read_matlab(path, "action_labels", *_SEQUENCES.values(), error=PennError)
    labels = [text(label).strip() for label in entries(found[0])]
    clips: dict[str, PennClip] = {}
    for split, sequences in zip(_SEQUENCES, found[1:], strict=True):
        if not only_of_structs(sequences):
            listed = np.asarray(sequences)
            raise PennError(
                f"{path} has {listed.dtype} {listed.shape} as {_SEQUENCES[split]}, not clips: "
                "download it again."
            )
        for sequence in entries(sequences):
            clip = _clip(bare_struct(sequence), labels, split, path)
            if clip.name in clips:
                raise PennError(f"{path} has the clip {clip.name} twice: download it again.")
            clips[clip.name] = clip
    if not clips:
        raise PennError(
            f"{path} has no clip of the original program's annotation of Penn Action: download it "
            "again, or remove it to use the label files."
        )
    return clips


def _clip(sequence: Any, labels: list[str], split: str, path: Path) -> PennClip:
    index, action = (number(field(sequence, name)) for name in ("idx", "action_id"))
    name = f"{int(index):04d}" if index in range(1, 10_000) else ""
    if not name or action not in range(1, len(labels) + 1):
        raise PennError(
            f"{path} has a clip {index:g} with the action {action:g}, not numbers of Penn Action: "
            "download it again."
        )
    label = labels[int(action) - 1]
    if label not in ACTIONS:
        raise PennError(
            f"{path} names the action {label[:40]!r}, which Penn Action does not have: download it "
            "again."
        )
    frames = [bare_struct(frame) for frame in entries(field(sequence, "frames"))]
    pose = [field(frame, "pose") for frame in frames]  # x of all joints, then y
    visible = [numbers(field(frame, "visible")) for frame in frames]
    at = np.array([number(field(frame, "f")) for frame in frames])
    size = [number(field(frames[0], key)) for key in ("w", "h")] if frames else [0.0]
    fits = all(p.shape == (2, 13) and p.dtype.kind in "biuf" for p in pose)
    fits = fits and all(len(v) == 13 for v in visible)
    if (
        not fits
        or not count_upwards(at, _LAST_FRAME)
        or not all(1 <= side < MAX_COORDINATE_PX for side in size)
    ):
        raise PennError(
            f"{path} has no frames of clip {name} with a width, a height and a pose of 2 x 13 "
            "numbers each, counted upwards from 1: download it again."
        )
    places = np.stack(pose).astype(np.float64)
    joints = visible_joints(places[:, 0], places[:, 1], np.stack(visible), f"Clip {name} of {path}")
    whole = at.astype(np.int32) - 1
    return PennClip(name, label, split, whole, joints, (int(size[0]), int(size[1])))
