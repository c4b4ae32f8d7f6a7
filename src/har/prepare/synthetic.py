"""``python -m har.prepare synthetic``: data sets in the official formats, made here."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from har.errors import HarError
from har.synthetic import h36m, mpii_files, ntu, penn
from har.visual.terminal import progress_bar

_WRITTEN = {
    "ntu": "NTU videos",
    "mpii": "MPII images",
    "penn": "Penn Action clips",
    "h36m": "Human3.6M sequences",
}


def prepare_synthetic(cfg: DictConfig) -> None:
    """Writes a synthetic data set: ``dataset=ntu``, ``mpii``, ``penn`` or ``h36m``."""
    if cfg.dataset not in _WRITTEN:
        raise HarError(f"dataset={cfg.dataset}: choose {', '.join(_WRITTEN)}.")
    root, options = Path(cfg.paths.data_dir) / cfg.dataset, cfg.synthetic
    what = _WRITTEN[cfg.dataset]
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
        elif cfg.dataset == "mpii":
            report = mpii_files.write_mpii(root, int(options.images), **shared)
        else:
            write = penn.write_penn if cfg.dataset == "penn" else h36m.write_h36m
            report = write(root, int(options.clips), **shared)
    written = f"{report.written} {what.split()[-1]} written"
    Console().print(f"{written}, {report.skipped} were there: {root}")
