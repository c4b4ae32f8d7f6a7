"""``python -m har.export weights=<name or file> format=onnx|torch_export out=<file>``."""

from pathlib import Path

from omegaconf import DictConfig

from har.errors import HarError
from har.files import refuse_overwriting


def export(cfg: DictConfig) -> None:
    """Writes a network for other programs, checked against the network, and prints what it is.

    Raises:
        HarError: nothing to export, weights that cannot be read, or packages that are missing.
    """
    # here and not above, so that --help does not wait for torch
    from rich.console import Console

    from har.runtime.exporter import FORMATS, export_network
    from har.runtime.loading import load_for_inference
    from har.visual.terminal import make_table

    if cfg.weights is None:
        raise HarError("Say what to export: weights=<published name, .ckpt, .safetensors or .h5>.")
    if cfg.format not in FORMATS:
        raise HarError(f"format={cfg.format}: choose {' or '.join(FORMATS)}.")
    changed = {"stop_after": cfg.stop_after, "resolution": cfg.resolution}
    network, spec = load_for_inference(cfg.weights, **changed)
    out = Path(cfg.out) if cfg.out is not None else Path(Path(spec.name).stem + FORMATS[cfg.format])
    if out.suffix != FORMATS[cfg.format]:
        raise HarError(f"out={out}: format={cfg.format} is written as {FORMATS[cfg.format]}.")
    refuse_overwriting(out, cfg.weights)
    print(f"Exporting {spec.name} as {cfg.format}: about half a minute.")
    exported = export_network(network, spec, out, cfg.format)
    title = f"{type(network).__name__} in {out}"
    table = make_table(title, ["input or output", "shape"], ["largest error"])
    for name, shape in {**exported.inputs, **exported.outputs}.items():
        error = exported.errors.get(name)
        text = "" if error is None else f"{error:.1e}"
        table.add_row(name, " x ".join(map(str, shape)), text)
    Console().print(table)
