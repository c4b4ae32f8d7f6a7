"""From the official files to an index: the frames are images already and stay where they are."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from har.data.framestore.extraction import PrepareReport, Task, resumable, run_tasks
from har.data.framestore.index import FrameIndex
from har.data.framestore.staging import PreparedFolder
from har.data.penn.boxes import Imported, import_boxes, import_clip_boxes
from har.data.penn.deephar import read_annotations
from har.data.penn.files import (
    CLIP_BOXES,
    PREDICTED_BOXES,
    PennError,
    find_annotations,
    find_labels,
    find_root,
    missing,
    other_labels,
)
from har.data.penn.labels import FRAMES_PER_SECOND, LAYOUT, PennClip, read_label
from har.data.penn.sample import DIGITS, clip_sample, group_of, labeled_sample

_LABELS, _DEEPHAR = "label files", "deephar's annotations.mat"
_NAMED = 10  # of the files that are not read, the others are counted


@dataclass
class PennReport(PrepareReport):
    """What a preparation of Penn Action did.

    Attributes:
        source: of the annotations.
        clips: training and test clips in the index.
        boxes: clips with boxes of the authors' file; None: it was not read.
        clip_boxes: boxes of the authors' file of boxes by clip; likewise.
        remarks: by file or folder, what in it is not used.
    """

    source: str = ""
    clips: tuple[int, int] = (0, 0)
    boxes: int | None = None
    clip_boxes: int | None = None
    remarks: dict[str, str] = field(default_factory=dict)

    def imported(self, name: str, boxes: Imported) -> int:
        """Takes over the remark about a file of boxes; returns how many clips have some."""
        if boxes.remark:
            self.remarks[name] = boxes.remark
        return boxes.written


def settings(root: Path, output: Path) -> dict[str, Any]:
    """What an index of Penn Action states: clips are counted in frames, as its recipe does, and
    crops are shifted by pixels of the frames."""
    images = os.path.relpath((root / "frames").resolve(), output.resolve())
    return {
        "layout": LAYOUT.name,
        "joint_names": list(LAYOUT.joints),
        "images": images,
        "image_digits": DIGITS,
        "steps_per_second": FRAMES_PER_SECOND,
        "recipe_width_px": 0,
    }


def prepare_penn(
    data_dir: Path,
    *,
    annotations: str | None = None,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> tuple[PennReport, Path]:
    """Reads all annotations, decodes every image once, and writes ``index.h5`` and the report.

    Args:
        data_dir: folder of the data, or one that has it in ``penn/``.
        annotations: ``official`` (``labels/0001.mat``) or ``deephar`` (``annotations.mat``); None:
            the label files where there are some.
        workers: processes; 0: everything in this one.
        progress: called as ``progress(done, total, frames=..., errors=...)``.

    Returns:
        The report, and the prepared folder.

    Raises:
        DatasetNotFoundError: no annotation or no frames.
        HarError: an ``annotations.mat`` or boxes that cannot be used, or a folder prepared
            otherwise.
    """
    root = find_root(data_dir)
    output = root / "prepared"
    labels, whole = find_labels(root), find_annotations(root)
    if annotations not in (None, "official", "deephar"):
        raise PennError(f"penn.annotations={annotations}: choose official or deephar.")
    use_labels = bool(labels) if annotations is None else annotations == "official"
    if use_labels and not labels:
        raise missing(root, "there is no labels/0001.mat")
    if not use_labels and whole is None:
        raise missing(root, "there is no labels/0001.mat, nor the original's annotations.mat")
    frames_dir = root / "frames"
    if not frames_dir.is_dir():
        raise missing(root, "there is no folder frames")
    clips: dict[str, PennClip] = {}
    if not use_labels and whole is not None:
        clips = read_annotations(whole)
    names = sorted(labels if use_labels else clips)
    with resumable(output):
        folder = PreparedFolder(output, settings(root, output))
        there = folder.finished() & set(names)
        report = PennReport(kept=len(there), source=_LABELS if use_labels else _DEEPHAR)
        if use_labels and (others := other_labels(root)):
            report.remarks["labels"] = (
                f"files that are not named like 0001.mat ({len(others)}): "
                f"{', '.join(others[:_NAMED])}"
            )
        tasks = [
            _task(name, labels[name] if use_labels else clips[name], frames_dir)
            for name in names
            if name not in there
        ]
        run_tasks(tasks, folder, report, workers=workers, total=len(names), progress=progress)
        folder.write_index(store="jpeg")
        report.add_remarks(output, names)
        index = FrameIndex.open(output / "index.h5")
        splits = index.splits.tolist()
        report.clips = splits.count(b"train"), splits.count(b"test")
        by_frame, by_clip = ((root / name).is_file() for name in (PREDICTED_BOXES, CLIP_BOXES))
        if by_frame or by_clip:  # which number sequences as annotations.mat does, else by clip
            listed = whole is not None
            in_order = _labeled(root, labels) if whole is None else read_annotations(whole)
            if by_frame:
                found = import_boxes(root, index, in_order, listed=listed)
                report.boxes = None if found is None else report.imported(PREDICTED_BOXES, found)
            if by_clip:
                whole_clips = import_clip_boxes(root, index, in_order, listed=listed)
                report.clip_boxes = report.imported(CLIP_BOXES, whole_clips)
        report.write(output / "prepare_report.json")
        return report, output


def _task(name: str, source: Path | PennClip, frames_dir: Path) -> Task:
    """What extracts a clip, by its label file or its annotation."""
    group = group_of(name)
    if isinstance(source, Path):
        return Task(name, group, source, labeled_sample, (source, frames_dir))
    return Task(name, group, frames_dir / name, clip_sample, (source, frames_dir))


def _labeled(root: Path, labels: dict[str, Path]) -> dict[str, PennClip]:
    """All clips by their label files, by name, ascending, as boxes are numbered.

    Raises:
        PennError: one cannot be read: it might be of either split, and shift the numbers.
    """
    found = {}
    for name, path in labels.items():
        try:
            found[name] = read_label(path)
        except PennError as error:
            raise PennError(
                f"The boxes in {root} number the clips, and without annotations.mat every label "
                f"file counts, but {path} cannot be used: repair it, put the original program's "
                f"annotations.mat there, or remove {PREDICTED_BOXES} and {CLIP_BOXES}."
            ) from error
    return found
