"""``python -m har.benchmark data``: how fast samples of prepared data are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig

from har.benchmarks.timing import in_turn, print_ways
from har.launch import instantiate


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
    print_ways(f"data of {data.data_dir}, one process", in_turn(ways), count * size, "frames/s")
