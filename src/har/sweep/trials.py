"""A trial of a sweep: a run of har.train in a folder of its own, which goes on if it was killed."""

import json
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from har.cli import quote_argument
from har.errors import HarError
from har.files import whole_file
from har.numbers import check_numbers
from har.runs.training import train

log = logging.getLogger(__name__)

VALUE = "value.json"
_FIXED = ("test=false", "report_untrained=false")  # nothing of the test split is read


def compose_run(words: Sequence[str], folder: Path) -> DictConfig:
    """Returns the configuration of a run of har.train, with Hydra's own part.

    Args:
        words: of its command line.
        folder: of the run.
    """
    path = quote_argument(f"hydra.run.dir={folder}").partition("=")[2]
    place = [f"{key}={path}" for key in ("hydra.run.dir", "hydra.runtime.output_dir")]
    return hydra.compose("train", [*words, *_FIXED, *place], return_hydra_config=True)


@contextmanager
def run_config(words: Sequence[str], folder: Path) -> Iterator[DictConfig]:
    """The configuration of a run, while which Hydra's state is that of the run, not the sweep's."""
    before = HydraConfig.instance().cfg
    cfg = compose_run(words, folder)
    HydraConfig.instance().set_config(cfg)
    try:
        with open_dict(cfg):
            del cfg.hydra
        check_numbers(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[arg-type]
        yield cfg
    finally:
        HydraConfig.instance().cfg = before


def run_trial(
    words: Sequence[str], folder: Path, metric: str, callbacks: Sequence[pl.Callback]
) -> float:
    """Trains once, or goes on with a training that was killed.

    Args:
        words: of the command line of har.train.
        folder: of the run.
        metric: validation metric.
        callbacks: of the training.

    Returns:
        The value of the metric in the last validation.

    Raises:
        HarError: the run fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / VALUE).is_file():  # it was killed before the study had the value
        return float(json.loads((folder / VALUE).read_text(encoding="utf-8"))[metric])
    chosen = [*words, f"optimized_metric={metric}"]
    checkpoint = folder / "checkpoints" / "last.ckpt"
    if checkpoint.is_file():
        try:
            log.info("Going on with %s.", checkpoint)
            goes_on = quote_argument(f"ckpt_path={checkpoint}")
            return _value(_train([*chosen, goes_on], folder, callbacks), metric, folder)
        except HarError as error:  # it was at its end, or the file is broken
            log.info("%s cannot be continued and begins anew: %s", folder, error)
    return _value(_train(chosen, folder, callbacks), metric, folder)


def _train(words: list[str], folder: Path, callbacks: Sequence[pl.Callback]) -> Any:
    with run_config(words, folder) as cfg:
        return train(cfg, callbacks)


def _value(value: Any, metric: str, folder: Path) -> float:
    with whole_file(folder / VALUE) as partial:
        partial.write_text(json.dumps({metric: value}) + "\n", encoding="utf-8")
    return float(value)


def this_process() -> str:
    """The name of this process among those of all machines that work on a study."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_dead(process: str) -> bool:
    """Returns whether a process of this machine has ended; one of another machine has not."""
    host, _, number = process.rpartition(":")
    if host != socket.gethostname() or not number.isdecimal():
        return False
    if int(number) == os.getpid():
        return True  # this process has just begun: it was another one of the same number
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
