"""Measures weights on data by a protocol: a table, ``metrics.json`` and the loggers."""

from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from har.data import ClipDataModule, MPIIDataModule, PersonDataModule
from har.data.modules.base import TrainingDataModule
from har.data.protocols import ProtocolDataset
from har.errors import HarError
from har.modules.base import PhasedModule
from har.runs.building import build_data, build_module, build_trainer, decide, follow_weights
from har.runs.clip_evaluator import ClipEvaluation
from har.runs.completing import complete, match_classes
from har.runs.config import instantiate, run_folder, write_config
from har.runs.details import add_blocks_and_pairs, print_details, write_confusion
from har.runs.person_evaluator import PersonEvaluation
from har.runs.person_report import report_persons
from har.runs.report import print_table, write_metrics
from har.weights import load_weights


def measure(cfg: DictConfig) -> dict[str, float]:
    """Measures a checkpoint (``ckpt_path``) or weights (``weights``) on the test split.

    Returns:
        The numbers that were measured, by name.

    Raises:
        HarError: nothing to evaluate, weights or data missing, or an empty test split.
    """
    source = cfg.ckpt_path or cfg.weights
    if source is None:
        raise HarError(
            "Say what to evaluate: ckpt_path=<file.ckpt> (or last), or weights=<name or file> with "
            "experiment=<name>."
        )
    folder = run_folder()
    cfg = follow_weights(complete(cfg, source), source)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")
    data = build_data(cfg, "test")
    if data.num_test_samples == 0:
        raise HarError(
            f"The test split of {cfg.data.data_dir} has no sample of what is chosen: nothing can "
            "be measured; prepare more samples, or change data.protocol, data.actions or shares."
        )
    cfg, data = match_classes(cfg, data, source)
    cfg = decide(cfg, data)
    write_config(cfg, folder)
    module = build_module(cfg, data)
    load_weights(module.network, source)
    evaluator, protocol = _evaluator(cfg, module, data)
    shown = [cfg.callbacks.get(name) for name in ("progress_bar", "figures")]
    callbacks = [instantiate(node) for node in shown if node is not None]
    trainer = build_trainer(cfg, callbacks=callbacks)
    trainer.test(evaluator, datamodule=None if evaluator is not module else data, verbose=False)
    results = dict(evaluator.results)
    if cfg.mpii_dir is not None:
        persons, by = _measure_persons(cfg, trainer, module, data)
        results, protocol = {**results, **persons}, {**protocol, "mpii": by}
    if trainer.is_global_zero:
        if isinstance(data, PersonDataModule):
            results |= report_persons(folder, data, evaluator)
        labels = list(data.labels)
        confusion = evaluator.scores.confusion_matrix() if labels else None
        if confusion is not None:
            results = add_blocks_and_pairs(results, confusion, labels)
            write_confusion(folder, confusion, labels)
        write_metrics(folder / "metrics.json", cfg, module.network, protocol, results, {})
        print_table(results, {}, labels, title=f"{cfg.name}, {protocol['split']}")
        print_details(results, protocol)
        print(f"Run folder: {folder}")
    return {name: value for name, value in results.items() if isinstance(value, (int, float))}


def _evaluator(
    cfg: DictConfig, module: PhasedModule, data: TrainingDataModule
) -> tuple[ClipEvaluation | PhasedModule, dict[str, Any]]:
    """What ``trainer.test`` runs, and by which protocol: clips of sequences where the data has
    them, the module itself for single images."""
    described = data.describe_protocol()
    if not isinstance(data, ClipDataModule):
        return module, described
    protocol = instantiate(cfg.protocol)
    if data.clip_size == 1:  # images
        protocol = protocol.of_images()
    assert data.test_clips is not None
    samples = ProtocolDataset(data.test_clips, protocol)
    network = module.network.fuse() if cfg.fast else module.network
    same = ("camera", "depth_range_mm", "num_workers")
    options: dict[str, Any] = {name: getattr(data, name) for name in same}
    options["crops_per_batch"] = data.eval_batch_size * data.clip_size
    evaluator = ClipEvaluation(network, samples, data.labels, module.layout, **options)
    counts = {
        "num_test_sequences": len(samples),
        "num_test_clips": int(samples.num_clips().sum()),
        "num_crops": int(samples.num_crops().sum()),
    }
    return evaluator, {**described, **samples.describe(), **counts}


def _measure_persons(
    cfg: DictConfig, trainer: pl.Trainer, module: PhasedModule, data: TrainingDataModule
) -> tuple[dict[str, Any], dict[str, Any]]:
    """PCKh of the same network's poses on MPII, and by which protocol."""
    mpii = MPIIDataModule(
        cfg.mpii_dir,
        layout=module.layout,
        dim=module.network.dim,
        resolution=data.resolution,
        views=cfg.views or "single",
        val_persons=0,
        eval_batch_size=data.eval_batch_size,
        limit_eval=cfg.limit,
        num_workers=data.num_workers,
        seed=cfg.seed,
    )
    mpii.setup("test")
    if mpii.num_test_samples == 0:
        raise HarError(f"There is no test person in {cfg.mpii_dir}: prepare more of MPII.")
    persons = PersonEvaluation(module.network, module.layout)
    trainer.test(persons, datamodule=mpii, verbose=False)
    return persons.results, mpii.describe_protocol()
