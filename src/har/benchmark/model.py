"""``python -m har.benchmark model``: how fast a network is here, by mode and by block.

One clip and one frame in every mode of every runtime, the one that ``har.predict`` takes here
marked. A stream of frames, clip after clip against frame after frame. The network stopped after
each of its prediction blocks: the plot of speed against accuracy of TPAMI 2020. With weights and
data also the accuracy of every mode and every block on the test split.
"""

import copy
import dataclasses
import importlib.util
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.console import Console

from har.benchmark.agreement import benchmark_agreement
from har.benchmark.blocks import benchmark_blocks
from har.benchmark.timing import print_variants, time_interleaved
from har.models.base import PoseNetwork
from har.models.spec import ModelSpec
from har.precision import has_fast_bfloat16
from har.runs.config import instantiate
from har.runtime.engine import Engine
from har.runtime.exporter import export_network
from har.runtime.loading import choose_device, choose_runtime, load_for_inference
from har.runtime.modes import PLAIN, Mode, fastest_mode
from har.runtime.onnx_runtime import OnnxRuntime
from har.runtime.openvino_runtime import OpenVINORuntime, openvino_is_here
from har.runtime.streaming import ClipStream
from har.runtime.torch_runtime import TorchRuntime
from har.transforms import normalize_images
from har.weights import spec_of


def benchmark_model(cfg: DictConfig) -> None:
    """Modes of computing one clip, streaming, and every prediction block."""
    console = Console()
    device = torch.device(choose_device(cfg.device))
    network: PoseNetwork
    if cfg.weights is not None:
        network, spec = load_for_inference(cfg.weights)
    else:
        network = instantiate(cfg.model).eval()
        spec = spec_of(
            network, name=type(network).__name__, resolution=cfg.resolution, clip_size=cfg.clip_size
        )
    parameters = sum(p.numel() for p in network.parameters()) / 1e6
    width, height = spec.resolution
    console.print(
        f"{spec.name}: {type(network).__name__}, {parameters:.1f} M parameters, "
        f"{spec.clip_size} frames of {width}x{height}, {_device_name(device)}"
    )
    exported = _export(cfg, network, spec, device)
    engines = _engines(cfg, network, spec, device, spec.clip_size, exported)
    variants = _variants(network, spec, device, engines)
    print_variants("one clip", time_interleaved(variants), spec.clip_size, "frames/s")
    one = {
        name: partial(engine.forward_frames, _clip(spec)[:1])
        for name, engine in _engines(cfg, network, spec, device, 1, exported).items()
    }
    print_variants("one frame, poses and features", time_interleaved(one), 1, "frames/s")
    console.print("[dim]* the runtime and mode of har.predict here[/dim]")
    if spec.labels:
        _stream(network, spec, device)
        if cfg.weights is not None and cfg.measure:
            plain = {"float32": _engine(network, spec, device, PLAIN)}
            benchmark_agreement(cfg, plain | engines)
    benchmark_blocks(cfg, network, spec, device)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU with {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"


def _clip(spec: ModelSpec) -> NDArray[np.uint8]:
    width, height = spec.resolution
    size = (spec.clip_size, height, width, 3)
    return np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)


def _variants(
    network: PoseNetwork, spec: ModelSpec, device: torch.device, engines: dict[str, Engine]
) -> dict[str, Callable[[], Any]]:
    """One clip by the network as it is, in two layouts, and by every engine."""
    images = _clip(spec)
    variants: dict[str, Callable[[], Any]] = {
        "plain layout, float32": _as_trained(network, images, device, torch.contiguous_format),
        "channels last, float32": _as_trained(network, images, device, torch.channels_last),
    }
    return variants | {name: partial(_predict, e, images) for name, e in engines.items()}


def _engines(
    cfg: DictConfig,
    network: PoseNetwork,
    spec: ModelSpec,
    device: torch.device,
    batch_size: int,
    exported: OnnxRuntime | None,
) -> dict[str, Engine]:
    """The network in every mode of every runtime that is installed, by name; the one that is taken
    here has a star."""
    console, best = Console(), fastest_mode(device)
    low = {torch.float32, best.precision}
    modes = [Mode(precision=p, compiled=False) for p in sorted(low, key=str, reverse=True)]
    compiled = [Mode(precision=mode.precision, captured=best.captured) for mode in modes]
    if best.captured:
        modes += [dataclasses.replace(mode, captured=True) for mode in modes]
    if cfg.compile:
        modes += compiled
    taken = choose_runtime("auto", Path("network.ckpt"), device, fast=True)
    engines: dict[str, Engine] = {}
    for mode in modes:
        engine = _engine(network, spec, device, mode, batch_size)
        if mode.compiled:
            console.print(f"compiling ({mode.precision}, {batch_size} frames) ...")
            if not engine.compile():
                continue
        is_best = dataclasses.replace(best, compiled=best.compiled and cfg.compile) == mode
        engines[str(mode) + " *" * (taken == "torch" and is_best)] = engine
    if device.type == "cpu" and openvino_is_here():
        for fast in sorted({False, has_fast_bfloat16("cpu")}):
            runtime = OpenVINORuntime(network, spec.resolution, batch_size=batch_size, fast=fast)
            name = f"OpenVINO, {'bfloat16' if fast else 'float32'}"
            is_taken = taken == "openvino" and fast == has_fast_bfloat16("cpu")
            engines[name + " *" * is_taken] = Engine(runtime, spec, batch_size=batch_size)
    if exported is not None:
        engines["onnxruntime, float32"] = Engine(exported, spec, batch_size=batch_size)
    return engines


def _export(
    cfg: DictConfig, network: PoseNetwork, spec: ModelSpec, device: torch.device
) -> OnnxRuntime | None:
    """The network in onnxruntime, for batches of any size; None where it is not wanted or there."""
    if not cfg.onnx or importlib.util.find_spec("onnxruntime") is None:
        return None
    Console().print("exporting to ONNX ...")
    with tempfile.TemporaryDirectory(prefix="har-") as folder:
        path = Path(folder) / "network.onnx"
        plain: Any = copy.deepcopy(network).cpu()
        export_network(plain.to(memory_format=torch.contiguous_format), spec, path, "onnx")
        return OnnxRuntime(path, device.type)


def _as_trained(
    network: PoseNetwork,
    images: NDArray[np.uint8],
    device: torch.device,
    layout: torch.memory_format,
) -> Callable[[], Any]:
    """The network as it is, on a whole clip that is already on the device."""
    frames = normalize_images(torch.from_numpy(images).to(device)).contiguous(memory_format=layout)
    one = frames[None] if network.num_action_outputs else frames

    def run() -> None:
        network.to(device=device, memory_format=layout)  # type: ignore[call-overload]
        with torch.inference_mode():
            network(one)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return run


def _engine(
    network: PoseNetwork,
    spec: ModelSpec,
    device: torch.device,
    mode: Mode,
    batch_size: int | None = None,
) -> Engine:
    size = batch_size or spec.clip_size
    runtime = TorchRuntime(network, device, mode, batch_size=size)
    return Engine(runtime, spec, batch_size=size)


def _predict(engine: Engine, images: NDArray[np.uint8]) -> None:
    """From uint8 crops to poses and, of a network with actions, their probabilities."""
    features = engine.forward_frames(images).features
    if engine.spec.labels:
        engine.classify_clips(features)


def _stream(network: PoseNetwork, spec: ModelSpec, device: torch.device) -> None:
    """Every window of a video that moves on by one frame: all its frames anew, or the new one."""
    images = _clip(spec)
    runtime = TorchRuntime(network, device, PLAIN, batch_size=spec.clip_size)
    engine = Engine(runtime, spec, batch_size=1)
    stream = ClipStream(engine)
    for features in engine.forward_frames(images).features:
        stream.push(features)

    def next_frame() -> None:
        (features,) = engine.forward_frames(images[:1]).features
        stream.push(features)

    every_window = _as_trained(network, images, device, torch.channels_last)
    variants = {"the clip network on every window": every_window, "streaming": next_frame}
    seconds = time_interleaved(variants)
    print_variants("a stream, actions at every frame, float32", seconds, 1, "frames/s")
