"""``python -m har.benchmark data``: how fast training samples are made from prepared data."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from unittest.mock import Mock

import numpy as np
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Column, Table

from har.benchmark.original import OriginalCrops
from har.benchmark.timing import ROUNDS, time_interleaved
from har.data.augment import CropMargin
from har.data.clips_dataset import ClipDataset
from har.data.framestore.folder import open_prepared
from har.data.modules.base import BATCHES_AHEAD, MultiDataset, make_loader
from har.data.ntu.labels import sample_numbers
from har.data.ntu.prepare import prepare_ntu
from har.data.sampling import EpochBatches, SampleOrder
from har.errors import HarError
from har.runs.config import instantiate
from har.synthetic.ntu import synthetic_samples, write_ntu
from har.visual.terminal import make_table, progress_bar

Key = tuple[str, int, int]

# Of the synthetic full-HD videos, prepared as users prepare theirs.
_ACTIONS = [1, 38]  # of the arms, standing
_SUBJECTS = [1, 2, 4, 5, 8, 9]  # training subjects of X-Sub
_DISTANCE_M = 5.0  # clips reach 41 % of the frame then, as in a real recording of one person
_CLIPS = 16  # of 8 frames, in every round
_BATCH_CLIPS = 4  # the recipe's batches: so many clips, or as many frames as they have
_LOADED_BATCHES = 48  # of each kind
_COMPARED = {  # by row: the variant of the original, and the decoding of its store
    "action clips, whole frames": ("original, upright", "JPEG decoding, whole frames"),
    "pose frames, rotated": ("original, rotated", "JPEG decoding, whole frames"),
    "action clips, regions": ("original, upright", "JPEG decoding, regions"),
}
_WINDOWS = "  decoding its windows"


class Samples(NamedTuple):
    """Training samples of a prepared folder; ``poses`` only where whole frames are stored."""

    clips: ClipDataset
    poses: ClipDataset | None


def benchmark_data(cfg: DictConfig) -> None:
    """Times crops with the recipe's augmentation against the original program and decoding alone.

    One process, one core. All variants make the same crops of the same frames; only the original
    changes colors here, since har does so on the device, a batch at a time.
    """
    stores = open_stores(cfg)
    resolution = (int(cfg.resolution[0]), int(cfg.resolution[1]))
    variants: dict[str, Callable[[], Any]] = {}
    for kind, (clips, poses) in stores.items():
        stored = "whole frames" if kind == "full" else "regions"
        keys = _keys("action", clips, _CLIPS)
        frames = _keys("pose", poses, _CLIPS * cfg.clip_size) if poses is not None else []
        if kind == "full":
            variants["original, upright"] = partial(OriginalCrops(clips, keys).run, resolution)
        if poses is not None:
            variants["original, rotated"] = partial(OriginalCrops(poses, frames).run, resolution)
        variants[f"JPEG decoding, {stored}"] = partial(_decode, clips, keys)
        variants |= _ours(f"action clips, {stored}", clips, keys)
        if poses is not None:
            variants |= _ours("pose frames, rotated", poses, frames)
    seconds = time_interleaved(variants)
    per_frame = {variant: 1000 * s / (_CLIPS * cfg.clip_size) for variant, s in seconds.items()}
    console = Console()
    loaded = next(iter(stores.values()))
    console.print(_table(per_frame, loaded.clips))
    if "track" in stores:
        share = _stored_share(stores["track"].clips)
        console.print(f"Regions are {100 * share:.0f} % of the frames.")
    in_loader = partial(_seconds_in_loader, loaded, cfg.clip_size)
    rounds = [(in_loader(1), in_loader(2)) for _ in range(ROUNDS)]
    one, two = map(median, zip(*rounds, strict=True))
    what = "clips" if loaded.poses is None else "rotated frames and clips in turn"
    console.print(
        f"Two loader processes on batches of {what}: {one / two:.2f} x as fast as one, "
        f"{1 / two:.0f} frames/s."
    )


def open_stores(cfg: DictConfig) -> dict[str, Samples]:
    """The recipe's training samples by what is stored, whole frames or regions."""
    folder = Path(cfg.frames_dir)
    if not any((folder / name).is_dir() for name in ("prepared", "ntu/prepared")):
        return {kind: _open(cfg, made) for kind, made in _make_frames(folder).items()}
    index, _ = open_prepared(folder)
    if index.settings["store"] != "hdf5":
        raise HarError(f"{folder} has loose JPEG files; the benchmark reads HDF5 shards.")
    return {"track" if index.margin is not None else "full": _open(cfg, folder)}


def _make_frames(folder: Path) -> dict[str, Path]:
    """Writes twelve videos of 1920x1080 and prepares them as whole frames of half size and regions;
    existing files are kept. Returns data folders by what is stored, ``full`` and ``track``."""
    videos = folder / "videos"
    samples = synthetic_samples(_SUBJECTS, _ACTIONS, [1, 2, 3], [1], cameras_per_sample=1)
    with progress_bar("synthetic full-HD videos") as progress:
        write_ntu(videos, samples, workers=2, progress=progress, distance_m=_DISTANCE_M)
    stores = {"full": None, "track": CropMargin()}
    for kind, margin in stores.items():
        prepared = folder / kind / "prepared"
        with progress_bar(f"frames, {kind}") as progress:
            prepare_ntu(videos, videos, prepared, margin=margin, workers=2, progress=progress)
    return {kind: folder / kind for kind in stores}


def _open(cfg: DictConfig, folder: Path) -> Samples:
    """The recipe's training samples; of pose frames the rotated ones."""
    index, _ = open_prepared(folder)
    found = sorted(set(sample_numbers(index.names).actions.tolist()))
    options = {"data_dir": str(folder), "resolution": cfg.resolution, "clip_size": cfg.clip_size}
    actions = _ACTIONS if set(_ACTIONS) <= set(found) else found
    data = instantiate(cfg.data, **options, actions=actions)
    if index.margin is not None:
        data.frame_augmentation = None
    elif data.frame_augmentation is not None:
        angles = [angle for angle in data.frame_augmentation.angles_deg if angle]
        data.frame_augmentation = replace(data.frame_augmentation, angles_deg=angles or [10])
    data.setup("fit")
    rotated = data.frame_augmentation is not None
    return Samples(data.datasets["action"], data.datasets["pose"] if rotated else None)


def _keys(kind: str, samples: ClipDataset, count: int) -> list[Key]:
    return [(kind, draw % len(samples), draw) for draw in range(count)]


def _ours(name: str, samples: ClipDataset, keys: list[Key]) -> dict[str, Callable[[], Any]]:
    """Returns har's variant, and the decoding of the crops' windows alone."""
    recorded = copy.copy(samples)
    recorded.store = recorder = Mock(wraps=samples.store)
    _read(recorded, keys)

    def decode_windows() -> None:
        for window in recorder.read_window.call_args_list:
            samples.store.read_window(*window.args, **window.kwargs)

    return {name: lambda: _read(samples, keys), f"{name}{_WINDOWS}": decode_windows}


def _read(samples: ClipDataset, keys: list[Key]) -> None:
    for key in keys:
        samples[key]


def _decode(samples: ClipDataset, keys: list[Key]) -> None:
    """Decodes as many frames as the clips have, one after the other."""
    for _, number, _ in keys:
        sample = int(samples.selection[number])
        name, count = samples.index.name(sample), int(samples.index.num_frames[sample])
        for place in range(samples.clip_size or 1):
            samples.store.read(name, [place % count])


def _seconds_in_loader(samples: Samples, clip_size: int, workers: int) -> float:
    """Returns the seconds per frame of the recipe's batches, once all loader processes work."""
    of_kind = {"pose": samples.poses, "action": samples.clips}
    kinds = {kind: data for kind, data in of_kind.items() if data is not None}
    sizes = {"pose": _BATCH_CLIPS * clip_size, "action": _BATCH_CLIPS}
    orders = {kind: [SampleOrder(kind, len(data), sizes[kind], 0)] for kind, data in kinds.items()}
    ahead = 2 * BATCHES_AHEAD * workers  # prefetched batches do not count
    of_each = _LOADED_BATCHES + ahead // len(kinds)
    batches = EpochBatches(orders, [*kinds], dict.fromkeys(kinds, 0), of_each)
    options = {"batch_sampler": batches, "prefetch_factor": BATCHES_AHEAD}
    loader = make_loader(MultiDataset(kinds), workers, **options)
    taken = [time.perf_counter() for _ in loader][ahead - 1 :]
    return (taken[-1] - taken[0]) / ((len(taken) - 1) * _BATCH_CLIPS * clip_size)


def _table(per_frame: dict[str, float], samples: ClipDataset) -> Table:
    width, height = samples.index.frame_size(int(samples.selection[0]))
    table = make_table(
        f"Crops of {samples.resolution[0]}x{samples.resolution[1]} from frames of "
        f"{width}x{height}, one core",
        [Column("variant", no_wrap=True)],
        ["ms per frame", "of original's", "beyond decoding", "beyond windows"],
        caption="Medians; PIL's bilinear filter in the original. Beyond: without the\n"
        "decoding of all that is stored of a frame, and without that of the windows.",
        caption_justify="left",
    )
    for variant, milliseconds in per_frame.items():
        original, decoding = _COMPARED.get(variant, ("", ""))
        times = f"{per_frame[original] / milliseconds:.1f} x" if original in per_frame else ""
        beyond = [
            f"{milliseconds - per_frame[other]:+.2f}" if other in per_frame else ""
            for other in (decoding, variant + _WINDOWS)
        ]
        name = _WINDOWS if variant.endswith(_WINDOWS) else variant
        table.add_row(name, f"{milliseconds:.2f}", times, *beyond)
    return table


def _stored_share(samples: ClipDataset) -> float:
    """Returns the stored share of the frames' area, mean over the samples."""
    shares = []
    for sample in samples.selection.tolist():
        x1, y1, x2, y2 = samples.index.region(sample)
        shares.append((x2 - x1) * (y2 - y1) / np.prod(samples.index.frame_size(sample)))
    return float(np.mean(shares))
