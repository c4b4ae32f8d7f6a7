"""``python -m har.predict`` of images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from har.errors import HarError
from har.files import read_image
from har.prediction.sources import result_names
from har.runtime.engine import Engine
from tests.helpers.predicting import BOX, IMAGE_FILES, names, read_json, run, save
from tests.helpers.red_person import (
    joints_of,
    picture,
)


def test_images_of_a_folder_with_a_broken_one_and_other_files(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "Fotos & Ähnliches"
    folder.mkdir()
    for name in ("b.png", "d ö.png"):
        save(folder / name, picture(BOX))
    (folder / "c.png").write_bytes(b"\x89PNG\r\n broken")
    (folder / "a.txt").write_text("x")
    out = run(tmp_path, folder)
    assert names(out) == {"b.png", "b.json", "d ö.png", "d ö.json", *IMAGE_FILES}
    answer = read_json(out / "d ö.json")
    assert answer["size"] == [320, 240]
    (person,) = answer["people"]
    assert np.abs(np.array(person["joints_px"]) - joints_of(BOX)).max() < 2
    drawn = read_image(out / "b.png")
    assert drawn.shape == (240, 320, 3)
    assert (drawn != picture(BOX)).any()
    summary = read_json(out / "summary.json")
    assert ["failed" in row for row in summary["images"]] == [False, True, False]
    printed = capsys.readouterr().out.replace("\n", " ")
    assert "c.png is no image" in printed
    assert "1 other files" in printed


def test_only_broken_images_are_an_error(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(HarError, match="None of the 1 images can be read"):
        run(tmp_path, tmp_path / "a.png")
    assert names(tmp_path / "out") == set()


def test_images_by_pattern_with_boxes(tmp_path: Path, engine: Engine) -> None:
    other = (200, 50, 260, 150)
    folder = tmp_path / "in"
    folder.mkdir()
    save(folder / "x1.png", picture(BOX, other))
    save(folder / "x2.png", picture(BOX))
    save(folder / "y.png", picture(BOX))
    (tmp_path / "boxes.csv").write_text(
        "image,id,x1,y1,x2,y2\n"
        + "\n".join(f"x1.png,{i},{','.join(map(str, b))}" for i, b in ((4, BOX), (2, other)))
    )
    out = run(tmp_path, folder / "x*.png", f"boxes={tmp_path / 'boxes.csv'}")
    assert names(out) == {"x1.png", "x1.json", "x2.png", "x2.json", *IMAGE_FILES}
    people = {p["track"]: p["joints_px"] for p in read_json(out / "x1.json")["people"]}
    assert set(people) == {2, 4}
    assert np.abs(np.array(people[2]) - joints_of(other)).max() < 3
    assert read_json(out / "x2.json")["people"] == []


def test_a_detector_s_people(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def detector(*_: object) -> Any:
        return lambda image: np.array([BOX], float)

    monkeypatch.setattr("har.prediction.detector.PersonDetector", detector)
    save(tmp_path / "a.png", picture(BOX))
    out = run(tmp_path, tmp_path / "a.png", "finder=detector")
    (person,) = read_json(out / "a.json")["people"]
    assert np.abs(np.array(person["joints_px"]) - joints_of(BOX)).max() < 2


def test_results_of_images_with_one_name_do_not_overwrite_each_other() -> None:
    paths = [Path("a.png"), Path("a.jpg"), Path("b.png"), Path("x/b.png"), Path("summary.png")]
    made = result_names(paths)
    assert len(set(made.values())) == 5
    assert "summary" not in made.values()
    assert result_names([Path("c.png")]) == {Path("c.png"): "c"}


def test_results_do_not_go_where_the_source_is(tmp_path: Path, engine: Engine) -> None:
    save(tmp_path / "a.png", picture(BOX))
    with pytest.raises(HarError, match="another folder"):
        run(tmp_path, tmp_path / "a.png", out=".")
    assert names(tmp_path) == {"a.png"}
