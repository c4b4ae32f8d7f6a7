"""``python -m har.evaluate``: metrics of trained weights by a protocol, and runs side by side."""

from omegaconf import DictConfig


def evaluate(cfg: DictConfig) -> dict[str, float]:
    """Measures weights and returns the metrics, or compares those of earlier runs, which does not
    wait for torch."""
    if cfg.compare is not None:
        from har.evaluate.compare import compare

        compare(cfg)
        return {}
    from har.runs.measuring import measure

    return measure(cfg)
