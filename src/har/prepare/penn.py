"""``python -m har.prepare penn``: annotations read, every frame decoded once."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape

from har.data.penn import prepare as prepared
from har.data.penn.files import CLIP_BOXES, PREDICTED_BOXES
from har.prepare.findings import add_left_out
from har.visual.terminal import make_table, progress_bar


def prepare_penn(cfg: DictConfig) -> None:
    """Reads Penn Action's annotations and frames, and writes what a run needs."""
    with progress_bar("Penn Action clips") as progress:
        report, folder = prepared.prepare_penn(
            Path(cfg.paths.data_dir),
            annotations=cfg.penn.annotations,
            workers=cfg.workers,
            progress=progress,
        )
    print_report(report, folder)


def print_report(report: prepared.PennReport, folder: Path) -> None:
    """The table at the end: how many clips, and why others were left out."""
    table = make_table("Penn Action preparation", ["clips"], ["count"])
    table.add_column("for example", overflow="fold")
    table.add_row("annotations", "", report.source)
    table.add_row("done now", str(report.done), "")
    table.add_row("there already", str(report.kept), "")
    train, test = report.clips
    table.add_row("to train with / test", f"{train:,} / {test:,}", "official: 1,258 / 1,068")
    if report.boxes is not None:
        table.add_row("with predicted boxes", f"{report.boxes:,}", PREDICTED_BOXES)
    if report.clip_boxes is not None:
        table.add_row("predicted boxes of clips", f"{report.clip_boxes:,}", CLIP_BOXES)
    for name, remark in report.remarks.items():
        table.add_row(f"not used of {escape(name)}", "", escape(remark))
    add_left_out(table, report)
    Console().print(table, f"Index and prepare_report.json: {folder}; the frames stay in place")
