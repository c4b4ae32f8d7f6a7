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


def test_an_image_listed_twice_with_two_sizes_is_named(dots: Path) -> None:
    def change(content: Any) -> None:
        content["images"].append({**content["images"][0], "width": 77})

    notes, persons = prepared(dots, change)
    assert len(persons) == 3
    (places,) = (places for what, places in notes.items() if "listed twice, with two s" in what)
    assert places == ["video0_000.png (image 0): 120x120 and 77x120"]

    def unknown_first(content: Any) -> None:
        image = content["images"][0]
        content["images"][0] = {"id": image["id"], "file_name": image["file_name"]}
        content["images"].append({**image, "width": 77})

    notes, persons = prepared(dots, unknown_first)
    assert len(persons) == 2
    assert "left out: the picture has another size than the annotations state" in notes


def test_a_category_id_listed_twice(dots: Path) -> None:
    def ball(content: Any) -> None:
        content["categories"].append({"id": 1, "name": "ball"})

    notes, persons = prepared(dots, ball)
    assert persons.layout.name == "dots"
    assert notes["a category id is listed twice (that with key points counts)"] == ["1"]
    prepared(dots, lambda c: c["categories"].append(dict(c["categories"][0])))  # the same again

    def other_joints(content: Any) -> None:
        content["categories"].append({"id": 1, "name": "hand", "keypoints": list("abcde")})

    with pytest.raises(HarError, match=r"category id 1 .* stands for two lists of key points"):
        prepared(dots, other_joints)


def test_a_repeated_annotation_is_one_person(dots: Path) -> None:
    def change(content: Any) -> None:
        content["annotations"].append(dict(content["annotations"][0]))
        content["annotations"].append({**content["annotations"][1], "id": 99})
        other = json.loads(json.dumps(content["annotations"][2]))
        other["keypoints"][0] += 1  # of another person
        content["annotations"].append(other)

    notes, persons = prepared(dots, change)
    assert stems(persons) == [
        "video0_000.png",
        "video0_001.png",
        "video1_000.png",
        "video1_000.png",
    ]
    assert len(notes["left out: the same joints and box as another annotation"]) == 2


@pytest.mark.parametrize(
    ("value", "crowd", "odd"),
    [
        *((value, False, False) for value in (0, 0.0, False, "0", "false", None, "no", "")),
        *((value, True, False) for value in (1, 1.0, True, "1", "true", "yes", "Yes")),
        *((value, True, True) for value in (2, "2", "maybe", [1])),
    ],
)
def test_ways_of_writing_a_crowd(dots: Path, value: Any, crowd: bool, odd: bool) -> None:
    notes, persons = prepared(dots, lambda c: c["annotations"][1].update(iscrowd=value))
    assert len(persons) == 3 - crowd
    assert ("left out: a crowd, not a person" in notes) == crowd
    assert any("iscrowd is not 0 or 1" in what for what in notes) == odd
