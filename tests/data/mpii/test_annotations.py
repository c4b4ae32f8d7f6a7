"""Annotations of MPII: three kinds of files, every irregularity of the real ones, one record."""

import contextlib
import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from har.data.mpii import official
from har.data.mpii.annotations import find_annotations, read_annotations
from har.data.mpii.deephar import read_deephar
from har.data.mpii.json_files import read_json
from har.data.mpii.matlab import read_matlab
from har.data.mpii.official import read_official
from har.data.mpii.persons import MPIIError, Split, estimated_head_size_px, head_size_px
from har.data.mpii.split import tompson_validation
from har.errors import DatasetNotFoundError
from har.synthetic.mpii_files import (
    OFFICIAL_NAME,
    write_deephar,
    write_json,
    write_official,
)
from har.synthetic.mpii_labels import simulate_image
from tests.helpers.golden import real_path

EMPTY = np.zeros((0, 0))


def structs(rows: list[dict[str, Any]]) -> np.ndarray:
    names = list(dict.fromkeys(name for row in rows for name in row))
    array = np.empty((1, len(rows)), dtype=[(name, object) for name in names])
    for number, row in enumerate(rows):
        for name in names:
            array[0, number][name] = row.get(name, EMPTY)
    return array


def point(joint: float, x: Any, y: Any, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "id": np.array([[joint]]), **more}


def u8(value: float) -> np.ndarray:
    return np.array([[value]]).astype(np.uint8)


def release(path: Path, rects: list[Any], trains: list[int] | None = None) -> Path:
    """An official file of images with these ``annorect``."""
    images = [
        {"image": {"name": f"{number}.jpg"}, "annorect": rect} for number, rect in enumerate(rects)
    ]
    apart = np.empty((len(rects), 1), dtype=object)
    for number in range(len(rects)):
        apart[number, 0] = np.array([[1]], np.uint8) if number % 2 == 0 else EMPTY
    everything = {
        "annolist": structs(images),
        "img_train": np.array([trains or [1] * len(rects)], np.uint8),
        "single_person": apart,
    }
    scipy.io.savemat(path, {"RELEASE": everything})
    return path


PLACE = {"scale": np.array([[1.5]]), "objpos": {"x": u8(100), "y": u8(90)}}


# -------------------------------------------------------------------- three sources, one person


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
    assert 0.2 < np.mean(told) < 0.9  # some say it, as a number or a text, some do not


def test_nobody_is_on_both_sides(tiny_mpii: Path) -> None:
    persons = read_official(tiny_mpii / "mpii" / OFFICIAL_NAME).persons
    images = {split: set(persons["image"][persons["split"] == split]) for split in Split}
    assert not images[Split.TRAIN] & images[Split.VALIDATION]
    assert images[Split.NEITHER] <= images[Split.VALIDATION]


# ---------------------------------------------------------------------------- the official file


def test_the_irregularities_of_the_official_file(tmp_path: Path) -> None:
    box = {"x1": u8(200), "y1": u8(10), "x2": u8(170), "y2": u8(50)}
    points = [
        point(9, u8(200), u8(100), is_visible=EMPTY),
        point(0, np.array([[-7]], np.int16), u8(250), is_visible="0"),
        point(3, np.array([[300]], np.uint16), np.array([[20.25]]), is_visible="1"),
        point(5, u8(3), u8(4), is_visible=u8(0)),
        point(6, u8(3), u8(4), is_visible=u8(1)),
        point(17, u8(3), u8(4)),
        point(7, np.array([[np.nan]]), u8(4)),
    ]
    whole = {**box, "annopoints": {"point": structs(points)}, **PLACE}
    flat = {**whole, "x1": u8(5), "y1": u8(5), "x2": u8(5), "y2": u8(5)}
    no_center = {k: v for k, v in whole.items() if k != "objpos"}
    rects = [
        structs([whole, {**whole, "annopoints": EMPTY}, flat]),
        EMPTY,
        structs([no_center, {**whole, "scale": EMPTY}]),
        structs([PLACE]),
        structs([whole]),
    ]
    found = read_official(release(tmp_path / "a.mat", rects, [1, 1, 1, 1, 0]))
    assert found.persons["number"].tolist() == [1, 3]
    assert found.persons["stands_apart"].tolist() == [1, 0]
    one = found.persons[0]
    expected = {9: (200, 100), 0: (-7, 250), 3: (300, 20.25), 5: (3, 4), 6: (3, 4)}
    for joint in range(16):
        np.testing.assert_array_equal(
            one["joints_px"][joint], expected.get(joint, (np.nan, np.nan))
        )
    assert one["visible"][[9, 0, 3, 5, 6, 1]].tolist() == [-1, 0, 1, 0, 1, -1]
    # as uint8, 170 - 200 would be 226
    np.testing.assert_allclose(head_size_px(found.persons), [0.6 * 50, np.nan])
    those_with_points = ["0.jpg, person 1", "0.jpg, person 3", "2.jpg, person 1", "2.jpg, person 2"]
    noted = {note.partition(" (")[0]: places for note, places in found.notes.items()}
    assert noted == {
        "a joint has no number from 0 to 15": those_with_points,
        "a joint is not a number": those_with_points,
        "no joint is labeled": ["0.jpg, person 2", "3.jpg, person 1"],
        "the head box has no size": ["0.jpg, person 3"],
        "an image has no person": ["1.jpg"],
        "no center or no scale": ["2.jpg, person 1", "2.jpg, person 2"],
    }


def test_real_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    """All validation persons of the real file, against two other programs' copies of them."""
    path = real_path("mpii/tompson_detections.mat")
    annolist, images, numbers = read_matlab(
        path, "annolist", "RELEASE_img_index", "RELEASE_person_index"
    )
    real = np.stack([images.ravel(), numbers.ravel()], 1)
    np.testing.assert_array_equal(real, tompson_validation())
    nobody = SimpleNamespace()
    rects: dict[int, np.ndarray] = {}
    for (image, number), entry in zip(real.tolist(), annolist.flat, strict=True):
        crowd = rects.setdefault(image, np.full((1, 12), nobody, dtype=object))
        crowd[0, number - 1] = entry.annorect.flat[0]
    records = np.empty((1, 24987), dtype=object)
    for place in range(24987):
        name = SimpleNamespace(name=np.array([f"{place + 1}.jpg"]))
        records[0, place] = SimpleNamespace(image=name, annorect=rects.get(place + 1, EMPTY))
    trains = np.isin(np.arange(1, 24988), images)
    whole = SimpleNamespace(annolist=records, img_train=trains[None].astype(np.uint8))
    monkeypatch.setattr(official, "read_matlab", lambda *_: [whole])
    persons = read_official(path).persons
    assert len(persons) == 2958
    assert (persons["split"] == Split.VALIDATION).all()

    other = scipy.io.loadmat(real_path("mpii/detections_our_format.mat"))
    missing = other["jnt_missing"].T.astype(bool)
    np.testing.assert_array_equal(np.isnan(persons["joints_px"]).any(-1), missing)
    truth = np.where(missing[..., None], np.nan, other["pos_gt_src"].transpose(2, 0, 1))
    zero = truth == 0  # the copy has lost 17 coordinates
    assert zero.sum() < 30
    np.testing.assert_allclose(np.where(zero, 0, persons["joints_px"]), truth, atol=1e-3)
    np.testing.assert_allclose(
        persons["head_box_px"], other["headboxes_src"].transpose(2, 0, 1).reshape(-1, 4), atol=1e-3
    )
    with h5py.File(real_path("mpii/hourglass_valid.h5")) as file:
        np.testing.assert_allclose(head_size_px(persons), file["normalize"][:], rtol=1e-6)
        np.testing.assert_allclose(1.25 * persons["scale"], file["scale"][:], rtol=1e-6)
        moved = persons["centre_px"] + [0, 15] * persons["scale"][:, None]
        np.testing.assert_allclose(moved, file["center"][:], rtol=1e-6)
    estimate = estimated_head_size_px(np.array(persons))
    assert np.isfinite(estimate).all()
    persons["head_box_px"] = np.nan
    ratio = estimated_head_size_px(persons) / estimate
    assert (np.abs(ratio[np.isfinite(ratio)] - 1) < 0.02).mean() > 0.97


def test_the_official_file_has_to_be_consistent(tmp_path: Path) -> None:
    path = release(tmp_path / "a.mat", [structs([PLACE])], trains=[1, 1])
    with pytest.raises(MPIIError, match=r"1 images .* and 2 entries"):
        read_official(path)
    scipy.io.savemat(path, {"other": 1})
    with pytest.raises(MPIIError, match="no variable RELEASE"):
        read_official(path)


# ------------------------------------------------------------------------------------- the JSON


def json_person(**changes: Any) -> dict[str, Any]:
    person = {
        "joints": [[float(10 * n), float(n)] for n in range(16)],
        "joints_vis": [1] * 16,
        "image": "a.jpg",
        "scale": 1.5,
        "center": [80.0, 9.0],
    }
    return {**person, **changes}


def write(path: Path, persons: Any) -> Path:
    path.write_text(json.dumps(persons))
    return path


def test_json_persons(tmp_path: Path) -> None:
    vis, joints = [1] * 16, [[1.0, 2.0]] * 16
    vis[4], joints[4] = 0, [-1, -1]
    joints[5], joints[6] = [-1.0, -1.0], [float("nan"), 3.0]
    persons = [
        json_person(joints=joints, joints_vis=vis),
        json_person(),
        json_person(joints_vis=[0] * 16, image="b.jpg"),
        json_person(center=[-1.0, 5.0]),
        json_person(scale=0),
    ]
    found = read_json(write(tmp_path / "train.json", persons), None)
    assert found.persons["number"].tolist() == [1, 2]
    assert np.isnan(found.persons["joints_px"][0]).any(-1).nonzero()[0].tolist() == [4, 6]
    assert found.persons["joints_px"][0, 5].tolist() == [-1, -1]  # labeled, outside the image
    assert (found.persons["split"] == Split.TRAIN).all()
    assert {note.partition(" (")[0] for note in found.notes} == {
        "a joint is not a number",
        "no joint is labeled",
        "no center or no scale",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"joints": [[1, 2]] * 15},
        {"joints": "joints"},
        {"joints": [[1, 2]] * 15 + [[1]]},
        {"joints": [[10**400, 2]] * 16},
        {"joints_vis": [1]},
        {"center": 3},
        {"image": 7},
        {"scale": "large"},
        {"scale": None},
    ],
)
def test_malformed_json_persons_are_named(tmp_path: Path, change: dict[str, Any]) -> None:
    path = write(tmp_path / "train.json", [json_person(), json_person(**change)])
    with pytest.raises(MPIIError, match=r"Person 1 .* joints \(16 x 2\)"):
        read_json(path, None)


@pytest.mark.parametrize(
    "text", ["", "{", '{"a": 1}', "[1]", "[" * 100_000, "\ufffe", "null", '"a"']
)
def test_other_json_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "train.json"
    path.write_text(text, encoding="utf-16")
    for encoding in ("utf-16", "utf-8"):
        path.write_text(text, encoding=encoding)
        with pytest.raises(MPIIError, match=r"train\.json"):
            read_json(path, None)
    with pytest.raises(MPIIError, match="cannot be read"):
        read_json(tmp_path / "none.json", None)


def test_head_boxes_have_to_belong_to_the_persons(tiny_mpii: Path, tmp_path: Path) -> None:
    annot = tiny_mpii / "mpii" / "annot"
    rows = json.loads((annot / "valid.json").read_text())
    boxes = annot / "gt_valid.mat"
    assert np.isfinite(read_json(None, annot / "valid.json", boxes).persons["head_box_px"]).all()
    assert np.isnan(read_json(None, annot / "valid.json").persons["head_box_px"]).all()
    with pytest.raises(MPIIError, match="cannot be scored"):
        read_json(None, write(tmp_path / "a.json", rows[1:]), boxes)
    with pytest.raises(MPIIError, match="different persons from number 0"):
        read_json(None, write(tmp_path / "a.json", rows[::-1]), boxes)
    for name in ("headboxes_src", "pos_gt_src", "jnt_missing"):
        arrays = {k: v for k, v in scipy.io.loadmat(boxes).items() if k[0] != "_"}
        arrays[name] = arrays[name][..., 1:]
        scipy.io.savemat(tmp_path / "other.mat", arrays)
        with pytest.raises(MPIIError):
            read_json(None, annot / "valid.json", tmp_path / "other.mat")


def test_the_real_head_boxes_fit_the_real_json(tmp_path: Path) -> None:
    arrays = scipy.io.loadmat(real_path("mpii/detections_our_format.mat"))
    valid = real_path("mpii/test_mpii.json")
    names = ("headboxes_src", "pos_gt_src", "jnt_missing")
    scipy.io.savemat(tmp_path / "gt_valid.mat", {name: arrays[name] for name in names})
    with pytest.raises(MPIIError, match="2958 persons"):
        read_json(None, valid, tmp_path / "gt_valid.mat")
    scipy.io.savemat(tmp_path / "gt_valid.mat", {name: arrays[name][..., :5] for name in names})
    persons = read_json(None, valid, tmp_path / "gt_valid.mat").persons
    with h5py.File(real_path("mpii/hourglass_valid.h5")) as file:
        np.testing.assert_allclose(head_size_px(persons), file["normalize"][:5], rtol=1e-6)


# ------------------------------------------------------------------- the original program's file


def cell(items: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(shape)


def test_the_original_programs_file(tmp_path: Path) -> None:
    pose = np.stack([10.0 * np.arange(16), np.arange(16)])
    pose[:, 3] = np.nan
    person = {
        "head": np.array([[30, 40, 0, 0]], np.uint8),
        "objpos": np.array([[5, 6]], np.uint8),
        "scale": np.array([[2.0]]),
        "pose": pose,
    }
    rows = [np.array([[2], [3]], np.uint8), "a.jpg", cell([{}, person], (2, 1))]
    table = cell(rows, (3, 1))
    scipy.io.savemat(tmp_path / "a.mat", {"annot_tr": table, "annot_val": table})
    found = read_deephar(tmp_path / "a.mat")
    assert found.persons["split"].tolist() == [Split.TRAIN, Split.VALIDATION]
    assert found.persons["number"].tolist() == [2, 2]
    np.testing.assert_array_equal(found.persons["joints_px"][1], pose.T)
    np.testing.assert_allclose(head_size_px(found.persons), 0.6 * 50)
    assert found.notes == {"a person is counted but not there": ["a.jpg, person 3"] * 2}
    scipy.io.savemat(tmp_path / "a.mat", {"annot_tr": table.T, "annot_val": table})
    with pytest.raises(MPIIError, match="3 rows"):
        read_deephar(tmp_path / "a.mat")


# -------------------------------------------------------------------------------- damaged files


@pytest.fixture(scope="module")
def small_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Each kind of file, small; the MATLAB files also unpacked, where damage reaches further."""
    folder = tmp_path_factory.mktemp("small")
    images = [simulate_image(1)[1], simulate_image(7, validation=(1,))[1]]
    write_official(folder / "official.mat", images)
    write_deephar(folder / "deephar.mat", images)
    write_json(folder, images)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in ("official.mat", "deephar.mat", "gt_valid.mat"):
        arrays = scipy.io.loadmat(folder / name, struct_as_record=True)
        arrays = {key: value for key, value in arrays.items() if key[0] != "_"}
        scipy.io.savemat(folder / name, arrays, do_compression=False)
        files[f"plain_{name}"] = (folder / name).read_bytes()
    return files


FILES = ["official.mat", "deephar.mat", "train.json", "gt_valid.mat"]
FILES += [f"plain_{name}" for name in FILES if name.endswith(".mat")]


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=2000, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_files_are_said_to_be(
    small_files: dict[str, bytes], tmp_path: Path, name: str, data: st.DataObject
) -> None:
    content = bytearray(small_files[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        length = data.draw(st.sampled_from([1, 1, 4]))
        content[place : place + length] = data.draw(st.binary(min_size=length, max_size=length))
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    path = tmp_path / "damaged"
    path.write_bytes(content)
    (tmp_path / "valid.json").write_bytes(small_files["valid.json"])
    with contextlib.suppress(MPIIError):  # which is all that may be raised, and within two seconds
        if "official" in name:
            read_official(path)
        elif "deephar" in name:
            read_deephar(path)
        elif "gt_valid" in name:
            read_json(None, tmp_path / "valid.json", path)
        else:
            read_json(path, None)


def test_sizes_that_a_file_only_states_reserve_nothing(
    small_files: dict[str, bytes], tmp_path: Path
) -> None:
    """Dimensions of an array, raised to two thousand million, at every place where they stand."""
    content = small_files["plain_official.mat"]
    path, places = tmp_path / "a.mat", 0
    at = content.find(b"\x05\x00\x00\x00\x08\x00\x00\x00")
    while at >= 0 and places < 150:
        damaged = bytearray(content)
        if damaged[at + 8] == 0:  # an empty array, whatever the other dimension
            at = content.find(content[at : at + 8], at + 1)
            continue
        damaged[at + 12 : at + 16] = b"\x00\x00\x00\x7f"
        path.write_bytes(damaged)
        with pytest.raises(MPIIError, match="damaged"):
            read_official(path)
        places += 1
        at = content.find(content[at : at + 8], at + 1)
    assert places > 50


def test_types_that_do_not_exist_do_not_kill_the_process(
    small_files: dict[str, bytes], tmp_path: Path
) -> None:
    """An element of an unknown type, even an empty one, would be a segmentation fault in scipy."""
    content, path = small_files["plain_official.mat"], tmp_path / "a.mat"
    for at in range(0, 1200, 8):
        damaged = bytearray(content)
        damaged[at + 1] ^= 1
        path.write_bytes(damaged)
        with contextlib.suppress(MPIIError):
            read_official(path)
    path.write_bytes(b"\0" + content[1:])  # said to be MATLAB 4
    with pytest.raises(MPIIError, match="MATLAB 5"):
        read_official(path)


def test_nested_cells_do_not_exhaust_the_stack(tmp_path: Path) -> None:
    nested = np.zeros((1, 1))
    for _ in range(60):
        nested = cell([nested], (1, 1))
    scipy.io.savemat(tmp_path / "a.mat", {"RELEASE": nested})
    with pytest.raises(MPIIError, match="damaged"):
        read_official(tmp_path / "a.mat")


def test_another_matlab_version_is_told(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["RELEASE"] = 1
    with pytest.raises(MPIIError, match=r"MATLAB 7\.3"):
        read_official(tmp_path / "a.mat")


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
