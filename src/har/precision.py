"""Which arithmetic a device is quick at, and which it has at all.

Low precision is a gain only where the processor has instructions for it. A CPU without them
computes bfloat16 step by step, several times slower than float32.
"""

from typing import Any

import torch
from torch import Tensor

WITHOUT_FLOAT64 = {"mps"}
"""Types of devices on which a float64 tensor raises an error."""


def at_least_float32(x: Tensor) -> Tensor:
    """Low precision becomes float32; float64 stays."""
    return x if x.dtype == torch.float64 else x.float()


def exact_dtype(device: torch.device) -> torch.dtype:
    """What metrics compute in: float64, or float32 on a device without float64."""
    return torch.float32 if device.type in WITHOUT_FLOAT64 else torch.float64


def batch_for_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    """A batch whose float64 tensors became float32, where the device has no float64."""
    dtype = exact_dtype(device)
    tensors = {key: value for key, value in batch.items() if isinstance(value, Tensor)}
    exact = {key: v.to(dtype) for key, v in tensors.items() if v.dtype == torch.float64}
    return {**batch, **exact}


def has_fast_bfloat16(device_type: str) -> bool:
    """Whether a device multiplies bfloat16 matrices faster than float32 ones.

    Args:
        device_type: ``"cuda"``, ``"cpu"``, or another type of torch device.
    """
    if device_type == "cuda":
        return torch.cuda.is_available() and torch.cuda.is_bf16_supported(False)
    if device_type == "cpu":
        capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        return any("bf16" in name and bool(there) for name, there in capabilities.items())
    return False


def trainer_precision(precision: str | int, accelerator: str) -> str | int:
    """The trainer's precision where the configuration leaves it to the hardware (``"auto"``).

    Args:
        precision: as in the configuration; anything but ``"auto"`` is returned as it is.
        accelerator: of the trainer: ``"cpu"``, ``"gpu"``, ``"auto"``, ...
    """
    if precision != "auto":
        return precision
    uses_gpu = accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available()
    return "bf16-mixed" if has_fast_bfloat16("cuda" if uses_gpu else "cpu") else "32-true"
