"""Which samples make which batch: a function of the seed and the batch's number alone.

A run that was killed goes on with exactly the batches it would have seen, with any number of
workers, because nothing here has a state: position p of the endless sequence of samples lies in
permutation p // n, drawn from (seed, kind, p // n), and p itself seeds what augmentation draws.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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

    def batch(self, number: int, rank: int = 0, world_size: int = 1) -> list[Key]:
        """Batch ``number`` for one process; the processes' shares are disjoint."""
        first = (number * world_size + rank) * self.batch_size
        keys = []
        for position in range(first, first + self.batch_size):
            pass_index, offset = divmod(position, self.size)
            order = _permutation(self.seed, self.kind, pass_index, self.size)
            keys.append((self.kind, int(order[offset]), position))
        return keys

    def batches_in_pass(self, world_size: int = 1) -> int:
        """Batches until the samples begin anew, at least 1."""
        return max(1, self.size // (self.batch_size * world_size))


@dataclass
class MixedOrder:
    """Batches with samples of several data sets, always in the same numbers.

    Args:
        parts: the data sets' own orders; a pass is as long as that of the first one.
    """

    parts: Sequence[SampleOrder]

    def batch(self, number: int, rank: int = 0, world_size: int = 1) -> list[Key]:
        """See :class:`SampleOrder`."""
        return [key for part in self.parts for key in part.batch(number, rank, world_size)]

    def batches_in_pass(self, world_size: int = 1) -> int:
        """See :class:`SampleOrder`."""
        return self.parts[0].batches_in_pass(world_size)


Order = SampleOrder | MixedOrder


class EpochBatches(Sampler[list[Key]]):
    """The batches of one epoch, kinds in turn: pose, action, action, pose, pose, action, ...

    One update per batch, as the papers train: in every round each kind has one. Loader processes
    take batches in turn too, and with an even number of them each would meet one kind only if all
    rounds began with the same one: half of them idle while the others make what takes longer. So
    every second round, more or less, goes backwards; which ones is spread by the golden ratio,
    evenly for any number of processes.

    Args:
        orders: the batches of every kind.
        kinds: the kinds of this epoch, in turn.
        first: number of the first batch of every kind (what earlier epochs used).
        steps: batches of every kind in this epoch.
        done: batches of this epoch that a resumed run has done.
        rank, world_size: this process, and how many there are.
    """

    def __init__(
        self,
        orders: Mapping[str, Order],
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
            pass_index, offset = divmod(batch, len(self.kinds))
            backwards = pass_index * _GOLDEN >> 31 & 1
            kind = self.kinds[-1 - offset if backwards else offset]
            number = self.first[kind] + pass_index
            yield self.orders[kind].batch(number, self.rank, self.world_size)


class UnpaddedDistributedSampler(Sampler[int]):
    """Every ``world_size``-th sample: shared out without padding, so none is counted twice."""

    def __init__(self, size: int, rank: int = 0, world_size: int = 1) -> None:
        self.indices = range(rank, size, world_size)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)
