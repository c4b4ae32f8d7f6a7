"""Crops from stored frames: which frames, how often decoded, and how close at half size."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from har.data.crops import read_crops
from har.data.framestore.jpeg import Part, decode, decode_window, encode
from har.geometry import Crop, crop_affine, warp
from tests.helpers.golden import real_path
from tests.helpers.ntu_files import video_frames


class Memory:
    """A store of JPEG files in memory that writes down what is decoded."""

    def __init__(self, images: np.ndarray) -> None:
        self.files = [encode(image[..., ::-1], 95) for image in images]
        self.asked: list[tuple[int, bool]] = []
        self.pixels = 0

    def read(self, sample: str, frames: list[int]) -> list[np.ndarray]:
        raise AssertionError("whole frames are not needed")

    def read_window(
        self, sample: str, frames: list[int], window: tuple[float, ...], half: bool = False
    ) -> list[Part]:
        different = set(frames)
        self.asked += [(frame, half) for frame in different]
        parts = {frame: decode_window(self.files[frame], window, half) for frame in different}
        self.pixels += sum(part.image[..., 0].size for part in parts.values())
        return [parts[frame] for frame in frames]


@pytest.fixture
def memory() -> Memory:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3, 90, 161, 3), dtype=np.uint8)
    return Memory(np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in images]))


def test_every_frame_is_decoded_once_and_warped_as_asked(memory: Memory) -> None:
    affines = [
        crop_affine((70, 40), window, (161, 90), angle_deg=angle, flip=flip)
        for window, angle, flip in ((60, 0, True), (60, 10, False), (33, 0, False), (80, 5, True))
    ]
    frames = np.array([2, 0, 2, 2])
    crops = read_crops(memory, "a", frames, np.stack(affines), (48, 32))
    assert crops.shape == (4, 32, 48, 3)
    assert sorted(memory.asked) == [(0, False), (2, False)]
    for crop, frame, affine in zip(crops, frames, affines, strict=True):
        whole = decode(memory.files[frame])
        np.testing.assert_array_equal(crop, warp(whole, affine, (48, 32)))


def test_large_crops_are_made_from_half_the_size(memory: Memory) -> None:
    large, small = (crop_affine((80, 45), window, (161, 90)) for window in (88, 40))
    crops = read_crops(memory, "a", np.array([1, 1, 0]), np.stack([small, large, large]), (32, 32))
    assert sorted(memory.asked) == [(0, True), (1, False), (1, True)]
    whole = decode(memory.files[1])
    assert decode(memory.files[1], half=True).shape == (45, 81, 3)
    np.testing.assert_array_equal(crops[0], warp(whole, small, (32, 32)))
    difference = np.abs(crops[1].astype(float) - warp(whole, large, (32, 32)))
    assert 0 < difference.mean() < 1.5


@pytest.mark.parametrize("resolution", [(64, 64), (20, 20), (9, 13)])
@pytest.mark.parametrize("angle", [0, 20])
def test_only_what_a_crop_shows_is_decoded(resolution: tuple[int, int], angle: float) -> None:
    """At every factor of shrinking, inside and over the border, the crop is the whole frame's."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (1, 240, 448, 3), dtype=np.uint8)
    memory = Memory(np.stack([cv2.GaussianBlur(image, (0, 0), 1) for image in noise]))
    whole = {half: decode(memory.files[0], half) for half in (False, True)}
    for number, center in enumerate(((120, 130), (300.5, 90), (5, 5), (440, 230), (-300, 10))):
        affine = crop_affine(center, 70, (448, 240), angle_deg=angle, flip=number % 2 == 0)
        crop = read_crops(memory, "a", np.array([0]), affine, resolution)[0]
        half = Crop(affine, resolution).factor >= 2
        expected = warp(whole[half], affine @ np.diag([1.0 + half, 1 + half, 1]), resolution)
        np.testing.assert_array_equal(crop, expected)
        assert crop.any() == (number != 4)
    assert memory.pixels < 5 * 448 * 240 * 0.4


def test_shrink_factors() -> None:
    affines = [crop_affine((50, 50), w, (100, 100)) for w in ((64, 96), (63, 96), 20)]
    assert [Crop(affine, (32, 32)).factor for affine in affines] == [2, 1, 1]
    turned = crop_affine((50, 50), 64, (100, 100), angle_deg=30, flip=True)
    assert Crop(turned, (16, 32)).factor == Crop(turned, (32, 32)).factor == 2


@pytest.mark.parametrize(("size", "window"), [((960, 540), 530), ((1920, 1080), 900)])
def test_half_size_is_as_close_to_the_originals_way(size: tuple[int, int], window: int) -> None:
    """On a real frame, against PIL's antialiased crop and resize of the whole one."""
    path: Path = real_path("ntu/videos/S001C001P001R001A001_rgb.avi")
    memory = Memory(np.stack(video_frames(path, [30], size)))
    center = (size[0] / 2 + 3, size[1] / 2 + 1)
    affine = crop_affine(center, window, size)
    ours = read_crops(memory, "a", np.array([0]), affine, (256, 256))[0]
    assert memory.asked == [(0, True)]
    whole = decode(memory.files[0])
    box = [int(c + s * window / 2) for s in (-1, 1) for c in center]
    cut = Image.fromarray(whole).crop(tuple(box))
    theirs = np.asarray(cut.resize((256, 256), Image.Resampling.BILINEAR)).astype(float)
    averaged = np.abs(warp(whole, affine, (256, 256)) - theirs).mean()
    difference = np.abs(ours - theirs).mean()
    print(f"{difference:.2f} gray levels at half size, {averaged:.2f} from the whole frame")
    assert difference < max(0.6, 1.5 * averaged)
