"""The boxes that the original program predicted, two files: those of the papers.

``pred_bboxes_penn.json`` (TPAMI 2020): a list of three mappings, of the test, the training and the
(empty) validation split, from ``"<sequence>.<frame>"`` to x1, y1, x2, y2 in pixels of the frames.
Both numbers count from 0: the sequences of a split in the order of ``annotations.mat``, the frames
of a sequence in its own.

``penn_pred_bboxes_16f.json`` (CVPR 2018): a mapping from ``"<sequence>.<step>.<clip>.<mirrored>"``,
``%04d.%d.%03d.%d``, to such a box for every clip of 16 frames of a test sequence, numbered in the
order of the multi-clip protocol; the box of a mirrored clip is one of the frame as it is.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from har.data.clip_boxes import FILE, Box, ClipKey, write_clip_boxes
from har.data.framestore.index import FrameIndex
from har.data.framestore.predicted_boxes import PredictedBoxes, write_predicted_boxes
from har.data.penn.files import CLIP_BOXES, PREDICTED_BOXES, PennError
from har.data.penn.labels import PennClip
from har.errors import HarError
from har.files import file_checksum

_SPLITS = ("test", "train")
_NO_BOX = (np.nan,) * 4
_CLIP_SIZE = 16  # frames of a clip of CLIP_BOXES


def import_boxes(root: Path, index: FrameIndex, clips: Mapping[str, PennClip]) -> int | None:
    """Writes ``boxes.h5`` from the authors' file, where that lies in the folder of the data.

    Boxes that another network predicted stay; a clip for which a box is missing has none in that
    frame, which means the whole image.

    Args:
        root: folder of the data.
        index: of the prepared clips.
        clips: all annotated clips by name, in the order of the annotation.

    Returns:
        Number of clips that have boxes now; None where boxes of another network stay.

    Raises:
        PennError: the file is damaged, or is of other clips.
    """
    path = root / PREDICTED_BOXES
    target = index.path.with_name("boxes.h5")
    checksum = file_checksum(path)
    if target.is_file():
        try:
            if PredictedBoxes(target).weights_sha256 != checksum:
                return None
        except HarError:  # damaged: written anew
            pass
    boxes_of = read_boxes(path)
    place = {
        name: (split, number)
        for split in _SPLITS
        for number, name in enumerate(n for n, clip in clips.items() if clip.split == split)
    }
    names = [name.decode() for name in index.names.tolist()]
    found: list[NDArray[np.float32]] = []
    for name in names:
        split, sequence = place.get(name, ("test", -1))
        boxes = boxes_of[split].get(sequence, {})
        numbers = index.frame_numbers(name)
        rows = np.searchsorted(clips[name].numbers, numbers) if name in clips else numbers
        of_frames = [boxes.get(row, _NO_BOX) for row in rows.tolist()]
        found.append(np.array(of_frames, dtype=np.float32).reshape(-1, 4))
    have = sum(bool(np.isfinite(boxes).any()) for boxes in found)
    if names and not have:
        raise PennError(f"{path} has no box of a clip in {root}: it is of other clips, remove it.")
    stated = {"weights_sha256": checksum, "weights": PREDICTED_BOXES, "every_frame": True}
    write_predicted_boxes(target, names, found, stated)
    return have


def read_boxes(path: Path) -> dict[str, dict[int, dict[int, Sequence[float]]]]:
    """The authors' file: boxes by split, sequence and frame.

    Raises:
        PennError: it is of another form.
    """
    boxes: dict[str, dict[int, dict[int, Sequence[float]]]] = {split: {} for split in _SPLITS}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        for split, entries in zip(_SPLITS, found[: len(_SPLITS)], strict=True):
            for key, box in entries.items():
                sequence, frame = (int(part) for part in key.split("."))
                boxes[split].setdefault(sequence, {})[frame] = _box(key, box)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, error) from error
    return boxes


def import_clip_boxes(root: Path, index: FrameIndex, clips: Mapping[str, PennClip]) -> int:
    """Writes ``clip_boxes.h5`` from the authors' file of boxes of clips, which lies in the folder.

    Args:
        root, index, clips: see :func:`import_boxes`.

    Returns:
        Number of clips, mirrored ones included, that have a box.

    Raises:
        PennError: the file is damaged, or is of other clips.
    """
    path = root / CLIP_BOXES
    names = [name for name, clip in clips.items() if clip.split == "test"]
    boxes: dict[ClipKey, Box] = {}
    try:
        for key, box in json.loads(path.read_text(encoding="utf-8")).items():
            sequence, step, number, mirrored = (int(part) for part in key.split("."))
            if min(sequence, number) < 0 or step < 1 or mirrored not in (0, 1):
                raise ValueError(f"{key} is no clip")
            if sequence >= len(names):
                raise PennError(
                    f"{path} has a box of test clip {sequence + 1}, and there are {len(names)} in "
                    f"{root}: put the original program's annotations.mat there, or remove the file."
                )
            boxes[names[sequence], step, number, bool(mirrored)] = _box(key, box)
        if not boxes:
            raise ValueError("it is empty")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    write_clip_boxes(index.path.with_name(FILE), boxes, _CLIP_SIZE, CLIP_BOXES)
    return len(boxes)


def _box(key: str, values: Sequence[float]) -> Box:
    x1, y1, x2, y2 = (float(value) for value in values)
    if not np.isfinite([x1, y1, x2, y2]).all():
        raise ValueError(f"{key} has the box {values}")
    return x1, y1, x2, y2


def _damaged(path: Path, error: Exception) -> PennError:
    return PennError(
        f"{path} is not the boxes that the original program predicts ({error}): download it "
        "again, or remove it."
    )
