"""``python -m har.prepare synthetic``: data sets in the official formats, made here."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from har.errors import HarError
from har.synthetic import mpii_files, ntu
from har.visual.terminal import progress_bar


def prepare_synthetic(cfg: DictConfig) -> None:
    """Writes a synthetic data set, ``dataset=ntu`` or ``dataset=mpii``."""
    if cfg.dataset not in ("ntu", "mpii"):
        raise HarError(f"dataset={cfg.dataset}: choose ntu or mpii.")
    root, options = Path(cfg.paths.data_dir) / cfg.dataset, cfg.synthetic
    what = "NTU videos" if cfg.dataset == "ntu" else "MPII images"
    with progress_bar(f"synthetic {what}") as progress:
        shared = {"seed": cfg.seed, "workers": cfg.workers, "progress": progress}
        if cfg.dataset == "ntu":
            samples = ntu.synthetic_samples(
                subjects=list(options.subjects),
                actions=list(options.actions),
                cameras=list(options.cameras),
                replications=list(range(1, options.replications + 1)),
                cameras_per_sample=options.cameras_per_sample,
            )
            report = ntu.write_ntu(root, samples, size=tuple(options.size), **shared)
        else:
            report = mpii_files.write_mpii(root, int(options.images), **shared)
    written = f"{report.written} {what.split()[1]} written"
    Console().print(f"{written}, {report.skipped} were there: {root}", markup=False)
