"""Irregularities of COCO files, each of its kind, and 200 mutations of a good file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from har.data.augment import Augmentation
from har.data.coco.prepare import prepare_persons
from har.data.persons import PersonDataset
from har.errors import HarError
from har.files import read_stored_image
from tests.helpers.coco_files import (
    FIVE,
    TWENTY_ONE,
    changed,
    prepare,
    stems,
    write_dots,
    write_json,
)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("others", [True, False])
def test_pictures_turned_by_exif(
    tmp_path: Path, orientation: int, upright: bool, others: bool
) -> None:
    """A white dot lies where the joint is, in the picture that is read.

    Width and height say which picture is meant; where they do not (2 to 4), another one of the
    same file does (``others``), and without it the upright one is taken.
    """
    if orientation in (2, 3, 4) and not upright and not others:
        pytest.skip("nothing says that the stored picture is meant")
    (tmp_path / "images").mkdir()
    images, annotations = [], []
    for number, turning in enumerate([orientation, 6][: 1 + others]):
        stored = np.zeros((64, 96, 3), dtype=np.uint8)
        stored[8:20, 60:72] = 255
        exif = PIL.Image.Exif()
        exif[0x0112] = turning
        PIL.Image.fromarray(stored).save(
            tmp_path / "images" / f"{number}.jpg", exif=exif, quality=95
        )
        shown = stored
        if upright:
            with PIL.Image.open(tmp_path / "images" / f"{number}.jpg") as picture:
                shown = np.asarray(PIL.ImageOps.exif_transpose(picture))
        rows, columns = np.nonzero(shown[..., 0] > 128)
        x, y = columns.mean() + 0.5, rows.mean() + 0.5
        size = {"width": shown.shape[1], "height": shown.shape[0]}
        images.append({"id": number, "file_name": f"{number}.jpg", **size})
        points = [x, y, 2, x + 1, y, 2]
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "keypoints": points}
        )
    categories = [{"id": 1, "name": "dot", "keypoints": ["a", "b"]}]
    write_json(tmp_path / "annotations.json", images, annotations, categories)
    _, persons = prepare(tmp_path, tmp_path)
    person = persons.rows[0]
    image = read_stored_image(tmp_path / "images" / "0.jpg", bool(person["upright"]))
    x, y = person["joints_px"][0].astype(int)
    assert image[y, x].min() > 200
    if orientation > 1:
        assert person["upright"] == upright


def test_joints_and_boxes_that_cannot_be(tmp_path: Path) -> None:
    path = write_dots(tmp_path, FIVE, pictures=2)

    def spoil(content: Any) -> None:
        one, two, three, four = content["annotations"]
        one["keypoints"][:6] = [float("nan"), 5, 2, 1e30, 7, 2]
        two["keypoints"][:6] = [-40, 5, 2, 500, 7, 1]
        two["bbox"] = [float("nan"), 0, 10, 10]
        three["keypoints"] = three["keypoints"][:-1]
        four["bbox"] = ["x", None, 3, 4]
        four["keypoints"][2::3] = ["2", None, -1, 0.5, 2]
        content["annotations"].append(17)
        content["images"].append({"id": 9})

    changed(path, path, spoil)
    report, persons = prepare(tmp_path, tmp_path)
    joints = persons.rows["joints_px"]
    assert np.isfinite(joints).all(-1).sum(1).tolist() == [3, 3, 3]
    assert np.isfinite(persons.rows["box_px"]).all()
    assert (persons.rows["box_px"][:, :2] >= 0).all()
    told = {place: what for what, places in report.notes.items() for place in places}
    names = ("annotation 1 (video0_000.png)", "annotation 2 (video0_000.png)")
    assert told[f"head of {names[0]}"] == "a joint has no number: not used"
    assert told[f"hand_left of {names[1]}"] == "a joint lies outside its picture: not used"
    assert "do not fit" in told["annotation 3 (video0_001.png): 14 numbers for 5 joints"]


def test_annotations_with_the_least_that_is_needed(tmp_path: Path) -> None:
    path = write_dots(tmp_path, FIVE, pictures=2, people=1)

    def strip(content: Any) -> None:
        for each in content["annotations"]:
            for name in ("id", "iscrowd", "bbox", "area", "num_keypoints", "category_id"):
                del each[name]
        for each in content["images"]:
            del each["width"], each["height"]
        del content["categories"][0]["skeleton"]

    changed(path, path, strip)
    report, persons = prepare(tmp_path, tmp_path)
    assert report.persons["train"] == 2
    assert list(report.notes) == ["no box, or one without a size: taken from the joints"]
    assert persons.layout.links == ()


def test_small_persons_have_a_crop(tmp_path: Path) -> None:
    """Boxes of a pixel, a single joint, joints in the corner: none of them stops a training."""
    path = write_dots(tmp_path, FIVE, pictures=2)

    def shrink(content: Any) -> None:
        one, two, three, four = content["annotations"]
        one["bbox"] = [*one["keypoints"][:2], 1, 1]
        two["keypoints"] = [219.5, 119.5, 2] + 4 * [0, 0, 0]
        two["bbox"] = [219, 119, 30, 30]
        three["keypoints"] = [[0.5, 0, 1]] + 4 * [[0, 0, 0]]
        del three["bbox"]
        four["bbox"] = [500, 500, 20, 20]

    changed(path, path, shrink)
    _, persons = prepare(tmp_path, tmp_path)
    assert len(persons) == 4
    boxes = persons.rows["box_px"]
    assert ((boxes[:, 2:] - boxes[:, :2]).max(1) >= 4).all()
    assert (boxes >= 0).all()
    assert (boxes[:, 2:] <= [220, 120]).all()
    data = PersonDataset(persons, resolution=(32, 32), augmentation=Augmentation(scales=(0.7,)))
    for number in range(4):
        assert data["pose", number, 0]["images"].shape == (32, 32, 3)


def test_links_and_pairs(tmp_path: Path) -> None:
    path = write_dots(tmp_path, TWENTY_ONE, pictures=2)
    report, persons = prepare(tmp_path, tmp_path)
    assert "no picture is mirrored" in report.mirroring
    assert persons.layout.links[:2] == ((0, 1), (0, 2))
    pairs = [["point 1", "point 2"], [3, 4]]
    report, persons = prepare(tmp_path, tmp_path, flip_pairs=pairs)
    assert persons.layout.flip[:5] == (0, 2, 1, 4, 3)
    assert "point 1 and point 2" in report.mirroring
    for wrong in ([["point 1", "nose"]], [[1]], [["point 1", "point 1"]], [[1, 2], [2, 3]]):
        with pytest.raises(HarError, match="flip_pairs"):
            prepare(tmp_path, tmp_path, flip_pairs=wrong)
    from_zero = changed(path, tmp_path / "zero.json", lambda c: c["categories"][0].update(
        skeleton=[[0, 1], [5, 20]]))  # fmt: skip
    _, persons = prepare(tmp_path, tmp_path, from_zero.name)
    assert persons.layout.links == ((0, 1), (5, 20))


def test_the_folder_of_the_pictures(tmp_path: Path) -> None:
    path = write_dots(tmp_path, FIVE, pictures=4, people=1)
    images = tmp_path / "images"
    (images / "a").mkdir()
    (images / "b").mkdir()
    (images / "video0_000.png").rename(images / "a" / "one.png")
    (images / "video0_001.png").rename(images / "b" / "one.png")
    (images / "video1_000.png").rename(images / "ä ü.png")
    names = ["b/one.png", "c/one.png", "C:\\x\\a\u0308 u\u0308.png", "%76ideo1_001.png"]

    def rename(content: Any) -> None:
        for image, name in zip(content["images"], names, strict=True):
            image["file_name"] = name

    changed(path, path, rename)
    report, persons = prepare(tmp_path, tmp_path)
    # c/one.png is neither a/one.png nor b/one.png
    assert stems(persons) == ["b/one.png", "ä ü.png", "video1_001.png"]
    assert report.notes["left out: the picture is not in the folder"] == ["c/one.png (image 1)"]
    with pytest.raises(HarError, match="no folder of pictures"):
        prepare_persons(tmp_path / "none", {"train": path}, tmp_path)


def test_pictures_of_another_size_are_left_out(tmp_path: Path) -> None:
    path = write_dots(tmp_path, FIVE, pictures=2, people=1)
    changed(path, path, lambda c: c["images"][0].update(width=240, height=240))
    report, persons = prepare(tmp_path, tmp_path)
    assert stems(persons) == ["video0_001.png"]
    (places,) = (places for what, places in report.notes.items() if "another size" in what)
    assert places == ["video0_000.png: 120x120, stated 240x240"]
    _, persons = prepare(tmp_path, tmp_path, any_size=True)
    assert len(persons) == 2


def test_several_files(tmp_path: Path) -> None:
    path = write_dots(tmp_path, FIVE, pictures=6, people=1)
    content = json.loads(path.read_text())
    later = [each for each in content["annotations"] if each["image_id"] >= 4]
    val = write_json(tmp_path / "val.json", content["images"][4:], later, content["categories"])
    files = {"train": path, "val": val}
    report, persons = prepare_persons(tmp_path / "images", files, tmp_path, workers=0)
    assert report.persons == {"train": 4, "val": 2, "test": 0}
    (both,) = (places for what, places in report.notes.items() if "later file" in what)
    assert both == ["video2_000.png", "video2_001.png"]
    assert len(persons) == 6
    changed(val, val, lambda c: c["categories"][0].update(keypoints=list("abcde")))
    with pytest.raises(HarError, match="need the same skeleton"):
        prepare_persons(tmp_path / "images", files, tmp_path, workers=0)


def test_all_boxes_are_corners_where_one_is_and_none_cannot_be(tmp_path: Path) -> None:
    path = write_dots(tmp_path, FIVE, pictures=4)

    def to_corners(content: Any) -> None:
        for each in content["annotations"]:
            x, y, w, h = each["bbox"]
            each["bbox"] = [x, y, x + w, y + h]

    _, before = prepare(tmp_path, tmp_path)
    changed(path, path, to_corners)
    report, after = prepare(tmp_path, tmp_path)
    np.testing.assert_array_equal(before.rows["box_px"], after.rows["box_px"])
    (places,) = (places for what, places in report.notes.items() if "two corners" in what)
    assert len(places) == 8


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "not a whole JSON file"),
        ('{"images": [', "not a whole JSON file"),
        ("[]", "no list of images"),
        ("7", "no list of images"),
        ('{"images": [], "annotations": {}}', "no list of annotations"),
        ('{"images": [], "annotations": [], "categories": []}', "has no annotation"),
        ('{"images": [], "annotations": [{}], "categories": []}', "lists no image"),
        ("[" * 100000, "not a whole JSON file"),
    ],
)
def test_files_that_are_no_coco(tmp_path: Path, content: str, what: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations.json").write_text(content)
    with pytest.raises(HarError, match=rf"annotations\.json.*{what}"):
        prepare(tmp_path, tmp_path)


# --------------------------------------------------------------------------------- mutations

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 30),
    st.sampled_from([10**30, -(10**400), 1e308, float("nan"), float("inf"), -0.5]),
    st.text(max_size=3),
    st.lists(st.integers(-2, 200), max_size=16),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dots")
    write_dots(folder, FIVE, pictures=3)
    return folder


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_mutations_end_in_a_sentence_or_a_result(
    dots: Path, tmp_path: Path, data: st.DataObject
) -> None:
    def mutate(content: Any) -> None:
        for _ in range(data.draw(st.integers(1, 4))):
            place, key = (
                content,
                data.draw(st.sampled_from(["images", "annotations", "categories"])),
            )
            while True:
                inner = place[key]
                deeper = isinstance(inner, (dict, list)) and len(inner)
                if not deeper or data.draw(st.integers(0, 4)) == 0:
                    break
                keys = list(inner) if isinstance(inner, dict) else range(len(inner))
                place, key = inner, data.draw(st.sampled_from(keys))
            if data.draw(st.booleans()):
                place[key] = data.draw(VALUES)
            elif place is not content:
                del place[key]

    path = changed(dots / "annotations.json", dots / "mutated.json", mutate)
    try:
        report, persons = prepare(dots, tmp_path, path.name)
    except HarError:
        return
    rows = persons.rows
    assert 0 < report.persons["train"] <= 6
    assert np.isfinite(rows["box_px"]).all()
    assert (rows["box_px"][:, 2:] > rows["box_px"][:, :2]).all()
    assert (rows["window_px"] > 0).all()
    somebody = np.isfinite(rows["joints_px"]).any((1, 2))
    assert (rows["area_px2"][somebody] > 0).all()
