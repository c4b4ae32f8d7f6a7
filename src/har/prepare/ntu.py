"""``python -m har.prepare ntu``: frames and index from the official files."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from rich.console import Console
from rich.markup import escape

from har.data.augment import CropMargin
from har.data.ntu import prepare as extract
from har.data.ntu.files import find_dataset_root
from har.errors import HarError
from har.prepare.findings import add_left_out
from har.visual.terminal import make_table, progress_bar


def prepare_ntu(cfg: DictConfig) -> None:
    """Extracts frames of NTU RGB+D videos and writes the index."""
    options = cfg.ntu
    root = find_dataset_root(Path(cfg.paths.data_dir))
    chosen = {name: options[name] for name in ("stride", "scale", "jpeg_quality")}
    chosen |= {name: _numbers(options[name]) for name in ("setups", "actions", "cameras")}
    with progress_bar("NTU videos") as progress:
        report = extract.prepare_ntu(
            Path(options.videos_dir or root),
            Path(options.skeletons_dir or root),
            root / "prepared",
            margin=_margin(options),
            shard=_shard(options.shard),
            workers=cfg.workers,
            progress=progress,
            **chosen,
        )
    print_report(report, root / "prepared")


def _margin(options: Any) -> CropMargin | None:
    if options.region not in ("full", "track"):
        raise HarError(f"ntu.region={options.region} has to be full or track.")
    x, y = options.margin.shift_px
    return CropMargin(options.margin.scale, (x, y)) if options.region == "track" else None


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


def print_report(report: extract.NTUReport, folder: Path) -> None:
    """The table at the end: how many samples, and why others were left out."""
    table = make_table("NTU RGB+D preparation", ["samples"], ["count"])
    table.add_column("for example", overflow="fold")
    table.add_row("done now", str(report.done), "")
    table.add_row("there already", str(report.kept), "")
    add_left_out(table, report)
    for reason, (count, first) in report.not_looked_at.items():
        table.add_row(escape(f"not looked at: {reason}"), str(count), escape(first))
    Console().print(table, f"Frames, index and prepare_report.json: {folder}", markup=False)
