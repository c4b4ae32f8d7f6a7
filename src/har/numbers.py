"""Numbers and switches that a user gives: what each may be, in tables, for configurations and the
API."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from har.errors import HarError

Entry = TypeVar("Entry")


class Limits(NamedTuple):
    """What a number may be.

    Attributes:
        low, high: the least and the greatest value; None: no end.
        whole: no fractions.
        open: the ends themselves are not allowed.
        optional: None is a value too.
        many: a list of such numbers is a value too.
    """

    low: float | None = None
    high: float | None = None
    whole: bool = True
    open: bool = False
    optional: bool = False
    many: bool = False

    def __str__(self) -> str:
        what = "a whole number" if self.whole else "a number"
        if self.low is not None and self.high is not None:
            ends = f"between {self.low} and" if self.open else f"from {self.low} to"
            return f"{what} {ends} {self.high}"
        if self.low is not None:
            return f"{what} above {self.low}" if self.open else f"{what}, {self.low} or more"
        return what


COUNT = Limits(low=1)
COUNT_OR_NONE = Limits(low=1, optional=True)
FROM_ZERO = Limits(low=0)
POSITIVE = Limits(low=0, whole=False, open=True)
SHARE = Limits(low=0, high=1, whole=False)
_RATES = Limits(low=0, high=1000, whole=False, open=True)

# Numbers by the key, as far from its end as is needed: of two that fit, the longer one counts.
TABLE: Mapping[str, Limits] = {
    # loading
    "batch_size": COUNT,
    "frame_batch_size": COUNT_OR_NONE,
    "eval_batch_size": COUNT,
    "mpii.batch_size": FROM_ZERO,
    "ntu.frame_batch_size": FROM_ZERO,
    "num_workers": Limits(low=0, high=512),
    "workers": Limits(low=0, high=512),
    "limit_eval": COUNT_OR_NONE,
    "limit": COUNT_OR_NONE,
    "clip_size": Limits(low=1, high=1000),
    "step": Limits(low=1, high=1000),
    "pace_s": POSITIVE,
    "augmentation.steps": Limits(low=1, high=1000, many=True),
    "resolution": Limits(low=16, high=4096, many=True, optional=True),
    "seed": Limits(low=0, high=2**32 - 1),
    "val_persons": FROM_ZERO,
    "enlarge": POSITIVE,
    "threshold": POSITIVE,
    "oks_sigma": Limits(low=0, whole=False, open=True, many=True, optional=True),
    # predicting
    "refine": Limits(low=0, high=100),
    "max_frames": COUNT_OR_NONE,
    "video_size": Limits(low=16, high=16384, optional=True),
    "boxes_min_score": SHARE,
    "nobody_below": SHARE,
    "doubtful_below": SHARE,
    "action_every_s": POSITIVE,
    "fps": _RATES,
    # the page
    "port": Limits(low=0, high=65535, optional=True),
    "max_file_mb": POSITIVE,
    "max_camera_s": POSITIVE,
    "max_waiting": COUNT,
    "keep_minutes": POSITIVE,
    # preparing
    "frames_per_second": _RATES,
    "longest_side_px": Limits(low=16, high=16384),
    "jpeg_quality": Limits(low=1, high=100),
    "max_seconds": POSITIVE,
    "h36m.train_every": COUNT,
    "h36m.test_every": COUNT,
    "test_share": Limits(low=0, high=1, whole=False),
    "val_share": Limits(low=0, high=1, whole=False),
    "ntu.stride": Limits(low=1, high=1000),
    "ntu.scale": Limits(low=0, high=1, whole=False),
    "synthetic.images": COUNT,
    "synthetic.replications": COUNT,
    "synthetic.cameras_per_sample": COUNT_OR_NONE,
    "synthetic.size": Limits(low=16, high=8192, many=True),
    # training
    "epochs": FROM_ZERO,
    "steps_per_epoch": COUNT_OR_NONE,
    "max_epochs": Limits(low=-1, optional=True),
    "max_steps": Limits(low=-1),
    "lr": POSITIVE,
    "max_lr": POSITIVE,
    "gradient_clip_val": Limits(low=0, whole=False, optional=True),
    "check_val_every_n_epoch": COUNT_OR_NONE,
    "save_top_k": Limits(low=-1),
    "ema.decay": SHARE,
    "early_stopping.patience": FROM_ZERO,
    "action_weight": Limits(low=0, whole=False),
    "weight_decay": Limits(low=0, whole=False),
    "momentum": SHARE,
    "label_smoothing": SHARE,
    "unknown_share": SHARE,
    "pct_start": SHARE,
    "augmentation.scales": Limits(low=0, whole=False, open=True, many=True, optional=True),
    "augmentation.gammas": Limits(low=0, whole=False, open=True, many=True, optional=True),
    "batch_norm_momentum": Limits(low=0, high=1, whole=False, optional=True),
    "log_every_n_steps": FROM_ZERO,
    "every_n_train_steps": Limits(low=0, optional=True),
    # sweeps
    "sweep.trials": COUNT,
    "sweep.seed": Limits(low=0, high=2**31),
    "sweep.startup_trials": COUNT,
    "sweep.prune_after": COUNT,
    # networks
    "model.growth": COUNT,
    "model.num_levels": COUNT,
    "model.num_pyramids": COUNT,
    "model.num_blocks": COUNT,
    "model.num_joints": COUNT_OR_NONE,
    "model.dim": Limits(low=2, high=3),
    "model.num_pose_features": COUNT,
    "model.num_visual_features": COUNT,
    "model.num_actions": Limits(low=1, many=True, optional=True),
}

# Switches by the key, as above, with what each may be but true and false. A text would count as
# true: YAML 1.2 takes no, off and n for texts.
SWITCHES: Mapping[str, tuple[str | None, ...]] = {
    # commands
    **dict.fromkeys(("trace", "fast", "half", "any_size", "check.full"), ()),
    **dict.fromkeys(("video", "skeleton_3d", "show", "smooth", "open_browser"), ()),
    **dict.fromkeys(("measure", "onnx", "compile"), ()),
    # training
    **dict.fromkeys(("finetune", "test", "report_untrained", "extras.print_config"), ()),
    **dict.fromkeys(("nesterov", "cycle_momentum"), ()),
    # data and networks
    **dict.fromkeys(("augmentation.flip", "frame_augmentation.flip", "protocol.flip"), ()),
    **dict.fromkeys(("data.negatives", "data.oks", "data.poses", "read.extended"), ()),
    **dict.fromkeys(("single_person_only", "validate_on_training"), ()),
    **dict.fromkeys(("pose_replica", "old_stem", "weighted_merge", "sees_nobody"), ()),
    # Lightning and loggers
    "trainer.compile": ("auto",),
    "trainer.deterministic": ("warn", None),
    "trainer.benchmark": (None,),
    "trainer.enable_model_summary": (None,),
    "trainer.use_distributed_sampler": (),
    "trainer.detect_anomaly": (),
    "default_hp_metric": (),
    "logger.wandb.offline": (),
    "logger.wandb.log_model": ("all",),
    "save_last": ("link", None),
    "save_on_train_epoch_end": (None,),
}


def check_switch(key: str, value: Any) -> None:
    """Checks a switch by the table; keys that are not in it are not checked.

    Args:
        key: its name, with dots.
        value: as given.

    Raises:
        HarError: it is neither true nor false.
    """
    others = _longest(SWITCHES, key)
    if others is None or isinstance(value, bool) or value in others:
        return
    if isinstance(value, str) and "${" in value:
        return  # a reference is checked where it leads
    more = "".join(", null" if each is None else f", {each}" for each in others)
    raise HarError(f"{key}={value}: give true{more} or false.")


def check_number(key: str, value: Any) -> None:
    """Checks a number by the table; keys that are not in it are not checked.

    Args:
        key: its name, with dots.
        value: as given.

    Raises:
        HarError: it is no number, or not one of those that are allowed.
    """
    limits = _longest(TABLE, key)
    if limits is None or (value is None and limits.optional):
        return
    if (limits.many and value == []) or (isinstance(value, str) and "${" in value):
        return  # a reference is checked where it leads
    values = list(value) if limits.many and isinstance(value, (list, tuple)) else [value]
    if not all(_fits(each, limits) for each in values):
        more = ", or null" if limits.optional else ""
        what = f"has to be {limits}{more}"
        raise HarError(f"{key}={value} {what}{' (each of them)' if len(values) > 1 else ''}.")


def check_numbers(config: Mapping[Any, Any]) -> None:
    """Checks all numbers and switches of a configuration of plain values.

    Raises:
        HarError: one of them is not allowed.
    """
    for key, value in _items(config):
        check_number(key, value)
        check_switch(key, value)


def _items(config: Mapping[Any, Any], inside: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no mapping, with its key."""
    for name, value in config.items():
        key = f"{inside}{name}"
        if not isinstance(value, Mapping):
            yield key, value
        else:
            yield from _items(value, f"{key}.")


def _longest(table: Mapping[str, Entry], key: str) -> Entry | None:
    """The entry of the longest end of a key that is in a table."""
    parts = key.split(".")
    ends = (".".join(parts[first:]) for first in range(len(parts)))
    return next((table[end] for end in ends if end in table), None)


def _fits(value: Any, limits: Limits) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return hasattr(value, "item") and _fits(value.item(), limits)  # a number of NumPy
    # 2.0 and 1e9 would be refused later, where something is counted
    if not math.isfinite(value) or (limits.whole and not isinstance(value, int)):
        return False
    low = -math.inf if limits.low is None else limits.low
    high = math.inf if limits.high is None else limits.high
    return low < value < high if limits.open else low <= value <= high
