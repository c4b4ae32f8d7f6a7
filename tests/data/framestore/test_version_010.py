"""Folders that version 0.1.0 prepared: everything in them is read as that version read it."""

import shutil
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from har.data.framestore.folder import open_prepared
from har.data.framestore.predicted_boxes import PredictedBoxes
from har.data.framestore.staging import PreparedFolder
from har.data.framestore.verify import check_shards, undecodable
from har.data.ntu.labels import sample_numbers
from har.data.own.reader import OwnReader
from har.errors import HarError

GOLDEN = Path(__file__).parents[2] / "golden" / "v010"
FOLDERS = {
    "ntu": GOLDEN / "ntu_run" / "data" / "ntu" / "prepared",
    "own": GOLDEN / "own_run" / "data" / "prepared",
}


@pytest.mark.parametrize("kind", list(FOLDERS))
def test_every_frame_joint_and_time(kind: str) -> None:
    folder = FOLDERS[kind]
    index, store = open_prepared(folder.parent)
    boxes = PredictedBoxes(folder / "boxes.h5")
    assert index.joints_width_px == 1920
    seen = 0
    for path in sorted((folder / "frames").glob("*.h5")):
        with h5py.File(path) as file:
            raw = {key: file[key][:] for key in file}
        for place, name in enumerate(raw["name"].tolist()):
            sample, (first, end) = index.number_of(name.decode()), raw["first_frame"][place:][:2]
            annotation, numbers = index.annotation(sample), raw["frame_number"][first:end]
            np.testing.assert_array_equal(annotation.joints_px, raw["joints"][first:end, :, :2])
            np.testing.assert_array_equal(annotation.depth_mm, raw["joints"][first:end, :, 2])
            times = numbers / 30 if kind == "ntu" else np.arange(end - first) / 15
            np.testing.assert_array_equal(index.times(sample), times)
            assert index.on_grid[sample]
            assert index.durations_s[sample] == pytest.approx(times[-1])
            assert index.grid(sample).tolist() == list(range(end - first))
            assert len(boxes.of_sample(name.decode(), end - first)) == end - first
            images = store.read(name.decode(), range(end - first))
            for row, image in zip(range(first, end), images, strict=True):
                data = raw["jpeg"][slice(*raw["offsets"][row : row + 2])]
                np.testing.assert_array_equal(image, cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))
            seen += 1
    assert seen == len(index) > 1


def test_frames_that_do_not_lie_on_the_grid(tmp_path: Path) -> None:
    shutil.copytree(FOLDERS["ntu"], tmp_path / "prepared")
    with h5py.File(tmp_path / "prepared" / "index.h5", "a") as file:
        file["frame_number"][: file["first_frame"][1]] //= 2  # every frame of the first sample
    index, _ = open_prepared(tmp_path)
    assert index.on_grid.tolist() == [False] + [True] * (len(index) - 1)
    assert index.grid(0).tolist() == list(range(0, index.num_frames[0], 2))


def test_classes_and_splits_of_own_clips() -> None:
    clips = OwnReader().read(FOLDERS["own"].parent)
    assert clips.labels == ["clapping", "hand waving"]
    assert {split: len(numbers) for split, numbers in clips.splits.items()} == {
        "train": 4,
        "val": 0,
        "test": 2,
    }
    assert clips.classes.tolist() == [0, 0, 0, 1, 1, 1]
    assert clips.index.has_joints.tolist() == [True, False, True] * 2


def test_such_a_folder_is_whole_and_nothing_is_added(tmp_path: Path) -> None:
    index, store = open_prepared(FOLDERS["ntu"].parent)
    assert len(sample_numbers(index.names).actions) == len(index)
    whole = check_shards(index)
    assert (whole.damaged, whole.unlisted, whole.lost) == ({}, 0, [])
    assert undecodable(index, store, workers=0) == {}
    shutil.copytree(FOLDERS["ntu"], tmp_path / "prepared")
    with pytest.raises(HarError, match=r"with har 0\.1\.0: it can be used as it is"):
        PreparedFolder(tmp_path / "prepared", {"stride": 2})
