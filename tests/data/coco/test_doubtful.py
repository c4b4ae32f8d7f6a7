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


@pytest.mark.parametrize("odd", ["a\0", "\0", "\ud800", "é\udfff\0b"])
def test_half_characters_and_nul_are_written_out(dots: Path, odd: str) -> None:
    """They ended in a trace where the persons are written."""

    def change(content: Any) -> None:
        content["categories"][0].update(name=odd, keypoints=[odd, *FIVE[1:]])
        content["annotations"][0]["id"] = odd

    _, persons = prepared(dots, change)
    assert len(persons) == 3
    again = read_persons(dots / "out" / "persons.h5")
    for text in (again.source, again.layout.name, *again.layout.joints, *again.rows["id"].tolist()):
        plain = text if isinstance(text, str) else text.decode()
        assert "\0" not in plain
        plain.encode()  # no half character
    assert set(again.layout.joints[1:]) == set(FIVE[1:])


def test_a_name_of_a_picture_that_cannot_be_stored_is_refused() -> None:
    layout = Layout("one", ("a",))
    person = Person("x", "\ud800.png", [[1, 2]], (1, 2), 3.0)
    with pytest.raises(HarError, match=r"image .* is no text that can be stored"):
        PersonSet.of([person], Path(), layout)


@pytest.mark.parametrize("second", ["dots", "1"])
def test_categories_of_one_name_are_chosen_by_id(dots: Path, second: str) -> None:
    """Two of one name, and one whose name is the id of the other: the advice chose both again."""

    def change(content: Any) -> None:
        first = content["categories"][0]
        content["categories"].append({"id": 2, "name": second, "keypoints": list("abcde")})
        content["annotations"][2]["category_id"] = 2
        assert first["name"] == "dots"

    with pytest.raises(HarError, match="2 categories") as caught:
        prepared(dots, change)
    advice = str(caught.value).rpartition("category=")[2].rstrip(".")
    assert stems(prepared(dots, change, category=advice)[1]) == ["video0_000.png", "video0_001.png"]
    assert "2 (5 joints, named" in str(caught.value)
    assert stems(prepared(dots, change, category="2")[1]) == ["video1_000.png"]
    assert stems(prepared(dots, change, category="1")[1]) == ["video0_000.png", "video0_001.png"]


@pytest.mark.parametrize(
    "name",
    [
        "https://x.org/data/video0_001.png?token=abc&x=1/2",
        "https://x.org/data/video0_001.png#1",
        "https://x.org/data/video0%5f001.png?token=abc#1",
        "s3://bucket/a/video0_001.png",
        "http://host/data/local-files/?d=sub/video0_001.png",
    ],
)
def test_addresses_with_a_query(dots: Path, name: str) -> None:
    notes, persons = prepared(dots, lambda c: c["images"][1].update(file_name=name))
    assert stems(persons) == ["video0_000.png", "video0_001.png", "video1_000.png"]
    assert not [what for what in notes if "left out" in what]
