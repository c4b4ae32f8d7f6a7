"""What a run is made from: configuration files, objects, its folder."""

import os
import re
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from har.errors import HarError
from har.files import whole_file

_RUN_FOLDER = "${hydra:runtime.output_dir}"


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


def plain_config(cfg: DictConfig) -> dict[str, Any]:
    """A configuration as plain values, every reference resolved but that to the run's folder: a run
    made from it writes into a folder of its own."""
    folder = str(run_folder())

    def portable(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: portable(item) for key, item in value.items()}
        if isinstance(value, list):
            return [portable(item) for item in value]
        inside = isinstance(value, str) and (value + os.sep).startswith(folder + os.sep)
        return _RUN_FOLDER + value[len(folder) :] if inside else value

    found: dict[str, Any] = portable(OmegaConf.to_container(cfg, resolve=True))
    # what goes on from a checkpoint stays where that is
    found["ckpt_path"] = cfg.get("ckpt_path")
    return found


def escape_references(value: Any) -> Any:
    """Plain values as a configuration has to state them: ``${`` in a name is no reference. That to
    the run's folder, which :func:`plain_config` writes, stays one."""
    if isinstance(value, dict):
        return {key: escape_references(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape_references(item) for item in value]
    if not isinstance(value, str):
        return value
    start = _RUN_FOLDER if value.startswith(_RUN_FOLDER) else ""
    return start + re.sub(r"(\\*)\$\{", r"\1\1\\${", value[len(start) :])


def write_config(cfg: DictConfig, folder: Path) -> None:
    """``config.yaml``: what the run is made from, see :func:`plain_config`."""
    ranks = (os.environ.get(name, "0") for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"))
    if all(rank == "0" for rank in ranks):  # the first process of all machines
        with whole_file(folder / "config.yaml") as partial:
            text = OmegaConf.to_yaml(OmegaConf.create(escape_references(plain_config(cfg))))
            partial.write_text(text, encoding="utf-8")


def print_config(cfg: DictConfig) -> None:
    """Prints a configuration as a tree, a branch for every group, every reference resolved."""
    tree = Tree("configuration")
    for key, value in plain_config(cfg).items():
        if isinstance(value, dict) and value:
            text = OmegaConf.to_yaml(OmegaConf.create(escape_references(value))).rstrip()
            tree.add(Text(str(key), "bold")).add(Text(text))
        else:
            tree.add(Text(f"{key}: {value}"))
    Console().print(tree)


def instantiate(config: Any, **arguments: Any) -> Any:
    """Builds the object of a configuration node; the constructor's own sentence comes through."""
    try:
        # "all": plain lists and dicts, and objects inside dicts stay what they are
        return hydra.utils.instantiate(config, _convert_="all", **arguments)
    except hydra.errors.InstantiationException as error:
        cause = har_error_behind(error)
        if cause is not None:
            raise cause from error
        missing = error.__cause__
        if isinstance(missing, ModuleNotFoundError):
            name = config.get("_target_", "").rpartition(".")[2]
            quoted = re.search(r"'([\w-]+)", str(missing))  # as Lightning and Python name it
            package = quoted[1] if quoted else missing.name
            what = f"{name} needs a package that is not installed"
            raise HarError(f"{what}: pip install {package}.") from error
        raise HarError(f"The configuration does not build an object: {error}") from error


def instantiate_all(nodes: DictConfig | None) -> list[Any]:
    """The objects of a group of which several may be chosen; those set to null are left out."""
    return [instantiate(node) for node in (nodes or {}).values() if node is not None]


def har_error_behind(error: BaseException | None) -> HarError | None:
    """The sentence for people, where Hydra has wrapped what an object's constructor raised."""
    while error is not None and not isinstance(error, HarError):
        error = error.__cause__
    return error
