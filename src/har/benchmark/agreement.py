"""Whether faster modes give the same outputs, on the clips of a test split."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

from har.data.ntu.labels import ACTION_NAMES
from har.models.spec import ModelSpec
from har.runs.config import instantiate
from har.runtime.engine import Engine
from har.visual.terminal import progress_bar

_POSE_CROP_PX = 256  # the crop in whose pixels differences are given, whatever the network's own


def test_data(cfg: DictConfig, spec: ModelSpec) -> Any:
    """The data module of the configuration, with the clips that a network was made for."""
    data = instantiate(
        cfg.data,
        actions=[1 + ACTION_NAMES.index(label) for label in spec.labels],
        resolution=list(spec.resolution),
        layout=spec.layout,
        clip_size=spec.clip_size,
        num_workers=0,
    )
    data.setup("test")
    return data


def benchmark_agreement(cfg: DictConfig, engines: dict[str, Engine]) -> None:
    """Every engine on the test clips, against the first one.

    Printed per engine: the distance of its poses, in pixels of a 256-pixel crop, its accuracy, and
    how many clips it classifies differently.
    """
    names = list(engines)
    spec = engines[names[0]].spec
    clips = test_data(cfg, spec).test_clips
    loader = DataLoader(clips, batch_size=cfg.data.eval_batch_size)
    poses: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    classes_by_name: dict[str, list[NDArray[np.int64]]] = {name: [] for name in names}
    true: list[NDArray[np.int64]] = []
    with progress_bar(f"{len(clips)} test clips, {len(names)} variants") as progress:
        for number, batch in enumerate(loader, start=1):
            images = batch["images"].numpy()  # (N, T, H, W, 3)
            true.append(batch["action"].numpy())
            for name, engine in engines.items():
                pose, classes = _outputs(engine, images)
                poses[name].append(pose)
                classes_by_name[name].append(classes)
            progress(number, len(loader))
    table = Table(title=f"difference of outputs: {len(clips)} test clips", title_justify="left")
    for column in ("variant", "mean px", "99 % px", "top-1", "other names"):
        table.add_column(column, justify="left" if column == "variant" else "right")
    labels, exact = np.concatenate(true), np.concatenate(poses[names[0]])
    first = np.concatenate(classes_by_name[names[0]])
    for name in names:
        away = np.linalg.norm(np.concatenate(poses[name]) - exact, axis=-1) * _POSE_CROP_PX
        classes = np.concatenate(classes_by_name[name])
        table.add_row(
            name,
            f"{away.mean():.3f}",
            f"{np.quantile(away, 0.99):.3f}",
            f"{100 * np.mean(classes == labels):.1f} %",
            f"{np.sum(classes != first)}",
        )
    Console().print(table)


def _outputs(
    engine: Engine, images: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Places of the joints (N T, J, 2) and classes (N,) of clips."""
    count, frames = images.shape[:2]
    result = engine.forward_frames(images.reshape(-1, *images.shape[2:]))
    clips = [result.features[i * frames : (i + 1) * frames] for i in range(count)]
    return result.poses[..., :2], engine.classify_clips(clips).argmax(1)
