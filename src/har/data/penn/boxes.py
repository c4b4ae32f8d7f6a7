"""The boxes that the original program predicted, two files: those of the papers.

``pred_bboxes_penn.json`` (TPAMI 2020): a list of three mappings, of the test, the training and the
(empty) validation split, from ``"<sequence>.<frame>"`` to x1, y1, x2, y2 in pixels of the frames.
Both numbers count from 0: the sequences of a split in the order of ``annotations.mat``, the frames
of a sequence in its own.

``penn_pred_bboxes_16f.json`` (CVPR 2018): a mapping from ``"<sequence>.<step>.<clip>.<mirrored>"``,
``%04d.%d.%03d.%d``, to such a box for every clip of 16 frames of a test sequence, numbered in the
order of the multi-clip protocol; the box of a mirrored clip is one of the frame as it is.

The original orders the corners of what it writes, around joints that it finds in the picture: a box
without an area, or that does not touch the picture, is left out, which means the whole image.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

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


class Imported(NamedTuple):
    """What a file of boxes gave.

    Attributes:
        written: clips that have boxes now.
        left_out: boxes without an area, that do not touch their picture, or of no frame.
    """

    written: int
    left_out: int

    @property
    def remark(self) -> str:
        """A sentence about the boxes that are left out; empty where there are none."""
        if not self.left_out:
            return ""
        return (
            f"boxes without an area, or outside the picture or the clip ({self.left_out}): the "
            "whole image stands in for them"
        )


def import_boxes(
    root: Path, index: FrameIndex, clips: Mapping[str, PennClip], *, listed: bool
) -> Imported | None:
    """Writes ``boxes.h5`` from the authors' file, where that lies in the folder of the data.

    Boxes that another network predicted stay; a clip for which a box is missing has none in that
    frame, which means the whole image.

    Args:
        root: folder of the data.
        index: of the prepared clips.
        clips: all annotated clips by name, in the order of the annotation.
        listed: this order is that of ``annotations.mat``; else the file has to number as many
            clips, for with one more or less all that follow would get boxes of another clip.

    Returns:
        How many clips have boxes now; None where boxes of another network stay.

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
    boxes_of, left_out = read_boxes(path), 0
    for split, boxes in boxes_of.items():
        numbered = [clip for clip in clips.values() if clip.split == split]
        _check_count(path, root, split, boxes, len(numbered), listed)
        for sequence, of_frames in boxes.items():
            clip = numbered[sequence]
            # no clip's length tells whose they are: a film may go on behind its labels
            kept = {
                frame: box
                for frame, box in of_frames.items()
                if frame < len(clip.numbers) and _is_seen(box, clip.size)
            }
            left_out += len(of_frames) - len(kept)
            boxes[sequence] = kept
    place = {
        name: (split, number)
        for split in _SPLITS
        for number, name in enumerate(n for n, clip in clips.items() if clip.split == split)
    }
    names = [name.decode() for name in index.names.tolist()]
    found: list[NDArray[np.float32]] = []
    for name in names:
        split, sequence = place.get(name, ("test", -1))
        by_row = boxes_of[split].get(sequence, {})
        numbers = index.frame_numbers(name)
        rows = np.searchsorted(clips[name].numbers, numbers) if name in clips else numbers
        of_clip = [by_row.get(row, _NO_BOX) for row in rows.tolist()]
        found.append(np.array(of_clip, dtype=np.float32).reshape(-1, 4))
    have = sum(bool(np.isfinite(boxes).any()) for boxes in found)
    if names and not have:
        raise PennError(f"{path} has no box of a clip in {root}: it is of other clips, remove it.")
    stated = {"weights_sha256": checksum, "weights": PREDICTED_BOXES, "every_frame": True}
    write_predicted_boxes(target, names, found, stated)
    return Imported(have, left_out)


def read_boxes(path: Path) -> dict[str, dict[int, dict[int, Box]]]:
    """The authors' file: boxes by split, sequence and frame.

    Raises:
        PennError: it is of another form.
    """
    boxes: dict[str, dict[int, dict[int, Box]]] = {split: {} for split in _SPLITS}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        for split, entries in zip(_SPLITS, found[: len(_SPLITS)], strict=True):
            for key, box in entries.items():
                sequence, frame = (int(part) for part in key.split("."))
                if min(sequence, frame) < 0:
                    raise ValueError(f"{key} is no frame")
                boxes[split].setdefault(sequence, {})[frame] = _box(key, box)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, error) from error
    return boxes


def import_clip_boxes(
    root: Path, index: FrameIndex, clips: Mapping[str, PennClip], *, listed: bool
) -> Imported:
    """Writes ``clip_boxes.h5`` from the authors' file of boxes of clips, which lies in the folder.

    Args:
        root, index, clips, listed: see :func:`import_boxes`.

    Returns:
        How many clips, mirrored ones included, have a box.

    Raises:
        PennError: the file is damaged, or is of other clips.
    """
    path = root / CLIP_BOXES
    names = [name for name, clip in clips.items() if clip.split == "test"]
    found: dict[tuple[int, int, int, bool], Box] = {}
    try:
        for key, box in json.loads(path.read_text(encoding="utf-8")).items():
            sequence, step, number, mirrored = (int(part) for part in key.split("."))
            if min(sequence, number) < 0 or step < 1 or mirrored not in (0, 1):
                raise ValueError(f"{key} is no clip")
            found[sequence, step, number, bool(mirrored)] = _box(key, box)
        if not found:
            raise ValueError("it is empty")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, error) from error
    _check_count(path, root, "test", {key[0] for key in found}, len(names), listed)
    boxes: dict[ClipKey, Box] = {
        (names[key[0]], *key[1:]): box
        for key, box in found.items()
        if _is_seen(box, clips[names[key[0]]].size)
    }
    if not boxes:
        raise _damaged(path, ValueError("no box has an area inside its picture"))
    write_clip_boxes(index.path.with_name(FILE), boxes, _CLIP_SIZE, CLIP_BOXES)
    return Imported(len(boxes), len(found) - len(boxes))


def _check_count(
    path: Path, root: Path, split: str, sequences: Iterable[int], count: int, listed: bool
) -> None:
    """Refuses boxes of more clips than a split has, or of fewer where labels number them."""
    last = max(sequences, default=-1) + 1
    if last > count or (last and last != count and not listed):
        raise PennError(
            f"{path} is of other clips: its last one is {split} clip {last}, and there are {count} "
            f"in {root}; put the original program's annotations.mat there, or remove the file."
        )


def _box(key: str, values: Sequence[float]) -> Box:
    x1, y1, x2, y2 = (float(value) for value in values)
    if not np.isfinite([x1, y1, x2, y2]).all():
        raise ValueError(f"{key} has the box {values}")
    return x1, y1, x2, y2


def _is_seen(box: Box, size: tuple[int, int]) -> bool:
    """Whether a box has an area and touches a picture of this width and height."""
    x1, y1, x2, y2 = box
    return max(x1, 0) < min(x2, size[0]) and max(y1, 0) < min(y2, size[1])


def _damaged(path: Path, error: Exception) -> PennError:
    return PennError(
        f"{path} is not the boxes that the original program predicts ({error}): download it "
        "again, or remove it."
    )
