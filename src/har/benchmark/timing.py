"""Variants timed in turn, and their table."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

from rich.console import Console

from har.visual.terminal import make_table

ROUNDS = 5


def time_interleaved(variants: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of every variant, after one round of warming up."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for round_number in range(ROUNDS + 1):
        for name, run in variants.items():
            began = time.perf_counter()
            run()
            if round_number:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(values) for name, values in seconds.items()}


def print_variants(title: str, seconds: dict[str, float], items: int, unit: str) -> None:
    table = make_table(title, ["variant"], ["ms per frame", unit, "of the first"])
    first = next(iter(seconds.values()))
    for name, value in seconds.items():
        ratio = f"{first / value:.2f} x"
        table.add_row(name, f"{1000 * value / items:.2f}", f"{items / value:.1f}", ratio)
    Console().print(table)
