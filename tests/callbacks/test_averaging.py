"""The moving average of the weights: its values, and a run that was stopped and resumed."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from har.callbacks import EMA
from tests.helpers.tiny import fit, last_checkpoint
from tests.helpers.waiting import StepsWithoutWaiting

DECAY = 0.5


class Weights(pl.Callback):
    """The weights after every update."""

    def __init__(self) -> None:
        self.states: list[dict[str, torch.Tensor]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        self.states.append({k: v.clone() for k, v in module.state_dict().items()})


def test_values_checkpoints_and_resuming(tiny_ntu: Path, tmp_path: Path) -> None:
    seen = Weights()
    callbacks = [seen, EMA(DECAY), last_checkpoint(tmp_path / "whole")]
    module, steps = fit(tiny_ntu, tmp_path / "whole", callbacks=callbacks, max_steps=8)
    assert len(seen.states) == len(steps) == 8
    saved = torch.load(tmp_path / "whole" / "last.ckpt", weights_only=True)
    for name, first in seen.states[0].items():
        average = first  # the first update copies
        for count, state in enumerate(seen.states[1:], start=1):
            share = min(DECAY, (1 + count) / (10 + count))
            value = state[name]
            average = share * average + (1 - share) * value if value.is_floating_point() else value
        torch.testing.assert_close(saved["state_dict"][name], average)
        torch.testing.assert_close(module.state_dict()[name], average)  # as training ended
        torch.testing.assert_close(saved["current_model_state"][name], seen.states[-1][name])

    part = tmp_path / "part"
    fit(tiny_ntu, part, callbacks=[EMA(DECAY), last_checkpoint(part)], max_steps=5)
    resumed = [EMA(DECAY), last_checkpoint(part)]
    fit(tiny_ntu, part, callbacks=resumed, max_steps=8, ckpt_path=part / "last.ckpt")
    again = torch.load(part / "last.ckpt", weights_only=True)
    for key in ("state_dict", "current_model_state"):
        for name, value in saved[key].items():
            torch.testing.assert_close(again[key][name], value)


def test_no_update_waits_for_the_device(tiny_ntu: Path, tmp_path: Path) -> None:
    guard = StepsWithoutWaiting()
    options: dict[str, Any] = {"limit_val_batches": 0, "log_every_n_steps": 1000}
    fit(tiny_ntu, tmp_path, callbacks=[guard, EMA(DECAY)], max_steps=4, **options)
    assert len(guard.steps) == 4
