"""``python -m har.benchmark evaluation``: dense clips, with and without sharing their frames."""

from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor

from har.benchmark.timing import print_variants, time_interleaved
from har.data.protocols import ClipProtocol, ProtocolDataset, collate_sequences
from har.runs.clip_evaluator import ClipEvaluation
from har.runs.config import instantiate
from har.transforms import normalize_images

_CLIPS_AT_A_TIME = 8


def benchmark_evaluation(cfg: DictConfig) -> None:
    """Clips of neighboring frames, half overlapping: the same answers in less time.

    One test sequence is evaluated in float32: every clip by itself, and every frame once.
    """
    data = instantiate(cfg.data, resolution=list(cfg.resolution), clip_size=cfg.clip_size)
    data.setup("test")
    network = instantiate(cfg.model).eval()
    samples = ProtocolDataset(data.test_clips, ClipProtocol("multi", (1,), False, "sequence"))
    options = {"camera": data.camera, "depth_range_mm": data.depth_range_mm}
    options["crops_per_batch"] = _CLIPS_AT_A_TIME * cfg.clip_size
    evaluator = ClipEvaluation(network, samples, data.labels, data.layout, **options)
    batch = collate_sequences([samples[int(samples.num_crops().argmax())]])
    answers: dict[str, Tensor] = {}

    def alone() -> None:
        logits = []
        for lot in batch["clips"].split(_CLIPS_AT_A_TIME):
            crops = batch["crops"][lot]  # (N, T, H, W, 3)
            images = normalize_images(crops)
            logits.append(network(images).action_logits[-1])
        answers["alone"] = torch.cat(logits).double().log_softmax(-1).sum(0)

    def shared() -> None:
        answers["shared"] = evaluator.evaluate(batch)[1][-1][0]

    with torch.inference_mode():
        variants: dict[str, Any] = {"every clip by itself": alone, "every frame once": shared}
        seconds = time_interleaved(variants)
    clips, frames = len(batch["clips"]), len(batch["crops"])
    print_variants(f"{clips} clips of {frames} frames, float32", seconds, frames, "frames/s")
    difference = (answers["alone"] - answers["shared"]).abs().max() / clips
    Console().print(f"Logarithms of a clip's probabilities differ by {difference:.0e} at most.")
