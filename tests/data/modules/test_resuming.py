"""Runs that go on with other batch sizes and processes: which samples they draw.

Nothing is trained here, see tests/modules/test_multitask.py for that.
"""

import itertools
from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from har.data.sampling import Key
from tests.helpers.order_of_samples import Plan, Run

SIZES = st.fixed_dictionaries({"pose": st.integers(1, 40), "action": st.integers(1, 30)})
BATCH_SIZES = st.fixed_dictionaries({"pose": st.integers(1, 9), "action": st.integers(1, 7)})
STEPS = st.one_of(st.none(), st.integers(1, 6))
PLANS = st.tuples(STEPS, STEPS, STEPS).map(
    lambda steps: Plan(
        [
            (2, ("pose",), steps[0]),
            (1, ("action",), steps[1]),
            (4, ("pose", "action"), steps[2]),
        ]
    )
)
# batch sizes, processes, and after how many batches the run is stopped
PARTS = st.lists(
    st.tuples(BATCH_SIZES, st.integers(1, 4), st.integers(0, 25)), min_size=1, max_size=4
)
WHOLE = 10_000  # batches: more than any plan here


def drawn(batches: list[list[Key]]) -> dict[str, list[Key]]:
    """The samples in the order in which they are drawn, by kind."""
    found = defaultdict(list)
    for batch in batches:
        for key in sorted(batch, key=lambda key: key[2]):  # processes draw at the same time
            found[key[0]].append(key)
    return found


def check_passes(batches: list[list[Key]], sizes: dict[str, int]) -> None:
    for kind, keys in drawn(batches).items():
        assert [key[2] for key in keys] == list(range(len(keys)))  # none left out, none twice
        for first in range(0, len(keys) - sizes[kind] + 1, sizes[kind]):
            in_pass = [key[1] for key in keys[first : first + sizes[kind]]]
            assert sorted(in_pass) == list(range(sizes[kind]))


@settings(deadline=None)  # the machine may be busy
@given(sizes=SIZES, plan=PLANS, parts=PARTS, ended=st.booleans(), limit=st.sampled_from([1.0, 3]))
def test_each_sample_of_a_pass_is_seen_once(
    sizes: dict[str, int], plan: Plan, parts: list, ended: bool, limit: float
) -> None:
    checkpoint, batches, epoch = None, [], 0
    for number, (batch_sizes, world_size, stop) in enumerate([*parts, parts[0]]):
        run = Run(sizes, plan, batch_sizes, world_size, checkpoint, limit)
        batches += run.train(WHOLE if number == len(parts) else stop)
        if run.epoch == len(plan.epochs):
            break
        length = run.processes[0].batches_in_epochs(range(epoch, epoch + 1))
        at_end = ended and run.done > 0 and run.epoch == epoch and run.done == length
        checkpoint = run.checkpoint(ended=at_end)
        epoch = checkpoint[1]["epoch"]
    check_passes(batches, sizes)
    assert run.epoch == len(plan.epochs)


@settings(deadline=None)
@given(sizes=SIZES, plan=PLANS, batch_sizes=BATCH_SIZES, stop=st.integers(0, 40), total=st.data())
def test_with_as_many_samples_in_a_batch_the_run_is_the_undisturbed_one(
    sizes: dict[str, int], plan: Plan, batch_sizes: dict[str, int], stop: int, total: Any
) -> None:
    """Also when a process becomes two or three whose batches are smaller."""
    world_size = total.draw(st.integers(1, 3))
    several = {kind: count * world_size for kind, count in batch_sizes.items()}
    undisturbed = Run(sizes, plan, several).train(WHOLE)
    run = Run(sizes, plan, batch_sizes, world_size)
    batches = run.train(stop)
    batches += Run(sizes, plan, several, 1, run.checkpoint()).train(WHOLE)
    assert [sorted(batch) for batch in batches] == [sorted(batch) for batch in undisturbed]


@settings(deadline=None)
@given(sizes=SIZES, plan=PLANS, batch_sizes=BATCH_SIZES, other=BATCH_SIZES, stop=st.integers(0, 40))
def test_checkpoints_that_hold_the_number_of_batches_alone(
    sizes: dict[str, int],
    plan: Plan,
    batch_sizes: dict[str, int],
    other: dict[str, int],
    stop: int,
) -> None:
    run = Run(sizes, plan, batch_sizes, 2)
    batches = run.train(stop)
    state, counts = run.checkpoint()
    of_epochs = state.pop("position")["batches"]
    assert sum(of_epochs) == len(batches)
    resumed = Run(sizes, plan, other, 1, ({**state, "batches_done": len(batches)}, counts))
    check_passes(batches + resumed.train(WHOLE), sizes)


@settings(deadline=None)
@given(sizes=SIZES, first=BATCH_SIZES, then=BATCH_SIZES, stop=st.integers(0, 30))
def test_an_epoch_that_is_a_pass_ends_with_the_pass(
    sizes: dict[str, int], first: dict[str, int], then: dict[str, int], stop: int
) -> None:
    """What is left of it is less than a batch of either size."""
    plan = Plan([(1, ("action",), None), (1, ("action",), None)])
    run = Run(sizes, plan, first)
    seen = len(list(itertools.chain(*run.train(stop))))
    if run.epoch > 0:
        return
    resumed = Run(sizes, plan, then, 1, run.checkpoint())
    left = resumed.processes[0].batches_in_epochs(range(1)) - run.done
    rest = seen + left * then["action"]
    if seen + first["action"] > sizes["action"] and stop:
        assert left == 0  # the epoch was over
    else:
        assert left >= 1
        assert sizes["action"] - then["action"] < rest
        assert rest <= sizes["action"] or left == 1
