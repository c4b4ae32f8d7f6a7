"""Networks as files that run without this package: ONNX and ``torch.export``.

The graph takes clips, or images of a network without actions, and has all outputs of the network
(:class:`har.runtime.parts.WholeNetwork`). The batch is of any size; so is the number of frames
where the network allows. The file holds the network's record.
"""

import importlib.util
import json
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from har.errors import HarError
from har.files import whole_file
from har.models.base import PoseNetwork
from har.models.spec import ModelSpec
from har.runtime.parts import WholeNetwork

NORMALISATION = "RGB, float32 in [-1, 1]: byte / 127.5 - 1"
METADATA_KEY = "har"
_TOLERANCE = 1e-4  # of an output's largest value where that is above 1
_NO_END = 10**6  # frames
FORMATS = {"onnx": ".onnx", "torch_export": ".pt2"}
Run = Callable[[NDArray[np.float32]], Sequence[NDArray[Any]]]


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the file.
        inputs, outputs: shapes by name; a word stands for any size.
        errors: by output, the largest difference to the network seen when the file was checked,
            relative to the output's largest value where that is above 1.
    """

    path: Path
    inputs: dict[str, tuple[int | str, ...]]
    outputs: dict[str, tuple[int | str, ...]]
    errors: dict[str, float]


def export_network(network: PoseNetwork, spec: ModelSpec, out: Path, file_format: str) -> Exported:
    """Writes a network with its metadata, and checks the file against the network.

    Args:
        network: of :mod:`har.models`, with its weights, on the CPU.
        spec: its record.
        out: the file; an older one is replaced once the new one has been checked.
        file_format: ``"onnx"`` or ``"torch_export"``.

    Raises:
        HarError: another format, a package that is missing, or a file whose outputs differ.
    """
    if file_format not in FORMATS:
        raise HarError(f"format={file_format}: choose {' or '.join(FORMATS)}.")
    if file_format == "onnx":
        require_onnx("format=onnx")
    whole = WholeNetwork(network.eval()).requires_grad_(False)
    program, lengths = _trace(whole, spec)
    shapes = _shapes(program, whole, spec)
    metadata = _metadata(network, spec, lengths)
    with whole_file(out) as partial:
        if file_format == "onnx":
            _write_onnx(program, whole, metadata, partial)
            run = _run_onnx(partial)
        else:
            torch.export.save(program, partial, extra_files={METADATA_KEY: metadata})
            run = _run_program(partial)
        errors = _check(whole, run, spec, lengths)
    return Exported(out, {"images": shapes[0]}, dict(zip(errors, shapes[1:], strict=True)), errors)


def require_onnx(what: str) -> None:
    """Checks for the packages that an ONNX file needs.

    Raises:
        HarError: one of them is not installed.
    """
    needed = ("onnx", "onnxscript", "onnxruntime")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise HarError(f"{what} needs {', '.join(missing)}: pip install {' '.join(missing)}.")


def _example(spec: ModelSpec, takes_clips: bool, batch: int, frames: int) -> torch.Tensor:
    width, height = spec.resolution
    size = (batch, frames, 3, height, width) if takes_clips else (batch, 3, height, width)
    return torch.rand(size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def _trace(
    whole: WholeNetwork, spec: ModelSpec
) -> tuple[torch.export.ExportedProgram, tuple[int, int | None]]:
    """The graph for any batch and, where the network allows, any number of frames; the least and
    the greatest number of frames for which it holds (None: no end)."""
    dim = torch.export.Dim
    clips = whole.takes_clips
    # A batch of 1 would be taken for a constant.
    example = _example(spec, clips, 2, spec.clip_size)
    varying: dict[int, Any] = {0: dim.DYNAMIC, **({1: dim.AUTO} if clips else {})}
    program = torch.export.export(whole, (example,), dynamic_shapes=(varying,), strict=False)
    frames = _input_shape(program)[1] if clips else spec.clip_size
    if isinstance(frames, int):
        return program, (frames, frames)
    # A network may pool long clips otherwise than short ones; the graph holds one of the two.
    bounds: Any = program.range_constraints[frames.node.expr]
    greatest = int(bounds.upper) if bounds.upper < _NO_END else None
    return program, (int(bounds.lower), greatest)


def _input_shape(program: torch.export.ExportedProgram) -> tuple[Any, ...]:
    name = program.graph_signature.user_inputs[0]
    node = next(node for node in program.graph.nodes if node.name == name)
    return tuple(node.meta["val"].shape)


def _shapes(
    program: torch.export.ExportedProgram, whole: WholeNetwork, spec: ModelSpec
) -> list[tuple[int | str, ...]]:
    """Shapes of the input and of every output, with words for what varies."""
    given = _input_shape(program)
    words = {str(given[0]): "batch"}
    if whole.takes_clips and not isinstance(given[1], int):
        words[str(given[1])] = "frames"
    results = next(node for node in program.graph.nodes if node.op == "output").args[0]
    shapes = [given, *(tuple(node.meta["val"].shape) for node in results)]
    plain = [[n if isinstance(n, int) else str(n) for n in shape] for shape in shapes]
    return [tuple(words.get(str(n), n) for n in shape) for shape in plain]


def _metadata(network: PoseNetwork, spec: ModelSpec, lengths: tuple[int, int | None]) -> str:
    """The network's record and what a program needs besides, as JSON."""
    images, clips = "images (batch, 3, height, width)", "clips (batch, frames, 3, height, width)"
    stated = {
        "version": version("har"),
        "input": clips if network.num_action_outputs else images,
        "normalization": NORMALISATION,
        "pose": "x, y in [0, 1] of the crop, z in [0, 1] of the depth range (3-D), confidence",
        "frames": list(lengths),
        "spec": {**spec.to_dict(), "arguments": network.arguments},
    }
    return json.dumps(stated)


def _write_onnx(
    program: torch.export.ExportedProgram, whole: WholeNetwork, metadata: str, path: Path
) -> None:
    earlier = logging.root.manager.disable
    logging.disable(logging.WARNING)  # torch.onnx and its packages tell much
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            names: Any = {"input_names": ["images"], "output_names": whole.output_names()}
            written = torch.onnx.export(program, dynamo=True, verbose=False, **names)
            assert written is not None
            written.model.metadata_props[METADATA_KEY] = metadata
            written.save(path, external_data=False)
    finally:
        logging.disable(earlier)


def _run_onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"images": images})


def _run_program(path: Path) -> Run:
    module = torch.export.load(path).module()

    def run(images: NDArray[np.float32]) -> Sequence[NDArray[Any]]:
        with torch.inference_mode():
            return [value.numpy() for value in module(torch.from_numpy(images))]

    return run


def _check(
    whole: WholeNetwork, run: Run, spec: ModelSpec, lengths: tuple[int, int | None]
) -> dict[str, float]:
    """The written file against the network, with batches and lengths that it was not made with."""
    clips = whole.takes_clips
    longer = spec.clip_size + 4
    cases = [(1, spec.clip_size), (3, longer if lengths[1] is None else min(longer, lengths[1]))]
    errors = dict.fromkeys(whole.output_names(), 0.0)
    for batch, frames in cases:
        images = _example(spec, clips, batch, frames)
        with torch.inference_mode():
            expected = [value.numpy() for value in whole(images)]
        for name, value, wanted in zip(errors, run(images.numpy()), expected, strict=True):
            scale = max(1.0, float(np.abs(wanted).max()))
            errors[name] = max(errors[name], float(np.abs(value - wanted).max()) / scale)
    worst = max(errors, key=lambda name: errors[name])
    if not errors[worst] <= _TOLERANCE:
        raise HarError(
            f"The exported {spec.name} has other outputs than the network ({worst} by "
            f"{errors[worst]:.1e}), so it was not kept; try other versions of torch or onnxruntime."
        )
    return errors
