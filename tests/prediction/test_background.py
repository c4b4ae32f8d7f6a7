"""Work that overlaps: order, ends, errors, and that nobody waits for ever."""

import threading
import time
from collections.abc import Iterator

import pytest

from har.prediction.background import BackgroundWriter, prefetch


def test_items_come_in_order_and_end() -> None:
    assert list(prefetch(range(50), 3)) == list(range(50))
    assert list(prefetch([], 1)) == []


def test_only_so_many_items_are_made_ahead() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    stream = prefetch(items(), 2)
    next(stream)
    time.sleep(0.3)
    assert len(made) <= 4  # the one fetched, two in the queue, one waiting to go in
    stream.close()


def test_an_error_comes_where_it_is_waited_for() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    stream = prefetch(items(), 2)
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_a_closed_stream_ends_its_thread() -> None:
    before = threading.active_count()
    stream = prefetch(iter(int, 1), 2)  # endless
    next(stream)
    stream.close()
    assert threading.active_count() == before


def test_a_live_stream_drops_what_nobody_fetched() -> None:
    def items() -> Iterator[int]:
        for number in range(40):
            time.sleep(0.01)
            yield number

    seen = []
    for number in prefetch(items(), 1, newest=True):
        time.sleep(0.05)
        seen.append(number)
    assert seen == sorted(seen)
    assert len(seen) < 20
    assert seen[-1] == 39


def test_reading_and_drawing_overlap() -> None:
    def items() -> Iterator[int]:
        for number in range(10):
            time.sleep(0.03)
            yield number

    done: list[int] = []

    def work(item: int) -> None:
        time.sleep(0.03)
        done.append(item)

    began = time.perf_counter()
    with BackgroundWriter(work, 2) as behind:
        for item in prefetch(items(), 2):
            time.sleep(0.03)
            behind.put(item)
    assert done == list(range(10))
    assert time.perf_counter() - began < 0.75  # one after the other: 0.9 s


def test_an_error_behind_stops_the_work() -> None:
    def work(item: int) -> None:
        raise ValueError(f"item {item}")

    def put(*items: int) -> None:
        with BackgroundWriter(work, 1) as behind:
            for number in items:
                behind.put(number)
                time.sleep(0.01)

    with pytest.raises(ValueError, match="item 0"):
        put(*range(1000))
    with pytest.raises(ValueError, match="item 5"):
        put(5)  # the error is found on leaving


def test_after_an_error_in_the_block_what_is_left_is_dropped() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        time.sleep(0.05)
        done.append(item)

    def put() -> None:
        with BackgroundWriter(work, 50) as behind:
            for number in range(40):
                behind.put(number)
            raise KeyError

    with pytest.raises(KeyError):
        put()
    assert len(done) < 5
