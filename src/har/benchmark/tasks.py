"""Benchmarks: variants of the same work, timed interleaved within one run.

Timings of a shared machine swing by half; ratios between rows of one table are what counts. So
every variant is timed in several rounds, interleaved, and the median is shown.
"""

import pkgutil

from omegaconf import DictConfig

from har.errors import HarError

TASKS = {
    "model": "har.benchmark.model:benchmark_model",
    "train": "har.benchmark.train:benchmark_train",
    "predict": "har.benchmark.predict:benchmark_predict",
    "data": "har.benchmark.data:benchmark_data",
    "memory": "har.benchmark.memory:benchmark_memory",
    "evaluation": "har.benchmark.evaluation:benchmark_evaluation",
}


def benchmark(cfg: DictConfig) -> None:
    """Runs the task that the command line names, all where it names none."""
    if cfg.task is not None and cfg.task not in TASKS:
        raise HarError(f"There is no benchmark {cfg.task}; choose {' or '.join(TASKS)}.")
    for task in TASKS if cfg.task is None else (cfg.task,):
        pkgutil.resolve_name(TASKS[task])(cfg)
