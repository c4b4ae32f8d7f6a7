"""``python -m har.benchmark memory``: what a training worker takes, at once and in the long run."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from omegaconf import DictConfig
from rich.console import Console
from torch.utils.data import DataLoader, Dataset

from har.benchmark.data import Samples, open_stores
from har.data.clips import FRAMES_PER_SECOND
from har.data.clips_dataset import ClipDataset
from har.data.framestore.folder import open_prepared
from har.data.framestore.index import FORMAT
from har.data.modules.base import start_worker
from har.data.ntu.labels import sample_numbers
from har.data.ntu.sample import SKELETON_JOINTS, Settings
from har.data.ntu.splits import split_indices
from har.errors import HarError
from har.visual.terminal import make_table

_SAMPLES_OF_NTU120, _FRAMES = 114_480, 37
_LOOKS = 5


def benchmark_memory(cfg: DictConfig) -> None:
    """A worker on an index as large as NTU-120's, and one that reads many samples."""
    if not Path("/proc/self/smaps_rollup").exists():
        raise HarError("This system does not tell how much memory a process takes (Linux does).")
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        simulated = Path(folder)
        simulate_index(simulated / "prepared" / "index.h5", _SAMPLES_OF_NTU120)
        before, began = own_bytes(), time.perf_counter()
        index, store = open_prepared(simulated)
        numbers = sample_numbers(index.names)
        selection = split_indices(numbers, "xsub120", "train")
        classes = numbers.actions[selection] - 1
        samples = ClipDataset(index, store, selection, classes, clip_size=8, resolution=(8, 8))
        opened, taken = time.perf_counter() - began, own_bytes() - before
        began = time.perf_counter()
        in_worker = next(_memory_of_worker(_Annotations(samples), 1))
        started = time.perf_counter() - began
    console.print(
        f"An index of {len(index):,} samples: open in {opened:.2f} s, {taken / 1e6:.0f} MB; "
        f"a worker answers {started:.2f} s after its start, {in_worker / 1e6:.0f} MB of its own."
    )
    total, step = int(cfg.samples), max(1, int(cfg.samples) // _LOOKS)
    title = "One worker, clips and single frames of the recipe"
    table = make_table(title, [], ["samples", "its own memory"])
    recipe = _Recipe(next(iter(open_stores(cfg).values())), step, total - 1)
    looks = _memory_of_worker(recipe, total)
    for done, size in zip([*range(1, total, step), total], looks, strict=True):
        table.add_row(f"{done:,}", f"{size / 1e6:.1f} MB")
    console.print(table)


def own_bytes() -> int:
    """Memory that belongs to this process alone, in bytes: what ends with it."""
    text = Path("/proc/self/smaps_rollup").read_text(encoding="ascii")
    lines = [line.split() for line in text.splitlines() if line.startswith("Private_")]
    return 1024 * sum(int(line[1]) for line in lines)


def simulate_index(path: Path, count: int) -> None:
    """An index with ``count`` samples whose annotations are zeros that take no room on the disk."""
    names = sorted(
        f"S{1 + i // 3600:03}C{1 + i % 3:03}P{1 + i // 3 % 106:03}R001A{1 + i // 30 % 120:03}"
        for i in range(count)
    )
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        settings = {**Settings().describe(), **SKELETON_JOINTS}
        file.attrs.update({"format": FORMAT, "store": "hdf5", **settings})
        file["name"] = np.array(names, "S20")
        file["group"] = np.array(names, "S4")
        file["label"] = file["split"] = np.zeros(count, "S1")
        file["duration_s"] = np.full(count, (_FRAMES - 1) / FRAMES_PER_SECOND)
        file["on_grid"] = file["has_joints"] = np.ones(count, bool)
        file["frame_size"] = np.tile(np.array([960, 540], np.int32), (count, 1))
        file["first_frame"] = np.arange(count + 1, dtype=np.int64) * _FRAMES
        file.create_dataset("joints", (count * _FRAMES, 1, 25, 4), "f4")
        file.create_dataset("time_s", (count * _FRAMES,), "f8")


class _Recipe(Dataset[int]):
    """Makes samples, one clip to eight frames; every ``step``-th says what its process takes."""

    def __init__(self, samples: Samples, step: int, last: int) -> None:
        self.samples, self.step, self.last = samples, step, last

    def __getitem__(self, draw: int) -> int:
        single = self.samples.poses is not None and draw % 9
        kind, made = ("pose", self.samples.poses) if single else ("action", self.samples.clips)
        assert made is not None
        made[(kind, draw % len(made), draw)]
        return own_bytes() if draw % self.step == 0 or draw == self.last else 0


class _Annotations(Dataset[int]):
    """Reads an annotation only: there are no frames to a simulated index."""

    def __init__(self, samples: ClipDataset) -> None:
        self.samples = samples

    def __getitem__(self, draw: int) -> int:
        self.samples.index.annotation(int(self.samples.selection[draw]))
        return own_bytes()


def _memory_of_worker(samples: Dataset[int], count: int) -> Iterator[int]:
    """What one loader process says that it takes, on its way through ``count`` samples."""
    loader = DataLoader(
        samples, sampler=range(count), batch_size=None, num_workers=1, worker_init_fn=start_worker
    )
    return (size for size in map(int, loader) if size)
