"""OpenVINO computes what PyTorch computes, from the network itself and from an exported file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from har.errors import HarError
from har.models.base import PoseNetwork
from har.precision import has_fast_bfloat16
from har.runtime import openvino_runtime
from har.runtime.engine import Engine
from har.runtime.exporter import export_network
from har.runtime.loading import choose_runtime, load_engine
from har.runtime.openvino_runtime import OpenVINORuntime, openvino_is_here
from har.weights import save_weights, spec_of
from tests.helpers.networks import crops, make_engine, needs_onnx
from tests.models.test_matrix import network_of

needs_openvino = pytest.mark.skipif(
    not openvino_is_here(), reason="the extra `openvino` is not installed"
)
CPU = torch.device("cpu")


def engines(network: PoseNetwork, *, fast: bool) -> tuple[Engine, Engine]:
    """Of PyTorch, plain, and of OpenVINO."""
    plain = make_engine(network, batch_size=4)
    runtime = OpenVINORuntime(network, plain.spec.resolution, batch_size=4, fast=fast)
    return plain, Engine(runtime, plain.spec, batch_size=4)


@needs_openvino
@pytest.mark.parametrize("case", ["SPNet", "ReceptionNet", "ActionMergeNet", "PyramidPoseNet 3-D"])
def test_the_same_poses_and_actions(case: str) -> None:
    plain, converted = engines(network_of(case), fast=False)
    video = crops(9)  # two full batches and a single frame
    expected, found = plain.forward_frames(video), converted.forward_frames(video)
    np.testing.assert_allclose(found.poses, expected.poses, atol=2e-4)
    np.testing.assert_allclose(converted.forward_frames(video[:3]).poses, found.poses[:3])
    if plain.spec.labels:
        np.testing.assert_allclose(
            converted.classify_clips(found.features[:4]),
            plain.classify_clips(expected.features[:4]),
            atol=1e-4,
        )


@needs_openvino
@pytest.mark.skipif(not has_fast_bfloat16("cpu"), reason="this processor has no fast bfloat16")
@pytest.mark.parametrize("case", ["SPNet", "PyramidPoseNet"])
def test_low_precision_keeps_the_contract(case: str) -> None:
    """Within 0.5 px of 256 on average and 2 px for 99 %: the softmax is computed in float32."""
    plain, converted = engines(network_of(case), fast=True)
    video = crops(8)
    expected = plain.forward_frames(video).poses[..., :2]
    difference = 256 * np.abs(converted.forward_frames(video).poses[..., :2] - expected)
    assert difference.mean() <= 0.5
    assert np.quantile(difference, 0.99) <= 2


@needs_openvino
@needs_onnx
@pytest.mark.slow
def test_an_exported_file(tmp_path: Path) -> None:
    network = network_of("SPNet")
    spec = spec_of(network, name="n", resolution=(64, 64), clip_size=4)
    path = tmp_path / "network.onnx"
    export_network(network, spec, path, "onnx")
    of_onnx, of_openvino = (
        load_engine(path, device="cpu", runtime=name, fast=False) for name in ("onnx", "openvino")
    )
    video = crops(4)
    expected, found = of_onnx.forward_frames(video), of_openvino.forward_frames(video)
    np.testing.assert_allclose(found.poses, expected.poses, atol=1e-4)
    np.testing.assert_allclose(
        of_openvino.classify_clips(found.features),
        of_onnx.classify_clips(expected.features),
        atol=1e-4,
    )


def test_which_runtime_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(runtime: str, name: str = "a.ckpt", device: str = "cpu", **how: object) -> str:
        how = {"fast": True, **how}
        return choose_runtime(runtime, Path(name), torch.device(device), **how)  # type: ignore[arg-type]

    monkeypatch.setattr("har.runtime.loading.openvino_is_here", lambda: True)
    assert chosen("auto") == "openvino"
    assert chosen("auto", num_frames=1) == "torch"
    assert chosen("auto", fast=False) == "torch"
    assert chosen("auto", device="cuda") == "torch"
    assert chosen("auto", "a.onnx") == "openvino"
    assert chosen("auto", "a.onnx", num_frames=1) == "onnx"
    assert chosen("torch") == "torch"
    assert chosen("openvino", num_frames=1, fast=False) == "openvino"
    monkeypatch.setattr("har.runtime.loading.openvino_is_here", lambda: False)
    assert chosen("auto") == "torch"
    for arguments, words in [
        (("tensorrt",), "choose auto, torch, openvino, onnx"),
        (("openvino", "a.ckpt", "cuda"), "runtime=torch"),
        (("torch", "a.onnx"), "runtime=onnx or openvino"),
        (("onnx", "a.ckpt"), "har.export"),
    ]:
        with pytest.raises(HarError, match=words):
            chosen(*arguments)


def test_without_openvino(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    network = network_of("PyramidPoseNet")
    save_weights(network, tmp_path / "a.safetensors", spec_of(network, name="a"))
    monkeypatch.setattr(openvino_runtime, "openvino_is_here", lambda: False)
    with pytest.raises(HarError, match="pip install openvino"):
        load_engine(tmp_path / "a.safetensors", device="cpu", runtime="openvino")


@needs_openvino
def test_its_use_is_reported_to_nobody() -> None:
    """Neither at the import nor for a conversion; what would report it begins threads that fork."""
    code = (
        "import sys, threading; import torch; from har.runtime import openvino_runtime as runtime; "
        "runtime.require_openvino(); runtime._converted(torch.nn.Linear(3, 3), torch.zeros(2, 3)); "
        "print([n for n in sys.modules if n.startswith('openvino_telemetry')], "
        "threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[] 1"


@needs_openvino
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_signals_are_handled_when_engines_are_gone() -> None:
    """The stack that OpenVINO gives to signals was unmapped with the first of two engines."""
    code = (
        "import gc, signal, torch\n"
        "from har.runtime.openvino_runtime import compile_for_cpu, require_openvino\n"
        "layer, example = torch.nn.Linear(4, 4), torch.zeros(1, 4)\n"
        "model = require_openvino().convert_model(layer, example_input=example)\n"
        "requests = [compile_for_cpu(model, (1, 4)) for _ in range(2)]\n"
        "while requests:\n"
        "    del requests[0]\n"
        "    gc.collect()\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print('handled'))\n"
        "signal.raise_signal(signal.SIGUSR1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["handled"]), done.stderr


@needs_openvino
def test_a_network_that_it_cannot_read(monkeypatch: pytest.MonkeyPatch) -> None:
    openvino = openvino_runtime.require_openvino()

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("unsupported operation\nand a long trace")

    monkeypatch.setattr(openvino, "convert_model", refuse)
    with pytest.raises(HarError, match=r"\(unsupported operation\): use runtime=torch"):
        OpenVINORuntime(network_of("PyramidPoseNet"), (64, 64))
