"""``python -m har.prepare h36m``: annotations and cameras read, every image once."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from har.data.framestore.extraction import PrepareReport
from har.data.h36m import prepare as prepared
from har.prepare.findings import add_left_out
from har.visual.terminal import make_table, progress_bar


def prepare_h36m(cfg: DictConfig) -> None:
    """Reads Human3.6M's annotations, cameras and images, and writes what a run needs."""
    with progress_bar("Human3.6M sequences") as progress:
        report, folder = prepared.prepare_h36m(
            Path(cfg.paths.data_dir),
            train_every=cfg.h36m.train_every,
            test_every=cfg.h36m.test_every,
            workers=cfg.workers,
            progress=progress,
        )
    print_report(report, folder)


def print_report(report: PrepareReport, folder: Path) -> None:
    """The table at the end: how many sequences, and why others were left out."""
    table = make_table("Human3.6M preparation", ["sequences"], ["count"])
    table.add_column("for example", overflow="fold")
    table.add_row("done now", str(report.done), "")
    table.add_row("there already", str(report.kept), "")
    table.add_row("images of those done now", f"{report.frames:,}", "")
    add_left_out(table, report)
    Console().print(table, f"Index and prepare_report.json: {folder}; the images stay in place")
