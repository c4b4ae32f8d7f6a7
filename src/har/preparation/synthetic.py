"""``python -m har.prepare synthetic``: data sets in the official formats, made here."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from har.data.synthetic import ntu
from har.progress import progress_bar


def prepare_synthetic(cfg: DictConfig) -> None:
    """Writes synthetic videos and skeletons in the NTU RGB+D formats."""
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
