"""The JSON files of HRNet and mmpose, with head boxes, and the original program's file."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io

from har.data.mpii.deephar import read_deephar
from har.data.mpii.json_files import read_json
from har.data.mpii.persons import MPIIError, Split, head_size_px
from tests.helpers.golden import real_path
from tests.helpers.mpii_annotations import cell, json_person, write


def test_json_persons(tmp_path: Path) -> None:
    vis, joints = [1] * 16, [[1.0, 2.0]] * 16
    vis[4], joints[4] = 0, [-1, -1]
    joints[5], joints[6] = [-1.0, -1.0], [float("nan"), 3.0]
    persons = [
        json_person(joints=joints, joints_vis=vis),
        json_person(),
        json_person(joints_vis=[0] * 16, image="b.jpg"),
        json_person(center=[-1.0, 5.0]),
        json_person(scale=0),
    ]
    found = read_json(write(tmp_path / "train.json", persons), None)
    assert found.persons["number"].tolist() == [1, 2]
    assert np.isnan(found.persons["joints_px"][0]).any(-1).nonzero()[0].tolist() == [4, 6]
    assert found.persons["joints_px"][0, 5].tolist() == [-1, -1]  # labeled, outside the image
    assert (found.persons["split"] == Split.TRAIN).all()
    assert {note.partition(" (")[0] for note in found.notes} == {
        "a joint is not a number",
        "no joint is labeled",
        "no center or no scale",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"joints": [[1, 2]] * 15},
        {"joints": "joints"},
        {"joints": [[1, 2]] * 15 + [[1]]},
        {"joints": [[10**400, 2]] * 16},
        {"joints_vis": [1]},
        {"center": 3},
        {"image": 7},
        {"scale": "large"},
        {"scale": None},
    ],
)
def test_malformed_json_persons_are_named(tmp_path: Path, change: dict[str, Any]) -> None:
    path = write(tmp_path / "train.json", [json_person(), json_person(**change)])
    with pytest.raises(MPIIError, match=r"Person 1 .* joints \(16 x 2\)"):
        read_json(path, None)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1}', "[1]", "[" * 100_000, "\ufffe", "null", '"a"']
)
def test_other_json_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.json"
    path.write_text(text, encoding="utf-16")
    for encoding in ("utf-16", "utf-8"):
        path.write_text(text, encoding=encoding)
        with pytest.raises(MPIIError, match=r"train\.json"):
            read_json(path, None)
    with pytest.raises(MPIIError, match="cannot be read"):
        read_json(tmp_path / "none.json", None)


def test_head_boxes_have_to_belong_to_the_persons(tiny_mpii: Path, tmp_path: Path) -> None:
    annot = tiny_mpii / "mpii" / "annot"
    rows = json.loads((annot / "valid.json").read_text())
    boxes = annot / "gt_valid.mat"
    assert np.isfinite(read_json(None, annot / "valid.json", boxes).persons["head_box_px"]).all()
    assert np.isnan(read_json(None, annot / "valid.json").persons["head_box_px"]).all()
    with pytest.raises(MPIIError, match="cannot be scored"):
        read_json(None, write(tmp_path / "a.json", rows[1:]), boxes)
    with pytest.raises(MPIIError, match="different persons from number 0"):
        read_json(None, write(tmp_path / "a.json", rows[::-1]), boxes)
    for name in ("headboxes_src", "pos_gt_src", "jnt_missing"):
        arrays = {k: v for k, v in scipy.io.loadmat(boxes).items() if k[0] != "_"}
        arrays[name] = arrays[name][..., 1:]
        scipy.io.savemat(tmp_path / "other.mat", arrays)
        with pytest.raises(MPIIError):
            read_json(None, annot / "valid.json", tmp_path / "other.mat")


def test_the_real_head_boxes_fit_the_real_json(tmp_path: Path) -> None:
    arrays = scipy.io.loadmat(real_path("mpii/detections_our_format.mat"))
    valid = real_path("mpii/test_mpii.json")
    names = ("headboxes_src", "pos_gt_src", "jnt_missing")
    scipy.io.savemat(tmp_path / "gt_valid.mat", {name: arrays[name] for name in names})
    with pytest.raises(MPIIError, match="2958 persons"):
        read_json(None, valid, tmp_path / "gt_valid.mat")
    scipy.io.savemat(tmp_path / "gt_valid.mat", {name: arrays[name][..., :5] for name in names})
    persons = read_json(None, valid, tmp_path / "gt_valid.mat").persons
    with h5py.File(real_path("mpii/hourglass_valid.h5")) as file:
        np.testing.assert_allclose(head_size_px(persons), file["normalize"][:5], rtol=1e-6)


def test_the_original_programs_file(tmp_path: Path) -> None:
    pose = np.stack([10.0 * np.arange(16), np.arange(16)])
    pose[:, 3] = np.nan
    person = {
        "head": np.array([[30, 40, 0, 0]], np.uint8),
        "objpos": np.array([[5, 6]], np.uint8),
        "scale": np.array([[2.0]]),
        "pose": pose,
    }
    rows = [np.array([[2], [3]], np.uint8), "a.jpg", cell([{}, person], (2, 1))]
    table = cell(rows, (3, 1))
    scipy.io.savemat(tmp_path / "a.mat", {"annot_tr": table, "annot_val": table})
    found = read_deephar(tmp_path / "a.mat")
    assert found.persons["split"].tolist() == [Split.TRAIN, Split.VALIDATION]
    assert found.persons["number"].tolist() == [2, 2]
    np.testing.assert_array_equal(found.persons["joints_px"][1], pose.T)
    np.testing.assert_allclose(head_size_px(found.persons), 0.6 * 50)
    assert found.notes == {"a person is counted but not there": ["a.jpg, person 3"] * 2}
    scipy.io.savemat(tmp_path / "a.mat", {"annot_tr": table.T, "annot_val": table})
    with pytest.raises(MPIIError, match="3 rows"):
        read_deephar(tmp_path / "a.mat")
