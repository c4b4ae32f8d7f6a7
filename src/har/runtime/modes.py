"""Modes of computing the same outputs faster."""

from dataclasses import dataclass

import torch

from har.precision import has_fast_bfloat16


@dataclass(frozen=True)
class Mode:
    """A mode of computing.

    Attributes:
        fused: see :meth:`har.models.base.PoseNetwork.fuse`; else the network as trained.
        precision: of convolutions; softmax and coordinates are float32 in every mode.
        compiled: with ``torch.compile``.
        captured: as CUDA graphs, on a GPU only.
    """

    fused: bool = True
    precision: torch.dtype = torch.float32
    compiled: bool = True
    captured: bool = False

    def __str__(self) -> str:
        parts = ["CUDA graph"] * self.captured + ["compiled"] * self.compiled
        parts += ["fused"] * self.fused
        return ", ".join([*parts, str(self.precision).removeprefix("torch.")])


PLAIN = Mode(fused=False, compiled=False)


def fastest_mode(device: torch.device) -> Mode:
    """The fastest mode whose poses stay within half a pixel of 256, for a kind of device.

    Low precision is for devices that compute in it: elsewhere it is emulated, ten times slower
    than float32.
    """
    if device.type == "cuda":
        return Mode(precision=torch.float16, captured=True)
    if device.type == "cpu" and has_fast_bfloat16("cpu"):
        return Mode(precision=torch.bfloat16)
    return Mode()
