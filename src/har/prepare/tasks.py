"""The tasks of ``python -m har.prepare``, a module each: what they are asked for, their table."""

import pkgutil

from omegaconf import DictConfig

from har.errors import HarError

# Imported only when it runs: extraction does not need torch, and --help nothing at all.
TASKS = {
    "ntu": "har.prepare.ntu:prepare_ntu",
    "mpii": "har.prepare.mpii:prepare_mpii",
    "lsp": "har.prepare.lsp:prepare_lsp",
    "persons": "har.prepare.persons:prepare_persons",
    "penn": "har.prepare.penn:prepare_penn",
    "h36m": "har.prepare.h36m:prepare_h36m",
    "actions": "har.prepare.actions:prepare_actions",
    "boxes": "har.prepare.boxes:prepare_boxes",
    "synthetic": "har.prepare.synthetic:prepare_synthetic",
    "check": "har.prepare.check:check_data",
}


def prepare(cfg: DictConfig) -> None:
    """Runs the task that the command line names."""
    if cfg.task not in TASKS:
        given = "no task is given" if cfg.task is None else f"there is no task {cfg.task}"
        raise HarError(
            f"python -m har.prepare: {given}; the tasks are {', '.join(TASKS)}, for example "
            "python -m har.prepare synthetic paths.data_dir=data/demo."
        )
    pkgutil.resolve_name(TASKS[cfg.task])(cfg)
