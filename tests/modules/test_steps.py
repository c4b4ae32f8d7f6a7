"""Training steps do not wait for the device, and compiled ones learn the same."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from har.callbacks import ProgressBar, Throughput
from har.errors import HarError
from har.modules.compiling import UPDATES_THAT_PAY, StepCompiler
from har.modules.steps import pose_losses
from tests.helpers.tiny import STEPS, fit, last_checkpoint, make_module
from tests.helpers.tiny_pose import make_mpii, make_network, make_pose_module
from tests.helpers.waiting import NoWaiting, StepsWithoutWaiting

warnings.filterwarnings("ignore", module="pytorch_lightning")
KINDS = {"pose": ["pose"], "frozen": ["action"], "joint": ["pose", "action"]}


def multitask(backend: str = "eager") -> Any:
    module = make_module()
    module.step_compiler = StepCompiler(True, backend)
    return module


@pytest.mark.parametrize(
    "waits",
    [
        lambda x: float(x[0]),
        lambda x: bool(x.any()),
        lambda x: x.tolist(),
        lambda x: x[x > 0],
        lambda x: x.cpu(),
    ],
)
def test_the_guard_sees_what_waits(waits: Callable[[torch.Tensor], Any]) -> None:
    x = torch.ones(2)
    with pytest.raises(AssertionError, match="waits"), NoWaiting():
        waits(x)


@pytest.mark.filterwarnings("error:Converting a tensor with requires_grad")
def test_no_step_waits_for_the_device(
    tiny_ntu: Path, tiny_mpii: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All phases and kinds of batches, with the progress bar; values are read where logged."""
    shown: dict[str, Any] = {"enable_progress_bar": True, "log_every_n_steps": 1000}
    guard = StepsWithoutWaiting()
    options = {"callbacks": [guard, ProgressBar(), Throughput()], "limit_val_batches": 0, **shown}
    fit(tiny_ntu, tmp_path, **options)
    expected = [
        (phase, kind) for phase in STEPS for _ in range(2 * STEPS[phase]) for kind in KINDS[phase]
    ]
    assert sorted(guard.steps) == sorted(expected)  # a pair of kinds may come in reverse order
    guard = StepsWithoutWaiting()
    persons = {"module": make_pose_module(), "data_module": make_mpii(tiny_mpii)}
    fit(tiny_mpii, tmp_path, **{**options, **persons, "callbacks": [guard, ProgressBar()]})
    assert guard.steps == [("pose", "pose")] * 8


def test_what_is_logged_is_read_without_a_warning(tiny_ntu: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Converting a tensor with requires_grad")
        fit(tiny_ntu, tmp_path, max_steps=2, log_every_n_steps=1, limit_val_batches=0)


@pytest.fixture(scope="module")
def plain_run(tiny_ntu: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    module, steps = fit(tiny_ntu, tmp_path_factory.mktemp("plain"), limit_val_batches=0)
    return module.network.state_dict(), steps


@pytest.mark.slow
def test_compiled_phases_learn_the_same(plain_run: Any, tiny_ntu: Path, tmp_path: Path) -> None:
    """And a resumed compiled run goes on with the same steps, within a phase and between two."""
    weights, steps = plain_run
    stop = 2 * STEPS["pose"] + 1
    module, first = fit(tiny_ntu, tmp_path, module=multitask(), max_steps=stop, limit_val_batches=0)
    assert module.step_compiler.active
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    assert list(saved) == [f"network.{name}" for name in weights]
    options = {"ckpt_path": tmp_path / "last.ckpt", "limit_val_batches": 0}
    module, rest = fit(tiny_ntu, tmp_path, module=multitask(), **options)
    assert [step[:3] for step in first + rest] == [step[:3] for step in steps]
    found, expected = ([step[3] for step in each] for each in (first + rest, steps))
    assert found == pytest.approx(expected, rel=1e-4)
    for name, value in module.network.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=1e-4, atol=1e-5)


def test_a_compiler_sees_one_graph_for_what_learns() -> None:
    """Neither a break nor another graph for another batch; one more where other weights learn."""
    torch.compiler.reset()
    graphs: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    network = make_network()
    compiled = torch.compile(pose_losses, backend=backend, dynamic=False, fullgraph=True)
    images = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    batch = images, torch.ones(2, 3), torch.rand(2, 16, 3)
    for _ in range(3):
        found, expected = compiled(network, *batch), pose_losses(network, *batch)
        torch.testing.assert_close(found.loss, expected.loss, rtol=1e-4, atol=1e-5)
    assert len(graphs) == 1
    next(network.parameters()).requires_grad_(False)
    compiled(network, *batch)
    assert len(graphs) == 2


def test_auto_compiles_long_phases_on_a_gpu() -> None:
    cases = {
        ("auto", "cuda", UPDATES_THAT_PAY + 1): True,
        ("auto", "cuda", UPDATES_THAT_PAY): False,
        ("auto", "cpu", 10**6): False,
        (True, "cpu", 1): True,
        (False, "cuda", 10**6): False,
    }
    for (setting, device, updates), active in cases.items():
        compiler = StepCompiler(setting)
        compiler.begin_phase("pose", torch.device(device), updates)
        assert compiler.active is active, (setting, device, updates)
    with pytest.raises(HarError, match=r"trainer\.compile=yes: choose auto, true or false"):
        StepCompiler("yes")


def test_graphs_are_replayed_where_no_gradients_are_added() -> None:
    for accumulates, mode in ((False, "reduce-overhead"), (True, None)):
        compiler = StepCompiler(True)
        compiler.begin_phase("pose", torch.device("cuda"), 1, accumulates=accumulates)
        assert compiler._options.get("mode") == mode


@pytest.mark.parametrize(
    ("epoch", "phase", "left"), [(0, "pose", 6), (1, "pose", 3), (4, "joint", 8)]
)
def test_updates_left_in_a_phase(
    epoch: int, phase: str, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Trainer:
        max_epochs, max_steps, accumulate_grad_batches, current_epoch = 6, -1, 1, epoch
        global_step = 0
        num_training_batches = {"pose": 3, "joint": 4}[phase]

    module = make_module()
    module.phase = phase
    module._trainer = Trainer()  # type: ignore[assignment]
    assert module._updates_left() == left
    Trainer.max_steps = 2
    assert module._updates_left() == 2


def test_a_compiler_that_fails_costs_one_line(
    tiny_ntu: Path, tmp_path: Path, plain_run: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("no C++ compiler\nand much more")

    module = make_module()
    module.step_compiler = StepCompiler(True, broken)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        _, steps = fit(tiny_ntu, tmp_path, module=module, max_steps=3, limit_val_batches=0)
    assert steps == plain_run[1][:3]
    lines = [r.message for r in caplog.records if r.name == "har.modules.compiling"]
    assert len(lines) == 1
    assert "torch.compile does not work here" in lines[0]
    assert "\n" not in lines[0]


@pytest.mark.slow
def test_the_real_compiler_learns_the_same(plain_run: Any, tiny_ntu: Path, tmp_path: Path) -> None:
    module = multitask("inductor")
    # Not more steps: weights that differ by 1e-7 are 4e-4 apart after five, without any compiler.
    options = {"max_steps": 3, "limit_val_batches": 0}
    _, steps = fit(
        tiny_ntu, tmp_path, module=module, callbacks=[last_checkpoint(tmp_path)], **options
    )
    assert module.step_compiler.active
    found, expected = ([step[3] for step in each] for each in (steps, plain_run[1][:3]))
    assert found == pytest.approx(expected, rel=1e-4)
