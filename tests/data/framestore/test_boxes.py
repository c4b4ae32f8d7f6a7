"""Predicted boxes: the crops that true boxes would give, and what is said where there are none."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from har.data import NTUDataModule
from har.data.framestore.folder import open_prepared
from har.data.framestore.predicted_boxes import PredictedBoxes, box_of_clip, write_predicted_boxes
from har.data.targets import clip_box
from har.errors import HarError
from har.geometry import box_around
from har.layouts import get_layout

WEIGHTS = {"weights_sha256": "0" * 64, "weights": "test"}


def data_with(data_dir: Path, boxes: str):
    data = NTUDataModule(
        str(data_dir), actions=[22, 43], clip_size=4, resolution=(32, 32), boxes=boxes
    )
    data.setup("test")
    return data


def true_boxes(data_dir: Path) -> tuple[list[str], list[np.ndarray]]:
    index, _ = open_prepared(data_dir)
    order = list(get_layout("pa17j").from_ntu)
    boxes = []
    for sample in range(len(index)):
        joints = index.annotation(sample).joints_px[:, order].astype(np.float64)
        boxes.append(box_around(joints * (index.frame_size(sample)[0] / 1920), enlarge=1.5))
    return [name.decode() for name in index.names.tolist()], boxes


@given(arrays(np.float64, (7, 5, 2), elements=st.floats(1, 300)))
def test_the_box_of_a_clip_is_the_reference_rule(joints: np.ndarray) -> None:
    boxes = box_around(joints, enlarge=1.5)
    expected = clip_box(joints, (320, 180))
    np.testing.assert_allclose(box_of_clip(boxes, (320, 180)), expected)
    boxes[0] = np.nan  # nobody was found: the whole image
    low, high = box_of_clip(boxes, (320, 180)).reshape(2, 2)
    assert (low <= 0).all()
    assert (high >= (320, 180)).all()


def test_true_boxes_as_predicted_ones_give_the_same_crops(tiny_ntu: Path) -> None:
    truth = data_with(tiny_ntu, "ground_truth")
    names, boxes = true_boxes(tiny_ntu)
    path = tiny_ntu / "ntu" / "prepared" / "boxes.h5"
    try:
        # float64, since the corners of crops are cut to whole pixels
        write_predicted_boxes(path, names, boxes, WEIGHTS)
        predicted = data_with(tiny_ntu, "predicted")
        samples = pickle.loads(pickle.dumps(predicted.test_clips))  # as a worker gets it
        for number in range(len(samples)):
            one, two = samples[number], truth.test_clips[number]
            assert torch.equal(one["affine"], two["affine"])
            assert torch.equal(one["images"], two["images"])
            assert torch.equal(one["tracked"], two["tracked"])
        assert predicted.describe_protocol()["boxes"].startswith("predicted")
    finally:
        path.unlink()


def test_boxes_come_back(tmp_path: Path) -> None:
    boxes = [np.arange(12.0).reshape(3, 4).astype(np.float32), np.full((1, 4), np.nan, np.float32)]
    write_predicted_boxes(
        tmp_path / "boxes.h5", ["S001C001P001R001A001", "S001C001P001R001A002"], boxes, WEIGHTS
    )
    found = PredictedBoxes(tmp_path / "boxes.h5")
    assert found.weights_sha256 == "0" * 64
    np.testing.assert_array_equal(found.of_sample("S001C001P001R001A001", 3), boxes[0])
    np.testing.assert_array_equal(found.of_sample("S001C001P001R001A002", 1), boxes[1])
    with pytest.raises(HarError, match=r"no boxes for the 2 stored frames of S001C001P001R001A001"):
        found.of_sample("S001C001P001R001A001", 2)
    with pytest.raises(HarError, match=r"S001C001P001R001A009; run python -m har.prepare boxes"):
        found.of_sample("S001C001P001R001A009", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["boxes.h5"]


def test_boxes_that_are_not_there_are_one_sentence(tiny_ntu: Path, tmp_path: Path) -> None:
    with pytest.raises(HarError, match=r"there is no .*boxes\.h5; run python -m har.prepare boxes"):
        data_with(tiny_ntu, "predicted")
    with pytest.raises(HarError, match=r"data\.boxes=detector: choose ground_truth or predicted"):
        data_with(tiny_ntu, "detector")
    for junk in (b"", b"junk"):
        (tmp_path / "boxes.h5").write_bytes(junk)
        with pytest.raises(HarError, match="cannot be read"):
            PredictedBoxes(tmp_path / "boxes.h5")
    (tmp_path / "boxes.h5").unlink()
    with h5py.File(tmp_path / "boxes.h5", "w") as file:
        file["name"] = np.array([b"S001C001P001R001A001"])
    with pytest.raises(HarError, match="cannot be read"):
        PredictedBoxes(tmp_path / "boxes.h5")
