"""``python -m har.convert weights=<file> out=<file.safetensors>``: weights without pickle."""

from pathlib import Path

from omegaconf import DictConfig

from har.errors import HarError


def convert(cfg: DictConfig) -> None:
    """Writes the weights as safetensors, with the network's class and arguments in the header.

    Raises:
        HarError: nothing to convert, or a file that cannot be read.
    """
    # here and not above, so that --help does not wait for torch
    from rich.console import Console

    from har.weights.file import (
        describe_weights,
        empty_network,
        find_weights,
        load_weights,
        save_weights,
    )

    if cfg.weights is None:
        raise HarError(
            "Say what to convert: weights=<file.h5 of the original, .ckpt of a run, or published "
            "name>."
        )
    path = find_weights(cfg.weights)
    out = Path(cfg.out) if cfg.out is not None else path.with_suffix(".safetensors")
    chosen = {name: cfg[name] for name in ("softargmax_alpha", "context_alpha")}
    network = empty_network(path, **{k: v for k, v in chosen.items() if v is not None})
    report = load_weights(network, path)
    save_weights(network, out, describe_weights(path))
    console = Console()
    console.print(report.table())
    print(f"{type(network).__name__} written to {out}")
