"""Own clips: prepared from the folder, as a command of its own and before training."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from har.data.own.prepare import OwnReport, OwnSettings, prepare_own
from har.visual.terminal import make_table, progress_bar

_SHOWN = 20  # classes in the table


def prepare_clips(
    root: Path,
    settings: Mapping[str, Any],
    *,
    test_share: float,
    val_share: float = 0.0,
    seed: int = 0,
    workers: int = 2,
) -> OwnReport:
    """Extracts frames of own clips into ``prepared`` and prints what was found.

    Args:
        root: folder of the classes.
        settings: values of :class:`har.data.own.prepare.OwnSettings`; others are not used.
        test_share, val_share, seed, workers: see :func:`har.data.own.prepare.prepare_own`.

    Raises:
        HarError: as that function.
    """
    kinds: dict[str, Any] = {f.name: type(f.default) for f in fields(OwnSettings)}
    stored = OwnSettings(**{name: kind(settings[name]) for name, kind in kinds.items()})
    shares: Any = {"test_share": test_share, "val_share": val_share, "seed": seed}
    with progress_bar("own clips") as progress:
        work: Any = {"workers": workers, "progress": progress}
        report = prepare_own(root, root / "prepared", stored, **shares, **work)
    print_report(report, root)
    return report


def print_report(report: OwnReport, root: Path) -> None:
    """Clips by class and split, and why others were left out."""
    console = Console()
    console.print(_classes_table(report))
    table = make_table("preparation", [Column("clips", overflow="fold")], ["count"])
    table.add_column("for example", overflow="fold")
    table.add_row("done now", str(report.done), "")
    table.add_row("there already", str(report.kept), "")
    for reason, files in report.skipped_by_reason().items():
        table.add_row(f"left out: {reason}", str(len(files)), escape(files[0]))
    reasons: dict[str, list[str]] = {}
    for file, reason in report.no_clips.items():
        reasons.setdefault(reason, []).append(file)
    for reason, files in sorted(reasons.items()):
        table.add_row(f"not looked at: {escape(reason)}", str(len(files)), escape(files[0]))
    for split, lines in report.not_found.items():
        table.add_row(f"in {split}.txt, but not there", str(len(lines)), escape(lines[0]))
    if report.repeated:
        file, other = next(iter(sorted(report.repeated.items())))
        example = escape(f"{file} is {other}")
        table.add_row("the same film in another class or split", str(len(report.repeated)), example)
    if report.warnings:
        file, remark = next(iter(sorted(report.warnings.items())))
        table.add_row("unusual", str(len(report.warnings)), escape(f"{file}: {remark}"))
    if report.replaced:
        table.add_row("stored, but no longer there", str(report.replaced), "")
    console.print(table)
    where = f"Frames, index, actions.json and prepare_report.json: {root / 'prepared'}"
    console.print(f"{report.with_poses} clips have skeletons. {where}", markup=False)


def print_next(command: str) -> None:
    """What to run next, in one line that can be copied."""
    Console().print(f"Next: {command}", soft_wrap=True, highlight=False, markup=False)


def next_command(root: Path) -> str:
    """What leads from prepared clips to a trained network."""
    return f"python -m har.train experiment=own_actions paths.data_dir={quote(str(root))}"


def _classes_table(report: OwnReport) -> Table:
    rows = list(report.clips.items())
    total = {key: sum(counts[key] for _, counts in rows) for key in rows[0][1]}
    shown = [key for key, count in total.items() if count or key in ("train", "test")]
    numbers = ["in no list" if key == "none" else key for key in shown]
    table = make_table("own actions", [Column("class", overflow="fold")], numbers)
    for label, counts in rows[:_SHOWN]:
        table.add_row(escape(label), *(str(counts[key]) for key in shown))
    if len(rows) > _SHOWN:
        table.add_row(f"... {len(rows) - _SHOWN} more")
    table.add_section()
    table.add_row("all", *(str(total[key]) for key in shown), style="bold")
    return table
