"""The end of a run: the table in the terminal and ``metrics.json``."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:  # comparing runs does not wait for torch
    from torch import nn

# name in the results -> (what it says in the table, its format)
ROWS = {
    "action_top1": ("action, top-1 accuracy", "{:.1f} %"),
    "action_top5": ("action, top-5 accuracy", "{:.1f} %"),
    "joint_error_mm": ("joint error, root-relative", "{:.0f} mm"),
    "joint_error_absolute_mm": ("joint error, true root depth", "{:.0f} mm"),
    "joint_error_px": ("joint error in the crop", "{:.2f} px"),
    "pck3d_150mm": ("3-D PCK at 150 mm", "{:.1f} %"),
    "pckh": ("PCKh at 0.5 of MPII's persons", "{:.1f} %"),
    "pckh_inside_crop": ("PCKh at 0.5, joints in the crop", "{:.1f} %"),
    "pckh_auc": ("PCKh, area under the curve", "{:.1f} %"),
}


def print_table(
    results: dict[str, Any], untrained: dict[str, Any], labels: list[str], title: str
) -> None:
    """Prints the figures, and the accuracy of every class, as two tables."""
    console = Console()
    table = Table(title=title, title_justify="left")
    table.add_column("test split")
    if untrained:
        table.add_column("untrained", justify="right")
    table.add_column("result", justify="right", style="bold")
    for name, (text, form) in ROWS.items():
        if results.get(name) is not None:
            before = [form.format(untrained[name])] if untrained else []
            table.add_row(text, *before, form.format(results[name]))
    console.print(table)
    if results.get("pckh_by_part"):
        console.print(_joints_table(results))
    per_class = results.get("action_per_class")
    if per_class and len(per_class) <= 20:
        classes = Table(title="accuracy by class", title_justify="left")
        classes.add_column("action")
        classes.add_column("top-1", justify="right")
        for label, accuracy in zip(labels, per_class, strict=True):
            classes.add_row(label, "-" if accuracy is None else f"{accuracy:.0f} %")
        console.print(classes)


def _joints_table(results: dict[str, Any]) -> Table:
    """PCKh of every part: left, right, and their mean as published tables have it."""
    table = Table(title="PCKh at 0.5 by joint", title_justify="left")
    table.add_column("joint")
    for column in ("left", "right", "mean"):
        table.add_column(column, justify="right")
    by_joint = results["pckh_by_joint"]
    for part, mean in results["pckh_by_part"].items():
        sides = [by_joint.get(f"{side} {part}") for side in ("left", "right")]
        shown = ["" if value is None else f"{value:.1f} %" for value in (*sides, mean)]
        table.add_row(part, *shown)
    return table


def weights_checksum(network: nn.Module) -> str:
    """SHA-256 over names and values of all parameters and statistics."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue  # a counter of training: it changes nothing that the network says
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _git_commit() -> str | None:
    """The commit of the source, where it is a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def write_metrics(
    path: Path,
    cfg: DictConfig,
    network: nn.Module,
    protocol: dict[str, Any],
    results: dict[str, Any],
    untrained: dict[str, Any],
) -> None:
    """Writes ``metrics.json``: figures, by which protocol, of which weights, made by what."""
    packages = ("har", "torch", "pytorch-lightning", "numpy", "opencv-python")
    versions: dict[str, str] = {"python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    parameters = sum(parameter.numel() for parameter in network.parameters())
    document = {
        "protocol": protocol,
        "metrics": {**results, **({"untrained": untrained} if untrained else {})},
        "model": {
            "class": type(network).__name__,
            "parameters": parameters,
            "weights_sha256": weights_checksum(network),
            "config": OmegaConf.to_container(cfg.model, resolve=True),
        },
        "config": OmegaConf.to_container(cfg, resolve=True),
        "versions": versions,
        "git_commit": _git_commit(),
        "command": " ".join(["python -m har." + Path(sys.argv[0]).stem, *sys.argv[1:]]),
    }
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(document, indent=2, allow_nan=False), encoding="utf-8")
    partial.replace(path)
