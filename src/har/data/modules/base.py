"""What every data module shares: training batches that a resumed run repeats exactly, and fair
shares of the evaluation samples for every process."""

import logging
from collections.abc import Mapping, Sequence
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from torch.multiprocessing.reductions import reduce_tensor
from torch.utils.data import DataLoader, Dataset

from har.data.framestore.reader import keep_freed_memory
from har.data.sampling import (
    BatchPlan,
    Key,
    Orders,
    Position,
    SampleOrder,
    UnpaddedDistributedSampler,
)
from har.errors import HarError
from har.geometry import Camera
from har.layouts import LayoutLike
from har.numbers import check_number

log = logging.getLogger(__name__)

BATCHES_AHEAD = 4  # that a loader process makes in advance
_SHARED_BYTES = 2**16  # less than a pipe holds: to copy it is quicker than to share it


def start_worker(worker: int) -> None:
    """A worker has one core: more threads in it would only get in the others' way."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    ForkingPickler.register(torch.Tensor, _hand_over)
    keep_freed_memory()


def _hand_over(tensor: torch.Tensor) -> tuple[Any, ...]:
    """How a worker hands a tensor over: small ones as they are. PyTorch shares them all, each over
    a connection of its own, which takes a tenth of the time of two workers."""
    if tensor.nbytes < _SHARED_BYTES:
        try:
            return torch.from_numpy, (tensor.numpy(),)
        except (RuntimeError, TypeError):  # with a gradient, or of a type that NumPy does not know
            pass
    return reduce_tensor(tensor)


def make_loader(samples: Dataset[Any], num_workers: int, **options: Any) -> DataLoader[Any]:
    """A loader of training or evaluation samples; ``options`` are those of ``DataLoader``."""
    return DataLoader(
        samples,
        num_workers=num_workers,
        worker_init_fn=start_worker,
        pin_memory=torch.cuda.is_available(),
        **options,
    )


class TrainingSchedule(Protocol):
    """Which batches every epoch has; :class:`har.modules.schedule.Schedule` is one."""

    def epoch(self, epoch: int) -> tuple[tuple[str, ...], int | None]:
        """The kinds of an epoch's batches, in turn, and the batches of each (None: one pass)."""


@runtime_checkable
class WithChecksums(Protocol):
    """Training samples that are known by more than how many they are."""

    def checksums(self) -> list[int]:
        """Of what the samples are, the same for the same samples in the same order."""


class MultiDataset(Dataset[dict[str, Any]]):
    """Several data sets behind one loader; the key's first part names the one."""

    def __init__(self, datasets: Mapping[str, Dataset[dict[str, Any]]]) -> None:
        self.datasets = datasets

    def __getitem__(self, key: Key) -> dict[str, Any]:
        return self.datasets[key[0]][key]


class TrainingDataModule(LightningDataModule):
    """Base of the data modules: they fill ``datasets`` in ``setup``, this class does the batches.

    The samples of a batch depend on the seed and on how many were drawn before it alone, so a run
    that was killed goes on with the samples that it would have seen, with any number of workers,
    and with other batch sizes or another number of processes.

    Args:
        batch_sizes: samples per batch and process, by kind.
        layout: joint layout of the poses, see :func:`har.layouts.get_layout`.
        resolution: (width, height) of the crops in pixels.
        eval_batch_size: samples per evaluation batch and process.
        limit_eval: at most so many evaluation samples, spread evenly; None: all.
        num_workers: loader processes.
        seed: of shuffling and augmentation.

    Attributes:
        datasets: what training batches are drawn from, by kind; empty before ``setup``.
        labels, actions: names and NTU numbers of the classes; empty without actions.
        schedule: which batches every epoch has; has to be set before training.
        data_dir: folder of the data.
        clip_size: frames of a clip; 1 for single images.
        camera, depth_range_mm: what turns poses of clips into millimeters; None in 2-D.
        person_metric: name, threshold and sigmas of the metrics of persons in images, see
            :class:`har.metrics.PersonMetrics`; None without such persons.
        val_kinds, test_kinds: what every loader of evaluation holds: ``clip`` or ``person``.
        val_samples, test_samples: what is evaluated, from ``setup`` on.
    """

    labels: Sequence[str] = ()
    actions: Sequence[int] = ()
    camera: Camera | None = None
    depth_range_mm: float | None = None
    data_dir: Path
    clip_size: int = 1
    person_metric: tuple[str, float, Sequence[float] | None] | None = None
    val_kinds: Sequence[str] = ("clip",)
    test_kinds: Sequence[str] = ("clip",)
    val_samples: Any = None
    test_samples: Any = None

    def __init__(
        self,
        *,
        batch_sizes: Mapping[str, int],
        layout: LayoutLike | None,
        resolution: Sequence[int] = (256, 256),
        eval_batch_size: int = 8,
        limit_eval: int | None = None,
        num_workers: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value in (("eval_batch_size", eval_batch_size), ("limit_eval", limit_eval)):
            check_number(name, value)
        for name, value in (("num_workers", num_workers), ("seed", seed)):
            check_number(name, value)
        check_number("resolution", list(resolution))
        for size in batch_sizes.values():
            check_number("mpii.batch_size", size)  # 0: of a data set that is only measured
        # Loader processes are forked: threads that OpenCV had by then would be missing in them,
        # and the first call that waits for one would never return.
        cv2.setNumThreads(1)
        keep_freed_memory()
        self.batch_sizes = dict(batch_sizes)
        self.layout: Any = layout
        self.resolution = (int(resolution[0]), int(resolution[1]))
        self.eval_batch_size, self.limit_eval = eval_batch_size, limit_eval
        self.num_workers, self.seed = num_workers, seed
        self.datasets: dict[str, Any] = {}
        self.schedule: TrainingSchedule | None = None
        self._resumed = Position()

    @property
    def clip_seconds_between_frames(self) -> float | None:
        """Pace of the evaluation clips; None without clips."""
        return None

    @property
    def num_test_samples(self) -> int:
        """Number of clips and persons of the test split."""
        return len(self.test_samples) if self.test_samples is not None else 0

    def describe_protocol(self) -> dict[str, Any]:
        """By which protocol the test split is measured: plain values, for ``metrics.json``."""
        raise NotImplementedError

    def batches_in_epochs(self, epochs: range) -> int:
        """Batches of some epochs of the schedule; those that a resumed run has done as they were,
        whatever sizes they had."""
        plan, position, total = self._plan(), self._resumed, 0
        for epoch in epochs:
            if epoch < self._resumed.epoch:
                total += self._resumed.batches[epoch]
            else:
                position = plan.at_epoch(position, epoch)
                total += plan.batches(position)
        return total

    def _plan(self) -> BatchPlan:
        """The batches of this run."""
        trainer: Any = self.trainer
        if self.schedule is None:
            raise HarError(
                "The data module has no training schedule: set data.schedule = module.schedule "
                "before trainer.fit."
            )
        of_run = (trainer.world_size, trainer.limit_train_batches) if trainer else ()
        return BatchPlan(self.schedule.epoch, self._orders(self.batch_sizes), *of_run)

    def _orders(self, batch_sizes: Mapping[str, int]) -> Orders:
        """The training samples by kind of batch; here every batch is of one data set."""
        return {
            kind: [SampleOrder(kind, len(data), batch_sizes[kind], self.seed)]
            for kind, data in self.datasets.items()
        }

    def _limited(self, count: int) -> NDArray[np.int_] | slice:
        """Which of ``count`` samples are evaluated."""
        if self.limit_eval is None or count <= self.limit_eval:
            return slice(None)
        return np.linspace(0, count - 1, self.limit_eval).round().astype(int)

    def train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """The loader of the current epoch of the training schedule."""
        trainer = cast(Any, self.trainer)
        plan = self._plan()
        if trainer.reload_dataloaders_every_n_epochs != 1:
            raise HarError(
                "trainer.reload_dataloaders_every_n_epochs has to be 1: the data module makes a "
                "loader for every epoch of the schedule."
            )
        position = plan.at_epoch(self._resumed, trainer.current_epoch)
        batches = plan.sampler(position, trainer.global_rank)
        ahead = {"prefetch_factor": BATCHES_AHEAD if self.num_workers else None}
        samples = MultiDataset(self.datasets)
        return make_loader(samples, self.num_workers, batch_sampler=batches, **ahead)

    def _samples_per_batch(self) -> dict[str, int]:
        """Of every kind, over all processes."""
        world_size = self.trainer.world_size if self.trainer else 1
        return {kind: size * world_size for kind, size in self.batch_sizes.items()}

    def state_dict(self) -> dict[str, Any]:
        assert self.trainer is not None
        position = self._position()
        return {
            "position": {
                "batches": list(position.batches),
                "samples": dict(position.samples),
                "epoch_start": dict(position.epoch_start),
                "complete": position.complete,
            },
            "samples_per_batch": self._samples_per_batch(),
            "samples": self._fingerprint(),
            "seed": self.seed,
            "epochs": [self._planned(epoch) for epoch in range(self.trainer.current_epoch + 1)],
        }

    def _position(self) -> Position:
        """How far the run is."""
        loop = cast(Any, self.trainer).fit_loop
        epochs = loop.epoch_progress.current
        ended = epochs.ready > 0 and epochs.processed == epochs.ready
        epoch = epochs.processed - ended  # that has batches
        if epoch < self._resumed.epoch:
            return self._resumed  # nothing was trained since
        plan = self._plan()
        position = plan.at_epoch(self._resumed, epoch)
        done = loop.epoch_loop.batch_progress.current.ready
        position = plan.after(position, max(done, position.batches[-1]))
        return position.next_epoch() if ended else position

    def _fingerprint(self) -> dict[str, list[int]]:
        """By which other training samples are known: their numbers and checksums, by kind."""
        return {
            kind: [len(data), *(data.checksums() if isinstance(data, WithChecksums) else ())]
            for kind, data in self.datasets.items()
        }

    def _planned(self, epoch: int) -> list[Any]:
        """The kinds of an epoch's batches, and how many of each."""
        assert self.schedule is not None
        kinds, steps = self.schedule.epoch(epoch)
        return [list(kinds), steps]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on after the samples of a checkpoint, whatever sizes its batches had.

        Raises:
            HarError: it has seen other samples, in another order, or other phases.
        """
        samples = self._fingerprint()
        if not _agree(state_dict.get("samples", samples), samples):
            counts = (
                ", ".join(f"{n[0]} ({kind})" for kind, n in each.items())
                for each in (state_dict["samples"], samples)
            )
            was, has = counts
            raise HarError(
                f"The checkpoint is of a run on other training samples: it had {was}, and the "
                f"data here {has}, not all of them the same; go on with the same data, or begin a "
                "new run with weights=<the checkpoint>."
            )
        if (seed := state_dict.get("seed", self.seed)) != self.seed:
            raise HarError(
                f"The run in the checkpoint drew its samples by seed={seed}, and seed={self.seed} "
                "has another order, in which some would be seen twice and others never: go on with "
                f"seed={seed}, or begin a new run with weights=<the checkpoint>."
            )
        for epoch, planned in enumerate(state_dict.get("epochs", [])):
            if self.schedule is not None and planned != self._planned(epoch):
                raise HarError(
                    f"Epoch {epoch + 1} of the run in the checkpoint had batches of "
                    f"{' and '.join(planned[0])}, {planned[1] or 'a pass'} of each, and "
                    "module.phases plans it otherwise: phases that were trained stay as they are, "
                    "later ones may change."
                )
        now = self._samples_per_batch()
        saved = state_dict.get("samples_per_batch", now)
        if saved != now:
            was, has = (", ".join(f"{n} ({kind})" for kind, n in d.items()) for d in (saved, now))
            log.info(
                "The run had batches of %s samples over all processes and goes on with %s, with "
                "exactly the samples that it has not seen in this pass.",
                was,
                has,
            )
        if "position" in state_dict:
            self._resumed = Position(**state_dict["position"])
        else:
            self._resumed = self._position_from_batches(state_dict, saved)

    def _position_from_batches(self, state_dict: dict[str, Any], sizes: dict[str, int]) -> Position:
        """The position in checkpoints that hold the number of batches alone (up to 0.2.0)."""
        assert self.schedule is not None
        plan = BatchPlan(self.schedule.epoch, self._orders(sizes))  # of all processes together
        position, done = Position(), int(state_dict["batches_done"])
        in_progress = len(state_dict.get("epochs", [])) - 1
        while done >= (count := plan.batches(position)):
            if done == count and position.epoch == in_progress:
                break
            position, done = plan.after(position, count).next_epoch(), done - count
        return plan.after(position, done)

    def val_dataloader(self) -> Any:
        # Nothing to validate on is no loader, not an empty one, which Lightning complains of.
        return self._eval_loader(self.val_samples) if self.val_samples else []

    def test_dataloader(self) -> Any:
        return self._eval_loader(self.test_samples)

    def _eval_loader(self, samples: Any) -> DataLoader[dict[str, Any]]:
        assert self.trainer is not None
        ranks = self.trainer.global_rank, self.trainer.world_size
        share = UnpaddedDistributedSampler(len(samples), *ranks)
        options = {"batch_size": self.eval_batch_size, "sampler": share}
        return make_loader(samples, self.num_workers, **options)


def _agree(saved: Mapping[str, Sequence[int]], now: Mapping[str, Sequence[int]]) -> bool:
    """Whether samples may be the same: older checkpoints hold fewer numbers of each kind."""
    pairs = [(saved[kind], now[kind]) for kind in saved if kind in now]
    known = saved.keys() == now.keys()
    return known and all(a == b for was, has in pairs for a, b in zip(was, has, strict=False))
