"""The configuration of an evaluation: network and data as a checkpoint states them."""

import logging
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from har.data.modules.base import TrainingDataModule
from har.errors import HarError
from har.runs.building import build_data
from har.runs.config import escape_references
from har.runs.legacy import translate
from har.weights import WeightsFile, open_weights, read_run

log = logging.getLogger(__name__)

# What a checkpoint states itself; trainer, logger and paths belong to this machine.
_FROM_CHECKPOINT = ("model", "module", "data")


def complete(cfg: DictConfig, source: str) -> DictConfig:
    """The configuration; where no experiment is named, network and data are the checkpoint's.

    Raises:
        HarError: no experiment, and weights that do not say what they were trained on; or a way of
            measuring that the data does not have.
    """
    composed = cfg
    cfg = OmegaConf.create(OmegaConf.to_container(cfg))  # type: ignore[assignment]
    hydra = HydraConfig.get()
    if hydra.runtime.choices.get("experiment") is None:
        if Path(source).suffix != ".ckpt":
            raise HarError(
                f"{source} does not say what data it is for: name an experiment, for example "
                "experiment=ntu_multitask."
            )
        saved = read_run(source)["config"]
        for section, value in translate({name: saved[name] for name in _FROM_CHECKPOINT}).items():
            cfg[section] = escape_references(value)
        cfg.module.network = "${model}"  # one place for what the command line changes
        words = [word.lstrip("+") for word in hydra.overrides.task]
        for key in (word.partition("=")[0] for word in words):
            if key.split(".")[0] in _FROM_CHECKPOINT and "." in key:
                OmegaConf.update(cfg, key, OmegaConf.select(composed, key), force_add=True)
        if any(word.startswith("paths.data_dir=") for word in words):
            cfg.data.data_dir = cfg.paths.data_dir
    if cfg.limit is not None:
        cfg.data.limit_eval = cfg.limit
    if cfg.views is not None and cfg.mpii_dir is None:
        persons = cfg.data.get("mpii") or cfg.data
        if cfg.data.get("clip_size") == 1:  # sequences of images
            cfg.protocol.views = cfg.views
        elif "views" in persons:
            persons.views = cfg.views
        else:
            raise HarError(
                "views= says how often an image of a person is looked at, and these weights are "
                "measured on clips: add mpii_dir=<prepared MPII>, or leave views= out."
            )
    return cfg


def match_classes(
    cfg: DictConfig,
    data: TrainingDataModule,
    source: str,
    *,
    stage: str = "test",
    fresh: bool = False,
) -> tuple[DictConfig, TrainingDataModule]:
    """The data with its classes in the order of the network's outputs, by their names.

    Args:
        cfg: the configuration.
        data: set up.
        source: weights; where they do not state their classes, nothing is matched.
        stage: for which the data is set up.
        fresh: other classes are allowed: the network learns them anew.

    Raises:
        HarError: the names differ.
    """
    is_run = Path(source).suffix == ".ckpt"
    opened = WeightsFile.open(source) if is_run else open_weights(source)
    trained = list(opened.run.get("labels") or opened.stated.get("labels") or ())
    found = list(data.labels)
    if not trained or not found or trained == found:
        return cfg, data
    same = sorted(trained) == sorted(found)
    if fresh and (not same or "actions" not in cfg.data):
        return cfg, data
    if not same or "actions" not in cfg.data:
        pairs = ((trained, found), (found, trained))
        only = [", ".join(sorted(set(a) - set(b))) or "none" for a, b in pairs]
        raise HarError(
            f"The classes of {source} and of the data in {cfg.data.data_dir} differ: only the "
            f"network has {only[0]}, only the data has {only[1]}; "
            "classes of both have to be the same, in the same order."
        )
    log.warning("The classes are taken in the order of the network's outputs.")
    # NTU's classes are chosen by their numbers, own ones by their names
    numbers = dict(zip(found, data.actions, strict=bool(data.actions)))
    cfg.data.actions = [numbers.get(label, label) for label in trained]
    return cfg, build_data(cfg, stage)
