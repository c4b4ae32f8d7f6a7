"""What a run consists of: its configuration with every decision made, data, module, trainer."""

import copy
import logging
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, open_dict
from pytorch_lightning.callbacks import ModelCheckpoint

from har.data.modules.base import TrainingDataModule
from har.data.modules.clips import ClipDataModule
from har.errors import HarError
from har.layouts import get_layout, plain_layout
from har.modules.base import PhasedModule
from har.modules.compiling import StepCompiler
from har.modules.schedule import KINDS, Schedule
from har.precision import trainer_precision
from har.runs.config import instantiate, instantiate_all, plain_config
from har.weights import fine_tune, load_weights, open_weights, read_run, spec_of

log = logging.getLogger(__name__)
# What Lightning prints and the user cannot act on: advertisements, its own deprecations, and the
# warning about resuming within an epoch, which the data modules do exactly.
_NOISE = ("litlogger", "weights_only` was not set", "TPU available", "GPU available")
logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(
    lambda record: not any(text in record.getMessage() for text in _NOISE)
)
for _message in (
    "treespec, LeafSpec",
    "dataloader is not resumable",
    "recommended to use `self.log.*sync_dist=True",
    "does not have many workers",
    "Checkpoint directory .* exists and is not empty",
):
    warnings.filterwarnings("ignore", message=f".*{_message}.*")


def build_data(cfg: DictConfig, stage: str) -> TrainingDataModule:
    """The data module, set up: what is missing is said before anything else is built."""
    data: TrainingDataModule = instantiate(cfg.data)
    data.setup(stage)
    return data


def follow_weights(cfg: DictConfig, source: str | None) -> DictConfig:
    """A configuration whose network is that of the weights, for poses of the data's joints.

    Whether they have depth the data decides, where the network can do without. For experiments with
    ``finetune``; others, and those without weights, keep their network.
    """
    if source is None or not cfg.finetune:
        return cfg
    network = open_weights(source).build().pose_network
    cfg = copy.deepcopy(cfg)
    with open_dict(cfg):
        kind = type(network)
        target = {"_target_": f"{kind.__module__}.{kind.__name__}"}
        arguments = {**network.pose_arguments, "num_joints": None}
        if "dim" in arguments and "dim" in cfg.data:
            arguments["dim"] = cfg.data.dim
        else:
            cfg.data.dim = network.dim
        frozen = cfg.model.get("frozen_stages")  # no argument of what the network computes
        if frozen is not None and str(cfg.model._target_).endswith(f".{kind.__name__}"):
            arguments["frozen_stages"] = frozen
        cfg.model = {**target, **arguments}
    text = "finetune: the network is that of %s, %s; model=... is not used."
    log.info(text, source, kind.__name__)
    return cfg


def decide(cfg: DictConfig, data: TrainingDataModule) -> DictConfig:
    """A configuration in which nothing is left open that depends on data or machine."""
    cfg = copy.deepcopy(cfg)
    with open_dict(cfg):
        if "layout" in cfg.data and cfg.data.layout is None:  # the data set's own
            cfg.data.layout = plain_layout(data.layout)
        if "num_joints" in cfg.model and cfg.model.num_joints is None:
            cfg.model.num_joints = get_layout(data.layout).num_joints
        if "num_actions" in cfg.model and cfg.model.num_actions is None:
            cfg.model.num_actions = [len(data.labels)]
        for name in ("weights", "backbone_weights"):  # to begin with: a file of weights has all
            if cfg.model.get(name) is not None and (cfg.weights or cfg.ckpt_path):
                cfg.model[name] = None
        if cfg.trainer.max_epochs is None:
            phases = cfg.module.phases
            cfg.trainer.max_epochs = sum(phases[name].epochs for name in _chosen(phases))
        cfg.trainer.precision = trainer_precision(cfg.trainer.precision, cfg.trainer.accelerator)
    return cfg


def decide_phases(cfg: DictConfig) -> DictConfig:
    """A configuration with the phases that will be trained.

    Raises:
        HarError: a frozen phase without trained poses.
    """
    cfg = copy.deepcopy(cfg)
    phases = cfg.module.phases
    chosen = _chosen(phases)
    if cfg.weights is not None and "pose" in chosen and len(chosen) > 1:
        log.info("The pose phase is left out: the weights %s are given.", cfg.weights)
        phases.pose = None
    if not cfg.weights and not cfg.ckpt_path and "frozen" in chosen and "pose" not in chosen:
        raise HarError(
            "The frozen phase needs a trained pose part: give weights=<name or file>, or a pose "
            "phase (module.phases.pose)."
        )
    return cfg


def _chosen(phases: DictConfig) -> list[str]:
    return [str(name) for name, phase in phases.items() if phase is not None]


def build_module(cfg: DictConfig, data: TrainingDataModule) -> PhasedModule:
    """The module with its network, and what its checkpoints carry.

    Raises:
        HarError: network and data disagree.
    """
    module: PhasedModule = instantiate(cfg.module)
    module.step_compiler = StepCompiler(cfg.trainer.get("compile", "auto"))
    check_classes(module, data)
    data.schedule = module.schedule
    layout = get_layout(data.layout)
    joints = {"layout": layout.name, "joint_names": layout.joints, "joint_links": layout.links}
    same = ("resolution", "clip_size", "clip_seconds_between_frames", "depth_range_mm")
    of_data = {name: getattr(data, name) for name in same}
    labels = tuple(data.labels) or None
    spec = spec_of(module.network, name=str(cfg.name), labels=labels, **joints, **of_data)
    module.run_info = {
        "config": plain_config(cfg),
        "labels": list(data.labels),
        "action_numbers": list(data.actions),
        "spec": spec.to_dict(),
    }
    return module


def refuse_own_weights(cfg: DictConfig, folder: Path) -> None:
    """A new run does not write its checkpoints over the weights that it begins with.

    Raises:
        HarError: they lie in its folder.
    """
    if cfg.weights is None or cfg.ckpt_path is not None:
        return
    if Path(cfg.weights).resolve().is_relative_to(folder.resolve()):
        raise HarError(
            f"weights={cfg.weights} lies in the folder of this run, {folder}, which would write "
            "over it: leave out hydra.run.dir, or go on with ckpt_path=<that file>."
        )


def begin_with(module: PhasedModule, cfg: DictConfig) -> None:
    """Puts initial weights into the network, or makes sure that a checkpoint can be continued.

    Raises:
        HarError: weights that do not fit, or a checkpoint that cannot be continued.
    """
    if cfg.ckpt_path is not None:
        if "spec" not in read_run(cfg.ckpt_path):
            raise HarError(
                f"{cfg.ckpt_path} is of version 0.1.0, whose runs are not continued: begin a new "
                f"run with its weights, weights={cfg.ckpt_path}."
            )
        load_weights(module.network, cfg.ckpt_path)
    elif cfg.weights is not None and cfg.finetune:
        log.info("%s", fine_tune(module.network, get_layout(module.layout), cfg.weights))
    elif cfg.weights is not None:
        # Not strict: a pose-only network, or one with other classes, initializes what it has.
        labels = list(module.run_info["labels"])
        log.info("%s", load_weights(module.network, cfg.weights, strict=False, labels=labels))


def check_training_classes(cfg: DictConfig, data: TrainingDataModule) -> None:
    """Actions are learned from two classes or more, each with a training sample.

    Raises:
        HarError: names the class.
    """
    learns = {kind for name in _chosen(cfg.module.phases) for kind in KINDS.get(name, ())}
    if "action" not in learns or not isinstance(data, ClipDataModule):
        return
    if len(data.labels) < 2:
        raise HarError(
            f"The data in {data.data_dir} has the class {', '.join(data.labels)} alone: a network "
            "needs two classes or more to tell apart."
        )
    classes = data.clips.classes[data.clips.splits["train"]]
    empty = [label for number, label in enumerate(data.labels) if number not in set(classes)]
    if empty:
        raise HarError(
            f"No training sample in {data.data_dir} is of the class {empty[0]}"
            f"{f' (and {len(empty) - 1} more)' if empty[1:] else ''}: prepare some, or leave it "
            "out of data.actions."
        )


def check_kinds(schedule: Schedule, data: TrainingDataModule) -> None:
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


def check_classes(module: PhasedModule, data: TrainingDataModule) -> None:
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


def build_trainer(cfg: DictConfig, **arguments: Any) -> pl.Trainer:
    """The trainer of the configuration with its loggers.

    Args:
        cfg: as :func:`decide` returns it.
        arguments: of :class:`pytorch_lightning.Trainer`, in place of the configuration's;
            ``callbacks`` and ``logger`` by default as configured.
    """
    for name, group in (("callbacks", cfg.callbacks), ("logger", cfg.get("logger"))):
        if name not in arguments:
            arguments[name] = instantiate_all(group)
    writes = any(isinstance(each, ModelCheckpoint) for each in arguments["callbacks"])
    # The one key of the group that is not of Lightning's trainer: see build_module.
    of_trainer = {name: value for name, value in cfg.trainer.items() if name != "compile"}
    return instantiate(of_trainer, enable_checkpointing=writes, **arguments)
