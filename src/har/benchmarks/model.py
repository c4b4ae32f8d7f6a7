"""``python -m har.benchmark model``: how fast a network is here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from omegaconf import DictConfig

from har.benchmarks.timing import in_turn, print_ways
from har.launch import instantiate


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
    print_ways(title, in_turn(ways), cfg.clip_size, "frames/s")
