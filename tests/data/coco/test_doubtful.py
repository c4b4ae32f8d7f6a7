"""Entries of COCO files that mean something else than they say, or cannot be told apart."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from har.data.person_file import read_persons
from har.data.records import Person, PersonSet
from har.errors import HarError
from har.layouts import Layout
from tests.helpers.coco_files import FIVE, changed, prepare, stems, write_dots

NAME = "changed.json"


@pytest.fixture
def dots(tmp_path: Path) -> Path:
    """Three pictures of a person each: video0_000.png, video0_001.png, video1_000.png."""
    write_dots(tmp_path, FIVE, pictures=3, people=1)
    return tmp_path


def prepared(folder: Path, change: Any, **options: Any) -> tuple[dict[str, list[str]], PersonSet]:
    changed(folder / "annotations.json", folder / NAME, change)
    report, persons = prepare(folder, folder / "out", NAME, **options)
    return report.notes, persons


def test_key_points_in_parts_of_the_picture_are_left_out(dots: Path) -> None:
    """All joints of such a person lay in the first pixel."""

    def in_parts(content: Any) -> None:
        points = np.array(content["annotations"][1]["keypoints"], float).reshape(-1, 3)
        points[:, :2] /= [120, 120]
        content["annotations"][1]["keypoints"] = points.ravel().tolist()

    notes, persons = prepared(dots, in_parts)
    assert stems(persons) == ["video0_000.png", "video1_000.png"]
    (places,) = (places for what, places in notes.items() if "parts of the picture" in what)
    assert "annotation 2" in places[0]

    def near_the_corner(content: Any) -> None:  # a single joint there is one
        content["annotations"][1]["keypoints"] = [0.5, 0.5, 2, *[0] * 12]

    assert len(prepared(dots, near_the_corner)[1]) == 3
