"""Own actions: from a folder of clips to a network, cross-validated, in one run.

Everything is chosen by the training clips alone: whether mirrored clips show the same action, and
below which probability none is named.
"""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, open_dict

from har.data.feature_clips import FeatureClips, collate_clips
from har.data.modules.own_features import Fold, OwnFeaturesDataModule
from har.layouts import plain_layout
from har.models.base import PoseNetwork
from har.models.registry import build_network
from har.modules.base import PhasedModule
from har.modules.stored_actions import clip_log_probabilities
from har.runs import building
from har.runs.config import run_folder, write_config
from har.runs.own_clips import prepare_clips
from har.runs.own_features import prepare_features
from har.runs.own_report import OwnResults, report_own
from har.weights import open_weights, spec_of
from har.weights.built_in import DEFAULT

log = logging.getLogger(__name__)

_SURE = ("nobody_below", "doubtful_below")  # of the pose part, whatever is learned on top
_MIRRORED = 0.5  # of the mirrored clips of two classes, each taken for the other


class Classified(NamedTuple):
    """What a network makes of N clips.

    Attributes:
        log_probabilities: float64 (N, C), the mean over the windows of a clip.
        likeliest: per clip, the largest probability in each of its windows.
    """

    log_probabilities: NDArray[np.float64]
    likeliest: list[NDArray[np.float64]]


def train_own_actions(cfg: DictConfig) -> dict[str, float] | float:
    """Prepares what is missing, cross-validates on the training clips, trains, tests and reports.

    Returns:
        The numbers that the run has measured, by name; with ``optimized_metric`` that one alone.

    Raises:
        HarError: data missing or too little of it, weights of a network without an action part, or
            a regular expression that cannot be used.
    """
    folder = run_folder()
    source = str(cfg.ckpt_path or cfg.weights or DEFAULT)
    building.refuse_own_weights(cfg, folder)
    torch.set_float32_matmul_precision("high")
    cfg, data = prepare(cfg, source)
    stated = open_weights(source).stated
    surely = {name: stated[name] for name in _SURE if name in stated}
    cfg = decide_mirror(building.decide(cfg, data), data)
    write_config(cfg, folder)
    train_rows, test_rows = data.train_rows, data.test_rows
    folds = data.cross_validation()
    found = cross_validate(cfg, data, folds)
    threshold = unknown_below(data, folds, found, float(cfg.own.unknown_share))
    data.use(train_rows, test_rows)
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    module = building.build_module(cfg, data)
    module.run_info["spec"] |= {"unknown_below": threshold, **surely}
    building.begin_with(module, cfg)
    trainer = building.build_trainer(cfg, limit_val_batches=0)
    trainer.fit(module, datamodule=data, ckpt_path=cfg.ckpt_path, weights_only=True)
    tested, of_clips = test_rows, None
    if cfg.data.folds != "none":
        tested, of_clips = gathered(folds, found)
    elif len(test_rows):
        of_clips = classify(module.network, data.dataset(test_rows))
    held_out = [each.log_probabilities for each in found]
    scores = None if of_clips is None else of_clips.log_probabilities
    results = OwnResults(data, folds, held_out, tested, scores, threshold)
    trained = {name: value.item() for name, value in trainer.callback_metrics.items()}
    return report_own(cfg, folder, module, results, trained)


def prepare(cfg: DictConfig, source: str) -> tuple[DictConfig, OwnFeaturesDataModule]:
    """Frames and features of the clips, as far as they are missing, and the configuration of a
    network with an action part for their classes.

    Args:
        cfg: composed.
        source: the weights with the pose part.

    Raises:
        HarError: see :func:`train_own_actions`.
    """
    opened = open_weights(source)
    base = opened.build()
    given = opened.spec(base)
    root, own = Path(cfg.paths.data_dir), cfg.own
    log.info("%s gives the poses.", source)
    arguments = base.action_arguments(2, given.joint_layout)
    shares: Any = {"test_share": own.test_share, "seed": cfg.seed, "workers": own.workers}
    prepare_clips(root, own.clips, **shares)
    cfg = cfg.copy()
    kind = type(base)
    with open_dict(cfg):
        cfg.data.layout = plain_layout(given.joint_layout)
        cfg.data.resolution = list(cfg.data.resolution or given.resolution)
        cfg.data.depth_range_mm = given.depth_range_mm
        cfg.data.poses = kind.features_in_image
        network = build_network(kind.__name__, arguments)
        opened.load_into(network, strict=False)
        same = ("layout", "joint_names", "joint_links", "depth_range_mm", *_SURE)
        stated: dict[str, Any] = {name: getattr(given, name) for name in same}
        stated |= {"resolution": tuple(cfg.data.resolution), "name": given.name}
        stated |= {"clip_size": cfg.data.clip_size}
        spec = spec_of(network, clip_seconds_between_frames=cfg.data.pace_s, **stated)
        cfg.data.features = prepare_features(root, network, spec, device=own.device)
        data = building.build_data(cfg, "fit")
        assert isinstance(data, OwnFeaturesDataModule)
        data.check_classes()
        cfg.data.actions = list(data.labels)
        target = {"_target_": f"{kind.__module__}.{kind.__name__}"}
        plain = base.action_arguments(len(data.labels), given.joint_layout)
        cfg.model = {**target, **plain}
    return cfg, data


def train_fold(
    cfg: DictConfig, data: OwnFeaturesDataModule, rows: NDArray[np.int64]
) -> PhasedModule:
    """A module trained on some of the clips, without a trace on disk."""
    data.use(rows, rows[:0])
    pl.seed_everything(cfg.seed, workers=True, verbose=False)
    module = building.build_module(cfg, data)
    quiet: Any = {"enable_progress_bar": False, "callbacks": [], "logger": False}
    told = logging.getLogger("pytorch_lightning.utilities.rank_zero")
    level = told.level
    told.setLevel(logging.WARNING)
    try:
        trainer = building.build_trainer(cfg, limit_val_batches=0, **quiet)
        trainer.fit(module, datamodule=data)
    finally:
        told.setLevel(level)
    return module


def cross_validate(
    cfg: DictConfig, data: OwnFeaturesDataModule, folds: list[Fold]
) -> list[Classified]:
    """What is made of the clips that are held out, fold by fold."""
    found = []
    for number, fold in enumerate(folds, 1):
        network = train_fold(cfg, data, fold.train).network
        held = classify(network, data.dataset(fold.held_out))
        right = held.log_probabilities.argmax(1) == data.classes[fold.held_out]
        text = "Cross-validation %d of %d, %s held out: %d of %d clips right."
        log.info(text, number, len(folds), fold.name, int(right.sum()), len(right))
        found.append(held)
    return found


def classify(network: PoseNetwork, clips: FeatureClips, at_once: int = 32) -> Classified:
    """What a network makes of every clip, by all of its windows."""
    device = next(network.parameters()).device
    means: list[NDArray[np.float64]] = []
    likeliest: list[NDArray[np.float64]] = []
    network.eval()
    for start in range(0, len(clips), at_once):
        items = [clips[n] for n in range(start, min(start + at_once, len(clips)))]
        batch = collate_clips(items)
        with torch.inference_mode():
            features = [part.to(device) for part in batch["features"]]
            mean, single = clip_log_probabilities(network, features, batch["num_clips"])
        means.append(mean.cpu().double().numpy())
        best = single.exp().amax(1).cpu().double()
        likeliest += [part.numpy() for part in best.split(batch["num_clips"].tolist())]
    return Classified(np.concatenate(means), likeliest)


def gathered(folds: list[Fold], found: list[Classified]) -> tuple[NDArray[np.int64], Classified]:
    """The rows that were held out in any fold, and what was made of them."""
    rows = np.concatenate([fold.held_out for fold in folds])
    means = np.concatenate([each.log_probabilities for each in found])
    return rows, Classified(means, [best for each in found for best in each.likeliest])


def decide_mirror(cfg: DictConfig, data: OwnFeaturesDataModule) -> DictConfig:
    """The configuration with mirrored training clips, or without them where two classes are each
    other's mirror image, or it is not known which joints change places."""
    if cfg.data.mirror is not None:
        return cfg
    cfg, mirror = cfg.copy(), data.can_mirror
    pairs: list[tuple[str, str]] = []
    if mirror:
        data.mirror = False
        network = train_fold(cfg, data, data.train_rows).network
        found = classify(network, data.dataset(data.train_rows, mirror=True))
        taken_for = found.log_probabilities.argmax(1)
        pairs = mirror_images(data.classes[data.train_rows], taken_for, list(data.labels))
        mirror = not pairs
    if pairs:
        text = "Each other's mirror image, so nothing is mirrored in training: %s."
        log.info(text, "; ".join(" and ".join(pair) for pair in pairs))
    cfg.data.mirror = data.mirror = mirror
    return cfg


def mirror_images(
    classes: NDArray[np.int64], taken_for: NDArray[np.int64], labels: list[str]
) -> list[tuple[str, str]]:
    """Pairs of classes whose mirrored clips are mostly taken for the other one of the pair.

    Args:
        classes: (N,) of the clips.
        taken_for: (N,) classes that a network which has seen no mirrored clip sees in them.
        labels: names of the classes.
    """
    count = len(labels)
    cells = np.zeros((count, count))
    np.add.at(cells, (classes, taken_for), 1)
    share = cells / np.maximum(cells.sum(1, keepdims=True), 1)
    both = (share > _MIRRORED) & (share.T > _MIRRORED)
    pairs = np.argwhere(np.triu(both, 1)).tolist()
    return [(labels[a], labels[b]) for a, b in pairs]


def unknown_below(
    data: OwnFeaturesDataModule, folds: list[Fold], found: list[Classified], share: float
) -> float | None:
    """The probability below which no action is named: so that of the windows of held-out clips that
    are named right the given share is called unknown. None for a share of 0, or without such clips.
    """
    best = [
        windows
        for fold, held in zip(folds, found, strict=True)
        for label, mean, windows in zip(
            data.classes[fold.held_out], held.log_probabilities, held.likeliest, strict=True
        )
        if mean.argmax() == label
    ]
    if not share or not best:
        return None
    return round(float(np.quantile(np.concatenate(best), share)), 4)
