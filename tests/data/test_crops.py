"""Crops from stored frames: which frames, how often decoded, and how close at half size."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from ntu_files import video_frames
from PIL import Image

from golden_files import real_path
from har.data.crops import read_crops
from har.data.store import decode
from har.geometry import crop_affine, shrink_factor, warp


class Memory:
    """A store of JPEG files in memory that writes down what is decoded."""

    def __init__(self, images: np.ndarray) -> None:
        self.files = [cv2.imencode(".jpg", image[..., ::-1])[1].ravel() for image in images]
        self.asked: list[tuple[int, bool]] = []

    def read(self, sample: str, frames: list[int], half: bool = False) -> list[np.ndarray]:
        self.asked += [(frame, half) for frame in frames]
        return [decode(self.files[frame], sample, "memory", half) for frame in frames]


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
        whole = decode(memory.files[frame], "a", "memory")
        np.testing.assert_array_equal(crop, warp(whole, affine, (48, 32)))


def test_large_crops_are_made_from_half_the_size(memory: Memory) -> None:
    large, small = (crop_affine((80, 45), window, (161, 90)) for window in (88, 40))
    crops = read_crops(memory, "a", np.array([1, 1, 0]), np.stack([small, large, large]), (32, 32))
    assert sorted(memory.asked) == [(0, True), (1, False), (1, True)]
    whole = decode(memory.files[1], "a", "memory")
    assert decode(memory.files[1], "a", "memory", half=True).shape == (45, 81, 3)
    np.testing.assert_array_equal(crops[0], warp(whole, small, (32, 32)))
    difference = np.abs(crops[1].astype(float) - warp(whole, large, (32, 32)))
    assert 0 < difference.mean() < 1.5


def test_shrink_factors() -> None:
    affines = np.stack([crop_affine((50, 50), w, (100, 100)) for w in ((64, 96), (63, 96), 20)])
    assert shrink_factor(affines, (32, 32)).tolist() == [2, 1, 1]
    turned = crop_affine((50, 50), 64, (100, 100), angle_deg=30, flip=True)
    assert shrink_factor(turned, (16, 32)) == shrink_factor(turned, (32, 32)) == 2


@pytest.mark.parametrize(("size", "window"), [((960, 540), 530), ((1920, 1080), 900)])
def test_half_size_is_as_close_to_the_originals_way(size: tuple[int, int], window: int) -> None:
    """On a real frame, against PIL's antialiased crop and resize of the whole one."""
    path: Path = real_path("ntu/videos/S001C001P001R001A001_rgb.avi")
    memory = Memory(np.stack(video_frames(path, [30], size)))
    centre = (size[0] / 2 + 3, size[1] / 2 + 1)
    affine = crop_affine(centre, window, size)
    ours = read_crops(memory, "a", np.array([0]), affine, (256, 256))[0]
    assert memory.asked == [(0, True)]
    whole = decode(memory.files[0], "a", "memory")
    box = [int(c + s * window / 2) for s in (-1, 1) for c in centre]
    cut = Image.fromarray(whole).crop(tuple(box))
    theirs = np.asarray(cut.resize((256, 256), Image.Resampling.BILINEAR)).astype(float)
    averaged = np.abs(warp(whole, affine, (256, 256)) - theirs).mean()
    difference = np.abs(ours - theirs).mean()
    print(f"{difference:.2f} grey levels at half size, {averaged:.2f} from the whole frame")
    assert difference < max(0.6, 1.5 * averaged)
