"""Boxes of another program, and rows that are not valid."""

import json
from pathlib import Path

import numpy as np
import pytest

from har.errors import HarError
from har.prediction.boxes_file import BoxesFile

VIDEO = [
    {"frame": 5, "id": 1, "x1": 1, "y1": 2, "x2": 3, "y2": 4.5},
    {"frame": 0, "id": 1, "x1": 0, "y1": 0, "x2": 9, "y2": 9},
    {"frame": 0, "x1": 5, "y1": 5, "x2": 6, "y2": 6},
]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    if path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
        return path
    names = list(rows[0])
    lines = [",".join(names), *(",".join(str(row.get(n, "")) for n in names) for row in rows)]
    path.write_text("\r\n".join(lines), encoding="utf-8-sig")  # as a spreadsheet writes it
    return path


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_boxes_of_a_video(tmp_path: Path, ending: str) -> None:
    numbers, boxes = BoxesFile(write(tmp_path / f"boxes.{ending}", VIDEO)).of_video()
    assert {person: frames.tolist() for person, frames in numbers.items()} == {1: [0, 5], 0: [0]}
    np.testing.assert_array_equal(boxes[1], [[0, 0, 9, 9], [1, 2, 3, 4.5]])


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_boxes_of_images(tmp_path: Path, ending: str) -> None:
    rows = [
        {"image": "folder/ä 1.png", "x1": 1, "y1": 2, "x2": 3, "y2": 4, "id": 8},
        {"image": "b.png", "x1": 1, "y1": 2, "x2": 3, "y2": 4, "id": ""},
    ]
    file = BoxesFile(write(tmp_path / f"boxes.{ending}", rows))
    people, boxes = file.of_image("ä 1.png")
    assert people == [8]
    np.testing.assert_array_equal(boxes, [[1, 2, 3, 4]])
    assert file.of_image("b.png")[0] == [0]
    assert file.of_image("other.png")[1].shape == (0, 4)
    with pytest.raises(HarError, match="a video needs a column frame"):
        file.of_video()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"x1": "left"}, "must be numbers"),
        ({"x1": None}, "must be numbers"),
        ({"x2": float("nan")}, "must be finite numbers"),
        ({"x2": float("inf")}, "must be finite numbers"),
        ({"x2": -5}, "area is 0"),
        ({"frame": "first"}, "whole number"),
        ({"frame": -1}, "counts from 0"),
        ({"id": "Anna"}, "whole number"),
    ],
)
def test_invalid_rows_are_reported_with_their_number(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([VIDEO[0], {**VIDEO[1], **change}]))
    with pytest.raises(HarError, match=rf"boxes\.json, box 2: .*{sentence}"):
        BoxesFile(path)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"[1, 2]", b"[", b"\xff\xfe\x00", b"[" * 100_000]
)
def test_files_of_another_kind_are_reported(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "boxes.json"
    path.write_bytes(content)
    with pytest.raises(HarError, match=r"boxes\.json"):
        BoxesFile(path)
    with pytest.raises(HarError, match="cannot be read"):
        BoxesFile(tmp_path / "missing.csv")


def test_a_table_without_the_columns_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(HarError, match="must be numbers"):
        BoxesFile(path)
    path.write_text("")
    with pytest.raises(HarError, match="has no boxes"):
        BoxesFile(path)


@pytest.mark.parametrize(
    ("rows", "box"),
    [
        ("sep=;\nframe;x1;y1;x2;y2\n0;10,5;20;110,5;220\n", (10.5, 20, 110.5, 220)),
        ("sep=,\nframe,x1,y1,x2,y2\n0,10.5,20,110.5,220\n", (10.5, 20, 110.5, 220)),
        ("frame;x1;y1;x2;y2\n0;1.010,5;20;1.110;220\n", (1010.5, 20, 1110, 220)),
        ("frame;x1;y1;x2;y2\n0;10.125;20.5;110.250;220\n", (10.125, 20.5, 110.25, 220)),
        ("frame;x1;y1;x2;y2\n0;110.125;20.500;210.250;220.125\n", (110.125, 20.5, 210.25, 220.125)),
        ("frame;x1;y1;x2;y2\n0;1.010;20;1.110;220\n", None),
    ],
)
def test_tables_of_spreadsheets(tmp_path: Path, rows: str, box: tuple[float, ...] | None) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(rows)
    if box is None:
        with pytest.raises(HarError, match=r"1\.110 may be 1110 or 1\.11; write numbers without"):
            BoxesFile(path)
    else:
        np.testing.assert_array_equal(BoxesFile(path).of_video().boxes[0], [box])


@pytest.mark.parametrize("name", ["e\u0301.jpg", "e\u0301"])
def test_an_accent_may_be_written_in_two_ways(tmp_path: Path, name: str) -> None:
    rows = [{"image": name, "x1": 1, "y1": 2, "x2": 30, "y2": 40}]
    file = BoxesFile(write(tmp_path / "boxes.json", rows))
    file.check_sources([Path("d/\u00e9.jpg"), Path("d/e.jpg")], [])
    assert file.remarks == []
    np.testing.assert_array_equal(file.of_image("d/\u00e9.jpg")[1], [[1, 2, 30, 40]])
    assert file.of_image("d/e.jpg")[0] == []
