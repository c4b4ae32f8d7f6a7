"""``python -m har.evaluate``: figures of trained weights by a protocol, and runs side by side."""

from __future__ import annotations

from omegaconf import DictConfig


def evaluate(cfg: DictConfig) -> None:
    """Measures weights, or compares what earlier runs measured, which does not wait for torch."""
    if cfg.compare is not None:
        from har.evaluate.compare import compare

        compare(cfg)
    else:
        from har.runs.measuring import measure

        measure(cfg)
