"""Boxes of other programs as they come: other separators, units, names, frames; and a fuzz."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from har.errors import HarError
from har.geometry import box_iou
from har.prediction.boxes_file import BoxesFile, OfVideo
from har.prediction.predictor import Predictor
from har.prediction.tracking import GivenBoxes
from har.runtime.engine import Engine
from har.video import Frame
from tests.helpers.predicting import BOX, read_json, run, save
from tests.helpers.red_person import joints_of, picture, red_engine, walking, write_video

OTHER = (200, 50, 260, 150)
CASES = Path(__file__).parents[1] / "helpers" / "cases" / "boxes"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = red_engine()
    monkeypatch.setattr("har.runtime.loading.load_engine", lambda *_, **__: engine)
    return engine


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


SIDES = "60,80,100,180"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image,id,x,y,w,h\na.png,0,60,80,40,100\n", "x \\+ w"),
        ("image,bbox\na.png,60\n", "x \\+ w"),
        ("image,x1,y1,x2,y2\na.png,60,80,40,100\n", "x2 is x \\+ w"),
        ("image,x1,y1,x2,y2\na.png,0.2,0.3,0.4,0.7\n", "shares of the picture"),
        ("image,x1,y1,x2,y2,speed\na.png,60,80,100,180,3\n", "'speed' is not known"),
        ("image,x1,y1,x2,y2\na.png,60,80,100,180,7\n", "6 values"),
        ("image,id,x1,y1,x2,y2\na.png,1,60,80,100,180\na.png,1,60,80,100,180\n", "two boxes of"),
        ("frame,x1,y1,x2,y2\n0,60,80,100,180\n", "need a column image"),
        ("image,x1,y1,x2,y2,left\na.png,60,80,100,180,5\n", "two columns give x1"),
        ("image,x1,y1,x2,y2\na.png,6_0,80,100,180\n", "must be numbers"),
        ("image,id,x1,y1,x2,y2\na.png,1.5,60,80,100,180\n", "whole number"),
        ("image,x1,y1,x2,y2\na.png,-1e9,80,1e9,180\n", "larger than any picture"),
        ("0,1,60,80,40,100,1,-1,-1,-1\n", "no header: its first line names"),  # of MOT Challenge
        ("0 0.5 0.5 0.2 0.3\n", "no header"),  # of YOLO
        ("<annotations></annotations>", "is XML"),  # of CVAT
        ("a picture of a person", "column 'a picture of a person' is not known|no boxes"),
    ],
)
def test_what_is_not_certain_is_one_sentence(
    tmp_path: Path, engine: Engine, text: str, says: str
) -> None:
    save(tmp_path / "a.png", picture(BOX))
    with pytest.raises(HarError, match=says):
        run(tmp_path, tmp_path / "a.png", f"boxes={write(tmp_path / 'boxes.csv', text)}")


@pytest.mark.parametrize(
    "text",
    [
        f"image;id;x1;y1;x2;y2\na.png;7;{SIDES.replace(',', ';')}\n",
        "image;id;x1;y1;x2;y2\na.png;7;60,0;80,0;100,0;180,0\n",  # commas for decimal points
        f"image\tid\tx1\ty1\tx2\ty2\na.png\t7\t{SIDES.replace(',', chr(9))}\n",
        f"file_name,track_id,xmin,ymin,xmax,ymax\na.png,7,{SIDES}\n",
        f"Image, ID ,X1,Y1,X2,Y2\n a.png ,7,{SIDES}\n",
        f"image,id,x1,y1,x2,y2\nphotos\\a.png,7,{SIDES}\n",
        f"image,id,x1,y1,x2,y2\nC:\\photos\\a.png,7,{SIDES}\n",
        f"image,id,x1,y1,x2,y2\na,7,{SIDES}\n",
        f"image,id,x1,y1,x2,y2,score\na.png,7,{SIDES},0.9\n",
        f"image,id,x1,y1,x2,y2\nb.png,3,{SIDES}\na.png,7,{SIDES}\n",
    ],
)
def test_what_is_certain_is_understood(tmp_path: Path, engine: Engine, text: str) -> None:
    save(tmp_path / "a.png", picture(BOX))
    out = run(tmp_path, tmp_path / "a.png", f"boxes={write(tmp_path / 'boxes.csv', text)}")
    (person,) = read_json(out / "a.json")["people"]
    assert person["track"] == 7
    assert np.abs(np.array(person["joints_px"]) - joints_of(BOX)).max() < 3


@pytest.mark.parametrize("name", ["boxes.tsv", "boxes.txt", "BOXES.CSV", "rows.txt", "rows"])
def test_the_content_decides_where_the_ending_does_not(
    tmp_path: Path, engine: Engine, name: str
) -> None:
    save(tmp_path / "a.png", picture(BOX))
    text = f"image,id,x1,y1,x2,y2\na.png,7,{SIDES}\n"
    if name.startswith("rows"):
        x1, y1, x2, y2 = BOX
        text = json.dumps([{"image": "a.png", "id": 7, "x1": x1, "y1": y1, "x2": x2, "y2": y2}])
    elif name.endswith(".tsv"):
        text = text.replace(",", "\t")
    out = run(tmp_path, tmp_path / "a.png", f"boxes={write(tmp_path / name, text)}")
    (person,) = read_json(out / "a.json")["people"]
    assert person["track"] == 7


def test_equal_names_in_two_folders(tmp_path: Path, engine: Engine) -> None:
    for folder, box in (("one", BOX), ("two", OTHER)):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / "a.png", picture(box))
    rows = [("one/a.png", BOX), ("two/a.png", OTHER)]
    lines = [f"{name},{','.join(map(str, box))}" for name, box in rows]
    boxes = write(tmp_path / "boxes.csv", "\n".join(["image,x1,y1,x2,y2", *lines]))
    out = run(tmp_path, tmp_path / "*" / "a.png", f"boxes={boxes}")
    found = [read_json(path) for path in sorted(out.glob("a*.json"))]
    for answer in found:
        box = BOX if "one" in answer["image"] else OTHER
        (person,) = answer["people"]
        assert np.abs(np.array(person["joints_px"]) - joints_of(box)).max() < 3
    assert len(found) == 2
    with pytest.raises(HarError, match=r"a\.png may be .*one.* or .*two"):
        run(tmp_path, tmp_path / "*" / "a.png", f"boxes={write(boxes, lines_of_plain())}")


def lines_of_plain() -> str:
    return f"image,x1,y1,x2,y2\na.png,{SIDES}\n"


def test_boxes_that_fit_nothing_are_counted_and_named(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path / "a.png", picture(BOX))
    text = f"image,x1,y1,x2,y2\na.png,{SIDES}\na.png,900,80,940,180\nelse.png,{SIDES}\n"
    out = run(tmp_path, tmp_path / "a.png", f"boxes={write(tmp_path / 'boxes.csv', text)}")
    assert len(read_json(out / "a.json")["people"]) == 1
    printed = capsys.readouterr().out.replace("\n", " ")
    assert "1 boxes lie outside their images" in printed
    assert "belong to no image or video of the source (else.png)" in printed


def test_a_box_without_a_person_gives_nobody(tmp_path: Path, engine: Engine) -> None:
    save(tmp_path / "a.png", picture(BOX))
    boxes = write(tmp_path / "boxes.csv", "image,x1,y1,x2,y2\na.png,250,20,290,60\n")
    out = run(tmp_path, tmp_path / "a.png", f"boxes={boxes}")
    assert read_json(out / "a.json")["people"] == []
    film = write_video(tmp_path / "film.avi", walking(40))
    boxes = write(tmp_path / "film.csv", "frame,x1,y1,x2,y2\n0,250,20,290,60\n39,250,20,290,60\n")
    out = run(tmp_path, film, f"boxes={boxes}", out="film")
    summary = read_json(out / "summary.json")
    assert summary["people"] == []
    assert any("show nobody" in remark for remark in summary["remarks"])
    assert (out / "actions.csv").read_text().count("\n") == 1


# --------------------------------------------------------------------- the drawn cases, in a video


def predict_pair(tmp_path: Path, file: str) -> tuple[Path, dict]:
    video = write_video(
        tmp_path / "pair.mp4", [picture((290, 115, 380, 325), size=(640, 360))] * 18
    )
    boxes = shutil.copy(CASES / file, tmp_path)
    out = run(tmp_path, video, f"boxes={boxes}")
    return out, read_json(out / "summary.json")


def test_two_people_without_ids_are_refused(tmp_path: Path, engine: Engine) -> None:
    with pytest.raises(HarError, match=r"noid\.csv, boxes 1 and 2: two boxes without an id"):
        predict_pair(tmp_path, "noid.csv")


@pytest.mark.parametrize(
    ("text", "persons"),
    [
        # without an id is another person than 0
        ("frame,id,x1,y1,x2,y2\n0,,60,80,100,180\n0,0,200,50,260,150\n", {1: [0], 0: [0]}),
        ("frame,id,x1,y1,x2,y2\n0,,60,80,100,180\n9,0,200,50,260,150\n", {1: [0], 0: [9]}),
        (
            "image,frame,id,x1,y1,x2,y2\nfilm.avi,0,,60,80,100,180\n,0,0,200,50,260,150\n",
            {1: [0], 0: [0]},
        ),
        ("image,frame,id,x1,y1,x2,y2\nfilm,0,1,60,80,100,180\n,0,1,200,50,260,150\n", None),
        ("image,frame,id,x1,y1,x2,y2\nfilm,0,,60,80,100,180\n,0,,200,50,260,150\n", None),
    ],
)
def test_no_box_of_a_frame_hides_another(
    tmp_path: Path, text: str, persons: dict[int, list[int]] | None
) -> None:
    film = Path("film.avi")
    file = BoxesFile(write(tmp_path / "boxes.csv", text))
    if persons is None:
        with pytest.raises(HarError, match=r"boxes \d and \d: two boxes"):
            file.check_sources([], [film])
        with pytest.raises(HarError, match=r"boxes \d and \d: two boxes"):
            file.of_video(film)
        return
    file.check_sources([], [film])
    numbers, boxes = file.of_video(film)
    assert {person: frames.tolist() for person, frames in numbers.items()} == persons
    np.testing.assert_array_equal(boxes[1], [BOX])
    np.testing.assert_array_equal(boxes[0], [OTHER])


def test_frames_without_a_name_are_no_image_s(tmp_path: Path) -> None:
    text = f"image,frame,id,x1,y1,x2,y2\n,0,3,{SIDES}\na.png,,5,200,50,260,150\n"
    file = BoxesFile(write(tmp_path / "boxes.csv", text))
    file.check_sources([Path("a.png"), Path("b.png")], [Path("film.avi")])
    assert file.of_image("a.png")[0] == [5]
    assert file.of_image("b.png")[0] == []
    assert list(file.of_video("film.avi").numbers) == [3]


def test_boxes_outside_and_beyond_are_named(tmp_path: Path, engine: Engine) -> None:
    for file, remark in (("outside.json", "lie outside"), ("beyond.json", "beyond the end")):
        _, summary = predict_pair(tmp_path, file)
        assert summary["people"] == []
        assert any(remark in each for each in summary["remarks"]), summary["remarks"]


def test_rows_with_image_and_frame_are_of_that_video(tmp_path: Path, engine: Engine) -> None:
    _, summary = predict_pair(tmp_path, "imgframe.json")
    assert [person["track"] for person in summary["people"]] == [0]
    assert summary["frames_with_people"] > 5


def test_a_name_without_ending(tmp_path: Path, engine: Engine) -> None:
    save(tmp_path / "plain.png", picture((285, 115, 385, 325), size=(640, 360)))
    out = run(tmp_path, tmp_path / "plain.png", f"boxes={CASES / 'noext.json'}")
    assert len(read_json(out / "plain.json")["people"]) == 1


def test_frames_without_a_name_belong_to_one_video(tmp_path: Path, engine: Engine) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("a.avi", "b.avi"):
        write_video(folder / name, walking(5))
    boxes = write(tmp_path / "boxes.csv", f"frame,x1,y1,x2,y2\n0,{SIDES}\n")
    with pytest.raises(HarError, match="which of the 2 videos"):
        run(tmp_path, folder, f"boxes={boxes}")


# ------------------------------------------------------------------------------------------ the API


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        ([[1, 2, 3]], "shape"),
        ([[60, 80, 40, 100]], r"boxes\[0\] .* area is 0"),
        ([[60, 80, 100, 180], [float("nan"), 0, 1, 1]], r"boxes\[1\]"),
        ([[0.1, 0.2, 0.4, 0.9]], "shares of the picture"),
        ([[900, 80, 940, 180]], "outside the picture"),
        ("left", "not numbers"),
        ([["a", "b", "c", "d"]], "not numbers"),
    ],
)
def test_the_api_checks_boxes(boxes: object, says: str) -> None:
    with pytest.raises(HarError, match=says):
        Predictor(red_engine())(picture(BOX), boxes=boxes)  # type: ignore[arg-type]


def test_the_api_checks_boxes_of_clips_and_numbers() -> None:
    predictor = Predictor(red_engine())
    clip = np.array(walking(3))
    with pytest.raises(HarError, match="one box"):
        predictor(clip, boxes=[BOX, OTHER])
    with pytest.raises(HarError, match="outside"):
        predictor(clip, boxes=(900, 80, 940, 180))
    for fps in (0, -1, float("nan"), float("inf")):
        with pytest.raises(HarError, match="fps"):
            predictor(clip, fps=fps)


# ------------------------------------------------------------------------------------------ a fuzz


GOOD_CSV = "frame,id,x1,y1,x2,y2\n" + "\n".join(
    f"{frame},{person},{','.join(map(str, box))}"
    for frame in (0, 2, 5)
    for person, box in ((1, BOX), (2, OTHER))
)
GOOD_JSON = json.dumps(
    [
        {"frame": f, "id": p, **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))}
        for f in (0, 2, 5)
        for p, box in ((1, BOX), (2, OTHER))
    ]
)
SCRAPS = [*"0123456789-.,;:\"'{}[]\n\t eE_", "null", "true", "NaN", "1e400", "frame", "\x00", "é"]


def mutated(text: str, rng: random.Random) -> str:
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        place, scrap = rng.randrange(len(text)), rng.choice(SCRAPS)
        kind = rng.randrange(8)
        if kind == 0:
            text = text[:place] + text[place + 1 :]
        elif kind == 1:
            text = text[:place] + scrap + text[place:]
        elif kind == 2:
            text = text[:place] + scrap + text[place + 1 :]
        elif kind > 3:  # another number: the file stays a good one
            digits = [n for n, letter in enumerate(text) if letter.isdigit()]
            place = rng.choice(digits or [place])
            text = text[:place] + rng.choice("0123456789") + text[place + 1 :]
        else:
            other = rng.randrange(len(text))
            text = text[:place] + text[other : other + rng.randrange(20)] + text[place:]
    return text


def read(path: Path) -> tuple[OfVideo | None, str]:
    """The boxes of a video, or why they are refused."""
    try:
        file = BoxesFile(path)
        file.check_sources([], [Path("film.avi")])
        return file.of_video(Path("film.avi")), ""
    except HarError as error:
        return None, str(error).strip()


@pytest.mark.parametrize(("ending", "good"), [("csv", GOOD_CSV), ("json", GOOD_JSON)])
def test_250_mutations_end_in_a_result_or_a_sentence(
    tmp_path: Path, ending: str, good: str
) -> None:
    """Every person that is reported is in a box of the file, or between two of them."""
    rng, results, path = random.Random(0), 0, tmp_path / f"boxes.{ending}"
    predictor = Predictor(red_engine())
    clip = [picture(BOX, OTHER)] * 6
    frames = [Frame(image, number, number / 30) for number, image in enumerate(clip)]
    for _ in range(250):
        path.write_text(mutated(good, rng), encoding="utf-8")
        given, refused = read(path)
        if given is None:
            assert str(path) in refused
            assert "\n" not in refused
            continue
        results += 1
        for prediction in predictor.follow([frames], GivenBoxes(*given)):
            for person in prediction.people:
                boxes, numbers = given.boxes[person.track], given.numbers[person.track]
                assert numbers[0] <= prediction.frame.number <= numbers[-1]
                before = boxes[np.searchsorted(numbers, prediction.frame.number, "right") - 1]
                after = boxes[np.searchsorted(numbers, prediction.frame.number)]
                around = np.concatenate(
                    [np.minimum(before, after)[:2], np.maximum(before, after)[2:]]
                )
                assert box_iou(person.box, around) > 0
    assert results > 50
