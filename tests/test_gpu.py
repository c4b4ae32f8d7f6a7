"""What only a GPU can show: ``pytest -m gpu``. Everything is skipped where there is none."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from har.models import SPNet
from har.modules import MultitaskModule, Phase
from har.modules.compiling import StepCompiler
from har.modules.steps import action_losses, pose_losses
from har.runtime.engine import Engine
from har.runtime.modes import PLAIN, Mode, fastest_mode
from har.runtime.torch_runtime import TorchRuntime
from har.weights import WeightsFile, create_model
from tests.helpers.golden import GOLDEN, HIDDEN, golden_answers, golden_arrays, golden_path
from tests.helpers.networks import crops, make_engine, spnet
from tests.helpers.tiny import fit, make_module
from tests.helpers.tiny_pose import make_mpii, make_pose_module

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU with CUDA is here"),
]
GPU: dict[str, Any] = {
    "accelerator": "gpu",
    "precision": "32-true",
    "limit_val_batches": 0,
    "gradient_clip_val": 1.0,
}
SGD_STEPS = 20


@pytest.fixture(autouse=True)
def exact_float32() -> Iterator[None]:
    """Without tf32, which rounds products to ten bits."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_networks(name: str) -> None:
    arrays = golden_arrays(f"{name}.npz")
    opened = WeightsFile.open(golden_path(f"{name}.h5"))
    network = create_model(opened.network, **{**opened.arguments, **HIDDEN.get(name, {})}).eval()
    opened.load_into(network)
    images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(arrays["x"], -1, -3)))
    with torch.inference_mode():
        out = network.cuda()(images.cuda())
    found = [value.cpu().numpy() for value in (*out.poses, *out.actions)]
    for value, wanted in zip(found, golden_answers(arrays), strict=True):
        scale = np.maximum(1, np.abs(wanted).max(tuple(range(wanted.ndim - 1))))
        assert (np.abs(value - wanted) / scale).max() <= 1e-4


MODES = [
    Mode(precision=torch.float16, compiled=False),
    Mode(precision=torch.float16, compiled=False, captured=True),
    Mode(captured=True),
    fastest_mode(torch.device("cuda")),
]


def engine_on_gpu(mode: Mode, batch_size: int = 4) -> Engine:
    spec = make_engine(spnet()).spec
    runtime = TorchRuntime(spnet(), torch.device("cuda"), mode, batch_size=batch_size)
    return Engine(runtime, spec, batch_size=batch_size)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_modes_within_the_bounds(mode: Mode) -> None:
    """Full batches, a part of one and single frames, each several times in other orders."""
    expected = make_engine(spnet(), PLAIN).forward_frames(crops(23))
    engine = engine_on_gpu(mode)
    engine.compile()
    for order in (np.arange(23), np.arange(23)[::-1]):
        found = engine.forward_frames(crops(23)[order])
        apart = 256 * np.abs(found.poses - expected.poses[order])[..., :2].max(-1)
        assert apart.mean() <= 0.5
        assert np.percentile(apart, 99) <= 2
        single = [engine.forward_frames(crops(23)[i : i + 1]) for i in order[:5]]
        alone = np.concatenate([each.poses for each in single])
        assert 256 * np.abs(alone - expected.poses[order[:5]])[..., :2].mean() <= 0.5
    forward = engine.forward_frames(crops(23))
    likely = engine.classify_clips(forward.features[:8])
    wanted = make_engine(spnet()).classify_clips(expected.features[:8])
    np.testing.assert_allclose(likely, wanted, atol=0.02)


def test_threads_share_captured_graphs() -> None:
    engine = engine_on_gpu(Mode(precision=torch.float16, compiled=False, captured=True))
    expected = engine.forward_frames(crops(8)).poses
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: engine.forward_frames(crops(8)).poses, range(16)):
            np.testing.assert_allclose(found, expected, atol=1e-2)


def training(compiled: bool, phase: str) -> MultitaskModule:
    # Larger rates amplify rounding: weights that differ by 1e-7 are 5 to 50 % apart in 20 steps of
    # 0.003, without any compiler.
    plan = Phase(1, partial(torch.optim.SGD, lr=1e-5, momentum=0.9), steps_per_epoch=SGD_STEPS)
    others = dict.fromkeys({"pose", "frozen", "joint"} - {phase})
    module = make_module(**others, **{phase: plan})
    module.step_compiler = StepCompiler(compiled)
    return module


@pytest.mark.parametrize("phase", ["pose", "frozen", "joint"])
def test_compiled_steps_learn_what_plain_ones_do(
    phase: str, tiny_ntu: Path, tmp_path: Path
) -> None:
    losses = []
    for compiled in (False, True):
        module = training(compiled, phase)
        _, steps = fit(tiny_ntu, tmp_path, module=module, max_steps=SGD_STEPS, callbacks=[], **GPU)
        assert module.step_compiler.active is compiled
        losses.append([step[3] for step in steps])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_compiled_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2, 4, 32, 32, 3), dtype=torch.uint8, generator=generator)
    images, gamma = images.cuda(), torch.ones(2, 3).cuda()
    target = torch.rand(2, 17, 4, generator=generator).cuda()
    action = torch.tensor([0, 1]).cuda()
    for function, batch in (
        (pose_losses, (images[:, 0], gamma, target)),
        (action_losses, (images, gamma, action, 0.1)),
    ):
        found = []
        for compiled in (False, True):
            compiler = StepCompiler(compiled)
            compiler.begin_phase("joint", torch.device("cuda"), 10)
            network = make_module().network.cuda().train()
            compiler(function, network, *batch).loss.backward()
            gradients = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
            found.append({name: value.clone() for name, value in gradients.items()})
        assert found[0].keys() == found[1].keys()
        for name, value in found[0].items():
            apart = (value - found[1][name]).abs().max() / value.abs().max().clamp(min=1e-6)
            assert apart <= 1e-3, name


def test_a_compiled_run_is_resumed(tiny_ntu: Path, tmp_path: Path) -> None:
    _, whole = fit(tiny_ntu, tmp_path / "a", module=training(True, "joint"), max_steps=12, **GPU)
    _, first = fit(tiny_ntu, tmp_path / "b", module=training(True, "joint"), max_steps=5, **GPU)
    last = {"ckpt_path": tmp_path / "b" / "last.ckpt", "max_steps": 12}
    _, rest = fit(tiny_ntu, tmp_path / "b", module=training(True, "joint"), **last, **GPU)
    assert [step[:3] for step in first + rest] == [step[:3] for step in whole]
    found, expected = ([step[3] for step in each] for each in (first + rest, whole))
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_demo_begins_as_on_a_cpu(tiny_ntu: Path, tmp_path: Path) -> None:
    """30 updates of the demo's network and optimizer; rounding errors grow with AdamW."""
    losses = []
    for where in ("cpu", "gpu"):
        torch.manual_seed(0)
        features = {"num_pose_features": 64, "num_visual_features": 64}
        network = SPNet(num_actions=(2,), num_levels=3, growth=32, **features)
        adamw = partial(torch.optim.AdamW, lr=1.2e-4, weight_decay=0.01)  # its warm-up begins so
        plan = {"pose": Phase(1, adamw, steps_per_epoch=30)}
        module = MultitaskModule(network, plan, batch_norm_momentum=0.1)
        data = {"resolution": (96, 96), "frame_batch_size": 8}
        options = {**GPU, "accelerator": where, "gradient_clip_val": 5.0, "callbacks": []}
        _, steps = fit(tiny_ntu, tmp_path, module=module, data=data, **options)
        losses.append([step[3] for step in steps])
    assert len(losses[0]) == 30
    assert losses[1][:2] == pytest.approx(losses[0][:2], rel=1e-4)
    assert losses[1] == pytest.approx(losses[0], rel=0.05)


class NoSynchronization(pl.Callback):
    """CUDA's own check in every training step and its update, once the first steps are over."""

    def __init__(self) -> None:
        self.steps = 0

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step >= 4:  # workspaces of libraries are made, code is compiled
            torch.cuda.set_sync_debug_mode("error")

    def on_before_zero_grad(self, *_: Any) -> None:
        self.steps += 1

    def on_train_batch_end(self, *_: Any) -> None:
        torch.cuda.set_sync_debug_mode("default")

    def on_exception(self, *_: Any) -> None:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("compiled", [False, True])
def test_no_step_waits(compiled: bool, tiny_ntu: Path, tiny_mpii: Path, tmp_path: Path) -> None:
    options = {**GPU, "log_every_n_steps": 1000}
    for phase in ("pose", "frozen", "joint"):
        guard = NoSynchronization()
        module = training(compiled, phase)
        fit(tiny_ntu, tmp_path, module=module, max_steps=10, callbacks=[guard], **options)
        assert guard.steps == 10
    module = make_pose_module(steps_per_epoch=5)
    module.step_compiler = StepCompiler(compiled)
    persons = {"module": module, "data_module": make_mpii(tiny_mpii)}
    fit(tiny_mpii, tmp_path, callbacks=[NoSynchronization()], **persons, **options)


class Memory(pl.Callback):
    """Bytes that tensors take after every hundredth step."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        if trainer.global_step % 100 == 0:
            torch.cuda.synchronize()
            self.taken.append(torch.cuda.memory_allocated())


@pytest.mark.parametrize("compiled", [False, True])
def test_memory_stays_over_2000_steps(compiled: bool, tiny_ntu: Path, tmp_path: Path) -> None:
    plan = Phase(1, partial(torch.optim.SGD, lr=1e-4), steps_per_epoch=1000)
    module = make_module(pose=None, frozen=None, joint=plan)
    module.step_compiler = StepCompiler(compiled)
    memory, data = Memory(), {"num_workers": 4}
    fit(tiny_ntu, tmp_path, module=module, callbacks=[memory], data=data, **GPU)
    assert len(memory.taken) == 20
    assert max(memory.taken[2:]) - min(memory.taken[2:]) < 2**20
