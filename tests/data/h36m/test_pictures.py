"""What does not fit the pictures of Human3.6M, and the frames that are taken of them."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from har.data.h36m.cameras import read_cameras
from har.data.h36m.files import H36MError
from har.data.h36m.prepare import prepare_h36m
from har.errors import HarError
from har.numbers import check_numbers

CAMERA = {
    "f": [1145.0, 1143.0],
    "c": [512.0, 515.0],
    "k": [-0.2, 0.25, 0.0],
    "p": [-0.001, -0.002],
}


def image_name(number: int, action: str = "Directions", digits: int = 6) -> str:
    sequence = f"S1_{action}_1.54138969"
    return f"S1/{sequence}/{sequence}_{number:0{digits}d}.jpg"


def write(root: Path, names: list[str], size: tuple[int, int] = (1000, 1002)) -> None:
    """Images, their annotations as mmpose has them, and their camera."""
    root.mkdir(parents=True)
    (root / "cameras.json").write_text(json.dumps({"S1.54138969": CAMERA}))
    lens = read_cameras(root / "cameras.json")["S1.54138969"]
    meters = np.random.default_rng(0).normal(0, 0.3, (len(names), 17, 3)) + np.array([0, 0, 5])
    seen = np.ones((len(names), 17, 1))
    np.savez(
        root / "h36m_train.npz",
        imgname=np.array(names),
        S=np.concatenate([meters, seen], -1),
        part=np.concatenate([lens.project(1000 * meters), seen], -1),
    )
    for name in names:
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((size[1], size[0], 3), 90, np.uint8))


@pytest.mark.parametrize(("size", "fits"), [((1000, 1002), True), ((50, 40), False)])
def test_pictures_without_the_cameras_center_are_told(
    tmp_path: Path, size: tuple[int, int], fits: bool
) -> None:
    write(tmp_path / "h36m", [image_name(1)], size)
    report, _ = prepare_h36m(tmp_path, workers=0)
    assert report.done == 1
    told = "".join(report.warnings.values())
    if fits:
        assert not told
    else:
        assert "50 x 40 pixels, and the camera's center (512, 515)" in told


@pytest.mark.parametrize("key", ["train_every", "test_every"])
@pytest.mark.parametrize("value", [0, -5, 2.5, "x", True])
def test_steps_that_are_no_number_from_1_are_refused(tmp_path: Path, key: str, value: Any) -> None:
    write(tmp_path / "h36m", [image_name(1)])
    with pytest.raises(HarError, match=rf"^h36m\.{key}={value} has to be a whole number, 1 or"):
        prepare_h36m(tmp_path, workers=0, **{key: value})
    assert not (tmp_path / "h36m" / "prepared").exists()
    with pytest.raises(HarError, match=rf"^h36m\.{key}={value} has to be"):
        check_numbers({"h36m": {key: value}})


def test_numbers_of_one_sequence_have_as_many_digits(tmp_path: Path) -> None:
    write(tmp_path / "h36m", [image_name(1), image_name(6, digits=5)])
    with pytest.raises(H36MError, match="with 6 and with 5 digits"):
        prepare_h36m(tmp_path, workers=0)
    assert not (tmp_path / "h36m" / "prepared").exists()
