"""``python -m har.prepare persons``: own pictures with COCO key points of any skeleton."""

from pathlib import Path
from shlex import quote
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Column

from har.data.coco.prepare import FOLDER, PrepareReport
from har.data.coco.prepare import prepare_persons as prepare
from har.errors import HarError
from har.prepare.samples import write_samples
from har.visual.terminal import make_table, progress_bar

_SHOWN = 5  # places of a note; all of them are in the report


def prepare_persons(cfg: DictConfig) -> None:
    """Reads annotations and pictures, and writes what a run needs."""
    if cfg.images is None or cfg.annotations is None:
        raise HarError(
            "python -m har.prepare persons: give the pictures and their COCO key points, "
            "images=<folder> annotations=<json>."
        )
    files = {
        "train": cfg.annotations,
        "val": cfg.val_annotations,
        "test": cfg.test_annotations,
    }
    data_dir = Path(cfg.paths.data_dir)
    with progress_bar("pictures") as progress:
        report, _ = prepare(
            Path(cfg.images),
            {split: Path(path) for split, path in files.items() if path is not None},
            data_dir / FOLDER,
            category=None if cfg.category is None else str(cfg.category),
            flip_pairs=_plain(cfg.flip_pairs),
            any_size=cfg.any_size,
            workers=cfg.workers,
            progress=progress,
        )
    print_report(report, data_dir)
    write_samples(data_dir / FOLDER, "own_poses", data_dir, val_share=0, test_share=0)


def _plain(pairs: Any) -> Any:
    if pairs is not None and not isinstance(pairs, ListConfig):
        raise HarError(f"flip_pairs={pairs}: write pairs of joints, as in [[hand_a,hand_b]].")
    return None if pairs is None else OmegaConf.to_container(pairs)


def print_report(report: PrepareReport, data_dir: Path) -> None:
    """Who can be used, how often each joint is labeled, what is odd, and what to do next."""
    console = Console()
    table = make_table("own pictures", ["persons and joints"], ["count"])
    table.add_row("pictures that are used", f"{report.pictures:,}")
    for split, count in report.persons.items():
        if count or split in report.files:
            table.add_row(f"persons of {split}", f"{count:,}")
    for split, count in report.negatives.items():
        if count:
            table.add_row(f"pictures without anybody of {split}", f"{count:,}")
    table.add_section()
    for joint, count in report.joints.items():
        table.add_row(f"labeled: {escape(joint)}", f"{count:,}")
    console.print(table)
    if report.notes:
        odd = make_table("what is odd", [Column("what", overflow="fold")], ["count"])
        odd.add_column("where", overflow="fold")
        for what, places in report.notes.items():
            shown = ", ".join(places[:_SHOWN]) + (", ..." if len(places) > _SHOWN else "")
            odd.add_row(escape(what), f"{len(places):,}", escape(shown))
        console.print(odd)
    console.print(report.mirroring, highlight=False, markup=False)
    nobody = report.negatives["train"]
    if nobody:
        console.print(
            f"{nobody:,} pictures without any annotation are taught as pictures without anybody; "
            "data.negatives=false leaves them out, if they just are not annotated yet.",
            highlight=False,
        )
    console.print(
        f"persons.h5 and, with every name, prepare_report.json: {data_dir / FOLDER}", markup=False
    )
    command = f"python -m har.train experiment=own_poses paths.data_dir={quote(str(data_dir))}"
    console.print(f"Next: {command}", soft_wrap=True, highlight=False, markup=False)
