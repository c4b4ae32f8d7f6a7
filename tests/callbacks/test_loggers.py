"""Loggers by configuration, pictures for those that take them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from pytorch_lightning.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger

from har.callbacks.figures import log_picture
from har.errors import HarError
from har.runs.config import instantiate
from tests.helpers.commands import compose

PICTURE = np.zeros((4, 6, 3), np.uint8)


def without_package(kind: type) -> Any:
    """A logger whose package need not be installed."""
    return object.__new__(kind)


def test_pictures_go_to_all_loggers_that_take_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken: list[tuple[Any, ...]] = []

    class Client:
        def log_image(self, run_id: str, image: np.ndarray, *, key: str, step: int) -> None:
            taken.append(("mlflow", run_id, key, image.shape, step))

        def add_image(self, name: str, image: np.ndarray, step: int, dataformats: str) -> None:
            taken.append(("tensorboard", name, image.shape, step, dataformats))

    def of_wandb(self: Any, name: str, images: list[np.ndarray], step: int) -> None:
        taken.append(("wandb", name, [image.shape for image in images], step))

    monkeypatch.setattr(WandbLogger, "log_image", of_wandb)
    for kind in (MLFlowLogger, TensorBoardLogger):
        monkeypatch.setattr(kind, "experiment", Client())
    monkeypatch.setattr(MLFlowLogger, "run_id", "a run")
    for kind in (MLFlowLogger, TensorBoardLogger, WandbLogger):
        log_picture(without_package(kind), "val/poses", PICTURE, 7)
    log_picture(CSVLogger(tmp_path), "val/poses", PICTURE, 7)  # takes none
    assert taken == [
        ("mlflow", "a run", "val/poses", (4, 6, 3), 7),
        ("tensorboard", "val/poses", (4, 6, 3), 7, "HWC"),
        ("wandb", "val/poses", [(4, 6, 3)], 7),
    ]


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_package_that_is_not_installed_is_one_sentence(name: str, tmp_path: Path) -> None:
    if name == "wandb":
        from pytorch_lightning.loggers.wandb import _WANDB_AVAILABLE as AVAILABLE
    else:
        from pytorch_lightning.loggers.mlflow import _MLFLOW_AVAILABLE as AVAILABLE
    if AVAILABLE:
        pytest.skip(f"{name} is installed")
    node = OmegaConf.to_container(compose("train", [f"logger={name}"]).logger[name])
    assert isinstance(node, dict)
    folder = {key: str(tmp_path) for key, value in node.items() if "${" in str(value)}
    with pytest.raises(HarError, match=rf"needs a package .*: pip install {name}\.$"):
        instantiate({**node, **folder})


@pytest.mark.parametrize(
    ("word", "callbacks", "loggers"),
    [
        ("", ["last"], ["tensorboard"]),
        ("callbacks=[last,best,early_stopping]", ["last", "best", "early_stopping"], None),
        ("callbacks=none", [], None),
        ("logger=[tensorboard,csv]", ["last"], ["tensorboard", "csv"]),
        ("logger=none", ["last"], []),
    ],
)
def test_what_is_chosen(word: str, callbacks: list[str], loggers: list[str] | None) -> None:
    """The progress bar, pictures and throughput stay, whatever is chosen."""
    cfg = compose("train", [word] if word else [])
    display = ["throughput", "progress_bar", "figures"]
    assert list(cfg.callbacks) == [*callbacks, *display]
    assert list(cfg.logger or {}) == (["tensorboard"] if loggers is None else loggers)
