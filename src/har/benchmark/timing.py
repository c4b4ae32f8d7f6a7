"""Several ways timed in turn, and their table."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

ROUNDS = 5


def time_interleaved(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of every way, after one round of warming up."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_number in range(ROUNDS + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if round_number:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(values) for name, values in seconds.items()}


def print_ways(title: str, seconds: dict[str, float], items: int, unit: str) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("way", "ms per frame", unit, "of the first"):
        table.add_column(column, justify="left" if column == "way" else "right")
    first = next(iter(seconds.values()))
    for name, value in seconds.items():
        ratio = f"{first / value:.2f} x"
        table.add_row(name, f"{1000 * value / items:.2f}", f"{items / value:.1f}", ratio)
    Console().print(table)
