"""The tasks of ``python -m har.prepare``: what they are asked for, their progress, their table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from har import HarError


class ProgressCallback(Protocol):
    """Called after every finished sample."""

    def __call__(self, done: int, total: int, frames: int = 0, errors: int = 0) -> None: ...


@contextmanager
def progress_bar(what: str) -> Iterator[ProgressCallback]:
    """A bar with count, rate, time left and errors; a line per tenth where there is no screen."""
    console = Console()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("[red]{task.fields[errors]}"),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task(what, total=None, rate="", errors="")
    told = -1

    def report(done: int, total: int, frames: int = 0, errors: int = 0) -> None:
        nonlocal told
        seconds = bar.tasks[0].elapsed or 0.0
        rate = f"{frames / seconds:.0f} frames/s" if frames and seconds else ""
        failed = f"{errors} errors" if errors else ""
        bar.update(task, completed=done, total=total, rate=rate, errors=failed)
        tenth = 10 * done // max(total, 1)
        if bar.disable and tenth > told:
            told = tenth
            console.print(f"{what}: {done}/{total} {failed}".rstrip())

    with bar:
        yield report


def prepare(cfg: DictConfig) -> None:
    """Runs the task that the command line names."""
    tasks = {"ntu": prepare_ntu, "synthetic": prepare_synthetic}
    if cfg.task not in tasks:
        given = "no task is given" if cfg.task is None else f"there is no task {cfg.task}"
        raise HarError(
            f"python -m har.prepare: {given}; the tasks are {', '.join(tasks)}, for example "
            "python -m har.prepare synthetic paths.data_dir=data/demo."
        )
    tasks[cfg.task](cfg)


def prepare_synthetic(cfg: DictConfig) -> None:
    """Writes synthetic videos and skeletons in the NTU RGB+D formats."""
    from har.data.synthetic import ntu

    options = cfg.synthetic
    samples = ntu.synthetic_samples(
        subjects=list(options.subjects),
        actions=list(options.actions),
        cameras=list(options.cameras),
        replications=list(range(1, options.replications + 1)),
        cameras_per_sample=options.cameras_per_sample,
    )
    root = Path(cfg.paths.data_dir) / "ntu"
    with progress_bar("synthetic NTU videos") as progress:
        report = ntu.write_ntu(
            root,
            samples,
            size=(options.size[0], options.size[1]),
            seed=cfg.seed,
            workers=cfg.workers,
            progress=progress,
        )
    Console().print(f"{report.written} videos written, {report.skipped} were there: {root}")


def prepare_ntu(cfg: DictConfig) -> None:
    """Extracts frames of NTU RGB+D videos and writes the index."""
    from har.data.ntu import extract

    options = cfg.ntu
    root = extract.find_dataset_root(Path(cfg.paths.data_dir))
    with progress_bar("NTU videos") as progress:
        report = extract.prepare_ntu(
            Path(options.videos_dir or root),
            Path(options.skeletons_dir or root),
            root / "prepared",
            stride=options.stride,
            scale=options.scale,
            jpeg_quality=options.jpeg_quality,
            setups=_numbers(options.setups),
            actions=_numbers(options.actions),
            cameras=_numbers(options.cameras),
            shard=_shard(options.shard),
            workers=cfg.workers,
            progress=progress,
        )
    print_report(report, root / "prepared")


def _numbers(chosen: Any) -> list[int] | None:
    return None if chosen is None else [int(number) for number in chosen]


def _shard(text: str | None) -> tuple[int, int] | None:
    """``"2/8"``: part 2 of 8, from 1."""
    if text is None:
        return None
    part, _, parts = str(text).partition("/")
    if not (part.isdigit() and parts.isdigit() and 1 <= int(part) <= int(parts)):
        raise HarError(f"ntu.shard={text} has to be part/parts, for example ntu.shard=1/8.")
    return int(part) - 1, int(parts)


def print_report(report: Any, folder: Path) -> None:
    """The table at the end: how many samples, and why others were left out."""
    table = Table(title="NTU RGB+D preparation", title_justify="left")
    table.add_column("samples")
    table.add_column("count", justify="right")
    table.add_column("for example", overflow="fold")
    table.add_row("done now", str(report.done), "")
    table.add_row("there already", str(report.kept), "")
    for reason, names in report.skipped_by_reason().items():
        table.add_row(f"left out: {reason}", str(len(names)), names[0])
    console = Console()
    console.print(table)
    console.print(f"Frames, index and prepare_report.json: {folder}")
