"""Extracting the samples of a data set, resumable at any moment.

Every sample is first written to a file of its own, which appears whole or not at all. When all of
a group's samples are there, they are put together into the group's shard. What a killed run had
finished is found again, in the shards or among the single files.
"""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from har.data.framestore.shards import StoredSamples
from har.data.framestore.staging import PreparedFolder, file_stem, remark_path, stage, write_text
from har.data.processes import run_in_processes
from har.errors import HarError

_PROBED = 5  # samples from which the need of disk space is estimated
_RESERVE = 1.15


class SkipSample(HarError):
    """Why a sample is left out: the reason in a few words, the same for all its like; details."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(details or reason)
        self.reason, self.details = reason, details


class Extracted(NamedTuple):
    """A sample ready to be written, and what is unusual about it (empty: nothing)."""

    sample: StoredSamples
    remark: str = ""


class Task(NamedTuple):
    """A sample to extract.

    Attributes:
        name: its id.
        group: see :class:`har.data.records.Clip`.
        source: what the report names where reading it ends the process.
        extract: a module's function that reads the sample; it raises :class:`SkipSample`.
        arguments: for it.
    """

    name: str
    group: str
    source: Path
    extract: Callable[..., Extracted]
    arguments: tuple[Any, ...] = ()


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
        warnings: remark by name of samples that are in, but unusual.
    """

    done: int = 0
    kept: int = 0
    frames: int = 0
    seconds: float = 0.0
    skipped: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic, repr=False)

    def skipped_by_reason(self) -> dict[str, list[str]]:
        """Names of samples left out, by reason, sorted."""
        reasons: dict[str, list[str]] = {}
        for name in sorted(self.skipped):
            reasons.setdefault(self.skipped[name], []).append(name)
        return reasons

    def add_remarks(self, output: Path, names: Sequence[str]) -> None:
        """Reads the remarks of samples, whenever they were extracted."""
        for name in names:
            path = remark_path(output, name)
            if path.is_file():
                self.warnings[name] = path.read_text(encoding="utf-8")

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        self.seconds = time.monotonic() - self._began
        values = {key: value for key, value in asdict(self).items() if key != "_began"}
        write_text(path, json.dumps(values, indent=2, ensure_ascii=False))


class _Outcome(NamedTuple):
    """What became of a sample; ``failure``: why nothing can be written any more."""

    task: Task
    frames: int = 0
    reason: str = ""
    details: str = ""
    failure: str = ""


def _work(output: Path, task: Task) -> _Outcome:
    """In a worker process: extracts a sample into a file of its own in the prepared folder."""
    try:
        sample, remark = task.extract(*task.arguments)
    except SkipSample as skip:
        return _Outcome(task, reason=skip.reason, details=skip.details)
    except Exception as error:  # whatever is wrong with one sample must not stop the others
        return _Outcome(task, reason="unexpected error", details=f"{task.name}: {error!r}")
    try:
        stage(output, sample, remark)
    except (OSError, HarError) as error:
        return _Outcome(task, failure=str(error))
    return _Outcome(task, len(sample.num_bytes))


def _crashed(task: Task) -> _Outcome:
    return _Outcome(task, 0, "decoder crashed", f"Reading {task.source} ends the process.")


@contextmanager
def resumable(output: Path) -> Iterator[None]:
    """Turns a full disk and the like into a sentence that tells how to go on."""
    try:
        yield
    except HarError:  # one that is an OSError too is a sentence already
        raise
    except OSError as error:
        raise HarError(
            f"The preparation in {output} has stopped ({error.strerror or error}): see that there "
            "is room and that files can be written, and start the same command again; finished "
            "samples are kept."
        ) from error


def run_tasks(
    tasks: Sequence[Task],
    folder: PreparedFolder,
    report: PrepareReport,
    *,
    workers: int = 0,
    total: int | None = None,
    progress: Callable[..., None] | None = None,
) -> None:
    """Extracts samples; groups are put together as they finish, while others go on.

    Args:
        tasks: the samples that are not there.
        folder: where they go.
        report: counts what is done and skipped.
        workers: processes; 0: everything in this one.
        total: number of samples with those that are there; None: of the tasks.
        progress: called as ``progress(done, total, frames=..., errors=...)``.

    Raises:
        OSError: the disk is full, or cannot be written to.
        HarError: a shard is damaged.
    """
    remaining = Counter(file_stem(task.group) for task in tasks)
    total = len(tasks) if total is None else total
    finished = total - len(tasks)
    results = run_in_processes(partial(_work, folder.output), tasks, _crashed, workers)
    with closing(results) as outcomes, ThreadPoolExecutor(1) as assembler:
        complete = [stem for stem in folder.waiting() if not remaining[stem]]
        assembled = [assembler.submit(folder.assemble, stem) for stem in complete]
        for outcome in outcomes:
            task, stem = outcome.task, file_stem(outcome.task.group)
            if outcome.failure:
                raise OSError(outcome.failure)
            if outcome.reason:
                report.skipped[task.name] = outcome.reason
                if outcome.details:
                    report.details[task.name] = outcome.details
            else:
                report.done += 1
                report.frames += outcome.frames
            remaining[stem] -= 1
            if not remaining[stem]:
                assembled.append(assembler.submit(folder.assemble, stem))
            finished += 1
            if progress is not None:
                progress(finished, total, frames=report.frames, errors=len(report.skipped))
    for future in assembled:
        future.result()


def check_disk(
    output: Path, tasks: Sequence[Task], num_bytes: Callable[[Task], float], hint: str
) -> None:
    """Refuses to begin what the disk cannot hold, estimated by a few of the samples.

    Args:
        output: the prepared folder.
        tasks: the samples.
        num_bytes: estimates the stored size of one; it may raise SkipSample or OSError.
        hint: how to take fewer samples.

    Raises:
        HarError: the disk is too small.
    """
    sizes = []
    for task in tasks[:: max(1, len(tasks) // _PROBED)]:
        with suppress(SkipSample, OSError):
            sizes.append(num_bytes(task))
    if not sizes:
        return
    groups = Counter(task.group for task in tasks)
    # A group lies there twice while its samples are put together.
    copies = len(tasks) + max(groups.values())
    needed, free = _RESERVE * float(np.mean(sizes)) * copies, shutil.disk_usage(output).free
    if needed > free:
        raise HarError(
            f"The frames of {len(tasks)} videos need about {needed / 1e9:.1f} GB in {output}, and "
            f"{free / 1e9:.1f} GB are free: make room, choose another paths.data_dir, or {hint}."
        )
