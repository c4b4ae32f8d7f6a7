"""A network stopped after each of its prediction blocks: cost and accuracy of a block."""

import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from har.benchmark.agreement import test_data
from har.benchmark.timing import time_interleaved
from har.metrics import ClipMetrics
from har.models.base import PoseNetwork
from har.models.spec import ModelSpec
from har.runs.config import run_folder
from har.runtime.parts import FramePart
from har.transforms import normalize_images
from har.visual.plots import plot_speed
from har.visual.terminal import make_table, progress_bar


@dataclass
class Block:
    """Cost per frame of the network up to a block, and the accuracy of that block.

    Attributes:
        name: of the block; SPNet's give pyramid and level.
        parameters: of the network up to here.
        multiply_adds: of one frame and its share of a clip.
        memory_bytes: weights, and the most that intermediate results of a batch take at a time.
        seconds: per frame.
        top1: accuracy of its actions in percent; None where it has none or nothing was measured.
        joint_error_mm: root-relative, likewise; None for poses without depth.
        pck_box: PCK at 0.2 of the joints' box in percent, of poses without depth.
    """

    name: str
    parameters: int
    multiply_adds: float
    memory_bytes: int
    seconds: float = float("nan")
    top1: float | None = None
    joint_error_mm: float | None = None
    pck_box: float | None = None


def benchmark_blocks(
    cfg: DictConfig, network: PoseNetwork, spec: ModelSpec, device: torch.device
) -> None:
    """Measures, prints and plots every prediction block of a network that can stop early."""
    if not network.block_names:
        return  # one block only
    width, height = spec.resolution
    images = torch.randint(0, 256, (spec.clip_size, height, width, 3), dtype=torch.uint8)
    blocks: list[Block] = []
    variants: dict[str, Callable[[], Any]] = {}
    for number, name in enumerate(network.block_names, start=1):
        short = network.stopped(number if name.isdecimal() else name).to(device)
        part = FramePart(short.fuse())
        blocks.append(_cost(name, short, part, images.to(device)))
        variants[name] = partial(_run, part, images, device)
    for block, seconds in zip(blocks, time_interleaved(variants).values(), strict=True):
        block.seconds = seconds / len(images)
    if cfg.weights is not None and cfg.measure:
        _evaluate(cfg, network, spec, device, blocks)
    _print(blocks, spec)
    path, title = run_folder() / "blocks.png", f"{spec.name}: stopping after a prediction block"
    costs = [(b.name, b.multiply_adds / 1e9, 1000 * b.seconds) for b in blocks]
    names, work, milliseconds = zip(*costs, strict=True)
    of_poses = [b.joint_error_mm for b in blocks], [b.pck_box for b in blocks]
    metrics = [b.top1 for b in blocks], *of_poses
    plot_speed(names, work, milliseconds, *metrics, title=title).savefig(path, dpi=150)
    Console().print(f"Speed against accuracy, as a plot: {path}")


def _run(part: nn.Module, images: Tensor, device: torch.device) -> None:
    with torch.inference_mode():
        part(images.to(device))[0].cpu()  # waits for the device


class _PeakMemory(TorchDispatchMode):
    """Counts the bytes of what operations return while it is alive."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.peak = 0, 0
        self._alive: dict[int, int] = {}  # address of a storage -> tensors that share it

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                self._note(tensor)
        return result

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        address, size = storage.data_ptr(), storage.nbytes()
        if address not in self._alive:
            self._alive[address] = 0
            self.now += size
            self.peak = max(self.peak, self.now)
        self._alive[address] += 1
        weakref.finalize(tensor, self._forget, address, size)

    def _forget(self, address: int, size: int) -> None:
        self._alive[address] -= 1
        if self._alive[address] == 0:
            del self._alive[address]
            self.now -= size


def _cost(name: str, network: PoseNetwork, part: nn.Module, images: Tensor) -> Block:
    clip = normalize_images(images)[None]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(clip if network.num_action_outputs else clip[0])
    gc.collect()
    with torch.no_grad(), _PeakMemory() as memory:
        part(images)
    weights = [*network.parameters(), *network.buffers()]
    return Block(
        name,
        parameters=sum(p.numel() for p in network.parameters()),
        multiply_adds=counter.get_total_flops() / 2 / len(images),
        memory_bytes=memory.peak + sum(w.nbytes for w in weights),
    )


def _evaluate(
    cfg: DictConfig,
    network: PoseNetwork,
    spec: ModelSpec,
    device: torch.device,
    blocks: list[Block],
) -> None:
    """The test split through the whole network once, which has the outputs of every block."""
    data = test_data(cfg, spec)
    counts = network.num_pose_outputs, network.num_action_outputs
    of_data = data.camera, data.depth_range_mm
    scores = ClipMetrics(spec.layout, len(data.labels), *counts, *of_data).to(device)
    loader = DataLoader(data.test_clips, batch_size=cfg.data.eval_batch_size)
    network = network.to(device).to(memory_format=torch.channels_last)
    with progress_bar("clips of the test split") as progress, torch.inference_mode():
        for number, batch in enumerate(loader, start=1):
            batch = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in batch.items()}
            out = network(normalize_images(batch["images"], batch["gamma"]))
            scores.update(out.poses, batch, out.actions)
            progress(number, len(loader))
    results = scores.compute()
    accuracies = results.get("action_top1_by_block", [])[:: max(1, len(network.num_actions))]
    # blocks without actions come first, in pyramids that have none
    padded = [None] * (len(blocks) - len(accuracies)) + accuracies
    for number, (block, top1) in enumerate(zip(blocks, padded, strict=True)):
        block.top1 = top1
        for name in ("joint_error_mm", "pck_box"):
            if f"{name}_by_block" in results:
                setattr(block, name, results[f"{name}_by_block"][number])


def _print(blocks: list[Block], spec: ModelSpec) -> None:
    width, height = spec.resolution
    # by column: accuracy, and the metric of 3-D or of 2-D poses (PCK at 0.2 of the joints' box)
    measured = {
        "top-1": [_text(b.top1, "{:.1f} %") for b in blocks],
        "mm": [_text(b.joint_error_mm, "{:.0f}") for b in blocks],
        "PCK": [_text(b.pck_box, "{:.1f} %") for b in blocks],
    }
    shown = {name: texts for name, texts in measured.items() if set(texts) != {"-"}}
    table = make_table(
        f"stopping after a block: frames of {width}x{height}, float32, not compiled",
        ["block"],
        ["M params", "G mult-adds", "ms/frame", "frames/s", "MB", *shown],
    )
    for number, block in enumerate(blocks):
        row = [
            block.name,
            f"{block.parameters / 1e6:.2f}",
            f"{block.multiply_adds / 1e9:.2f}",
            f"{1000 * block.seconds:.1f}",
            f"{1 / block.seconds:.1f}",
            f"{block.memory_bytes / 2**20:.0f}",
        ]
        table.add_row(*row, *(texts[number] for texts in shown.values()))
    Console().print(table)


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
