"""What the terminal shows: tables, and progress as a bar (a line per tenth elsewhere)."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich import progress
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table


def make_table(
    title: str, texts: Iterable[str | Column], numbers: Iterable[str] = (), **options: Any
) -> Table:
    """A table with columns of texts, then columns of numbers, aligned to the right. The title is
    plain text; in cells ``[red]`` is a style, so names in them have to be escaped."""
    columns = [*texts, *(Column(name, justify="right") for name in numbers)]
    return Table(*columns, title=escape(title), title_justify="left", **options)


class ProgressCallback(Protocol):
    """Called after every finished sample."""

    def __call__(self, done: int, total: int | None, frames: int = 0, errors: int = 0) -> None: ...


@contextmanager
def progress_bar(what: str) -> Iterator[ProgressCallback]:
    """Shows a bar with count, rate, time left and errors; a line per tenth without a terminal."""
    console = Console()
    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=24),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("[red]{task.fields[errors]}"),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task(escape(what), total=None, rate="", errors="")
    printed_tenth = -1

    def report(done: int, total: int | None, frames: int = 0, errors: int = 0) -> None:
        nonlocal printed_tenth
        seconds = bar.tasks[0].elapsed or 0.0
        rate = f"{frames / seconds:.0f} frames/s" if frames and seconds else ""
        failed = f"{errors} errors" if errors else ""
        bar.update(task, completed=done, total=total, rate=rate, errors=failed)
        tenth = 10 * done // max(total, 1) if total is not None else -1  # None: unknown
        if bar.disable and tenth > printed_tenth:
            printed_tenth = tenth
            console.print(f"{what}: {done}/{total} {failed}".rstrip(), markup=False)

    with bar:
        yield report
