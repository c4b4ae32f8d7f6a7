"""Commands that train or evaluate, composed and called in this process: quicker than a subprocess,
and what they return is seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

from har.runs.config import config_dir


def compose(name: str, words: list[str], **arguments: Any) -> DictConfig:
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        return hydra.compose(name, words, **arguments)


def call(name: str, function: Callable[[DictConfig], Any], folder: Path, words: list[str]) -> Any:
    """What a command's function returns.

    Args:
        name: the command, for example ``train``.
        function: what it runs.
        folder: the folder of its run.
        words: of the command line.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = [*words, f"hydra.run.dir='{folder}'", f"hydra.runtime.output_dir='{folder}'"]
    if not any(word.startswith("name=") for word in words):
        words.append(f"name={name}")
    cfg = compose(name, words, return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    try:
        with open_dict(cfg):
            del cfg.hydra
        return function(cfg)
    finally:
        HydraConfig.instance().cfg = None
