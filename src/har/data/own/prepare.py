"""From own clips to frames and index, resumable like NTU RGB+D's preparation, and by its means."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from har.data.framestore.shards import one_sample
from har.data.framestore.staging import PreparedFolder, remark_path, write_text
from har.data.ntu.prepare import PrepareReport, Task, run_tasks
from har.data.ntu.sample import (
    Extracted,
    Settings,
    SkipSample,
    encode_frames,
    extract_sample,
    open_video,
)
from har.data.ntu.skeleton import BodyTrack
from har.data.own.folder import SPLITS, find_clips, read_lists, split_by_lists, split_by_shares
from har.data.own.record import FILE_NAME, OwnActions
from har.errors import HarError

_COLUMNS = (*SPLITS, "none", "left out")
_USUAL_RATE = 30.0  # frames per second where a video does not say


@dataclass(frozen=True)
class OwnSettings:
    """How frames of own clips are stored; one folder holds frames of one kind.

    Attributes:
        frames_per_second: about so many are kept: every n-th frame of a video, n by its own rate.
        longest_side_px: larger frames are shrunk to it, smaller ones stay as they are.
        jpeg_quality: 0 to 100.
        max_seconds: of a clip; what comes later is left out.
    """

    frames_per_second: float = 15.0
    longest_side_px: int = 960
    jpeg_quality: int = 95
    max_seconds: float = 60.0


@dataclass
class OwnReport(PrepareReport):
    """What a preparation of own actions did; ``skipped`` and its like go by file here.

    Attributes:
        clips: number of clips by class and by ``train``, ``val``, ``test``, ``none`` (in no list)
            and ``left out``.
        with_poses: how many of them have skeletons.
        not_found: lines of the lists that name no clip, by split.
        replaced: samples in the folder that no clip there belongs to any more.
    """

    clips: dict[str, dict[str, int]] = field(default_factory=dict)
    with_poses: int = 0
    not_found: dict[str, list[str]] = field(default_factory=dict)
    replaced: int = 0


def prepare_own(
    root: Path,
    output: Path,
    settings: OwnSettings | None = None,
    *,
    test_share: float = 0.2,
    val_share: float = 0.0,
    seed: int = 0,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> OwnReport:
    """Extracts frames of own clips; writes shards, index, ``actions.json`` and the report.

    Args:
        root: has a folder of clips per class, see :mod:`har.data.own.folder`.
        output: gets ``frames/S001.h5`` ... (one per class), ``index.h5`` and ``actions.json``.
        settings: how frames are stored.
        test_share, val_share: parts of every class, where there are no lists of clips.
        seed: of that draw.
        workers: processes; 0: everything in this one.
        progress: called as ``progress(done, total, frames=..., errors=...)``.

    Raises:
        HarError: no clips, lists that do not fit them, a folder prepared with other settings, or
            one that cannot be written.
    """
    try:
        chosen = settings or OwnSettings()
        return _prepare(root, output, chosen, (test_share, val_share, seed), workers, progress)
    except OSError as error:
        raise HarError(
            f"The preparation in {output} has stopped ({error.strerror or error}): see that there "
            "is room and that files can be written, and start the same command again; finished "
            "clips are kept."
        ) from error


def _prepare(
    root: Path,
    output: Path,
    settings: OwnSettings,
    shares: tuple[float, float, int],
    workers: int,
    progress: Callable[..., None] | None,
) -> OwnReport:
    """See :func:`prepare_own`."""
    began = time.monotonic()
    clips, lists = find_clips(root), read_lists(root)
    files = [clip.file for clip in clips]
    report = OwnReport()
    if lists:
        splits, report.not_found = split_by_lists(files, lists)
    else:
        splits = split_by_shares(files, *shares)
    folder = PreparedFolder(output, asdict(settings), mine=None)
    stored = folder.finished()
    record = _record(output, stored).updated(clips, splits, stored)
    record.write(output)  # first: no sample is ever stored whose clip is not known

    there = stored & set(record.clips)
    report.kept, report.replaced = len(there), len(stored - there)
    tasks = [
        Task(name, clip.video(root), clip.skeleton(root), output, own_sample, settings)
        for name, clip in sorted(record.clips.items())
        if name not in there
    ]
    run_tasks(tasks, folder, workers, report, len(clips), progress)
    folder.write_index({**asdict(settings), "store": "hdf5"})
    _tell_files(report, record, output)
    report.seconds = time.monotonic() - began
    text = json.dumps(asdict(report), indent=2, ensure_ascii=False)
    write_text(output / "prepare_report.json", text)
    return report


def _record(output: Path, stored: set[str]) -> OwnActions:
    """The record of what is stored already."""
    if stored or (output / FILE_NAME).is_file():
        return OwnActions.read(output)
    return OwnActions()


def _tell_files(report: OwnReport, record: OwnActions, output: Path) -> None:
    """Puts files in the place of sample names, which nobody has seen, and counts clips."""
    for name, clip in record.clips.items():
        remark = remark_path(output, name)
        if remark.is_file():
            report.warnings[clip.file] = remark.read_text(encoding="utf-8")
        counts = report.clips.setdefault(clip.label, dict.fromkeys(_COLUMNS, 0))
        if name in report.skipped:
            counts["left out"] += 1
        else:
            counts[record.splits.get(name, "none")] += 1
            report.with_poses += clip.has_skeleton
    report.skipped = {record.clips[n].file: reason for n, reason in report.skipped.items()}
    report.details = {record.clips[n].file: text for n, text in report.details.items()}


# ------------------------------------------------------------------------------------ one clip


class _Video(NamedTuple):
    """What a video says of itself: (width, height), frames per second and frames; 0: unknown."""

    size: tuple[float, float]
    rate: float
    num_frames: float


def own_sample(name: str, video: Path, skeleton: Path | None, settings: OwnSettings) -> Extracted:
    """Frames of a clip, with the acting person where there are skeletons.

    Raises:
        SkipSample: why it cannot be used.
    """
    known = _look_at(video)
    rate = known.rate or _USUAL_RATE
    stride = max(1, round(rate / settings.frames_per_second))
    scale = min(1.0, settings.longest_side_px / max(known.size))
    stored = Settings(stride, scale, settings.jpeg_quality)
    remarks = []
    if not known.rate:
        remarks.append(f"it does not say its frames per second, {rate:g} are assumed")
    if not 0.8 <= rate / stride / settings.frames_per_second <= 1.25:
        remarks.append(f"{rate / stride:.3g} frames per second are kept of {rate:.3g}")
    if skeleton is not None:
        sample, odd = extract_sample(name, video, skeleton, stored)
        remarks += [odd] if odd else []
        return Extracted(sample, "; ".join(remarks))

    longest = max(1, math.ceil(settings.max_seconds * rate))
    frames = encode_frames(video, stored, longest)
    if frames.seen > longest:
        remarks.append(f"longer than {settings.max_seconds:g} s, the rest is left out")
    elif frames.seen < min(known.num_frames, longest) - 1:
        read = f"{frames.seen} of {known.num_frames:.0f} frames can be read"
        if 2 * frames.seen < min(known.num_frames, longest):
            raise SkipSample("video cut off", f"{video}: {read}.")
        remarks.append(f"only {read}")
    numbers = stored.stride * np.arange(len(frames.jpegs), dtype=np.int32)
    nobody = _nobody(len(numbers))
    sample = one_sample(name, frames.size, nobody, numbers, frames.jpegs)
    return Extracted(sample, "; ".join(remarks))


def _look_at(path: Path) -> _Video:
    """What a video's header says, as far as it can be true."""
    if path.stat().st_size == 0:
        raise SkipSample("empty video file")
    capture = open_video(path)
    width, height = (
        capture.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    rate, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    if not max(width, height) >= 1:
        raise SkipSample("unreadable video", f"{path} cannot be opened as a video.")
    return _Video((width, height), rate if 1 <= rate <= 1000 else 0, count if count < 1e7 else 0)


def _nobody(num_frames: int) -> BodyTrack:
    """The acting person of frames without skeletons: no joint is known."""
    return BodyTrack(
        np.full((num_frames, 25, 2), np.nan, np.float32),
        np.full((num_frames, 25), np.nan, np.float32),
        np.zeros((num_frames, 25), np.uint8),
    )
