"""What the benchmark of a model counts, and its command on a tiny network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from har.benchmark import timing
from har.benchmark.blocks import _cost, _PeakMemory
from har.benchmark.tasks import benchmark
from har.data.penn.labels import ACTIONS
from har.data.penn.prepare import prepare_penn
from har.models import ReceptionNet, SPNet
from har.runtime.parts import FramePart
from har.visual.plots import plot_speed
from har.weights import save_weights, spec_of
from tests.helpers.commands import call
from tests.helpers.penn_files import write_clip


def test_peak_memory_of_a_known_chain() -> None:
    """Two results of 4 MB are alive at a time; views and changes in place are free."""
    x = torch.zeros(2**20)
    with torch.no_grad(), _PeakMemory() as memory:
        y = x + 1
        y = y.view(2**10, 2**10).t()
        y = y.mul(2)
        y.add_(1)
        y = y.relu()
    assert memory.peak == 2 * 4 * 2**20
    assert memory.now == 4 * 2**20


def test_multiply_adds_and_parameters_of_a_network_by_hand() -> None:
    """A convolution of 3x3 over 16x16 places, 3 to 8 channels."""

    class OneLayer(nn.Module):
        num_action_outputs = 0

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 8, 3, padding=1, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.layer(x)

    network = OneLayer()
    images = torch.zeros(2, 16, 16, 3, dtype=torch.uint8)
    part = nn.Module()
    part.forward = lambda x: x + 1  # type: ignore[method-assign]
    block = _cost("a", network, part, images)
    assert block.parameters == 3 * 8 * 9
    assert block.multiply_adds == 16 * 16 * 3 * 8 * 9  # of one of the two frames
    assert block.memory_bytes == images.nbytes + 4 * 3 * 8 * 9


@pytest.mark.parametrize(
    ("network", "stop_after"),
    [
        (SPNet(num_levels=3, growth=8, num_actions=(), action_pyramids=()), "up2_pb1"),
        (ReceptionNet(num_blocks=2, kernel_size=3), 1),
    ],
    ids=["SPNet", "ReceptionNet"],
)
def test_a_stopped_copy_has_the_weights(network: nn.Module, stop_after: int | str) -> None:
    network.eval()
    short = network.stopped(stop_after)
    images = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        x = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        expected = network(x).poses[len(short(x).poses) - 1]
        found = short(x).poses[-1]
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert len(FramePart(short)(images)[0]) == 1


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "ROUNDS", 1)
    words = ["task=model", "compile=false", "onnx=false"]
    words += ["model.growth=8", "model.num_levels=2", "resolution=[32,32]", "clip_size=2"]
    call("benchmark", benchmark, tmp_path / "run", words)
    shown = capsys.readouterr().out
    for said in ("channels last, float32", "streaming", "dp1_pb1", "up2_pb0"):
        assert said in shown
    assert max(map(len, shown.splitlines())) <= 80 + len(str(tmp_path))
    assert (tmp_path / "run" / "blocks.png").stat().st_size > 10_000


def test_blocks_of_a_network_of_penn_action(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Speed and accuracy by block, where poses are 2-D and the first pyramids have no actions."""
    monkeypatch.setattr(timing, "ROUNDS", 1)
    for number, split in ((1, 1), (2, -1), (3, -1)):
        write_clip(tmp_path / "penn", number, 20, train=split, action="squat")
    prepare_penn(tmp_path, workers=0)
    network = SPNet(
        num_joints=16,
        dim=2,
        num_actions=(15,),
        num_pyramids=3,
        num_levels=2,
        action_pyramids=(2, 3),
        growth=8,
        num_pose_features=16,
        num_visual_features=16,
        pose_replica=True,
    )
    weights, labels = tmp_path / "small.safetensors", ACTIONS
    save_weights(network, weights, spec_of(network, resolution=(32, 32), labels=labels))
    words = ["task=model", "experiment=penn_multitask", "compile=false", "onnx=false"]
    words += [f"weights='{weights}'", f"paths.data_dir='{tmp_path}'", "data.eval_batch_size=2"]
    call("benchmark", benchmark, tmp_path / "run", words)
    shown = capsys.readouterr().out
    table = shown[shown.index("stopping after a block") :].splitlines()
    rows = [line.split("│") for line in table if "_pb" in line]
    assert [row[1].strip() for row in rows] == ["dp1_pb1", "up2_pb0", "dp3_pb1"]
    top1, pck = ([row[column].strip() for row in rows] for column in (-3, -2))
    assert top1[0] == "-"
    assert all(text.endswith("%") for text in [*top1[1:], *pck])


def test_the_plot_leaves_out_what_was_not_measured() -> None:
    names, work, times = ["a", "b"], np.array([1.0, 2.0]), np.array([10.0, 21.0])
    assert len(plot_speed(names, work, times, [None, None], [None, None]).axes) == 1
    assert len(plot_speed(names, work, times, [None, 80.0], [90.0, 80.0]).axes) == 3
    assert len(plot_speed(names, work, times, [None, 80.0], [None, None], [70.0, 80.0]).axes) == 3
