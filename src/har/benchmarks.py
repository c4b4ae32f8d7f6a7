"""Benchmarks: ways of doing the same work, measured in turn within one run.

Timings of a shared machine swing by half; ratios between rows of one table are what counts. So
every way is timed in several rounds, the ways in turn, and the median is shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from statistics import median
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from har import HarError
from har.launch import instantiate

ROUNDS = 5


def in_turn(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of every way, after one round of warming up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_number in range(ROUNDS + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if round_number:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(values) for name, values in seconds.items()}


def benchmark(cfg: DictConfig) -> None:
    """Runs the task that the command line names, both where it names none."""
    tasks = {"model": benchmark_model, "data": benchmark_data}
    if cfg.task is not None and cfg.task not in tasks:
        raise HarError(f"There is no benchmark {cfg.task}; choose {' or '.join(tasks)}.")
    for task in tasks if cfg.task is None else (cfg.task,):
        tasks[task](cfg)


def benchmark_model(cfg: DictConfig) -> None:
    """One clip through the network: memory layouts and precisions."""
    width, height = cfg.resolution
    network = instantiate(cfg.model).eval()
    clip = torch.rand(1, cfg.clip_size, 3, height, width) * 2 - 1
    last = clip.movedim(2, -1).contiguous().movedim(-1, 2)

    def way(images: torch.Tensor, layout: torch.memory_format, low: bool) -> Callable[[], Any]:
        def run() -> None:
            network.to(memory_format=layout)
            precision = torch.autocast("cpu", torch.bfloat16) if low else nullcontext()
            with torch.inference_mode(), precision:
                network(images)

        return run

    plain, channels_last = torch.contiguous_format, torch.channels_last
    ways = {
        "plain layout, float32": way(clip, plain, False),
        "channels last, float32": way(last, channels_last, False),
        "channels last, bfloat16": way(last, channels_last, True),
    }
    parameters = sum(p.numel() for p in network.parameters()) / 1e6
    title = f"{type(network).__name__}, {parameters:.1f} M parameters, one clip of {cfg.clip_size}"
    _print(title, in_turn(ways), cfg.clip_size, "frames/s")


def benchmark_data(cfg: DictConfig) -> None:
    """Training clips and frames of prepared data, against decoding their JPEG files alone."""
    data = instantiate(cfg.data)
    data.setup("fit")
    clips, frames = data.datasets["action"], data.datasets["pose"]
    count = min(32, len(clips))
    size = clips.clip_size

    def decode() -> None:
        for number in range(count):
            sample = int(clips.selection[number])
            length = int(clips.index.num_frames[sample])
            clips.store.read(clips.index.names[sample].decode(), range(min(size, length)))

    def read(dataset: Any, kind: str, repeats: int) -> None:
        for number in range(count * repeats):
            dataset[(kind, number % len(dataset), number)]

    ways: dict[str, Callable[[], Any]] = {
        "JPEG decoding alone": decode,
        "action clips": lambda: read(clips, "action", 1),
        "pose frames": lambda: read(frames, "pose", size),
    }
    _print(f"data of {data.data_dir}, one process", in_turn(ways), count * size, "frames/s")


def _print(title: str, seconds: dict[str, float], items: int, unit: str) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("way", "ms per frame", unit, "of the first"):
        table.add_column(column, justify="left" if column == "way" else "right")
    first = next(iter(seconds.values()))
    for name, value in seconds.items():
        ratio = f"{first / value:.2f} x"
        table.add_row(name, f"{1000 * value / items:.2f}", f"{items / value:.1f}", ratio)
    Console().print(table)
