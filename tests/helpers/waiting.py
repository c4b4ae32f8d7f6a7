"""What makes a step wait for its device, seen on a CPU."""

from contextlib import ExitStack
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

_OPERATIONS = (
    torch.ops.aten._local_scalar_dense.default,  # float(x), if x, x.item()
    torch.ops.aten.nonzero.default,
    torch.ops.aten.masked_select.default,
    torch.ops.aten.equal.default,
)
_INDEXING = (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default)
# Nothing is dispatched for these where the tensor is on the CPU already.
_METHODS = (Tensor.tolist, Tensor.cpu, Tensor.numpy, Tensor.item)


class _NoOperation(TorchDispatchMode):
    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        by_mask = func in _INDEXING and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        if by_mask or func in _OPERATIONS:
            raise AssertionError(f"{func} waits for the device")
        return func(*args, **(kwargs or {}))


class _NoMethod(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in _METHODS:
            raise AssertionError(f"{func} waits for the device")
        return func(*args, **(kwargs or {}))


class NoWaiting(ExitStack):
    """Refuses what reads a tensor's value, on a GPU a full stop."""

    def __enter__(self) -> "NoWaiting":
        self.enter_context(_NoOperation())
        self.enter_context(_NoMethod())
        return self


class StepsWithoutWaiting(pl.Callback):
    """Puts :class:`NoWaiting` around every training step, its update and what is logged of it.

    The first callback of a trainer, so that it is entered first; it is left when the next batch
    begins, after all other callbacks.
    """

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self._guard = NoWaiting()

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        self._guard.close()
        self._guard = NoWaiting().__enter__()

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.steps.append((module.phase, "action" if batch["images"].ndim == 5 else "pose"))

    def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
        self._guard.close()

    def on_exception(self, trainer: Any, module: Any, exception: BaseException) -> None:
        self._guard.close()
