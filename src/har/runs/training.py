"""A training run: from the composed configuration to the report."""

import logging
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf

from har.data import PersonDataModule
from har.data.modules.base import TrainingDataModule
from har.modules.base import PhasedModule
from har.runs import building
from har.runs.completing import match_classes
from har.runs.config import instantiate_all, print_config, run_folder, write_config
from har.runs.own_actions import train_own_actions
from har.runs.person_report import report_persons
from har.runs.report import optimized, print_table, write_metrics

log = logging.getLogger(__name__)


def train(cfg: DictConfig, callbacks: Sequence[pl.Callback] = ()) -> dict[str, float] | float:
    """Trains, tests on the test split, prints the table and writes ``metrics.json``.

    Args:
        cfg: the configuration.
        callbacks: of the training, beside those of the configuration.

    Returns:
        The numbers that the run has measured, by name: those of the last validation and of training
        (``val/...``, ``train/...``) and those of the test. With ``optimized_metric`` that one
        alone, for a sweeper.

    Raises:
        HarError: data missing, network and data disagree, weights that do not fit, or no metric of
            the name ``optimized_metric``.
    """
    if OmegaConf.select(cfg, "own") is not None:
        return train_own_actions(cfg)
    folder = run_folder()
    if OmegaConf.select(cfg, "extras.print_config"):
        print_config(cfg)
    building.refuse_own_weights(cfg, folder)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")
    cfg = building.follow_weights(cfg, cfg.ckpt_path or cfg.weights)
    data = building.build_data(cfg, "fit")
    building.check_training_classes(cfg, data)
    if (source := cfg.ckpt_path or cfg.weights) is not None:
        fresh = cfg.ckpt_path is None
        cfg, data = match_classes(cfg, data, source, stage="fit", fresh=fresh)
    cfg = building.decide(building.decide_phases(cfg), data)
    write_config(cfg, folder)
    module = building.build_module(cfg, data)
    building.check_kinds(module.schedule, data)
    building.begin_with(module, cfg)
    untrained: dict[str, Any] = {}
    if cfg.report_untrained and cfg.ckpt_path is None:
        untrained = _test(building.build_trainer(cfg, callbacks=[], logger=False), module, data)
    every = [*instantiate_all(cfg.callbacks), *callbacks]
    trainer = building.build_trainer(cfg, callbacks=every)
    trainer.fit(module, datamodule=data, ckpt_path=cfg.ckpt_path, weights_only=True)
    found = {name: value.item() for name, value in trainer.callback_metrics.items()}
    results = _test(trainer, module, data) if cfg.test else {}
    if results and isinstance(data, PersonDataModule) and trainer.is_global_zero:
        results = {**results, **report_persons(folder, data, module)}
    found |= {name: value for name, value in results.items() if isinstance(value, (int, float))}
    if trainer.is_global_zero:
        protocol = data.describe_protocol()
        write_metrics(folder / "metrics.json", cfg, module.network, protocol, results, untrained)
        if results:
            title = f"{cfg.name}, {protocol['split']}"
            print_table(results, untrained, list(data.labels), title)
        print(f"Run folder: {folder}")
    return optimized(cfg, found)


def _test(trainer: pl.Trainer, module: PhasedModule, data: TrainingDataModule) -> dict[str, Any]:
    """The metrics of the test split, empty where it has no sample."""
    if data.num_test_samples == 0:
        log.warning("The test split of this data is empty: nothing is tested.")
        return {}
    trainer.test(module, datamodule=data, verbose=False)
    return module.results
