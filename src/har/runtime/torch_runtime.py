"""A network computed by PyTorch, compiled where that pays."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from har.models.base import PoseNetwork
from har.runtime.cuda_graph import CapturedPart
from har.runtime.modes import PLAIN, Mode
from har.runtime.parts import ClipPart, FramePart

log = logging.getLogger(__name__)


class _Cost(NamedTuple):
    """What compiling costs, and what it saves: enough to tell a handful of frames from a film."""

    seconds: float  # the first time
    saved_share: float  # of the time of a batch


# 43 to 122 s were seen on a CPU core, 16 to 20 s on a GPU; there, beside a CUDA graph.
_COSTS = {"cpu": _Cost(80.0, 0.35), "cuda": _Cost(20.0, 0.3)}


class TorchRuntime:
    """Computes on one device, for one thread at a time.

    Args:
        network: of :mod:`har.models`, with its weights.
        device: where.
        mode: how. A mode that compiles does so once it pays. On a GPU one frame and a full batch
            are replayed as CUDA graphs, which are captured at their second call.
        batch_size: frames of a full batch, the only size that is compiled.
        num_frames: how many frames are to come; None: not known, so as many as have come.
    """

    def __init__(
        self,
        network: PoseNetwork,
        device: torch.device,
        mode: Mode = PLAIN,
        *,
        batch_size: int = 8,
        num_frames: int | None = None,
    ) -> None:
        self.device, self.mode, self.batch_size = device, mode, batch_size
        prepared = network.fuse() if mode.fused else network.eval()
        prepared = prepared.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._frame_part: Any = FramePart(prepared)
        self._clip_part: Any = ClipPart(prepared)
        self._compiled: Any = None
        self._may_compile = mode.compiled
        self._may_capture = mode.captured and device.type == "cuda"
        self._captured: dict[int, CapturedPart] = {}  # by the number of frames
        self._num_frames = num_frames
        self._batches: Counter[int] = Counter()  # not compiled, by the number of frames
        self._seconds, self._frames = 0.0, 0  # of those but the first, which warms up

    def forward_frames(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], list[Tensor]]:
        """uint8 crops (N, H, W, 3), at most a batch, to poses (N, J, dim + 1) and features."""
        count = len(images)
        with torch.inference_mode(), self._autocast():
            if count == self.batch_size and self._may_compile and self._compiled is None:
                self._compile_where_it_pays(images)
            images = self._filled(images)
            size = len(images)
            if self._may_capture and self._is_prepared(size) and self._batches[size]:
                self._capture(images)
            began = time.perf_counter()
            pose, *features = self._outputs(images)
            poses: NDArray[np.float32] = pose[:count].float().cpu().numpy()
            if self._compiled is None and self._is_prepared(count):
                self._batches[count] += 1
                if self._batches[count] > 1:
                    self._seconds += time.perf_counter() - began
                    self._frames += count
            if size in self._captured:  # the next call writes to the same memory
                return poses, [values[:count].clone() for values in features]
        return poses, [values[:count] for values in features]

    def classify_clips(self, clips: Sequence[Sequence[tuple[Tensor, ...]]]) -> NDArray[np.float32]:
        """Features of the T frames of N clips to probabilities (N, C), in float32."""
        with torch.inference_mode():
            gathered = [
                torch.stack(
                    [torch.stack([torch.as_tensor(frame[i]) for frame in clip]) for clip in clips]
                ).to(self.device, torch.float32)
                for i in range(len(clips[0][0]))
            ]
            probabilities: NDArray[np.float32] = self._clip_part(*gathered).cpu().numpy()
        return probabilities

    def compile(self, images: NDArray[np.uint8]) -> bool:
        """Compiles and captures now, whether it pays or not.

        Args:
            images: a full batch of crops, of any content.

        Returns:
            Whether batches are computed by compiled code from now on.
        """
        with torch.inference_mode(), self._autocast():
            if self._may_compile:
                self._compile(images)
            if self._may_capture:
                for size in {1, self.batch_size}:
                    self._capture(images[:size])
        return self._compiled is not None

    def _is_prepared(self, count: int) -> bool:
        """Whether so many frames are compiled or captured; other numbers may be filled up."""
        return count == self.batch_size or (count == 1 and self.device.type == "cuda")

    def _filled(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Frames, repeated up to a full batch where that is computed faster."""
        count, size = len(images), self.batch_size
        if self._is_prepared(count):
            return images
        fast = size in self._captured or (self._compiled is not None and 2 * count >= size)
        return np.resize(images, (size, *images.shape[1:])) if fast else images

    def _outputs(self, images: NDArray[np.uint8]) -> Any:
        count = len(images)
        if count in self._captured:
            return self._captured[count](images)
        return self._part(count)(torch.from_numpy(images).to(self.device))

    def _part(self, count: int) -> Any:
        """What computes so many frames: another number than a full batch would compile anew."""
        compiled = self._compiled is not None and count == self.batch_size
        return self._compiled if compiled else self._frame_part

    def _autocast(self) -> torch.autocast:
        low = self.mode.precision != torch.float32
        # A graph must not read casts of weights that are kept for one call only.
        cached = None if self.device.type == "cpu" else False
        precision = self.mode.precision if low else None
        return torch.autocast(self.device.type, precision, enabled=low, cache_enabled=cached)

    def _compile_where_it_pays(self, images: NDArray[np.uint8]) -> None:
        if self._frames == 0:
            return
        frames, cost = self._num_frames, _COSTS.get(self.device.type, _COSTS["cpu"])
        total = 2 * self._seconds if frames is None else self._seconds / self._frames * frames
        if (total - self._seconds) * cost.saved_share > cost.seconds:
            self._compile(images)
        elif frames is not None:
            self._may_compile = False
            text = "Not compiled: %d frames take about %.0f s, compiling about %.0f s."
            log.info(text, frames, total, cost.seconds)

    def _compile(self, images: NDArray[np.uint8]) -> None:
        """Compiles for batches of this size; where that fails, frames are computed as before."""
        log.info("Compiling the network: once, about a minute.")
        self._may_compile = False
        options: dict[str, Any] = {"freezing": True} if self.device.type == "cpu" else {}
        try:
            compiled = torch.compile(self._frame_part, dynamic=False, options=options)
            compiled(torch.from_numpy(images).to(self.device))
        except Exception as error:  # no C++ compiler, no memory, a bug of the compiler
            log.warning(
                "torch.compile does not work here (%s): the network runs without it.", _why(error)
            )
        else:
            self._compiled = compiled
            self._captured.pop(self.batch_size, None)  # captured anew, from the compiled code

    def _capture(self, images: NDArray[np.uint8]) -> None:
        """Captures frames of this number; where that fails, they are computed as before."""
        if len(images) in self._captured:
            return
        try:
            part = self._part(len(images))
            self._captured[len(images)] = CapturedPart(part, images, self.device)
        except Exception as error:  # no memory, or an operation that cannot be captured
            self._may_capture = False
            text = "CUDA graphs do not work here (%s): the network runs without them."
            log.warning(text, _why(error))


def _why(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {text}"
