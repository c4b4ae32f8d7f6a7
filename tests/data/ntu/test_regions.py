"""Stores that hold a region of the frames: every crop is the one from whole frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from har.data.augment import Augmentation, AugmentParams, CropMargin
from har.data.clips_dataset import ClipDataset
from har.data.crops import read_crops
from har.data.framestore.folder import open_prepared
from har.data.framestore.jpeg import Part
from har.data.ntu.prepare import prepare_ntu
from har.data.ntu.targets import visible_region
from har.errors import HarError
from har.geometry import invert_affine
from har.layouts import LAYOUTS, get_layout
from har.synthetic.ntu import write_ntu
from tests.helpers.ntu_target import ntu_target

NAMES = ["S001C001P001R001A043", "S001C003P001R001A024", "S002C002P002R001A008"]
RECIPE = Augmentation(
    scales=[0.7, 1.0, 1.3],
    shifts_x_px=range(-40, 41, 5),
    shifts_y_px=range(-10, 11, 5),
    flip=True,
    steps=[3, 4, 5],
)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same videos prepared as whole frames and as regions."""
    root = tmp_path_factory.mktemp("regions")
    write_ntu(root / "videos", NAMES, size=(640, 360), workers=1, distance_m=4.5)
    folders = {"full": root / "full", "track": root / "track"}
    for name, folder in folders.items():
        margin = CropMargin() if name == "track" else None
        report = prepare_ntu(
            root / "videos",
            root / "videos",
            folder / "prepared",
            scale=1.0,
            margin=margin,
            workers=0,
        )
        assert report.done == len(NAMES)
    return folders


def samples(folder: Path, **options) -> ClipDataset:
    index, store = open_prepared(folder)
    everything = np.arange(len(index))
    options = {"clip_size": 8, "resolution": (128, 128), "augmentation": RECIPE, **options}
    return ClipDataset(index, store, everything, everything, **options)


@pytest.mark.parametrize("resolution", [(256, 256), (128, 128), (96, 160)])
@pytest.mark.parametrize("layout", ["pa17j", "pa20j"])
def test_no_crop_differs(stores: dict[str, Path], resolution: tuple[int, int], layout: str) -> None:
    options = {"resolution": resolution, "layout": layout}
    full, track = (samples(stores[kind], **options) for kind in ("full", "track"))
    assert full.index.names.tolist() == track.index.names.tolist()
    keys = [("action", draw % len(NAMES), draw) for draw in range(45)]
    for key in [*keys, *range(len(NAMES))]:
        a, b = full[key], track[key]
        np.testing.assert_array_equal(a["affine"], b["affine"])
        np.testing.assert_array_equal(a["pose"], b["pose"])
        np.testing.assert_array_equal(a["images"], b["images"])


def test_regions_are_smaller_and_lie_on_jpeg_blocks(stores: dict[str, Path]) -> None:
    index, store = open_prepared(stores["track"])
    whole = (stores["full"] / "prepared" / "frames" / "S001.h5").stat().st_size
    part = (stores["track"] / "prepared" / "frames" / "S001.h5").stat().st_size
    assert part < 0.75 * whole
    for sample, name in enumerate(index.names.tolist()):
        x1, y1, x2, y2 = index.region(sample)
        width, height = index.frame_size(sample)
        assert (width, height) == (640, 360)
        assert x1 % 16 == y1 % 16 == 0
        assert x2 % 16 == 0 or x2 == width
        assert y2 % 16 == 0 or y2 == height
        assert store.read(name.decode(), [0])[0].shape == (y2 - y1, x2 - x1, 3)


tracks = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@settings(deadline=None, max_examples=150)
@given(rng=tracks, layout=st.sampled_from([k for k, v in LAYOUTS.items() if v.from_ntu]))
def test_the_region_holds_every_crop(rng: np.random.Generator, layout: str) -> None:
    """People of any size anywhere, partly outside: what crops see of the frame is stored."""
    size = (int(rng.integers(200, 1920)), int(rng.integers(200, 1080)))
    spread = rng.uniform(1, 300)
    joints = rng.uniform(0, (1920, 1080), 2) + rng.normal(0, spread, (12, 25, 2))
    joints += np.cumsum(rng.normal(0, 20, (12, 1, 2)), 0)
    depth = np.where(rng.random((12, 25)) < 0.1, np.nan, 3000.0)
    x1, y1, x2, y2 = visible_region(joints, depth, size, CropMargin())
    assert 0 <= x1 < x2 <= size[0]
    assert 0 <= y1 < y2 <= size[1]
    for _ in range(20):
        frames = np.sort(rng.integers(0, 12, 8))
        target = ntu_target(
            joints[frames],
            depth[frames],
            np.full((8, 25), 2),
            layout=get_layout(layout),
            frame_size=size,
            params=RECIPE.sample(rng),
        )
        corners = invert_affine(target.affine) @ np.array([[0, 1.0], [0, 1.0], [1, 1]])
        low, high = corners[:2].min(1), corners[:2].max(1)
        assert (np.maximum(low, 0) >= np.array([x1, y1]) - 1e-6).all() or (low >= size).any()
        assert (np.minimum(high, size) <= np.array([x2, y2]) + 1e-6).all() or (high <= 0).any()


class Noise:
    """A store of one picture in memory, of which any window is at hand to the pixel."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image

    def read_window(
        self, sample: str, frames: list[int], window: tuple[float, ...], half: bool = False
    ) -> list[Part]:
        height, width = (n // (1 + half) for n in self.image.shape[:2])
        image = cv2.resize(self.image, (width, height), interpolation=cv2.INTER_AREA)
        return [Part(image, (0, 0))] * len(frames)


@settings(deadline=None, max_examples=60)
@given(
    rng=tracks,
    size=st.sampled_from([(960, 540), (1920, 1080), (640, 360)]),
    share=st.sampled_from([0.1, 0.3, 0.5, 0.7]),
    pixels=st.sampled_from([96, 256]),
)
def test_what_the_warp_reads_beside_a_crop_is_stored(
    rng: np.random.Generator, size: tuple[int, int], share: float, pixels: int
) -> None:
    """Of pure noise, the crops that go as far as they can, pixel by pixel."""
    center = rng.uniform(0.3, 0.7, 2) * (1920, 1080)
    joints = center + rng.uniform(-0.5, 0.5, (3, 25, 2)) * share * 1080
    depth = np.full((3, 25), 3000.0)
    x1, y1, x2, y2 = visible_region(joints, depth, size, CropMargin())
    whole = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    part = whole[y1:y2, x1:x2]
    for x, y in ((-40, -10), (40, 10)):
        target = ntu_target(
            joints,
            depth,
            np.full((3, 25), 2),
            layout=get_layout("pa17j"),
            frame_size=size,
            params=AugmentParams(scale=1.3, shift_px=(1.3 * x, 1.3 * y)),
        )
        from_part = target.affine @ np.array([[1.0, 0, x1], [0, 1, y1], [0, 0, 1]])
        frames, resolution = np.array([0]), (pixels, pixels)
        np.testing.assert_array_equal(
            read_crops(Noise(whole), "a", frames, target.affine, resolution),
            read_crops(Noise(part), "a", frames, from_part, resolution),
        )


def test_nobody_in_a_frame_is_the_whole_frame() -> None:
    joints, depth = np.full((5, 25, 2), 500.0), np.full((5, 25), 3000.0)
    assert visible_region(joints, depth, (960, 540), CropMargin()) != (0, 0, 960, 540)
    depth[3] = np.nan
    assert visible_region(joints, depth, (960, 540), CropMargin()) == (0, 0, 960, 540)


@pytest.mark.parametrize(
    ("augmentation", "what"),
    [
        (Augmentation(angles_deg=[-10, 0, 10]), "rotated"),
        (Augmentation(scales=[1, 2]), "scales up to 2"),
        (Augmentation(shifts_x_px=[-50, 0]), "shifts in x up to 50 px"),
        (Augmentation(shifts_y_px=[11]), "shifts in y up to 11 px"),
    ],
)
def test_crops_that_would_be_cut_are_refused(
    stores: dict[str, Path], augmentation: Augmentation, what: str
) -> None:
    samples(stores["full"], augmentation=augmentation)
    with pytest.raises(HarError, match=rf"{what}.*ntu\.region=full"):
        samples(stores["track"], augmentation=augmentation)
    samples(stores["track"], clip_size=None, augmentation=Augmentation(scales=[1.3], flip=True))


def test_regions_and_whole_frames_do_not_mix(stores: dict[str, Path], tmp_path: Path) -> None:
    videos = stores["full"].parent / "videos"
    with pytest.raises(HarError, match="was prepared with"):
        prepare_ntu(videos, videos, stores["full"] / "prepared", scale=1.0, margin=CropMargin())


def test_the_draw_of_evaluation_is_within_reach() -> None:
    assert CropMargin().problem(Augmentation()) == ""
    assert AugmentParams().scale <= CropMargin().scale
