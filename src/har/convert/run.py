"""``python -m har.convert weights=<file> out=<file.safetensors>``: weights without pickle."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from har.errors import HarError
from har.files import refuse_overwriting

ENDING = ".safetensors"
# of the network's record: what a conversion may state, since no weight shows it
_STATED = (
    *("name", "data", "license", "published", "paper"),
    *("resolution", "nobody_below", "doubtful_below"),
)


def convert(cfg: DictConfig) -> None:
    """Writes the weights as safetensors, with the network's record in the header.

    Raises:
        HarError: nothing to convert, a file that cannot be read, or one that would be replaced by
            itself.
    """
    # here and not above, so that --help does not wait for torch
    from rich.console import Console

    from har.runtime.loading import log_assumed
    from har.weights import open_weights, save_weights

    if cfg.weights is None:
        raise HarError(
            "Give what to convert: weights=<file.h5 of the original, .ckpt of a run, or published "
            "name>."
        )
    opened = open_weights(cfg.weights)
    out = Path(cfg.out) if cfg.out is not None else opened.path.with_suffix(ENDING)
    if out.suffix != ENDING:
        raise HarError(f"out={out}: weights are written as {ENDING}, which every command reads.")
    refuse_overwriting(out, opened.path)
    chosen = {name: cfg[name] for name in ("softargmax_alpha", "context_alpha")}
    network = opened.build(**{k: v for k, v in chosen.items() if v is not None})
    report = opened.load_into(network)
    spec = _restated(opened.spec(network), cfg.spec)
    save_weights(network, out, spec, half=cfg.half)
    log_assumed(spec)
    Console().print(report.table())
    print(f"{type(network).__name__} written to {out}")


def _restated(spec: Any, given: DictConfig | None) -> Any:
    """A record with other texts and limits."""
    values = {str(key): value for key, value in (given or {}).items()}
    if unknown := sorted(values.keys() - set(_STATED)):
        raise HarError(f"spec={unknown[0]}: choose of {', '.join(_STATED)}.")
    return type(spec).from_dict({**spec.to_dict(), **values})
