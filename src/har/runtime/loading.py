"""From a published name or a file to an engine: which network it is, and what its answers mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from har.data.ntu.labels import ACTION_NAMES
from har.errors import HarError
from har.files import file_checksum
from har.models.spec import ModelSpec
from har.runtime.engine import Engine
from har.runtime.modes import PLAIN, fastest_mode
from har.runtime.onnx_runtime import OnnxRuntime
from har.runtime.torch_runtime import TorchRuntime
from har.weights import load_network
from har.weights.description import Description
from har.weights.file import describe_weights, find_weights
from har.weights.pretrained import PUBLISHED, PublishedWeights

__all__ = ["ModelSpec", "load_engine", "load_for_inference"]

_DEFAULT_RESOLUTION = (256, 256)  # of all published networks
_LAYOUTS = {16: "pa16j", 17: "pa17j", 20: "pa20j", 21: "pa21j", 25: "ntu25"}  # by joints
_DEPTH_RANGE_MM = 2000.0  # of NTU RGB+D and Human3.6M
# Seconds between the frames of the published evaluation clips: every fourth of 15 stored frames a
# second for NTU RGB+D, every sixth of about 30 for Penn Action (TPAMI 2020).
_NTU_PACE_S, _PENN_PACE_S = 4 / 15, 6 / 30


def load_engine(
    source: str | Path,
    *,
    device: str = "auto",
    fast: bool = True,
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
        stop_after: the prediction block that answers; None: the last one.
        batch_size: frames that pass through the network at a time.
        resolution: width and height of the crops in pixels; None: as trained.
        num_frames: how many frames are to come, which decides whether compiling pays; None: not
            known.

    Raises:
        HarError: no such file, name or device, or a file that does not say what it is.
    """
    chosen = torch.device(choose_device(device))
    path = find_weights(source)
    if path.suffix == ".onnx":
        exported = OnnxRuntime(path, chosen.type)
        _refuse_for_onnx(exported.spec, stop_after, resolution)
        return Engine(exported, exported.spec, batch_size=batch_size)
    network, spec = load_for_inference(source, stop_after=stop_after, resolution=resolution)
    mode = fastest_mode(chosen) if fast else PLAIN
    runtime = TorchRuntime(network, chosen, mode, batch_size=batch_size, num_frames=num_frames)
    return Engine(runtime, spec, batch_size=batch_size)


def load_for_inference(
    source: str | Path,
    *,
    stop_after: int | str | None = None,
    resolution: Sequence[int] | None = None,
) -> tuple[nn.Module, ModelSpec]:
    """A network with trained weights, and what is known about it; arguments as above.

    Raises:
        HarError: no such file or name, or a file that does not say what it is.
    """
    path = find_weights(source)
    arguments: dict[str, Any] = {} if stop_after is None else {"stop_after": stop_after}
    network = load_network(path, **arguments)
    chosen = None if resolution is None else (int(resolution[0]), int(resolution[1]))
    return network, read_spec(network, source, path, chosen)


def _refuse_for_onnx(
    spec: ModelSpec, stop_after: int | str | None, resolution: tuple[int, int] | None
) -> None:
    """What was decided when the file was written."""
    if stop_after is not None or resolution not in (None, spec.resolution):
        raise HarError(
            f"{spec.name} was exported for {spec.resolution[0]}x{spec.resolution[1]} crops and "
            "with its blocks: give stop_after and resolution to python -m har.export."
        )


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


def read_spec(
    network: Any, source: str | Path, path: Path, resolution: tuple[int, int] | None = None
) -> ModelSpec:
    """What the network of a weight file wants and says.

    Args:
        network: with the weights.
        source: the name or path that was asked for.
        path: the weight file.
        resolution: width and height instead of those in the file.

    Raises:
        HarError: a network whose joints no layout of this package has.
    """
    published = PUBLISHED.get(str(source))
    spec = spec_of(
        network, str(source) if published else Path(source).name, describe_weights(path), published
    )
    return dataclasses.replace(
        spec, resolution=resolution or spec.resolution, weights_sha256=file_checksum(path)
    )


def spec_of(
    network: Any,
    name: str,
    description: Description | None = None,
    published: PublishedWeights | None = None,
) -> ModelSpec:
    """What a network wants and says, as far as is known; the rest as for published networks.

    Raises:
        HarError: a network whose joints no layout of this package has.
    """
    description = description or Description()
    config = getattr(network.config, "pose_net", network.config)
    layout = description.layout or (published.layout if published else None)
    layout = layout or _LAYOUTS.get(config.num_joints)
    if layout is None:
        raise HarError(
            f"{name} finds {config.num_joints} joints, and no layout of har.layouts has so many."
        )
    knows_actions = network.num_action_outputs > 0
    pace = description.clip_seconds_between_frames
    if pace is None:
        pace = _NTU_PACE_S if config.dim == 3 else _PENN_PACE_S
    return ModelSpec(
        layout=layout,
        num_joints=config.num_joints,
        dim=config.dim,
        resolution=description.resolution or _DEFAULT_RESOLUTION,
        labels=_labels(network.num_actions[0], description) if knows_actions else (),
        clip_size=_clip_size(network, description, published) if knows_actions else 1,
        clip_seconds_between_frames=pace,
        depth_range_mm=_DEPTH_RANGE_MM if config.dim == 3 else None,
        name=name,
        weights_sha256="",
    )


def _labels(num_actions: int, description: Description) -> tuple[str, ...]:
    """The actions' names; numbers where nobody wrote the names down."""
    if len(description.labels) == num_actions:
        return description.labels
    if num_actions in (60, len(ACTION_NAMES)):
        return tuple(ACTION_NAMES[:num_actions])
    return tuple(f"action {number}" for number in range(1, num_actions + 1))


def _clip_size(network: Any, description: Description, published: PublishedWeights | None) -> int:
    stated = getattr(network.config, "num_frames", None)  # ActionMergeNet's own
    return description.clip_size or (published.num_frames if published else None) or stated or 8
