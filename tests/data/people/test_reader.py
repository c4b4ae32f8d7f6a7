"""The persons and empty places of `experiment=people`, from LSP's case and made-up landmarks."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from har.data.augment import Augmentation
from har.data.lsp.prepare import prepare_lsp
from har.data.people.reader import LAYOUT, NOBODY, TEACHER, open_prepared
from har.data.people.teacher import LANDMARKS
from har.data.person_file import read_persons, write_persons
from har.data.persons import PersonDataset
from har.data.records import PersonSet
from har.errors import HarError
from har.geometry import box_around, box_iou
from tests.helpers.teacher import write_teacher

CASE = Path(__file__).parents[1] / "lsp" / "case_09"
DEPTH_M = 0.25  # of the left wrist, behind the hips


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """LSP and LSP extended of the case, prepared, with a teacher who sees the annotated joints."""
    for name in ("lsp_dataset", "lspet_dataset"):
        shutil.copytree(CASE / name, tmp_path / name)
    _, persons = prepare_lsp(tmp_path)
    write_teacher(persons, DEPTH_M)
    return tmp_path


def test_persons_have_depth_and_empty_places_have_nothing(folder: Path) -> None:
    persons = open_prepared(folder, nobody=20)
    empty = np.char.startswith(persons.rows["id"], b"nobody/")
    people = persons.rows[~empty]
    assert 0 < empty.sum() <= 20
    assert len(people) == 16
    assert persons.unlabeled == "unknown"
    assert persons.layout.name == "pa17j"
    wrist = LAYOUT.joints.index("left wrist")
    np.testing.assert_allclose(people["depth_mm"][:, wrist], 1000 * DEPTH_M)
    middle = people["joints_px"][:, [LAYOUT.joints.index(f"{s} hip") for s in ("left", "right")]]
    pelvis = people["joints_px"][:, LAYOUT.joints.index("pelvis")]
    np.testing.assert_allclose(pelvis, middle.mean(1))
    assert np.isnan(persons.rows["joints_px"][empty]).all()
    by_image = {row["image"]: box_around(row["joints_px"], enlarge=1.2) for row in people}
    for row in persons.rows[empty]:
        half = row["window_px"] / 2
        square = np.concatenate([row["center_px"] - half, row["center_px"] + half])
        assert not box_iou(square, by_image[row["image"]]) > 0


def test_only_of_lsp_extended_do_exchanged_sides_teach_nothing(folder: Path) -> None:
    before = open_prepared(folder, nobody=0).rows
    with np.load(folder / TEACHER) as file:
        arrays = dict(file)
    pair = [LANDMARKS["left wrist"], LANDMARKS["right wrist"]]
    arrays["xy"][:, pair] = arrays["xy"][:, pair[::-1]]
    np.savez(folder / TEACHER, **arrays)
    after = open_prepared(folder, nobody=0).rows
    gone = np.isfinite(before["joints_px"]).all(-1) & np.isnan(after["joints_px"]).any(-1)
    wrists = [LAYOUT.joints.index(f"{side} wrist") for side in ("left", "right")]
    assert {int(joint) for joint in np.nonzero(gone)[1]} == set(wrists)
    of = [row["id"].split(b"/")[0] for row in after[gone.any(1)]]
    assert set(of) == {b"lspet"}


def test_an_empty_place_teaches_a_confidence_of_zero(folder: Path) -> None:
    persons = open_prepared(folder, nobody=3)
    samples = PersonDataset(persons, resolution=(64, 64), dim=3)
    pose = samples[("pose", len(persons) - 1, 0)]["pose"].numpy()
    assert (pose[:, -1] == 0).all()
    assert (pose[:, :3] == -1e9).all()


def test_pictures_of_nobody_join_the_empty_places(folder: Path) -> None:
    (folder / NOBODY).mkdir()
    (folder / NOBODY / ".hidden").write_text("of a system")
    cv2.imwrite(str(folder / NOBODY / "wall.png"), np.full((60, 80, 3), 90, np.uint8))
    persons = open_prepared(folder, nobody=3)
    rows = persons.rows[persons.rows["image"] == b"nobody/wall.png"]
    assert len(rows) > 1
    assert (rows["split"] == b"train").all()
    whole = rows[0]
    np.testing.assert_array_equal(whole["center_px"], (40, 30))
    assert whole["window_px"] == 80
    for row in rows:
        assert (row["center_px"] >= 0).all()
        assert (row["center_px"] <= (80, 60)).all()
    samples = PersonDataset(persons, resolution=(64, 64), dim=3)
    assert (samples[("pose", len(persons) - 1, 0)]["pose"].numpy()[:, -1] == 0).all()


def test_a_file_that_is_no_picture_is_named(folder: Path) -> None:
    (folder / NOBODY).mkdir()
    (folder / NOBODY / "notes.txt").write_text("not a picture")
    with pytest.raises(HarError, match="notes"):
        open_prepared(folder)


def test_a_mirrored_person_keeps_the_depth_of_the_same_hand(folder: Path) -> None:
    persons = open_prepared(folder, nobody=0)
    plain = PersonDataset(persons, resolution=(64, 64), dim=3)
    mirrored = PersonDataset(persons, resolution=(64, 64), dim=3, views="flip")
    left, right = (LAYOUT.joints.index(f"{side} wrist") for side in ("left", "right"))
    views = mirrored[0]["pose"].numpy()
    np.testing.assert_array_equal(views[0], plain[0]["pose"][0].numpy())
    expected = 0.5 + 1000 * DEPTH_M / 2000
    assert views[0, left, 2] == pytest.approx(expected)
    assert views[1, right, 2] == pytest.approx(expected)
    assert views[0, right, 2] == pytest.approx(0.5)


def test_depth_survives_the_file(folder: Path, tmp_path: Path) -> None:
    persons = open_prepared(folder, nobody=2)
    write_persons(tmp_path / "persons.h5", persons)
    found = read_persons(tmp_path / "persons.h5")
    np.testing.assert_array_equal(found.rows["depth_mm"], persons.rows["depth_mm"])
    old = {n: persons.rows[n] for n in persons.rows.dtype.names or () if n != "depth_mm"}
    without = PersonSet.from_columns(persons.images_dir, persons.layout, "", **old)
    assert np.isnan(without.rows["depth_mm"]).all()


def test_without_the_teacher_it_says_what_to_run(folder: Path) -> None:
    (folder / TEACHER).unlink()
    with pytest.raises(HarError, match=r"teach_people\.py"):
        open_prepared(folder)


def test_depth_does_not_depend_on_the_crop(folder: Path) -> None:
    persons = open_prepared(folder, nobody=0)
    draws = Augmentation(angles_deg=[90], scales=[1.5])
    turned = PersonDataset(persons, resolution=(64, 64), dim=3, augmentation=draws)
    pose = turned[("pose", 0, 0)]["pose"].numpy()
    there = pose[:, 0] > 0
    wrist = LAYOUT.joints.index("left wrist")
    assert there[wrist]
    assert pose[wrist, 2] == pytest.approx(0.5 + 1000 * DEPTH_M / 2000)
