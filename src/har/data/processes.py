"""Work on many samples in several processes, which one bad sample cannot bring down."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import cv2

Task = TypeVar("Task")
Result = TypeVar("Result")

_QUEUED = 4  # tasks per process that are handed out ahead


def run_in_processes(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    crashed: Callable[[Task], Result],
    workers: int,
) -> Generator[Result, None, None]:
    """Results of all tasks, as they finish.

    A file can be damaged in a way that kills the decoder's process. Then the tasks that were under
    way are tried again one at a time, and the one that dies alone is answered by ``crashed``.

    Args:
        work: what a process does with a task; a function of a module.
        tasks: its arguments.
        crashed: the result of a task that kills its process.
        workers: processes; 0: all in this one.
    """
    if workers == 0:
        yield from map(work, tasks)
        return
    queue, suspects = deque(tasks), deque[Task]()
    while queue or suspects:
        alone = bool(suspects)
        source, ahead = (suspects, 1) if alone else (queue, _QUEUED * workers)
        running: dict[Future[Result], Task] = {}
        pool = ProcessPoolExecutor(
            1 if alone else min(workers, len(queue)),
            # A fresh interpreter: forked copies of a process with threads may hang.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_process,
        )
        try:
            while source or running:
                while source and len(running) < ahead:
                    running[pool.submit(work, source[0])] = source[0]
                    source.popleft()
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    del running[future]
                    yield result
        except BrokenProcessPool:
            if alone:
                yield from map(crashed, running.values())
            else:
                suspects.extend(running.values())
        finally:
            pool.shutdown(cancel_futures=True)


def _start_process() -> None:
    cv2.setNumThreads(1)
    # What it has to say of files that are no videos is in the report.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the parent, which ends the pool
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed (kill -9) would leave its processes running."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
