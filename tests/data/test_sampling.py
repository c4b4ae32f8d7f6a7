"""Batches as a function of the seed and their number."""

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset, default_collate

from har.data.modules.base import start_worker
from har.data.sampling import (
    BatchPlan,
    EpochBatches,
    Position,
    SampleOrder,
    UnpaddedDistributedSampler,
)

small = st.integers(1, 12)


@given(size=st.integers(1, 40), batch_size=small, world=st.integers(1, 4), seed=st.integers(0, 9))
def test_every_sample_once_per_turn(size: int, batch_size: int, world: int, seed: int) -> None:
    order = SampleOrder("action", size, batch_size, seed)
    needed = -(-2 * size // (batch_size * world))
    keys = [
        key
        for number in range(needed)
        for rank in range(world)
        for key in order.batch(number, rank, world)
    ]
    by_position = sorted(keys, key=lambda key: key[2])
    assert [key[2] for key in by_position] == list(range(len(keys)))  # no draw twice
    for turn in (0, 1):
        seen = [key[1] for key in by_position[turn * size : (turn + 1) * size]]
        assert sorted(seen) == list(range(size))


@given(size=st.integers(1, 40), batch_size=small, number=st.integers(0, 30))
def test_a_batch_does_not_depend_on_what_was_asked_before(
    size: int, batch_size: int, number: int
) -> None:
    used = SampleOrder("pose", size, batch_size, 5)
    for earlier in range(number):
        used.batch(earlier)
    assert used.batch(number) == SampleOrder("pose", size, batch_size, 5).batch(number)


@given(steps=st.integers(1, 8), done=st.integers(0, 20))
def test_a_resumed_epoch_is_the_rest_of_it(steps: int, done: int) -> None:
    def batches(done: int) -> list:
        orders = {
            "pose": [SampleOrder("pose", 7, 3, 0)],
            "action": [SampleOrder("action", 7, 2, 0)],
        }
        first = {"pose": 33, "action": 8}
        sampler = EpochBatches(orders, ("pose", "action"), first, steps, done=done)
        assert len(sampler) == 2 * steps  # Lightning counts the batches done as well
        return list(sampler)

    assert batches(done) == batches(0)[done:]


class Tensors(Dataset[dict[str, torch.Tensor]]):
    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        return {
            "images": torch.full((300, 300), number, dtype=torch.uint8),
            "visible": torch.tensor([True, False]),
            "depth": torch.tensor(float(number), dtype=torch.float64),
            "nothing": torch.empty(0, 3),
            "unknown to NumPy": torch.tensor([0.5], dtype=torch.bfloat16),
        }

    def __len__(self) -> int:
        return 4


def test_only_large_tensors_are_shared() -> None:
    loader = DataLoader(Tensors(), batch_size=2, num_workers=1, worker_init_fn=start_worker)
    for number, batch in enumerate(loader):
        expected = default_collate([Tensors()[2 * number], Tensors()[2 * number + 1]])
        assert batch.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(batch[name], value, rtol=0, atol=0)
            assert batch[name].is_shared() == (name in ("images", "unknown to NumPy"))


def test_kinds_take_turns() -> None:
    orders = {"pose": SampleOrder("pose", 5, 2, 0), "action": SampleOrder("action", 5, 1, 0)}
    in_batches = {kind: [order] for kind, order in orders.items()}
    sampler = EpochBatches(in_batches, ("pose", "action"), {"pose": 14, "action": 0}, 4)
    batches = list(sampler)
    assert len(batches) == len(sampler)
    for turn in range(4):
        of_kind = {batch[0][0]: batch for batch in batches[2 * turn : 2 * turn + 2]}
        assert of_kind["pose"] == orders["pose"].batch(7 + turn)
        assert of_kind["action"] == orders["action"].batch(turn)


@given(workers=st.integers(1, 16))
def test_loader_processes_meet_all_kinds(workers: int) -> None:
    """They take batches in turn; one that met clips only would wait for those that do not."""
    orders = {kind: [SampleOrder(kind, 5, 1, 0)] for kind in ("pose", "action")}
    sampler = EpochBatches(orders, ("pose", "action"), {"pose": 0, "action": 0}, 32 * workers)
    kinds = [batch[0][0] for batch in sampler]
    for worker in range(workers):
        poses = kinds[worker::workers].count("pose")
        assert 0.35 < poses / 64 < 0.65


@given(rounds=st.integers(1, 20), world=st.integers(1, 3), seed=st.integers(0, 9))
def test_a_mixed_batch_has_the_batches_of_its_parts(rounds: int, world: int, seed: int) -> None:
    parts = [SampleOrder("mpii", 11, 3, seed), SampleOrder("ntu", 7, 2, seed)]
    plan = BatchPlan(lambda epoch: (("pose",), None), {"pose": parts})
    assert plan.steps(Position()) == 3  # a pass over the first part
    plan = BatchPlan(lambda epoch: (("pose",), rounds), {"pose": parts}, world)
    for rank in range(world):
        for number, keys in enumerate(plan.sampler(Position(), rank)):
            assert [key[0] for key in keys] == ["mpii"] * 3 + ["ntu"] * 2
            for part in parts:
                own = [key for key in keys if key[0] == part.kind]
                assert own == part.batch(number, rank, world)


@given(size=st.integers(0, 50), world=st.integers(1, 5))
def test_shares_are_disjoint_and_complete(size: int, world: int) -> None:
    shares = [list(UnpaddedDistributedSampler(size, rank, world)) for rank in range(world)]
    assert sorted(itertools.chain(*shares)) == list(range(size))
