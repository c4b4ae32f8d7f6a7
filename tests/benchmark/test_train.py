"""The benchmark of training: what its clock counts, and its command on a tiny network."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from har.benchmark import train
from har.benchmark.tasks import benchmark
from har.benchmark.train import Clock, Epochs, count_images
from tests.helpers.commands import call
from tests.helpers.tiny import DEMO


def test_a_clip_counts_as_its_frames() -> None:
    assert count_images({"images": torch.zeros(4, 32, 32, 3)}) == 4
    assert count_images({"images": torch.zeros(4, 8, 32, 32, 3)}) == 32


def test_the_clock_counts_warm_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step a second: the first of each of two kinds, six more to warm up, four that are timed,
    and some that are not."""
    seconds = [0.0]
    monkeypatch.setattr(train.time, "perf_counter", lambda: seconds[0])
    clock = Clock(kinds=2, steps=4)
    module = SimpleNamespace(device=torch.device("cpu"))
    for step in range(14):
        seconds[0] += 1
        shape = (3, 8, 8, 3) if step % 2 else (2, 5, 8, 8, 3)
        clock.on_train_batch_end(None, module, None, {"images": torch.zeros(shape)}, step)
    assert (clock.first_s, clock.seconds, clock.images) == (2.0, 4.0, 2 * (3 + 10))
    assert clock.device_ms is None


def test_every_epoch_has_the_same_batches() -> None:
    assert Epochs(["pose", "action"], 3).epoch(7) == (("pose", "action"), 3)


@pytest.mark.slow
def test_the_command(tiny_ntu: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["task=train", *DEMO, "steps=2", f"paths.data_dir='{tiny_ntu}'"]
    call("benchmark", benchmark, tmp_path, words)
    shown = capsys.readouterr().out
    for row in ("pose: pose", "frozen: action", "joint: pose + action", "joint: action"):
        assert row in shown
    assert "compiled" not in shown  # trainer.compile=auto on a CPU
    assert max(map(len, shown.splitlines())) <= 80
