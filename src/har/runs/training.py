"""A training run: from the composed configuration to the report."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from har.callbacks import Checkpoint
from har.errors import HarError
from har.modules.schedule import Schedule
from har.precision import trainer_precision
from har.runs.config import instantiate, run_folder, write_config
from har.runs.report import print_table, write_metrics
from har.weights import load_weights

log = logging.getLogger(__name__)
# What Lightning says and nobody here can act on: advertisements, its own deprecations, and the
# warning about resuming within an epoch, which the data modules do exactly.
_NOISE = ("litlogger", "weights_only` was not set", "TPU available", "GPU available")
logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
    lambda record: not any(text in record.getMessage() for text in _NOISE)
)
warnings.filterwarnings("ignore", message=r".*treespec, LeafSpec.*")
warnings.filterwarnings("ignore", message=r".*dataloader is not resumable.*")
warnings.filterwarnings("ignore", message=r".*recommended to use `self.log.*sync_dist=True.*")
warnings.filterwarnings("ignore", message=r".*does not have many workers.*")


def build(cfg: DictConfig) -> tuple[pl.LightningModule, pl.LightningDataModule]:
    """The data module, then the module with its network, with initial weights where asked for.

    Raises:
        HarError: data missing, network and data disagree, or weights that do not fit.
    """
    data = instantiate(cfg.data)
    data.setup("fit")  # first: missing data is the commonest mistake and the quickest to see
    phases = cfg.module.get("phases", {})
    others = [name for name, phase in phases.items() if phase is not None and name != "pose"]
    if cfg.weights is not None and phases.get("pose") is not None and others:
        log.info("The pose phase is left out: the weights %s are given.", cfg.weights)
        OmegaConf.update(cfg, "module.phases.pose", None)
    if (
        cfg.weights is None
        and cfg.ckpt_path is None
        and phases.get("frozen") is not None
        and phases.get("pose") is None
    ):
        raise HarError(
            "The frozen phase needs a trained pose part: give weights=<name or file>, or a pose "
            "phase (module.phases.pose)."
        )
    module = build_module(cfg, data)
    check_kinds(module.schedule, data)
    data.schedule = module.schedule
    if cfg.weights is not None:
        # Not strict: a pose-only network, or one with other classes, initializes what it has.
        report = load_weights(module.network, cfg.weights, strict=False)
        log.info("%s", report)
    module.run_info = {
        "config": OmegaConf.to_container(cfg, resolve=True),
        "labels": list(data.labels),
        "action_numbers": list(data.actions),
    }
    return module, data


def build_module(cfg: DictConfig, data: Any) -> Any:
    """The module with its network; ``model.num_actions=null`` means as many as the data has.

    Raises:
        HarError: network and data disagree.
    """
    if "num_actions" in cfg.model and cfg.model.num_actions is None:
        cfg.model.num_actions = [len(data.labels)]
    if cfg.model.get("weights") is not None and (cfg.weights or cfg.ckpt_path):
        cfg.model.weights = None  # of a backbone, to begin with: here everything is in the file
    module = instantiate(cfg.module)
    check_classes(module, data)
    return module


def check_kinds(schedule: Schedule, data: Any) -> None:
    """Every phase is fed with what the data has.

    Raises:
        HarError: poses are to be learned, and no training sample has any.
    """
    kinds = {kind for epoch in range(schedule.total_epochs) for kind in schedule.epoch(epoch)[0]}
    if "pose" in kinds and "pose" in data.datasets and not len(data.datasets["pose"]):
        raise HarError(
            f"The phases pose and joint learn poses, and no training clip in {data.data_dir} has a "
            "skeleton: start from trained poses (weights=<checkpoint>) and leave these phases out "
            "(module.phases.pose=null module.phases.joint=null)."
        )


def check_classes(module: Any, data: Any) -> None:
    """The network's first action output has one class per action of the data.

    Raises:
        HarError: it has another number.
    """
    num_actions = module.network.num_actions
    if num_actions and num_actions[0] != len(data.labels):
        raise HarError(
            f"The network has {num_actions[0]} classes and the data {len(data.labels)}: set "
            f"model.num_actions=[{len(data.labels)}]."
        )


def make_trainer(cfg: DictConfig, max_epochs: int, **arguments: Any) -> pl.Trainer:
    """The trainer of the configuration; ``trainer.max_epochs=null`` means the plan's length."""
    if cfg.trainer.max_epochs is not None:
        max_epochs = cfg.trainer.max_epochs
    precision = trainer_precision(cfg.trainer.precision, cfg.trainer.accelerator)
    trainer: pl.Trainer = instantiate(
        cfg.trainer, max_epochs=max_epochs, precision=precision, **arguments
    )
    return trainer


def train(cfg: DictConfig) -> None:
    """Trains, tests on the test split, prints the table and writes ``metrics.json``."""
    folder = run_folder()
    write_config(cfg, folder)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")
    module, data = build(cfg)
    untrained: dict[str, Any] = {}
    if cfg.report_untrained and cfg.ckpt_path is None:
        quiet = make_trainer(cfg, 1, logger=False, enable_checkpointing=False)
        untrained = _test(quiet, module, data)
    callbacks = [instantiate(node) for node in cfg.callbacks.values() if node is not None]
    trainer = make_trainer(
        cfg,
        cast(Any, module).schedule.total_epochs,
        callbacks=callbacks,
        logger=[instantiate(node) for node in cfg.logger.values() if node is not None],
        enable_checkpointing=any(isinstance(each, Checkpoint) for each in callbacks),
    )
    trainer.fit(module, datamodule=data, ckpt_path=cfg.ckpt_path, weights_only=True)
    results = _test(trainer, module, data) if cfg.test else {}
    if trainer.is_global_zero:
        _report(cfg, folder, module, data, results, untrained)


def _test(trainer: pl.Trainer, module: Any, data: Any) -> dict[str, Any]:
    """The test split's figures, empty where it has no sample."""
    if data.num_test_samples == 0:
        log.warning("The test split of this data is empty: nothing is tested.")
        return {}
    trainer.test(module, datamodule=data, verbose=False)
    results: dict[str, Any] = module.results
    return results


def _report(
    cfg: DictConfig,
    folder: Path,
    module: Any,
    data: Any,
    results: dict[str, Any],
    untrained: dict[str, Any],
) -> None:
    protocol = data.describe_protocol()
    write_metrics(folder / "metrics.json", cfg, module.network, protocol, results, untrained)
    if results:
        print_table(results, untrained, list(data.labels), title=f"{cfg.name}, {protocol['split']}")
    print(f"Run folder: {folder}")
