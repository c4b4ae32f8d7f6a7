"""Which samples make which batch: a function of the seed and of the samples before it alone.

A run that was killed goes on with exactly the samples it would have seen, with any number of
workers, because nothing here has a state: position p of the endless sequence of samples lies in
permutation p // n, drawn from (seed, kind, p // n), and p itself seeds what augmentation draws.
How far a run is, is a number of samples, so it may go on with batches of another size.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from zlib import crc32

import numpy as np
from torch.utils.data import Sampler

Key = tuple[str, int, int]  # kind of sample, its number in the data set, the draw

_GOLDEN = 2654435769  # 2**32 divided by the golden ratio


def seeded_rng(seed: int, kind: str, number: int) -> np.random.Generator:
    """A generator that depends on nothing but its arguments."""
    return np.random.default_rng([seed, crc32(kind.encode()), number])


@lru_cache(maxsize=8)  # that of the current pass of every kind
def _permutation(seed: int, kind: str, number: int, size: int) -> np.ndarray:
    """The order of the samples of a kind in a pass."""
    return seeded_rng(seed, kind + "/order", number).permutation(size)


@dataclass
class SampleOrder:
    """The endless, shuffled sequence of the samples of one kind.

    Args:
        kind: name of the samples (``"pose"``, ``"action"``).
        size: number of samples.
        batch_size: samples per batch and process.
        seed: the run's seed.
    """

    kind: str
    size: int
    batch_size: int
    seed: int

    def batch(self, number: int, rank: int = 0, world_size: int = 1, first: int = 0) -> list[Key]:
        """Batch ``number`` for one process; the processes' shares are disjoint.

        Args:
            number: counted from 0.
            rank, world_size: the process, and how many there are.
            first: position at which batch 0 begins.
        """
        begin = first + (number * world_size + rank) * self.batch_size
        keys = []
        for position in range(begin, begin + self.batch_size):
            pass_index, offset = divmod(position, self.size)
            order = _permutation(self.seed, self.kind, pass_index, self.size)
            keys.append((self.kind, int(order[offset]), position))
        return keys


# By kind of batch: the data sets of which every batch holds samples, always in the same numbers.
Orders = Mapping[str, Sequence[SampleOrder]]


def kind_of_batch(kinds: Sequence[str], batch: int) -> str:
    """What a batch of an epoch holds: kinds take turns, in about every second round backwards.

    Which rounds go backwards is spread by the golden ratio, evenly for any number of workers.
    """
    round_index, offset = divmod(batch, len(kinds))
    backwards = round_index * _GOLDEN >> 31 & 1
    return kinds[-1 - offset if backwards else offset]


def batches_of_kinds(kinds: Sequence[str], batches: int) -> dict[str, int]:
    """How many of the first ``batches`` of an epoch are of each kind."""
    rounds, more = divmod(batches, len(kinds))
    counts = dict.fromkeys(kinds, rounds)
    for batch in range(batches - more, batches):
        counts[kind_of_batch(kinds, batch)] += 1
    return counts


@dataclass(frozen=True)
class Position:
    """How far a run is.

    Attributes:
        batches: number of batches in every epoch so far; the last epoch is in progress.
        samples: how many were drawn by all processes, by data set: the positions in their endless
            sequences. 0 where a data set is missing.
        epoch_start: ``samples`` where the epoch in progress began.
        complete: the epoch in progress has no batch left.
    """

    batches: Sequence[int] = (0,)
    samples: Mapping[str, int] = field(default_factory=dict)
    epoch_start: Mapping[str, int] = field(default_factory=dict)
    complete: bool = False

    @property
    def epoch(self) -> int:
        """Number of the epoch in progress, from 0."""
        return len(self.batches) - 1

    def next_epoch(self) -> "Position":
        """The same samples, where the next epoch begins."""
        return Position((*self.batches, 0), self.samples, self.samples)


class BatchPlan:
    """The batches of a run: what every epoch holds, and where a run is after some of them.

    Args:
        epoch: returns the kinds of an epoch's batches, in turn, and the batches of each; None: one
            pass over the clips, or over the samples where only frames are read.
        orders: the samples, by kind of batch; a pass is one over the first data set of the kind.
        world_size: number of processes.
        limit: at most so many batches in an epoch, or a share of them, as Lightning's
            ``limit_train_batches``.
    """

    def __init__(
        self,
        epoch: Callable[[int], tuple[Sequence[str], int | None]],
        orders: Orders,
        world_size: int = 1,
        limit: float = 1.0,
    ) -> None:
        self.epoch, self.orders, self.world_size, self.limit = epoch, orders, world_size, limit

    def steps(self, position: Position) -> int:
        """Batches of every kind in the epoch in progress, those that are done included.

        Where an epoch is a pass, what it has left is made of batches of the present size, at least
        one.
        """
        kinds, steps = self.epoch(position.epoch)
        done = position.batches[-1]
        if position.complete:
            return -(-done // len(kinds))
        if steps is not None:
            return steps
        kind = "action" if "action" in kinds else kinds[0]
        order = self.orders[kind][0]
        of_pass = position.samples.get(order.kind, 0) - position.epoch_start.get(order.kind, 0)
        left = max(0, order.size - of_pass) // (order.batch_size * self.world_size)
        return max(batches_of_kinds(kinds, done)[kind] + left, done // len(kinds) + 1)

    def batches(self, position: Position) -> int:
        """Batches of the epoch in progress that a run trains with, those done included."""
        count = self.steps(position) * len(self.epoch(position.epoch)[0])
        if isinstance(self.limit, int):
            return min(count, self.limit)
        return int(count * self.limit)

    def after(self, position: Position, batches: int) -> Position:
        """Where a run is when its epoch in progress has ``batches`` done."""
        kinds, _ = self.epoch(position.epoch)
        before, now = (
            batches_of_kinds(kinds, position.batches[-1]),
            batches_of_kinds(kinds, batches),
        )
        samples = dict(position.samples)
        for kind in kinds:
            for order in self.orders[kind]:
                more = (now[kind] - before[kind]) * order.batch_size * self.world_size
                samples[order.kind] = samples.get(order.kind, 0) + more
        complete = batches >= self.batches(position)
        return Position((*position.batches[:-1], batches), samples, position.epoch_start, complete)

    def at_epoch(self, position: Position, epoch: int) -> Position:
        """Where a run is that goes on from ``position`` until an epoch begins."""
        while position.epoch < epoch:
            position = self.after(position, self.batches(position)).next_epoch()
        return position

    def sampler(self, position: Position, rank: int = 0) -> "EpochBatches":
        """The batches of one process that the epoch in progress has left."""
        kinds, _ = self.epoch(position.epoch)
        done, first = batches_of_kinds(kinds, position.batches[-1]), {}
        for kind in kinds:
            for order in self.orders[kind]:
                # where the epoch's first batch would have begun, had all been of the present size
                already = done[kind] * order.batch_size * self.world_size
                first[order.kind] = position.samples.get(order.kind, 0) - already
        steps = self.steps(position)
        return EpochBatches(
            self.orders, kinds, first, steps, position.batches[-1], rank, self.world_size
        )


class EpochBatches(Sampler[list[Key]]):
    """The batches of one epoch, kinds in turn: pose, action, action, pose, pose, action, ...

    One update per batch, as the papers train: in every round each kind has one. Loader processes
    take batches in turn too, and with an even number of them each would meet one kind only if all
    rounds began with the same one: half of them idle while the others make what takes longer. So
    every second round, more or less, goes backwards, see :func:`kind_of_batch`.

    Args:
        orders: the samples, by kind of batch.
        kinds: the kinds of this epoch, in turn.
        first: position at which the first batch begins, by data set (what was drawn earlier).
        steps: batches of every kind in this epoch.
        done: batches of this epoch that a resumed run has done.
        rank, world_size: this process, and how many there are.
    """

    def __init__(
        self,
        orders: Orders,
        kinds: Sequence[str],
        first: Mapping[str, int],
        steps: int,
        done: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.orders, self.kinds, self.first = orders, tuple(kinds), first
        self.steps, self.done = steps, done
        self.rank, self.world_size = rank, world_size

    def __len__(self) -> int:
        """Batches of the whole epoch, those already done included (Lightning counts them)."""
        return self.steps * len(self.kinds)

    def __iter__(self) -> Iterator[list[Key]]:
        for batch in range(self.done, len(self)):
            number = batch // len(self.kinds)
            yield [
                key
                for order in self.orders[kind_of_batch(self.kinds, batch)]
                for key in order.batch(number, self.rank, self.world_size, self.first[order.kind])
            ]


class UnpaddedDistributedSampler(Sampler[int]):
    """Every ``world_size``-th sample: shared out without padding, so none is counted twice."""

    def __init__(self, size: int, rank: int = 0, world_size: int = 1) -> None:
        self.indices = range(rank, size, world_size)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)
