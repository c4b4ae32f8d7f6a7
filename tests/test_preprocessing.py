"""Evaluation crops against the original's way: PIL's crop and antialiased bilinear resize."""

import numpy as np
import pytest
from PIL import Image

from har.geometry import crop_affine, warp
from tests.helpers.golden import real_path
from tests.helpers.ntu_files import video_frames


def shift_px(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """By how many pixels one picture lies beside the other, least squares over its gradients."""
    a, b = theirs.astype(float).mean(2), ours.astype(float).mean(2)
    gy, gx = np.gradient(a)
    inner = (slice(4, -4), slice(4, -4))
    slopes = np.stack([gx[inner].ravel(), gy[inner].ravel()], 1)
    return np.linalg.lstsq(slopes, (a - b)[inner].ravel(), rcond=None)[0]


def compare(image: np.ndarray, center: tuple[float, float], window: float) -> tuple[float, float]:
    """Largest shift in pixels of 256, and mean absolute difference of gray levels."""
    size = (image.shape[1], image.shape[0])
    ours = warp(image, crop_affine(center, window, size), (256, 256))
    x, y = center
    corners = [int(c) for c in (x - window / 2, y - window / 2, x + window / 2, y + window / 2)]
    cut = Image.fromarray(image).crop(corners)
    theirs = np.asarray(cut.resize((256, 256), Image.Resampling.BILINEAR))
    difference = float(np.abs(ours.astype(float) - theirs).mean())
    return float(np.abs(shift_px(ours, theirs)).max()), difference


@pytest.mark.parametrize("name", ["004645041", "005808361", "051423444", "052475643", "060754485"])
@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_mpii_crops(name: str, share: float) -> None:
    image = np.asarray(Image.open(real_path(f"mpii/images/{name}.jpg")).convert("RGB"))
    window = share * min(image.shape[:2])
    shift, difference = compare(image, (image.shape[1] / 2, image.shape[0] / 2), window)
    print(f"{name} window {window:.0f}: shift {shift:.3f} px, {difference:.2f} gray levels")
    assert shift < 0.05
    assert difference < 2.5


def test_ntu_crops() -> None:
    path = real_path("ntu/videos/S001C001P001R001A001_rgb.avi")
    image = video_frames(path, [30], (960, 540))[0]
    shift, difference = compare(image, (480.0, 270.0), 420)
    print(f"NTU: shift {shift:.3f} px, {difference:.2f} gray levels")
    assert shift < 0.05
    assert difference < 1.5
