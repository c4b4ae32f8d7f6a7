"""Training steps by compiled code, where the run is long enough to pay for compiling."""

import logging
from collections.abc import Callable
from typing import Any

import torch

from har.errors import HarError
from har.modules.steps import StepLosses

log = logging.getLogger(__name__)

# Compiling a kind of batch takes about a minute and saves 20 to 60 ms of an update on a GPU.
UPDATES_THAT_PAY = 2000


class StepCompiler:
    """Computes the functions of :mod:`har.modules.steps`, compiled or as they are.

    Functions are compiled, not modules, so weights keep their names. Each kind of batch is a graph
    of its own, and so is every phase in which it learns other weights: the compiler makes another
    one by itself when a network's ``requires_grad`` or mode changes. On a GPU the graphs are
    replayed as CUDA graphs, since launching their kernels one by one takes longer than computing
    them.

    Args:
        setting: ``"auto"`` compiles on a GPU where more than ``UPDATES_THAT_PAY`` updates of a
            phase are left; True: always; False: never.
        backend: of :func:`torch.compile`.

    Raises:
        HarError: another setting.
    """

    def __init__(self, setting: str | bool = "auto", backend: str = "inductor") -> None:
        if not isinstance(setting, bool) and setting != "auto":
            raise HarError(f"trainer.compile={setting}: choose auto, true or false.")
        self.setting, self.backend = setting, backend
        self.active = False
        self._options: dict[str, Any] = {}
        self._phase = ""
        self._compiled: dict[str, Callable[..., StepLosses]] = {}
        self._tried: set[tuple[str, str]] = set()  # functions and the phases they ran in

    def begin_phase(
        self, phase: str, device: torch.device, updates: int, *, accumulates: bool = False
    ) -> None:
        """Decides whether a phase is compiled.

        Args:
            phase: its name.
            device: of the network.
            updates: how many are left in the phase.
            accumulates: gradients of several batches make one update.
        """
        pays = device.type == "cuda" and updates > UPDATES_THAT_PAY
        self.active = pays if self.setting == "auto" else bool(self.setting)
        self._phase = phase
        if not self.active or self._compiled:
            return
        # What an earlier run in this process compiled counts towards a limit per function.
        torch.compiler.reset()
        self._options = {"backend": self.backend, "dynamic": False}
        # A CUDA graph writes its gradients to the same memory every time: nothing may add to them.
        if device.type == "cuda" and self.backend == "inductor" and not accumulates:
            self._options["mode"] = "reduce-overhead"

    def __call__(self, function: Callable[..., StepLosses], *arguments: Any) -> StepLosses:
        """The losses of a batch.

        Where compiling fails the step is computed as it is, and a warning says why.
        """
        if not self.active:
            return function(*arguments)
        name = function.__name__
        if name not in self._compiled:
            self._compiled[name] = torch.compile(function, **self._options)
        first = (name, self._phase) not in self._tried
        if first:
            self._tried.add((name, self._phase))
            what = name.removesuffix("_losses")
            log.info("Compiling the %s step of the phase %s, about a minute.", what, self._phase)
        torch.compiler.cudagraph_mark_step_begin()
        try:
            return self._compiled[name](*arguments)
        except HarError:
            raise
        except Exception as error:  # no C++ compiler, no memory, a bug of the compiler
            if not first:
                raise
            text = (str(error).strip().splitlines() or [""])[0]
            why = f"{type(error).__name__}: {text}"
            log.warning("torch.compile does not work here (%s): trained without it.", why)
            self.active, self.setting = False, False
            return function(*arguments)
