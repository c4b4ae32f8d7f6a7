"""Threads that read ahead and write behind, with short queues between.

Decoding, network and drawing then run at the same time, and the slowest sets the pace: all three
spend their time in libraries that release the GIL.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_END = object()
_POLL_S = 0.1  # how often a waiting thread checks whether it was stopped


def prefetch(items: Iterable[T], size: int, *, newest: bool = False) -> Iterator[T]:
    """Yields ``items``, which a thread of its own iterates over, at most ``size`` items ahead.

    Args:
        items: an exception of theirs is raised here.
        size: length of the queue.
        newest: a full queue drops its oldest items instead of waiting, as a camera does not wait.
    """
    line: queue.Queue[Any] = queue.Queue(size)
    stopped = threading.Event()

    def put(item: Any, *, pushing: bool = False) -> None:
        while not stopped.is_set():
            try:
                line.put(item, timeout=0 if pushing else _POLL_S)
                return
            except queue.Full:
                if pushing:
                    with suppress(queue.Empty):
                        line.get_nowait()

    def work() -> None:
        try:
            for item in items:
                put((item, None), pushing=newest)
                if stopped.is_set():
                    return
            put((_END, None))
        except BaseException as error:
            put((_END, error))

    thread = threading.Thread(target=work, daemon=True, name="prefetch")
    thread.start()
    try:
        while True:
            item, error = line.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stopped.set()
        thread.join()


class BackgroundWriter(Generic[T]):
    """A thread that calls a function with every item put in, in order.

    Leaving the context waits until all items are done; after an exception in the block the rest is
    dropped.

    Args:
        work: the function; its exception is raised by the next :meth:`put`, or on leaving.
        size: length of the queue; :meth:`put` waits while it is full.
    """

    def __init__(self, work: Callable[[T], object], size: int) -> None:
        self._work, self._size = work, size
        self._thread = ThreadPoolExecutor(1, "background writer")
        self._line: deque[Future[object]] = deque()

    def put(self, item: T) -> None:
        """Adds an item to the queue."""
        while self._line and (len(self._line) > self._size or self._line[0].done()):
            self._line.popleft().result()
        self._line.append(self._thread.submit(self._work, item))

    def __enter__(self) -> BackgroundWriter[T]:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown(cancel_futures=kind is not None)
        if kind is None:
            for done in self._line:
                done.result()
