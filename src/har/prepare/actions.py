"""``python -m har.prepare actions``: own clips, a folder per class, as an action data set."""

from dataclasses import fields
from pathlib import Path
from shlex import quote
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from har.data.own.prepare import OwnReport, OwnSettings, prepare_own
from har.visual.terminal import make_table, progress_bar

_SHOWN = 20  # classes in the table


def prepare_actions(cfg: DictConfig) -> None:
    """Extracts frames of own clips and writes the index and ``actions.json``."""
    options = cfg.actions
    root = Path(cfg.paths.data_dir)
    kinds: dict[str, Any] = {f.name: type(f.default) for f in fields(OwnSettings)}
    settings = OwnSettings(**{name: kind(options[name]) for name, kind in kinds.items()})
    shares = {"test_share": options.test_share, "val_share": options.val_share, "seed": cfg.seed}
    with progress_bar("own clips") as progress:
        work = {"workers": cfg.workers, "progress": progress}
        report = prepare_own(root, root / "prepared", settings, **shares, **work)
    print_report(report, root)


def print_report(report: OwnReport, root: Path) -> None:
    """Clips by class and split; why others were left out; what to do next."""
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
    if report.warnings:
        file, remark = next(iter(sorted(report.warnings.items())))
        table.add_row("unusual", str(len(report.warnings)), escape(f"{file}: {remark}"))
    if report.replaced:
        table.add_row("stored, but no longer there", str(report.replaced), "")
    console.print(table)
    where = f"Frames, index, actions.json and prepare_report.json: {root / 'prepared'}"
    console.print(f"{report.with_poses} clips have skeletons. {where}", markup=False)
    for command in next_commands(root, report.with_poses > 0):
        print_next(command)


def print_next(command: str) -> None:
    """What to run next, in one line that can be copied."""
    Console().print(f"Next: {command}", soft_wrap=True, highlight=False, markup=False)


def next_commands(root: Path, have_poses: bool) -> list[str]:
    """What leads from prepared clips to a trained network.

    Args:
        root: the data folder.
        have_poses: some clips have skeletons; else a network has to find the persons.
    """
    folder = f"paths.data_dir={quote(str(root))} weights='<checkpoint>'"
    train = f"python -m har.train experiment=own_actions {folder}"
    if have_poses:
        return [train]
    train = f"{train} data.boxes=predicted"
    if (root / "prepared" / "boxes.h5").is_file():
        return [train]
    return [f"python -m har.prepare boxes {folder}", train]


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
