"""What the data benchmarks measure: the same crops in both ways, and memory that stays flat."""

import sys
from pathlib import Path

import numpy as np
import pytest

from har.benchmark.memory import own_bytes, simulate_index
from har.benchmark.original import OriginalCrops
from har.data.augment import Augmentation
from har.data.clips_dataset import ClipDataset
from har.data.framestore.folder import open_prepared
from har.data.ntu.labels import sample_numbers
from har.data.ntu.prepare import prepare_ntu
from har.data.ntu.splits import split_indices
from har.errors import HarError
from har.synthetic.ntu import write_ntu
from har.transforms import normalize_images


def samples_of(data_dir: Path, resolution: tuple[int, int] = (40, 40), **options) -> ClipDataset:
    index, store = open_prepared(data_dir)
    everything = np.arange(len(index))
    return ClipDataset(index, store, everything, everything, resolution=resolution, **options)


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sample with frames of 640x360."""
    root = tmp_path_factory.mktemp("larger")
    write_ntu(root, ["S001C001P001R001A043"], size=(640, 360), workers=1)
    prepare_ntu(root, root, root / "prepared", scale=1.0, workers=0)
    return root


@pytest.mark.parametrize("angles_deg", [[0], [-10, 5]])
def test_both_ways_make_the_same_crops(larger: Path, angles_deg: list[float]) -> None:
    augmentation = Augmentation(
        angles_deg, [0.7, 1.3], [-40, 0, 20], [-10, 10], flip=True, gammas=[0.9, 1.0, 1.1]
    )
    samples = samples_of(larger, (128, 128), clip_size=2, augmentation=augmentation, seed=3)
    for draw in range(8):
        key = ("action", draw % len(samples), draw)
        item = samples[key]
        ours = normalize_images(item["images"][None], item["gamma"][None])[0].movedim(1, -1)
        theirs = OriginalCrops(samples, [key]).run((128, 128))
        inner = (slice(None), slice(3, -3), slice(3, -3))
        likeness = np.corrcoef(ours.numpy()[inner].ravel(), theirs[inner].ravel())[0, 1]
        # PIL turns onto a canvas of whole pixels, so that a turned picture is moved by up to one.
        assert likeness > (0.97 if any(angles_deg) else 0.995)


def test_a_large_index_costs_little(tmp_path: Path) -> None:
    simulate_index(tmp_path / "prepared" / "index.h5", 114_480)
    assert (tmp_path / "prepared" / "index.h5").stat().st_size < 10e6
    before = own_bytes() if Path("/proc/self/smaps_rollup").exists() else 0
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)  # calls of functions, not seconds, which depend on the machine
    try:
        index, store = open_prepared(tmp_path)
        selection = split_indices(sample_numbers(index.names), "xsub120", "train")
        samples = ClipDataset(index, store, selection, selection, clip_size=8, resolution=(8, 8))
    finally:
        sys.setprofile(None)
    assert calls < 20_000  # nothing is done sample by sample
    assert len(index) == 114_480
    assert 0 < len(samples) < len(index)
    assert index.annotation(114_479).joints_px.shape[1:] == (25, 2)
    if before:
        assert own_bytes() - before < 100e6


def test_reading_keeps_no_memory(tiny_ntu: Path) -> None:
    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("this system does not tell how much memory a process takes")
    samples = samples_of(tiny_ntu, clip_size=4)
    sizes = []
    for draw in range(601):
        samples[("action", draw % len(samples), draw)]
        if draw % 300 == 0:
            sizes.append(own_bytes())
    assert sizes[2] - sizes[1] < 1e6


def test_samples_that_are_not_there_are_said(tiny_ntu: Path) -> None:
    samples = samples_of(tiny_ntu, clip_size=4)
    samples.index.names[0] = b"S001C003P099R001A001"
    with pytest.raises(HarError, match="no sample S001C003P099R001A001"):
        OriginalCrops(samples, [("action", 0, 0)])
