"""The space that is searched: which keys of the configuration, and which values."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from har.errors import HarError

_KEYS = {"choices"}, {"low", "high"}, {"low", "high", "log"}, {"low", "high", "step"}


def read_space(space: Any) -> dict[str, BaseDistribution]:
    """Returns the distribution of every key.

    Args:
        space: by key of the configuration, ``{"choices": [...]}`` or ``{"low": , "high": }``, with
            ``"log": True`` or a ``"step"``; whole numbers where both ends are.

    Raises:
        HarError: names the key whose values are not such.
    """
    if not isinstance(space, Mapping) or not space:
        raise HarError(
            "A sweep needs a space to search in: choose hparams_search=demo, or write a file of "
            "your own (docs/sweeps.md)."
        )
    return {str(key): _distribution(str(key), values) for key, values in space.items()}


def _distribution(key: str, values: Any) -> BaseDistribution:
    if not isinstance(values, Mapping) or set(values) not in _KEYS:
        raise HarError(
            f"sweep.space: {key} is {values}; give choices: [...], or low: and high: with log: "
            "true or a step:."
        )
    try:
        if "choices" in values:
            return CategoricalDistribution(list(values["choices"]))
        low, high = values["low"], values["high"]
        log, step = bool(values.get("log", False)), values.get("step")
        if all(isinstance(each, int) for each in (low, high, 1 if step is None else step)):
            return IntDistribution(low, high, log=log, step=1 if step is None else step)
        return FloatDistribution(float(low), float(high), log=log, step=step)
    except (TypeError, ValueError) as error:
        raise HarError(f"sweep.space: {key} is {dict(values)}: {error}") from error


def as_words(values: Mapping[str, Any]) -> list[str]:
    """Returns the values of a trial as words of a command line."""
    return [f"{key}={_word(value)}" for key, value in values.items()]


def _word(value: Any) -> str:
    """A value in Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, float) else str(value)


def short_names(keys: list[str]) -> dict[str, str]:
    """Returns the shortest ends of keys that differ, for the columns of a table."""
    names = {}
    for key in keys:
        parts = key.split(".")
        ends = [".".join(parts[-count:]) for count in range(1, len(parts) + 1)]
        names[key] = next(
            (end for end in ends if sum(f".{k}".endswith(f".{end}") for k in keys) == 1), key
        )
    return names
