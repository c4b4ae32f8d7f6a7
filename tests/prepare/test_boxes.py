"""Boxes from poses, by a network that finds what is bright; runs that are stopped and go on."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from har.data.framestore.folder import open_prepared
from har.data.framestore.predicted_boxes import PredictedBoxes
from har.geometry import box_from_center, box_iou
from har.prediction.locating import locate_person, refine
from har.prepare import boxes as task
from har.prepare.boxes import boxes_of_sequence, predict_boxes
from har.runtime.engine import EngineOutput

SIZE = (320, 180)


class BrightnessEngine:
    """Takes the extent of what is bright for a person, and is sure of it if it is large."""

    spec = SimpleNamespace(
        resolution=(48, 48),
        layout="pa17j",
        weights_sha256="ab" * 32,
        name="bright",
        nobody_below=0.2,
        doubtful_below=0.5,
    )

    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after, self.calls = stop_after, 0

    def forward_frames(self, images: np.ndarray) -> EngineOutput:
        self.calls += 1
        if self.stop_after is not None and self.calls > self.stop_after:
            raise KeyboardInterrupt
        poses = np.zeros((len(images), 4, 3), np.float32)
        for pose, image in zip(poses, images, strict=True):
            rows, columns = np.nonzero(image[..., 0] > 127)
            if len(rows):
                x, y = np.array([columns.min(), columns.max() + 1]) / 48, rows
                y = np.array([rows.min(), rows.max() + 1]) / 48
                pose[:, :2] = [(x[0], y[0]), (x[1], y[0]), (x[0], y[1]), (x[1], y[1])]
                pose[:, 2] = min(1.0, 0.1 + 1.5 * np.ptp(x))
        return EngineOutput(poses, [()] * len(images))


def picture(center: tuple[int, int], side: int) -> tuple[np.ndarray, np.ndarray]:
    """A frame with a bright square, and the box of 1.5 times its side."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    x1, y1, x2, y2 = box_from_center(center, (side, side)).astype(int)
    image[y1:y2, x1:x2] = 255
    return image, box_from_center(center, (1.5 * side, 1.5 * side))


def test_a_large_person_is_found_in_the_whole_image() -> None:
    image, box = picture((140, 90), 100)
    engine = BrightnessEngine()
    found = locate_person(engine, [image])
    assert box_iou(found.boxes[0], box) > 0.9
    assert engine.calls == 3  # no grid


def test_a_small_person_is_found_by_the_grid() -> None:
    image, box = picture((250, 60), 24)
    assert refine(BrightnessEngine(), [image], np.array([[0, 0, *SIZE]]), 1).confidence[0] < 0.5
    found = locate_person(BrightnessEngine(), [image, image])
    assert (box_iou(found.boxes, box) > 0.8).all()


def test_a_sequence_is_followed() -> None:
    frames, boxes = zip(*[picture((60 + 6 * i, 90), 60) for i in range(30)], strict=True)
    assert box_iou(boxes_of_sequence(BrightnessEngine(), frames), boxes).min() > 0.8
    nobody = [np.zeros_like(frames[0])] * 3
    assert np.isnan(boxes_of_sequence(BrightnessEngine(), nobody)).all()


def test_overlap_counts_pixels() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        (x1, x3), (y1, y3) = (np.sort(rng.integers(0, 20, 2)) for _ in range(2))
        (x2, x4), (y2, y4) = (np.sort(rng.integers(0, 20, 2)) for _ in range(2))
        a, b = np.zeros((2, 22, 22), bool)
        a[y1 : y3 + 1, x1 : x3 + 1] = True
        b[y2 : y4 + 1, x2 : x4 + 1] = True
        expected = (a & b).sum() / (a | b).sum()
        boxes = (x1, y1, x3 + 1, y3 + 1), (x2, y2, x4 + 1, y4 + 1)
        assert box_iou(*boxes) == pytest.approx(expected)


@pytest.fixture
def prepared(tiny_ntu: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_ntu, tmp_path / "data"))


def all_boxes(data_dir: Path) -> list[np.ndarray]:
    index, _ = open_prepared(data_dir)
    found = PredictedBoxes(index.path.with_name("boxes.h5"))
    counts = zip(index.names.tolist(), index.num_frames.tolist(), strict=True)
    return [found.of_sample(name.decode(), count) for name, count in counts]


def test_a_stopped_run_goes_on(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index, store = open_prepared(prepared)
    folder = index.path.parent
    predict_boxes(index, store, BrightnessEngine())
    whole = all_boxes(prepared)
    (folder / "boxes.h5").unlink()

    monkeypatch.setattr(task, "_FRAMES_PER_PART", 60)
    with pytest.raises(KeyboardInterrupt):
        predict_boxes(index, store, BrightnessEngine(stop_after=25))
    assert not (folder / "boxes.h5").is_file()
    (parts,) = folder.glob("boxes_*")
    first, *_ = sorted(parts.iterdir())
    first.write_bytes(first.read_bytes()[:100])  # the disk had not all of it
    report = predict_boxes(index, store, BrightnessEngine())
    assert 0 < report.kept < len(index)
    assert report.kept + report.done == len(index)
    for one, two in zip(all_boxes(prepared), whole, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not list(folder.glob("boxes_*"))

    engine = BrightnessEngine()
    assert predict_boxes(index, store, engine).done == 0
    assert engine.calls == 0
    engine.spec = SimpleNamespace(**{**vars(engine.spec), "weights_sha256": "cd" * 32})
    assert predict_boxes(index, store, engine).done == len(index)  # other weights, other boxes
