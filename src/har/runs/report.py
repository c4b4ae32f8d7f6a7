"""The end of a run: the table in the terminal and ``metrics.json``."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from har.errors import HarError
from har.files import whole_file
from har.joint_names import unique_keys
from har.runs.config import plain_config
from har.visual.terminal import make_table

if TYPE_CHECKING:  # comparing runs does not wait for torch
    from har.models.base import PoseNetwork

# name in the results -> (its text in the table, its format)
ROWS = {
    "action_top1": ("action, top-1 accuracy", "{:.1f} %"),
    "action_top5": ("action, top-5 accuracy", "{:.1f} %"),
    "action_mean_class": ("action, mean over classes", "{:.1f} %"),
    "joint_error_mm": ("joint error, root-relative", "{:.0f} mm"),
    "joint_error_absolute_mm": ("joint error, true root depth", "{:.0f} mm"),
    "joint_error_px": ("joint error in the crop", "{:.2f} px"),
    "pck_box": ("PCK at 0.2 of the joints' box", "{:.1f} %"),
    "pck3d_150mm": ("3-D PCK at 150 mm", "{:.1f} %"),
    "pckh": ("PCKh at 0.5 of MPII's persons", "{:.1f} %"),
    "pckh_inside_crop": ("PCKh at 0.5, joints in the crop", "{:.1f} %"),
    "pckh_auc": ("PCKh, area under the curve", "{:.1f} %"),
    "pck": ("PCK of persons in images", "{:.1f} %"),
    "pck_inside_crop": ("PCK, joints in the crop", "{:.1f} %"),
    "pck_auc": ("PCK, area under the curve", "{:.1f} %"),
    "oks": ("OKS, mean over persons", "{:.3f}"),
    "ap": ("AP over OKS 0.50 to 0.95", "{:.3f}"),
    "ap50": ("AP at OKS 0.50", "{:.3f}"),
    "ap75": ("AP at OKS 0.75", "{:.3f}"),
    "ar": ("AR over OKS 0.50 to 0.95", "{:.3f}"),
}


def print_table(
    results: dict[str, Any], untrained: dict[str, Any], labels: list[str], title: str
) -> None:
    """Prints the metrics, and the accuracy of every class, as two tables."""
    console = Console()
    table = make_table(title, ["test split"], ["untrained"] if untrained else [])
    table.add_column("result", justify="right", style="bold")
    for name, (text, form) in ROWS.items():
        if results.get(name) is not None:
            before = [form.format(untrained[name])] if untrained else []
            table.add_row(text, *before, form.format(results[name]))
    console.print(table)
    for metric, title in (("pckh", "PCKh at 0.5"), ("pck", "PCK")):
        if results.get(f"{metric}_by_part"):
            console.print(_joints_table(results, metric, f"{title} by joint"))
    per_class = results.get("action_per_class")
    if per_class and len(per_class) <= 20:
        classes = make_table("accuracy by class", ["action"], ["top-1"])
        for label, accuracy in zip(labels, per_class, strict=True):
            classes.add_row(escape(label), "-" if accuracy is None else f"{accuracy:.0f} %")
        console.print(classes)


def _joints_table(results: dict[str, Any], metric: str, title: str) -> Table:
    """PCK of every part: left, right, and their mean as published tables have it."""
    table = make_table(title, ["joint"], ["left", "right", "mean"])
    values = results[f"{metric}_by_joint"]
    names = list(values)
    by_joint = {key: values[names[number]] for key, number in unique_keys(names).items()}
    for part, mean in results[f"{metric}_by_part"].items():
        sides = [by_joint.get((side, tuple(part.split()))) for side in ("left", "right")]
        shown = ["" if value is None else f"{value:.1f} %" for value in (*sides, mean)]
        table.add_row(part, *shown)
    table.add_section()
    table.add_row("mean", "", "", f"{results[metric]:.1f} %")  # each annotated joint alike
    return table


def weights_checksum(network: PoseNetwork) -> str:
    """SHA-256 over names and values of all parameters and statistics."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue  # a counter of training: it changes no output
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _git_commit() -> str | None:
    """The commit of the source, where it is a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def command_line() -> str:
    """The command as it was typed, for a shell: ``python -m har.train ...``, ``har-train ...``, or
    the call of torchrun that started this process."""
    program, typed = Path(sys.argv[0]), sys.orig_argv
    if program.name == "__main__.py":
        words, start = ["python", "-m", f"har.{program.parent.name}"], _after(typed, "-m", 2)
    else:
        words, start = [program.name], _after(typed, program.name, 1)
    if "TORCHELASTIC_RUN_ID" in os.environ:
        count, nodes = os.environ["LOCAL_WORLD_SIZE"], os.environ.get("GROUP_WORLD_SIZE", "1")
        words = ["torchrun", f"--nnodes={nodes}", f"--nproc-per-node={count}", *words[1:]]
    return shlex.join([*words, *typed[start:]])


def _after(words: list[str], word: str, count: int) -> int:
    """The place ``count`` words after the one of that name; the end where there is none."""
    names = [Path(each).name for each in words]
    return names.index(word) + count if word in names else len(words)


def optimized(cfg: DictConfig, found: dict[str, float]) -> dict[str, float] | float:
    """What a run returns: all that it has measured, or the metric that a sweeper asks for.

    Raises:
        HarError: no metric of the name ``optimized_metric`` was measured.
    """
    if cfg.optimized_metric is None:
        return found
    if cfg.optimized_metric not in found:
        raise HarError(
            f"optimized_metric={cfg.optimized_metric} is not measured by this run; choose one of "
            f"{', '.join(sorted(found))}."
        )
    return found[cfg.optimized_metric]


def write_metrics(
    path: Path,
    cfg: DictConfig,
    network: PoseNetwork,
    protocol: dict[str, Any],
    results: dict[str, Any],
    untrained: dict[str, Any],
) -> None:
    """Writes ``metrics.json``: metrics, their protocol, the weights, what the run was made from."""
    versions: dict[str, str] = {"python": platform.python_version()}
    for package in ("har", "torch", "pytorch-lightning", "numpy", "opencv-python"):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    document = {
        "protocol": protocol,
        "metrics": {**results, **({"untrained": untrained} if untrained else {})},
        "model": {
            "class": type(network).__name__,
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "weights_sha256": weights_checksum(network),
            "config": OmegaConf.to_container(cfg.model, resolve=True),
        },
        "config": plain_config(cfg),
        "versions": versions,
        "git_commit": _git_commit(),
        "command": command_line(),
    }
    with whole_file(path) as partial:
        partial.write_text(json.dumps(document, indent=2, allow_nan=False), encoding="utf-8")
