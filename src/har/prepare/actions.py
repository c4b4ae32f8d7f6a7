"""``python -m har.prepare actions``: own clips, a folder per class, as an action data set."""

from pathlib import Path

from omegaconf import DictConfig

from har.runs.own_clips import next_command, prepare_clips, print_next


def prepare_actions(cfg: DictConfig) -> None:
    """Extracts frames of own clips and writes the index and ``actions.json``."""
    options, root = cfg.actions, Path(cfg.paths.data_dir)
    shares = {"test_share": options.test_share, "val_share": options.val_share}
    prepare_clips(root, options, **shares, seed=cfg.seed, workers=cfg.workers)
    print_next(next_command(root))
