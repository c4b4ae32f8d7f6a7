"""A network computed by OpenVINO, on CPUs two to three times as fast as PyTorch.

OpenVINO reads the network as PyTorch traces it; no file is needed. In bfloat16 it computes
convolutions only: what follows the last one, softmax and coordinates, stays in float32.
"""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from har.errors import HarError
from har.models.base import PoseNetwork
from har.precision import has_fast_bfloat16
from har.runtime.parts import ClipPart, FramePart

PACKAGE = "openvino"
_TELEMETRY = "openvino_telemetry"


def openvino_is_here() -> bool:
    """Whether the extra ``openvino`` is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


def require_openvino() -> Any:
    """The package.

    Raises:
        HarError: it is not installed.
    """
    if not openvino_is_here():
        raise HarError("runtime=openvino needs OpenVINO: pip install openvino.")
    with _without_telemetry():
        return importlib.import_module(PACKAGE)


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """While OpenVINO is imported, what would report its use over the network is not there: it would
    do so at the import and for every conversion, in processes that its threads fork off this one,
    which has threads of other libraries too. OpenVINO does without it, and so do its users."""
    if PACKAGE in sys.modules or _TELEMETRY in sys.modules:
        yield
        return
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # is not there, says the import
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]


@cache
def openvino_core() -> Any:
    """What reads and compiles models, one for the process.

    On processors with AMX a core gives the thread an alternate stack for signals and, when it goes,
    puts the one back that was there before: that of another core, if two lived side by side, which
    may have been unmapped by then. The next signal that Python handles would end the process.
    """
    return require_openvino().Core()


def compile_for_cpu(model: Any, shape: Sequence[int] | None = None, *, fast: bool = True) -> Any:
    """A request that computes a model of OpenVINO on the CPU.

    Args:
        model: read or converted.
        shape: of its only input; None: as the model states.
        fast: in bfloat16 where the processor multiplies it faster.
    """
    core = openvino_core()
    if shape is not None:
        model = model.clone()  # reshaping changes a model in place
        model.reshape(list(shape))
    low = fast and has_fast_bfloat16("cpu")
    options = {
        "INFERENCE_PRECISION_HINT": "bf16" if low else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    return core.compile_model(model, "CPU", options).create_infer_request()


def _converted(part: nn.Module, *example: Tensor) -> Any:
    """A part of a network as a model of OpenVINO, for inputs of these shapes."""
    openvino = require_openvino()
    with torch.no_grad(), warnings.catch_warnings():
        # that Python's conditions on shapes are traced as they are: the shape is fixed
        warnings.simplefilter("ignore")
        traced: Any = torch.jit.trace(part, example, check_trace=False)
        model = openvino.convert_model(traced, example_input=example)
    for given, values in zip(model.inputs, example, strict=True):
        given.get_node().set_partial_shape(openvino.PartialShape(list(values.shape)))
    model.validate_nodes_and_infer_types()
    return model


class OpenVINORuntime:
    """Computes a network on the CPU, one frame, two, or a full batch at a time.

    Args:
        network: of :mod:`har.models`, with its weights.
        resolution: width and height of the crops in pixels.
        batch_size: frames of a full batch; smaller ones of more than two frames are filled up.
        fast: see :func:`compile_for_cpu`.

    Raises:
        HarError: OpenVINO is missing, or cannot read the network.
    """

    def __init__(
        self,
        network: PoseNetwork,
        resolution: tuple[int, int],
        *,
        batch_size: int = 8,
        fast: bool = True,
    ) -> None:
        require_openvino()
        self.batch_size, self.fast = batch_size, fast
        self._network = network.fuse().to(memory_format=torch.contiguous_format)
        width, height = resolution
        self._crop = (height, width, 3)
        example = torch.zeros((2, *self._crop), dtype=torch.uint8)
        try:
            self._model = _converted(FramePart(self._network), example)
        except Exception as error:  # both libraries raise kinds of their own
            text = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise HarError(
                f"OpenVINO cannot read this {type(network).__name__} ({text}): use runtime=torch."
            ) from error
        self._clip_requests: dict[int, Any] = {}  # by number of frames
        self._requests: dict[int, Any] = {}

    def forward_frames(
        self, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """uint8 crops (N, H, W, 3), at most a batch, to poses (N, J, dim + 1) and features."""
        count = len(images)
        # one is a frame of a video, two a picture and its mirror image
        size = count if count <= 2 else self.batch_size
        if size not in self._requests:
            self._requests[size] = compile_for_cpu(self._model, (size, *self._crop), fast=self.fast)
        if count < size:
            images = np.resize(images, (size, *self._crop))
        request = self._requests[size]
        request.infer([images], share_inputs=True)
        outputs = [tensor.data[:count].copy() for tensor in request.output_tensors]
        return outputs[0], outputs[1:]

    def classify_clips(
        self, clips: Sequence[Sequence[tuple[NDArray[np.float32], ...]]]
    ) -> NDArray[np.float32]:
        """Features of the T frames of N clips to probabilities (N, C)."""
        return np.concatenate([self._classify_clip(clip) for clip in clips])

    def _classify_clip(self, clip: Sequence[tuple[NDArray[np.float32], ...]]) -> NDArray[Any]:
        gathered = [np.stack(parts)[None] for parts in zip(*clip, strict=True)]  # (1, T, J, ...)
        frames = len(clip)
        if frames not in self._clip_requests:
            example = tuple(map(torch.from_numpy, gathered))
            model = _converted(ClipPart(self._network), *example)
            # pixels of an image are too large for bfloat16
            fast = self.fast and not self._network.features_in_image
            self._clip_requests[frames] = compile_for_cpu(model, fast=fast)
        request = self._clip_requests[frames]
        request.infer(gathered)
        return np.array(request.output_tensors[0].data)

    def compile(self, images: NDArray[np.uint8]) -> bool:
        """Compiles for batches like this one, which takes a second."""
        self.forward_frames(images)
        return True
