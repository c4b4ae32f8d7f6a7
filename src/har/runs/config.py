"""What a run is made from: configuration files, objects, its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from har.errors import HarError


def config_dir() -> Path:
    """The folder of the YAML files: inside the installed package, else in the repository."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "configs", package.parent.parent / "configs"):
        if (folder / "train.yaml").is_file():
            return folder
    raise HarError(f"The configuration files of har are missing beside {package}; reinstall har.")


def run_folder() -> Path:
    """The folder of this run, as Hydra made it."""
    return Path(HydraConfig.get().runtime.output_dir)


def is_rank_zero() -> bool:
    """Whether this process writes files: the first one of all machines."""
    ranks = (os.environ.get(name, "0") for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"))
    return all(rank == "0" for rank in ranks)


def write_config(cfg: DictConfig, folder: Path) -> None:
    """``config.yaml``: what the run was made from, every reference resolved."""
    if is_rank_zero():
        text = OmegaConf.to_yaml(cfg, resolve=True)
        (folder / "config.yaml").write_text(text, encoding="utf-8")


def instantiate(config: Any, **arguments: Any) -> Any:
    """Builds the object of a configuration node; the constructor's own sentence comes through."""
    try:
        # "all": plain lists and dicts, and objects inside dicts stay what they are
        return hydra.utils.instantiate(config, _convert_="all", **arguments)
    except hydra.errors.InstantiationException as error:
        cause = har_error_behind(error)
        if cause is not None:
            raise cause from error
        raise HarError(f"The configuration does not build an object: {error}") from error


def har_error_behind(error: BaseException | None) -> HarError | None:
    """The sentence for people, where Hydra has wrapped what an object's constructor raised."""
    while error is not None and not isinstance(error, HarError):
        error = error.__cause__
    return error
