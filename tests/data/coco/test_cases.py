"""Files of the kinds that people report, and real ones: the values that are right for them."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from har.data.coco.prepare import open_prepared, prepare_persons
from har.errors import HarError
from tests.helpers.coco_files import prepare, stems
from tests.helpers.golden import real_path

CASES = Path(__file__).parent


def expected(case: str) -> Any:
    return json.loads((CASES / case / "expected.json").read_text())


# ------------------------------------------------------------------------------------- the cases


def test_case_01_visibility(tmp_path: Path) -> None:
    report, persons = prepare(CASES / "case_01", tmp_path)
    truth = expected("case_01")
    labeled = np.isfinite(persons.rows["joints_px"]).all(-1).sum(1)
    names = [name.removesuffix(".png") for name in stems(persons)]
    assert dict(zip(names, labeled.tolist(), strict=True)) == {
        name: count for name, count in truth["joints_that_teach"].items() if count
    }
    assert report.joints == truth["per_joint"]
    assert persons.rows["visible"][1].tolist() == [0] * 6  # hidden, and they teach all the same
    notes = report.notes
    assert notes["a joint is labeled at (0, 0): not used"] == [
        "hand_left of annotation 4 (corner.png)"
    ]
    (odd,) = (places for what, places in notes.items() if "not 0, 1 or 2" in what)
    assert odd == ["annotation 5 (odd_flags.png): 3"]
    (nothing,) = (places for what, places in notes.items() if "no joint is labeled" in what)
    assert nothing == ["annotation 6 (nothing.png)"]
    assert stems(persons, somebody=False) == []
    opened = open_prepared(tmp_path)
    for name in persons.rows.dtype.names:
        np.testing.assert_array_equal(opened.rows[name], persons.rows[name])
    assert (opened.layout, opened.unlabeled) == (persons.layout, "unknown")


def test_case_03_categories(tmp_path: Path) -> None:
    report, persons = prepare(CASES / "case_03", tmp_path)
    assert len(stems(persons)) == expected("case_03")["puppets"]
    assert len(report.notes["left out: of the category ball"]) == 4
    assert len({*persons.rows["id"].tolist()}) == 4  # although annotation ids repeat
    with pytest.raises(HarError, match=r"puppet \(6 joints\) and dog \(4 joints\).*category="):
        prepare(CASES / "case_03", tmp_path, "two_skeletons.json")
    for category, count in (("puppet", 4), ("7", 4), ("dog", 1)):
        _, chosen = prepare(CASES / "case_03", tmp_path, "two_skeletons.json", category=category)
        assert len(stems(chosen)) == count
    with pytest.raises(HarError, match=r"category=cat.*puppet \(6 joints\) and dog"):
        prepare(CASES / "case_03", tmp_path, "two_skeletons.json", category="cat")


def test_case_04_boxes_and_areas(tmp_path: Path) -> None:
    report, persons = prepare(CASES / "case_04", tmp_path)
    assert len(stems(persons)) == expected("case_04")["annotations"]["persons_used"]
    rows = persons.rows
    assert rows["box_px"][5].tolist() == [69, 34, 134, 114]
    for row in rows:
        joints = row["joints_px"]
        assert (joints >= row["box_px"][:2]).all()
        assert (joints <= row["box_px"][2:]).all()
    assert rows["area_px2"].tolist() == [6400, 67 * 88, 68 * 86, *[6400] * 4]
    (corners,) = (places for what, places in report.notes.items() if "two corners" in what)
    assert corners == ["annotation 6 (corners.png)"]
    (counted,) = (places for what, places in report.notes.items() if "num_keypoints" in what)
    assert counted == ["annotation 7 (num_keypoints_0.png): 0 for 6"]


def test_case_05_negatives_and_files(tmp_path: Path) -> None:
    report, persons = prepare(CASES / "case_05", tmp_path)
    truth = expected("case_05")
    assert stems(persons) == truth["people_certain"] + truth["people_if_found_by_name"]
    assert stems(persons, somebody=False) == truth["empty_scenes"]
    told = {place: what for what, places in report.notes.items() for place in places}
    for place, why in {
        "missing.png (image 5)": "not in the folder",
        "same.png (images 9, 10; day1/same.png, day2/same.png)": "several",
        "annotation 11 (image 999)": "does not list",
        "not_in_the_file.png": "not in the annotations",
        "annotation 3 (crowd_only.png)": "a crowd",
        "annotation 4 (box_only.png)": "no joint is labeled",
    }.items():
        assert why in told[place]


def test_case_07_pixel_formats(tmp_path: Path) -> None:
    report, persons = prepare(CASES / "case_07", tmp_path)
    truth = expected("case_07")
    used = {*truth["colour"], *truth["grey"], "alpha.png", "one_bit.png"}
    assert set(stems(persons)) == used
    told = {place: what for what, places in report.notes.items() for place in places}
    for name in truth["left_out"]:
        assert "damaged" in told[name]
    assert "16 bits" in told["grey12_in_16.png"]
    assert "float32" in told["float.tif"]
    assert "black and white only" in told["one_bit.png"]


# ---------------------------------------------------------------------------------- real files


def test_real_coco_persons(tmp_path: Path) -> None:
    """Real annotations, on black pictures of the sizes that they state."""
    path = real_path("coco/test_coco.json")
    content = json.loads(path.read_text())
    for each in content["images"]:
        black = np.zeros((each["height"], each["width"], 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / each["file_name"]), black)
    report, persons = prepare_persons(tmp_path, {"train": path}, tmp_path, workers=0)
    labeled = [
        np.array(each["keypoints"]).reshape(17, 3)
        for each in content["annotations"]
        if not each["iscrowd"] and each["num_keypoints"]
    ]
    assert report.persons["train"] == len(labeled)
    for truth, joints in zip(labeled, persons.rows["joints_px"], strict=True):
        there = truth[:, 2] > 0
        np.testing.assert_array_equal(joints[there], truth[there, :2])
        assert np.isnan(joints[~there]).all()
    layout = persons.layout
    assert (layout.joints[9], layout.flip[9]) == ("left_wrist", 10)
    assert layout.links[0] == (15, 13)  # [16, 14] counted from 1


def test_real_odd_files(tmp_path: Path) -> None:
    """What annotation tools wrote: a sentence, or a skeleton."""
    (tmp_path / "images").mkdir()
    files = {"train": real_path("formats/cvat_one_joint_per_category.json")}
    with pytest.raises(HarError, match="no annotation and no category with key points"):
        prepare_persons(tmp_path / "images", files, tmp_path)
    path = real_path("formats/coco_zero_and_one_based.json")
    with pytest.raises(HarError, match=r"100 x .*not in the folder"):
        prepare_persons(tmp_path / "images", {"train": path}, tmp_path)
    for entry in json.loads(path.read_text())["images"]:
        cv2.imwrite(str(tmp_path / "images" / entry["file_name"]), np.zeros((480, 640, 3), "u1"))
    report, persons = prepare_persons(tmp_path / "images", {"train": path}, tmp_path, workers=0)
    assert report.persons["train"] == 100
    assert report.joints["Reye"] < 100
    layout = persons.layout
    names = [(layout.joints[i], layout.joints[j]) for i, j in layout.links]
    assert names[:2] == [("neck", "Rsho"), ("Rsho", "Relb")]
    assert len(names) == 14  # three lead to a joint 0, of which there is none
    assert len(report.notes["a link leads to no joint (not drawn)"]) == 3
    assert layout.can_mirror
    assert (layout.joints[1], layout.joints[layout.flip[1]]) == ("Rsho", "Lsho")
