"""Checkpoints and loggers of runs that are killed; best and early stopping in the last phase."""

import csv
import logging
import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from har.callbacks import Checkpoint, CSVLogger, EarlyStopping
from har.errors import HarError
from tests.helpers.tiny import STEPS, fit, last_checkpoint

warnings.filterwarnings("ignore", module="pytorch_lightning")
JOINT_BEGINS = 2 * STEPS["pose"] + 2 * STEPS["frozen"]


def best_checkpoint(
    folder: Path, monitor: str = "val/joint_error_mm", mode: str = "min"
) -> Checkpoint:
    return Checkpoint(
        str(folder), filename="best", monitor=monitor, mode=mode, save_on_train_epoch_end=False
    )


def train(data_dir: Path, folder: Path, *callbacks: pl.Callback, **arguments: Any):
    """A run that writes last.ckpt every second step and logs every step to two loggers."""
    loggers = [TensorBoardLogger(folder, name="tensorboard", version=""), CSVLogger(str(folder))]
    best, stop = best_checkpoint(folder), EarlyStopping("val/joint_error_mm", patience=50)
    fit(
        data_dir,
        folder,
        callbacks=[*callbacks, last_checkpoint(folder, 2), best, stop],
        logger=loggers,
        log_every_n_steps=1,
        **arguments,
    )
    return best, stop


def tensorboard_scalars(folder: Path) -> dict[str, dict[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: {event.step: round(event.value, 5) for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
        if tag != "epoch"
    }


def csv_scalars(folder: Path) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    with (folder / "csv" / "metrics.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            step = int(row.pop("step"))
            for name, value in row.items():
                if value and name != "epoch":
                    assert step not in found.setdefault(name, {}), (name, step)  # never twice
                    found[name][step] = round(float(value), 5)
    return found


@pytest.fixture(scope="module")
def whole(tiny_ntu: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("whole")
    best, stop = train(tiny_ntu, folder)
    return folder, best, stop


def dies_in(hook: str, step: int) -> pl.Callback:
    """A callback whose process is killed when a hook comes by at a step."""

    class Dies(pl.Callback):
        pass

    def kill(self: Any, trainer: pl.Trainer, *args: Any) -> None:
        if trainer.global_step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(Dies, hook, kill)
    return Dies()


def in_another_process(function: Callable[[], Any]) -> int:
    """The signal that ended a child process which called the function."""
    child = os.fork()
    if child == 0:
        try:
            function()
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    ("hook", "step"),
    [
        ("on_train_batch_end", 4),  # before the checkpoint of this step
        ("on_train_batch_start", 4),  # right after it
        ("on_before_zero_grad", 5),  # a step behind it is logged
        ("on_validation_start", 2 * STEPS["pose"]),  # at the end of an epoch and of a phase
        ("on_validation_end", JOINT_BEGINS + 4),
        ("on_train_epoch_end", JOINT_BEGINS + 4),
        ("on_train_end", JOINT_BEGINS + 8),
    ],
)
def test_a_killed_run_lacks_nothing(hook: str, step: int, whole, tiny_ntu: Path, tmp_path: Path):
    dies = dies_in(hook, step)
    assert in_another_process(lambda: train(tiny_ntu, tmp_path, dies)) == signal.SIGKILL
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)["global_step"]
    assert 0 <= step - saved <= 2
    for scalars in (tensorboard_scalars, csv_scalars):
        logged, expected = scalars(tmp_path), scalars(whole[0])
        for name, values in expected.items():
            if name.startswith("train/"):
                before = {n: v for n, v in values.items() if n < saved}
                found = {n: v for n, v in logged.get(name, {}).items() if n < saved}
                assert found == pytest.approx(before, rel=1e-4, abs=1e-5), name
    best, stop = train(tiny_ntu, tmp_path, ckpt_path=tmp_path / "last.ckpt")
    for scalars in (tensorboard_scalars, csv_scalars):
        logged, expected = scalars(tmp_path), scalars(whole[0])
        assert logged.keys() == expected.keys()
        for name, values in expected.items():
            assert logged[name] == pytest.approx(values, rel=1e-3, abs=1e-4), name
    assert float(best.best_model_score) == pytest.approx(float(whole[1].best_model_score), rel=1e-4)
    assert stop.wait_count == whole[2].wait_count
    assert sorted(path.name for path in tmp_path.glob("*.ckpt*")) == ["best.ckpt", "last.ckpt"]


def test_the_best_is_from_the_last_phase(whole) -> None:
    folder, best, _ = whole
    saved = torch.load(folder / "best.ckpt", weights_only=True)
    assert saved["har"]["phase"] == "joint"
    curve = tensorboard_scalars(folder)["val/joint_error_mm"]
    assert len(curve) == 6  # every phase is validated
    last = {step: value for step, value in curve.items() if step >= JOINT_BEGINS}
    assert float(best.best_model_score) == pytest.approx(min(last.values()), rel=1e-4)


def test_a_run_continues_from_its_best(whole, tiny_ntu: Path, tmp_path: Path) -> None:
    worst = best_checkpoint(tmp_path / "worst", mode="max")  # the best one ends the run
    fit(tiny_ntu, tmp_path, callbacks=[worst])
    step = torch.load(tmp_path / "worst" / "best.ckpt", weights_only=True)["global_step"]
    assert step == JOINT_BEGINS + 4
    train(tiny_ntu, tmp_path, ckpt_path=tmp_path / "worst" / "best.ckpt")
    expected = csv_scalars(whole[0])["train/pose_loss"]
    rest = {n: value for n, value in expected.items() if n >= step}
    assert csv_scalars(tmp_path)["train/pose_loss"] == pytest.approx(rest, rel=1e-4)


def test_early_stopping_ends_the_last_phase(tiny_ntu: Path, tmp_path: Path) -> None:
    """A metric that never counts as better: the first validation of the phase is the best one."""
    stop = EarlyStopping("val/joint_error_mm", patience=1, min_delta=1e9)
    steps = fit(tiny_ntu, tmp_path, callbacks=[stop])[1]
    assert len(steps) == JOINT_BEGINS + 8
    assert stop.wait_count == 1


def test_copies_are_kept(tiny_ntu: Path, tmp_path: Path) -> None:
    copies = Checkpoint(
        str(tmp_path), filename="step_{step:06d}", save_top_k=-1, every_n_train_steps=2
    )
    fit(tiny_ntu, tmp_path, max_steps=5, callbacks=[copies, last_checkpoint(tmp_path, 2)])
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["last.ckpt", "step_000002.ckpt", "step_000004.ckpt"]


@pytest.mark.parametrize("stopped", [1, 2, 3, 2 * STEPS["pose"] + 1, JOINT_BEGINS + 3])
def test_a_run_that_max_steps_ends_goes_on_within_its_epoch(
    stopped: int, whole, tiny_ntu: Path, tmp_path: Path
) -> None:
    """Whatever the checkpoints before its end: the epoch's other batches are still trained."""
    rarely = {"every_n_steps": 1000, "callbacks": [last_checkpoint(tmp_path, 1000)]}
    fit(tiny_ntu, tmp_path, max_steps=stopped, **rarely)
    train(tiny_ntu, tmp_path, ckpt_path=tmp_path / "last.ckpt")
    for name, values in csv_scalars(whole[0]).items():
        rest = {n: value for n, value in values.items() if n >= stopped}
        assert csv_scalars(tmp_path)[name] == pytest.approx(rest, rel=1e-3, abs=1e-4), name


def test_a_run_that_stops_early_within_an_epoch_goes_on_there(
    tiny_ntu: Path, tmp_path: Path
) -> None:
    """Validated behind every batch and never better: it ends behind the second one of the phase."""
    stop = EarlyStopping("val/joint_error_mm", patience=1, min_delta=1e9)
    callbacks = [stop, last_checkpoint(tmp_path, 1000)]
    every = {"val_check_interval": 1, "check_val_every_n_epoch": 1}
    stopped = len(fit(tiny_ntu, tmp_path, callbacks=callbacks, **every)[1])
    assert stopped == JOINT_BEGINS + 2  # of the four batches of this epoch
    steps = fit(tiny_ntu, tmp_path, callbacks=[], ckpt_path=tmp_path / "last.ckpt")[1]
    assert [step for step, *_ in steps] == list(range(stopped + 1, JOINT_BEGINS + 9))


def test_what_cannot_be_chosen_by(
    tiny_ntu: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(HarError, match=r"val/nothing is not measured .*val/action_top1"):
        fit(tiny_ntu, tmp_path, callbacks=[best_checkpoint(tmp_path, "val/nothing")])
    with caplog.at_level(logging.WARNING):
        data = {"val_subjects": []}
        fit(tiny_ntu, tmp_path, max_steps=1, data=data, callbacks=[best_checkpoint(tmp_path)])
    assert "There is no validation set" in caplog.text
    assert not (tmp_path / "best.ckpt").exists()
