"""A real video and its skeleton: they prepare, and the joints lie on the person."""

from pathlib import Path

import numpy as np
import pytest

from har.data.augment import CropMargin
from har.data.framestore.folder import open_prepared
from har.data.ntu.prepare import prepare_ntu
from tests.helpers.golden import real_path

NAME = "S001C001P001R001A001"
_SPINE = 1


@pytest.mark.parametrize("margin", [None, CropMargin()], ids=["whole frames", "regions"])
def test_the_spine_lies_on_the_black_shirt(margin: CropMargin | None, tmp_path: Path) -> None:
    for folder, ending in (("videos", "_rgb.avi"), ("skeletons", ".skeleton")):
        (tmp_path / f"{NAME}{ending}").symlink_to(real_path(f"ntu/{folder}/{NAME}{ending}"))
    report = prepare_ntu(tmp_path, tmp_path, tmp_path / "prepared", margin=margin, workers=0)
    assert (report.done, report.frames, report.skipped, report.warnings) == (1, 52, {}, {})
    index, store = open_prepared(tmp_path)
    assert index.frame_size(0) == (960, 540)
    annotation = index.annotation(0)
    assert index.frame_numbers(index.names[0].decode()).tolist() == list(range(0, 103, 2))
    left, top, right, bottom = index.region(0)
    if margin is not None:
        assert (right - left) * (bottom - top) < 0.5 * 960 * 540
    on_shirt = 0
    for joints, picture in zip(annotation.joints_px, store.read(NAME, range(52)), strict=True):
        x, y = (joints[_SPINE] / 2 - (left, top)).astype(int).tolist()
        gray = picture.mean(axis=2)
        on_shirt += gray[y - 2 : y + 3, x - 2 : x + 3].mean() < 60  # black
        beside = [gray[y - 2 : y + 3, x + d - 2 : x + d + 3].mean() for d in (-65, 65)]
        assert np.min(beside) > 120  # the white wall
    assert on_shirt >= 50
