"""Threads that read ahead and write behind, with short queues between.

Decoding, network and drawing then run at the same time, and the slowest sets the pace: all three
spend their time in libraries that release the GIL.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
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
        self._work, self._line = work, queue.Queue[Any](size)
        self._error: BaseException | None = None
        self._dropped = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="background writer")

    def put(self, item: T) -> None:
        """Adds an item to the queue."""
        if self._error is not None:
            raise self._error
        self._line.put(item)

    def __enter__(self) -> BackgroundWriter[T]:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._dropped = kind is not None
        self._line.put(_END)
        self._thread.join()
        if self._error is not None and kind is None:
            raise self._error

    def _run(self) -> None:
        while (item := self._line.get()) is not _END:
            if self._error is None and not self._dropped:  # else: only empties the queue
                try:
                    self._work(item)
                except BaseException as error:
                    self._error = error
