"""From a published name or a file of weights to an engine."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from har.errors import HarError
from har.models.base import PoseNetwork
from har.models.spec import ModelSpec
from har.numbers import check_number
from har.runtime.engine import Engine
from har.runtime.modes import PLAIN, fastest_mode
from har.runtime.onnx_runtime import OnnxRuntime
from har.runtime.openvino_runtime import OpenVINORuntime, openvino_is_here
from har.runtime.torch_runtime import TorchRuntime
from har.weights.pretrained import find_weights, open_weights

log = logging.getLogger(__name__)

RUNTIMES = ("auto", "torch", "openvino", "onnx")
_FEW_FRAMES = 32  # take PyTorch less time than OpenVINO takes to convert a network: some seconds


def load_engine(
    source: str | Path,
    *,
    device: str = "auto",
    fast: bool = True,
    runtime: str = "auto",
    stop_after: int | str | None = None,
    batch_size: int = 8,
    resolution: tuple[int, int] | None = None,
    num_frames: int | None = None,
) -> Engine:
    """An engine with trained weights.

    Args:
        source: a published name, a ``.ckpt`` of a run, a ``.safetensors`` of this package, an
            ``.h5`` of the original, or an ``.onnx`` of :mod:`har.export`.
        device: ``"auto"`` takes a GPU where there is one.
        fast: the fastest safe way of computing on this device; False: plain float32.
        runtime: ``torch``; ``openvino`` (on a CPU); ``onnx`` (onnxruntime, for an ``.onnx`` file);
            ``auto``: OpenVINO on a CPU where it is installed and more than a handful of frames are
            to come, which was the fastest on every processor measured (docs/results.md).
        stop_after: the last prediction block; None: all of them.
        batch_size: frames that pass through the network at a time.
        resolution: width and height of the crops in pixels; None: as trained.
        num_frames: how many frames are to come, which decides whether compiling pays; None: not
            known.

    Raises:
        HarError: no such file, name, device or runtime, or a file that does not state what it is.
    """
    check_number("batch_size", batch_size)
    chosen = torch.device(choose_device(device))
    path = find_weights(source)
    taken = choose_runtime(runtime, path, chosen, fast=fast, num_frames=num_frames)
    if path.suffix == ".onnx":
        exported = OnnxRuntime(path, chosen.type, with_openvino=taken == "openvino", fast=fast)
        spec = exported.spec
        if stop_after is not None or resolution not in (None, spec.resolution):
            raise HarError(
                f"{spec.name} was exported for {spec.resolution[0]}x{spec.resolution[1]} crops and "
                "with its blocks: give stop_after and resolution to python -m har.export."
            )
        log_assumed(spec)
        return Engine(exported, spec, batch_size=batch_size)
    network, spec = load_for_inference(source, stop_after=stop_after, resolution=resolution)
    options: Any = {"fast": fast, "batch_size": batch_size, "num_frames": num_frames}
    return _engine(network, spec, chosen, taken, **options)


def engine_of(
    network: PoseNetwork,
    spec: ModelSpec,
    *,
    device: str = "auto",
    fast: bool = True,
    batch_size: int = 8,
    num_frames: int | None = None,
) -> Engine:
    """An engine of a network with its weights; the arguments are those of :func:`load_engine`.

    Raises:
        HarError: there is no such device.
    """
    chosen = torch.device(choose_device(device))
    path = Path(spec.name).with_suffix("")  # no exported file
    taken = choose_runtime("auto", path, chosen, fast=fast, num_frames=num_frames)
    options: Any = {"fast": fast, "batch_size": batch_size, "num_frames": num_frames}
    return _engine(network, spec, chosen, taken, **options)


def _engine(
    network: PoseNetwork,
    spec: ModelSpec,
    device: torch.device,
    runtime: str,
    *,
    fast: bool,
    batch_size: int,
    num_frames: int | None,
) -> Engine:
    """A network computed by a runtime that was chosen."""
    if runtime == "openvino":
        size = spec.resolution
        converted = OpenVINORuntime(network, size, batch_size=batch_size, fast=fast)
        return Engine(converted, spec, batch_size=batch_size)
    mode = fastest_mode(device) if fast else PLAIN
    computed = TorchRuntime(network, device, mode, batch_size=batch_size, num_frames=num_frames)
    return Engine(computed, spec, batch_size=batch_size)


def choose_runtime(
    runtime: str, path: Path, device: torch.device, *, fast: bool, num_frames: int | None = None
) -> str:
    """The runtime of a file of weights, see :func:`load_engine`.

    Raises:
        HarError: there is no such runtime, or it cannot compute this file on this device.
    """
    exported = path.suffix == ".onnx"
    if runtime not in RUNTIMES:
        raise HarError(f"runtime={runtime}: choose {', '.join(RUNTIMES)}.")
    if runtime == "auto":
        few = num_frames is not None and num_frames < _FEW_FRAMES
        if fast and not few and device.type == "cpu" and openvino_is_here():
            return "openvino"
        return "onnx" if exported else "torch"
    if runtime == "openvino" and device.type != "cpu":
        raise HarError(
            f"runtime=openvino computes on a CPU, not on {device}: choose runtime=torch."
        )
    if exported and runtime == "torch":
        raise HarError(f"{path.name} is an exported graph: choose runtime=onnx or openvino.")
    if runtime == "onnx" and not exported:
        raise HarError(
            f"runtime=onnx computes .onnx files, and {path.name} is none: write one with "
            "python -m har.export."
        )
    return runtime


def load_for_inference(
    source: str | Path,
    *,
    stop_after: int | str | None = None,
    resolution: Sequence[int] | None = None,
    **arguments: Any,
) -> tuple[PoseNetwork, ModelSpec]:
    """A network with trained weights, and its record, see :func:`load_engine`.

    Args:
        arguments: of the network, which go before those of the file.

    Raises:
        HarError: no such file or name, or a file that does not state what it is.
    """
    opened = open_weights(source)
    if stop_after is not None:
        arguments["stop_after"] = stop_after
    network = opened.load(**arguments)
    spec = opened.spec(network)
    if resolution is not None:
        assumed = tuple(name for name in spec.assumed if name != "resolution")
        size = int(resolution[0]), int(resolution[1])
        spec = dataclasses.replace(spec, resolution=size, assumed=assumed)
    log_assumed(spec)
    return network, spec


def log_assumed(spec: ModelSpec) -> None:
    """One line about the values that the file of a network does not state."""
    if spec.assumed:
        values = ", ".join(f"{name}={_shown(getattr(spec, name))}" for name in spec.assumed)
        log.info("%s does not state everything; assumed: %s.", spec.name, values)


def _shown(value: Any) -> str:
    if isinstance(value, tuple) and len(value) > 2:
        return f"{value[0]}, ... ({len(value)})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def choose_device(device: str) -> str:
    """The device of that name, or the best one here for ``"auto"``.

    Raises:
        HarError: there is no such device.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except Exception as error:  # every backend raises its own kind
        raise HarError(f"There is no device {device} here; choose device=cpu.") from error
    return device
