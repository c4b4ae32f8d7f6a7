"""Whether faster modes give the same outputs, on the clips of a test split."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from torch.utils.data import DataLoader

from har.data.ntu.labels import ACTION_NAMES
from har.models.spec import ModelSpec
from har.runs.config import instantiate
from har.runtime.engine import Engine
from har.visual.terminal import make_table, progress_bar

_POSE_CROP_PX = 256  # the crop in whose pixels differences are given, whatever the network's own


def test_data(cfg: DictConfig, spec: ModelSpec) -> Any:
    """The data module of the configuration, with the clips that a network was made for.

    Classes are named to a data set's reader, or numbered where they are NTU RGB+D's.
    """
    settings: dict[str, Any] = OmegaConf.to_container(cfg.data, resolve=True)  # type: ignore[assignment]
    settings |= {"resolution": list(spec.resolution), "layout": spec.layout, "num_workers": 0}
    settings["clip_size"] = spec.clip_size
    if spec.labels and "reader" in settings:
        settings["reader"]["actions"] = list(spec.labels)
    elif spec.labels:
        numbers = {label: number for number, label in enumerate(ACTION_NAMES, start=1)}
        settings["actions"] = [numbers.get(label, label) for label in spec.labels]
    data = instantiate(OmegaConf.create(settings))
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
    outputs: dict[str, list[tuple[NDArray[Any], NDArray[Any]]]] = {name: [] for name in names}
    true: list[NDArray[np.int64]] = []
    with progress_bar(f"{len(clips)} test clips, {len(names)} variants") as progress:
        for number, batch in enumerate(loader, start=1):
            images = batch["images"].numpy()  # (N, T, H, W, 3)
            true.append(batch["action"].numpy())
            for name, engine in engines.items():
                outputs[name].append(_outputs(engine, images))
            progress(number, len(loader))
    title = f"difference of outputs: {len(clips)} test clips"
    table = make_table(title, ["variant"], ["mean px", "99 % px", "top-1", "other names"])
    labels = np.concatenate(true)
    exact, first = map(np.concatenate, zip(*outputs[names[0]], strict=True))
    for name in names:
        poses, classes = map(np.concatenate, zip(*outputs[name], strict=True))
        away = np.linalg.norm(poses - exact, axis=-1) * _POSE_CROP_PX
        px = [f"{away.mean():.3f}", f"{np.quantile(away, 0.99):.3f}"]
        top1, others = f"{100 * np.mean(classes == labels):.1f} %", f"{np.sum(classes != first)}"
        table.add_row(name, *px, top1, others)
    Console().print(table)


def _outputs(
    engine: Engine, images: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Places of the joints (N T, J, 2) and classes (N,) of clips."""
    count, frames = images.shape[:2]
    result = engine.forward_frames(images.reshape(-1, *images.shape[2:]))
    clips = [result.features[i * frames : (i + 1) * frames] for i in range(count)]
    return result.poses[..., :2], engine.classify_clips(clips).argmax(1)
