"""Annotations of MPII: three kinds of files, one record; and which of them are taken."""

import logging
from pathlib import Path

import numpy as np
import pytest

from har.data.mpii.annotations import find_annotations, read_annotations
from har.data.mpii.official import read_official
from har.data.mpii.persons import MPIIError, Split
from har.data.mpii.split import tompson_validation
from har.errors import DatasetNotFoundError
from har.synthetic.mpii_files import (
    OFFICIAL_NAME,
)
from har.synthetic.mpii_labels import simulate_image
from tests.helpers.mpii_annotations import json_person, write


def test_three_sources_tell_the_same(tiny_mpii: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    root = tiny_mpii / "mpii"
    read = {k: read_annotations(find_annotations(root, k)) for k in ("official", "json", "deephar")}
    assert OFFICIAL_NAME in caplog.text
    assert "valid.json" in caplog.text
    assert "annotations.mat" in caplog.text
    reference = read["official"].persons
    assert set(np.unique(reference["split"])) == set(Split)
    for name in ("json", "deephar"):
        for split in (Split.TRAIN, Split.VALIDATION):
            one = reference[reference["split"] == split]
            other = read[name].persons
            other = other[other["split"] == split]
            for field in ("image", "joints_px", "centre_px", "scale"):
                np.testing.assert_array_equal(one[field], other[field], err_msg=field)
            if split == Split.VALIDATION or name == "deephar":
                np.testing.assert_array_equal(one["head_box_px"], other["head_box_px"])
    assert find_annotations(root).kind == "official"


def test_what_is_read_is_what_was_simulated(tiny_mpii: Path) -> None:
    persons = read_official(tiny_mpii / "mpii" / OFFICIAL_NAME).persons
    assert len(persons) > 40
    splits = {tuple(row) for row in tompson_validation().tolist()}
    told = []
    for person in persons:
        number = int(person["image"].decode().removesuffix(".jpg"))
        validation = tuple(p for i, p in sorted(splits) if i == number)
        truth = simulate_image(number, validation=validation)[1].persons[person["number"] - 1]
        np.testing.assert_array_equal(person["joints_px"], truth.joints_px)
        np.testing.assert_array_equal(person["centre_px"], truth.centre_px)
        np.testing.assert_array_equal(person["head_box_px"], truth.head_box_px)
        assert (person["split"] == Split.VALIDATION) == ((number, person["number"]) in splits)
        said = person["visible"] >= 0
        told.append(said.mean())
        np.testing.assert_array_equal(person["visible"][said] == 1, truth.visible[said])
    assert 0.2 < np.mean(told) < 0.9  # some state it, as a number or a text, some do not


def test_no_image_is_on_both_sides(tiny_mpii: Path) -> None:
    persons = read_official(tiny_mpii / "mpii" / OFFICIAL_NAME).persons
    images = {split: set(persons["image"][persons["split"] == split]) for split in Split}
    assert not images[Split.TRAIN] & images[Split.VALIDATION]
    assert images[Split.NEITHER] <= images[Split.VALIDATION]


# -------------------------------------------------------------------------------- which are there


def test_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError) as told:
        find_annotations(tmp_path)
    for text in ("http://human-pose.mpi-inf.mpg.de/", "synthetic dataset=mpii", "prepare mpii"):
        assert text in str(told.value)
    with pytest.raises(MPIIError, match="choose official, json, deephar"):
        find_annotations(tmp_path, "coco")


def test_which_annotations_are_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "annotations.mat").touch()
    assert find_annotations(tmp_path).kind == "deephar"
    (tmp_path / "annot").mkdir()
    write(tmp_path / "annot" / "valid.json", [json_person()])
    found = find_annotations(tmp_path)
    assert (found.kind, [path.name for path in found.paths]) == ("json", ["valid.json"])
    write(tmp_path / "annot" / "test.json", [json_person()])
    caplog.set_level(logging.INFO)
    read_annotations(found)
    assert "no gt_valid.mat" in caplog.text
    assert "test.json is not used" in caplog.text
    (tmp_path / "mpii_human_pose_v1_u12_2").mkdir()
    (tmp_path / "mpii_human_pose_v1_u12_2" / OFFICIAL_NAME).touch()
    assert find_annotations(tmp_path).kind == "official"
    with pytest.raises(MPIIError, match="MATLAB 5"):
        read_annotations(find_annotations(tmp_path))
    write(tmp_path / "annot" / "valid.json", [])
    with pytest.raises(MPIIError, match="No person"):
        read_annotations(find_annotations(tmp_path, "json"))
