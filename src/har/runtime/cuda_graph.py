"""A part of a network as a CUDA graph: its kernels launched at once, on memory that stays.

Launching the kernels of a network one by one takes ten times as long as computing a frame.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_WARM_UP = 3  # calls before a capture, as PyTorch's guide to CUDA graphs asks for


class CapturedPart:
    """A function of frames, captured for one number of them.

    Captured by hand, not by ``torch.compile(mode="reduce-overhead")``: its graphs belong to the
    thread that made them, and threads share an engine.

    Args:
        part: uint8 frames (N, H, W, 3) on the device to tensors there; already compiled, or not.
        images: N frames, of any content.
        device: a GPU.

    Raises:
        RuntimeError: the device cannot capture what the part does, or has no memory left.
    """

    def __init__(
        self, part: Callable[[Tensor], Any], images: NDArray[np.uint8], device: torch.device
    ) -> None:
        self._host = torch.empty(images.shape, dtype=torch.uint8, pin_memory=True)
        self._images = torch.empty(images.shape, dtype=torch.uint8, device=device)
        self._write(images)
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                part(self._images)
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._outputs = tuple(part(self._images))

    def __call__(self, images: NDArray[np.uint8]) -> tuple[Tensor, ...]:
        """Outputs of N frames. The next call writes to the same memory."""
        self._write(images)
        self._graph.replay()
        return self._outputs

    def _write(self, images: NDArray[np.uint8]) -> None:
        # The last call's copy is done: its outputs were read since.
        self._host.copy_(torch.from_numpy(images))
        self._images.copy_(self._host, non_blocking=True)
