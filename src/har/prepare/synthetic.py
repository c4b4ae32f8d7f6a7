"""``python -m har.prepare synthetic``: data sets in the official formats, made here."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from har.errors import HarError
from har.synthetic import mpii_files, ntu
from har.visual.terminal import progress_bar


def prepare_synthetic(cfg: DictConfig) -> None:
    """Writes a synthetic data set, ``dataset=ntu`` or ``dataset=mpii``."""
    writers = {"ntu": _prepare_ntu, "mpii": _prepare_mpii}
    if cfg.dataset not in writers:
        raise HarError(f"dataset={cfg.dataset}: choose {' or '.join(writers)}.")
    writers[cfg.dataset](cfg)


def _prepare_ntu(cfg: DictConfig) -> None:
    """Videos and skeletons in the NTU RGB+D formats."""
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


def _prepare_mpii(cfg: DictConfig) -> None:
    """Images and annotations in all the formats of MPII Human Pose."""
    root = Path(cfg.paths.data_dir) / "mpii"
    with progress_bar("synthetic MPII images") as progress:
        report = mpii_files.write_mpii(
            root,
            int(cfg.synthetic.images),
            seed=cfg.seed,
            workers=cfg.workers,
            progress=progress,
        )
    Console().print(f"{report.written} images written, {report.skipped} were there: {root}")
