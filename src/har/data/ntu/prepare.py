"""From the official files to frames and index, resumable at any moment.

Every sample is first written to a file of its own, which appears whole or not at all. When all of
a setup's samples are there, they are put together into the setup's shard. What a killed run had
finished is found again, in the shards or among the single files.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from har.data.framestore.shards import write_shard
from har.data.framestore.staging import PreparedFolder, remark_path, staged_path, write_text
from har.data.ntu.files import (
    find_images,
    find_skeletons,
    find_videos,
    missing_data,
    select_samples,
)
from har.data.ntu.sample import (
    Extracted,
    Settings,
    SkipSample,
    annotated_sample,
    estimate_bytes,
    extract_sample,
)
from har.data.ntu.splits import missing_skeletons
from har.data.ntu.targets import CropMargin
from har.data.processes import run_in_processes
from har.errors import HarError

_PROBED = 5  # videos from which the need of disk space is estimated
_RESERVE = 1.15


@dataclass
class PrepareReport:
    """What a preparation did.

    Attributes:
        done: samples extracted now.
        kept: samples that were there already.
        frames: frames stored now.
        seconds: how long it took.
        skipped: reason by name of every sample left out.
        details: of some of them a sentence, which file and what about it.
        warnings: remark by name of samples that are in, but odd.
    """

    done: int = 0
    kept: int = 0
    frames: int = 0
    seconds: float = 0.0
    skipped: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)

    def skipped_by_reason(self) -> dict[str, list[str]]:
        """Names of samples left out, by reason, sorted."""
        reasons: dict[str, list[str]] = {}
        for name in sorted(self.skipped):
            reasons.setdefault(self.skipped[name], []).append(name)
        return reasons


# --------------------------------------------------------------------------------- one sample


class Task(NamedTuple):
    """A sample to extract into a prepared folder.

    Attributes:
        name: of the sample.
        source: a video, or a folder of the original program's frames.
        skeleton: its annotation; None where there is none.
        output: the prepared folder.
        extract: a module's function of (name, source, skeleton, settings) that reads the sample.
        settings: for it.
    """

    name: str
    source: Path
    skeleton: Path | None
    output: Path
    extract: Callable[[str, Path, Any, Any], Extracted]
    settings: Any


class _Outcome(NamedTuple):
    """What became of a sample; ``failure`` says why nothing can be written any more."""

    name: str
    frames: int = 0
    reason: str = ""
    details: str = ""
    remark: str = ""
    failure: str = ""


def _work(task: Task) -> _Outcome:
    """In a worker process: extracts a sample into a file of its own."""
    name = task.name
    try:
        sample, remark = task.extract(name, task.source, task.skeleton, task.settings)
    except SkipSample as skip:
        return _Outcome(name, reason=skip.reason, details=skip.details)
    except Exception as error:  # whatever is wrong with one sample must not stop the others
        return _Outcome(name, reason="unexpected error", details=f"{name}: {error!r}")
    try:
        if remark:  # written first, so that no finished sample lacks its remark
            write_text(remark_path(task.output, name), remark)
        write_shard(staged_path(task.output, name), [sample], len(sample.joints), len(sample.jpeg))
    except OSError as error:
        return _Outcome(name, failure=str(error.strerror or error))
    return _Outcome(name, len(sample.joints), remark=remark)


def _annotated(name: str, images: Path, annotation: Path, settings: Settings) -> Extracted:
    """A sample whose frames the original program has extracted."""
    return annotated_sample(name, annotation, images, settings.stride)


def _crashed(task: Task) -> _Outcome:
    return _Outcome(
        task.name, reason="decoder crashed", details=f"Reading {task.source} ends the process."
    )


# --------------------------------------------------------------------------------- all samples


def prepare_ntu(
    videos_root: Path,
    skeletons_root: Path,
    output: Path,
    *,
    stride: int = 2,
    scale: float = 0.5,
    jpeg_quality: int = 95,
    margin: CropMargin | None = None,
    setups: Sequence[int] | None = None,
    actions: Sequence[int] | None = None,
    cameras: Sequence[int] | None = None,
    shard: tuple[int, int] | None = None,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> PrepareReport:
    """Extracts frames and annotations, and writes ``index.h5`` and ``prepare_report.json``.

    Where the original program's extraction (``images-small``) lies instead of videos, its frames
    are left where they are, and only annotations and index are written.

    Args:
        videos_root, skeletons_root: folders, searched with all that is below them.
        output: gets ``frames/S001.h5`` ... and ``index.h5``.
        stride: keep every ``stride``-th frame.
        scale: of width and height.
        jpeg_quality: 0 to 100.
        margin: store only the region of the person's track, as far as crops go; None: whole frames.
        setups, actions, cameras: numbers to take; None: all.
        shard: (part, parts), part from 0: whole setups, for the jobs of a cluster.
        workers: processes; 0: everything in this one.
        progress: called as ``progress(done, total, frames=..., errors=...)``.

    Raises:
        DatasetNotFoundError: no video or no skeleton is there.
        HarError: the folder was prepared with other settings, or the disk is too small.
    """
    try:
        return _prepare(
            videos_root,
            skeletons_root,
            output,
            Settings(stride, scale, jpeg_quality, margin),
            lambda names: select_samples(names, setups, actions, cameras, shard),
            shard,
            workers,
            progress,
        )
    except OSError as error:
        raise HarError(
            f"The preparation in {output} has stopped ({error.strerror or error}): see that there "
            "is room and that files can be written, and start the same command again; finished "
            "samples are kept."
        ) from error


def _prepare(
    videos_root: Path,
    skeletons_root: Path,
    output: Path,
    settings: Settings,
    select: Callable[[list[str]], list[str]],
    shard: tuple[int, int] | None,
    workers: int,
    progress: Callable[..., None] | None,
) -> PrepareReport:
    """See :func:`prepare_ntu`."""
    began = time.monotonic()
    sources = find_videos(videos_root, output)
    images = None if sources else find_images(videos_root, output)
    if images is not None:
        sources = {path.name: path for path in images.iterdir() if path.is_dir()}
    if not sources:
        raise missing_data(videos_root, "no video *_rgb.avi lies")
    skeletons = find_skeletons(skeletons_root, output)
    if not skeletons:
        raise missing_data(skeletons_root, "no *.skeleton lies")
    if images is not None:
        sources = {name: path for name, path in sources.items() if name in skeletons}
    names = select(list(sources))
    if images is not None and settings.margin is not None:
        raise HarError(
            f"{images} holds whole frames, which stay as they are: ntu.region=track needs the "
            "videos."
        )
    described = settings.describe()
    if images is not None:
        described["images"] = os.path.relpath(images.resolve(), output.resolve())
    folder = PreparedFolder(
        output, described, mine=None if shard is None else {n[:4] for n in names}
    )

    extract = extract_sample if images is None else _annotated
    there = folder.finished() & set(names)
    report = PrepareReport(kept=len(there))
    tasks = []
    for name in names:
        if name in there:
            continue
        if images is None and name in missing_skeletons():
            report.skipped[name] = "on the official list of missing skeletons"
        elif name not in skeletons:
            report.skipped[name] = "no skeleton file"
        else:
            tasks.append(Task(name, sources[name], skeletons[name], output, extract, settings))
    if images is None:
        _check_disk(output, tasks)
    run_tasks(tasks, folder, workers, report, len(names), progress)
    folder.write_index({**described, "store": "hdf5" if images is None else "jpeg"})
    for name in names:
        remark = remark_path(output, name)
        if remark.is_file():
            report.warnings[name] = remark.read_text(encoding="utf-8")
    report.seconds = time.monotonic() - began
    suffix = "" if shard is None else f"_{shard[0] + 1}_of_{shard[1]}"
    write_text(output / f"prepare_report{suffix}.json", json.dumps(asdict(report), indent=2))
    return report


def run_tasks(
    tasks: list[Task],
    folder: PreparedFolder,
    workers: int,
    report: PrepareReport,
    total: int,
    progress: Callable[..., None] | None,
) -> None:
    """Extracts samples; setups are put together as they finish, while others go on."""
    remaining = Counter(task.name[:4] for task in tasks)
    finished = total - len(tasks)
    with (
        closing(run_in_processes(_work, tasks, _crashed, workers)) as outcomes,
        ThreadPoolExecutor(1) as assembler,
    ):
        assembled: list[Future[None]] = [
            assembler.submit(folder.assemble, setup)
            for setup in folder.waiting_setups()
            if not remaining[setup]
        ]
        for outcome in outcomes:
            name = outcome.name
            if outcome.failure:
                raise OSError(outcome.failure)
            if outcome.reason:
                report.skipped[name] = outcome.reason
                if outcome.details:
                    report.details[name] = outcome.details
            else:
                report.done += 1
                report.frames += outcome.frames
            remaining[name[:4]] -= 1
            if not remaining[name[:4]]:
                assembled.append(assembler.submit(folder.assemble, name[:4]))
            finished += 1
            if progress is not None:
                progress(finished, total, frames=report.frames, errors=len(report.skipped))
    for future in assembled:
        future.result()


def _check_disk(output: Path, tasks: list[Task]) -> None:
    """Refuses to begin what the disk cannot hold, judged by a frame from a few of the videos."""
    sizes = []
    for task in tasks[:: max(1, len(tasks) // _PROBED)]:
        assert task.skeleton is not None
        with suppress(SkipSample, OSError):
            sizes.append(estimate_bytes(task.source, task.skeleton, task.settings))
    if not sizes:
        return
    setups = Counter(task.name[:4] for task in tasks)
    # A setup lies there twice while its samples are put together.
    copies = len(tasks) + max(setups.values())
    needed, free = _RESERVE * float(np.mean(sizes)) * copies, shutil.disk_usage(output).free
    if needed > free:
        raise HarError(
            f"The frames of {len(tasks)} videos need about {needed / 1e9:.1f} GB in {output}, and "
            f"{free / 1e9:.1f} GB are free: make room, choose another paths.data_dir, or take part "
            "of the data (ntu.setups=[1,2])."
        )
