"""Runs that train nothing: which samples Lightning would draw, in what order, and when it stops."""

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from har.data.modules.base import TrainingDataModule
from har.data.sampling import Key


class Plan:
    """A training schedule.

    Args:
        phases: epochs, kinds of batches and batches of each (None: a pass).
    """

    def __init__(self, phases: Sequence[tuple[int, tuple[str, ...], int | None]]) -> None:
        self.epochs = [(kinds, steps) for count, kinds, steps in phases for _ in range(count)]

    def epoch(self, epoch: int) -> tuple[tuple[str, ...], int | None]:
        """The last phase goes on where a run is longer."""
        return self.epochs[min(epoch, len(self.epochs) - 1)]


class Run:
    """One start of a run, in any number of processes.

    Args:
        sizes: samples of every data set.
        plan: the schedule.
        batch_sizes: per process.
        world_size: number of processes.
        state: of the data module in the checkpoint that the run goes on from.
        limit: Lightning's ``limit_train_batches``.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        plan: Plan,
        batch_sizes: Mapping[str, int],
        world_size: int = 1,
        checkpoint: tuple[dict[str, Any], dict[str, int]] | None = None,
        limit: float = 1.0,
    ) -> None:
        state, counts = checkpoint or (None, {"epoch": 0, "done": 0})
        self.epoch, self.done, self.plan = counts["epoch"], counts["done"], plan
        self.processes = []
        for rank in range(world_size):
            data = TrainingDataModule(batch_sizes=batch_sizes, layout=None, num_workers=0, seed=3)
            data.datasets = {kind: range(count) for kind, count in sizes.items()}
            data.schedule = plan
            trainer: Any = SimpleNamespace(
                world_size=world_size,
                global_rank=rank,
                limit_train_batches=limit,
                reload_dataloaders_every_n_epochs=1,
            )
            data.trainer = trainer
            if state is not None:
                data.load_state_dict(json.loads(json.dumps(state)))
            self.processes.append(data)
        self._count(ended=False)

    def train(self, batches: int) -> list[list[Key]]:
        """The samples of the next batches, over all processes; fewer where the plan ends."""
        found: list[list[Key]] = []
        while len(found) < batches and self.epoch < len(self.plan.epochs):
            samplers = [data.train_dataloader().batch_sampler for data in self.processes]
            length, limit = len(samplers[0]), self.processes[0].trainer.limit_train_batches
            length = min(length, limit) if isinstance(limit, int) else int(length * limit)
            for parts in zip(*samplers, strict=True):
                if self.done == length or len(found) == batches:
                    break
                found.append([key for part in parts for key in part])
                self.done += 1
            if self.done < length or len(found) == batches:
                break
            self._end_epoch()
        self._count(ended=False)
        return found

    def _end_epoch(self) -> None:
        self.epoch, self.done = self.epoch + 1, 0
        self._count(ended=False)

    def checkpoint(self, *, ended: bool = False) -> tuple[dict[str, Any], dict[str, int]]:
        """The data module's state and Lightning's counters, behind a batch or an epoch's end.

        Args:
            ended: written when the epoch has ended, as its last checkpoint is.
        """
        self._count(ended)
        state = self.processes[-1].state_dict()
        return state, {"epoch": self.epoch + ended, "done": 0 if ended else self.done}

    def _count(self, ended: bool) -> None:
        for data in self.processes:
            trainer: Any = data.trainer
            trainer.current_epoch = self.epoch + ended
            epochs = SimpleNamespace(ready=self.epoch + 1, processed=self.epoch + ended)
            batches = SimpleNamespace(ready=self.done)
            trainer.fit_loop = SimpleNamespace(
                epoch_progress=SimpleNamespace(current=epochs),
                epoch_loop=SimpleNamespace(batch_progress=SimpleNamespace(current=batches)),
            )
