"""A network computed by PyTorch, compiled where that pays."""

import logging
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from har.models.base import PoseNetwork
from har.runtime.modes import PLAIN, Mode
from har.runtime.parts import ClipPart, FramePart

log = logging.getLogger(__name__)

# What compiling costs the first time on one core (43 to 122 s were seen), and the share of a
# batch's time that it saves: enough to tell a handful of frames from a film.
_COMPILING_S = 80.0
_SAVED_SHARE = 0.35


class TorchRuntime:
    """Computes on one device, for one thread at a time.

    Args:
        network: of :mod:`har.models`, with its weights.
        device: where.
        mode: how. A mode that compiles does so once it pays: compiling takes about a minute.
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
        self._num_frames = num_frames
        self._batches, self._seconds = 0, 0.0  # full batches computed without compiling

    def forward_frames(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], list[Tensor]]:
        """uint8 crops (N, H, W, 3), at most a batch, to poses (N, J, dim + 1) and features."""
        count = len(images)
        with torch.inference_mode(), self._autocast():
            part = self._frame_part
            if count == self.batch_size and self._may_compile and self._compiled is None:
                self._compile_where_it_pays(images)
            if self._compiled is not None and 2 * count >= self.batch_size:
                part = self._compiled
                if count < self.batch_size:  # another size would compile anew: fill it up
                    images = np.resize(images, (self.batch_size, *images.shape[1:]))
            began = time.perf_counter()
            pose, *features = part(torch.from_numpy(images).to(self.device))
            poses: NDArray[np.float32] = pose[:count].float().cpu().numpy()
            if part is self._frame_part and count == self.batch_size:
                self._batches += 1
                if self._batches > 1:  # the first one warms up
                    self._seconds += time.perf_counter() - began
        return poses, [values[:count] for values in features]

    def classify_clips(self, clips: Sequence[Sequence[tuple[Tensor, ...]]]) -> NDArray[np.float32]:
        """Features of the T frames of N clips to probabilities (N, C), in float32."""
        with torch.inference_mode():
            gathered = [
                torch.stack([torch.stack([frame[i] for frame in clip]) for clip in clips]).float()
                for i in range(len(clips[0][0]))
            ]
            probabilities: NDArray[np.float32] = self._clip_part(*gathered).cpu().numpy()
        return probabilities

    def compile(self, images: NDArray[np.uint8]) -> bool:
        """Compiles now, whether it pays or not.

        Args:
            images: a full batch of crops, of any content.

        Returns:
            Whether batches are computed by compiled code from now on.
        """
        if self._may_compile:
            with torch.inference_mode(), self._autocast():
                self._compile(images)
        return self._compiled is not None

    def _autocast(self) -> torch.autocast:
        low = self.mode.precision != torch.float32
        return torch.autocast(self.device.type, self.mode.precision if low else None, enabled=low)

    def _compile_where_it_pays(self, images: NDArray[np.uint8]) -> None:
        if self._batches < 2:
            return
        frames = self._num_frames
        seconds_per_frame = self._seconds / (self._batches - 1) / self.batch_size
        total = 2 * self._seconds if frames is None else seconds_per_frame * frames
        if (total - self._seconds) * _SAVED_SHARE > _COMPILING_S:
            self._compile(images)
        elif frames is not None:
            self._may_compile = False
            text = "Not compiled: %d frames take about %.0f s, compiling about %.0f s."
            log.info(text, frames, total, _COMPILING_S)

    def _compile(self, images: NDArray[np.uint8]) -> None:
        """Compiles for batches of this size; where that fails, frames are computed as before."""
        log.info("Compiling the network: once, about a minute.")
        self._may_compile = False
        try:
            compiled = torch.compile(
                self._frame_part, dynamic=False, options={"freezing": self.device.type == "cpu"}
            )
            compiled(torch.from_numpy(images).to(self.device))
        except Exception as error:  # no C++ compiler, no memory, a bug of the compiler
            text = (str(error).strip().splitlines() or [""])[0]
            why = f"{type(error).__name__}: {text}"
            log.warning("torch.compile does not work here (%s): the network runs without it.", why)
        else:
            self._compiled = compiled
