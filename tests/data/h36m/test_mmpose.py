"""Human3.6M in mmpose's layout: the real frames, cameras, and files that are damaged."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from har.data.h36m.cameras import find_cameras, read_cameras
from har.data.h36m.files import H36MError, find_images, parse_image
from har.data.h36m.mmpose import LAYOUT, find_annotations, read_annotations
from har.errors import HarError
from har.files import read_stored_image
from har.layouts import MISSING, get_layout
from tests.helpers.golden import golden_path, real_path

# Which of the data set's 32 joints the 17 of mmpose are; the last one is "Spine", in the pelvis.
OF_32 = [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27, 11]


def test_joints_are_those_of_the_original_map() -> None:
    layouts = json.loads(golden_path("layouts.json").read_text())
    for name in ("pa17j", "pa20j", "pa21j"):
        order = get_layout(name).order_from(LAYOUT)
        expected = layouts[name]["map_from_h36m"]
        found = [MISSING if number == MISSING else OF_32[number] for number in order]
        known = [number if number in OF_32 else MISSING for number in expected]
        assert found == known
    assert MISSING not in get_layout("pa17j").order_from(LAYOUT)


def test_real_joints_project_onto_the_pictures() -> None:
    root = real_path("h36m")
    (path,) = find_annotations(root)
    found = read_annotations(path)
    cameras = read_cameras(find_cameras(root))
    assert len(found.images) == 4
    for number, name in enumerate(found.images):
        image = parse_image(name)
        projected = cameras[f"S{image.subject}.{image.camera}"].project(found.joints_mm[number])
        assert np.abs(projected - found.joints_px[number]).max() < 1
        height, width = read_stored_image(find_images(root) / name).shape[:2]
        assert ((projected > 0) & (projected < (width, height))).all()
        # Hips and shoulders of a side lie on the same side of the body.
        hips, shoulders = (
            found.joints_mm[number][LAYOUT.joints.index(f"left {part}")]
            - found.joints_mm[number][LAYOUT.joints.index(f"right {part}")]
            for part in ("hip", "shoulder")
        )
        assert hips @ shoulders > 0.9 * np.linalg.norm(hips) * np.linalg.norm(shoulders)
    names = [parse_image(name) for name in found.images]
    assert [(n.subject, n.action, n.number, n.split) for n in names] == [
        (1, "Directions", 1, "train"),
        (5, "SittingDown", 2061, "train"),
        (7, "Greeting", 396, "train"),
        (8, "WalkDog", 26, "train"),
    ]


CAMERA = {"f": [[1000.0], [1010.0]], "c": [500, 510], "k": [-0.2, 0.2, 0], "p": [0.001, -0.002]}


def test_cameras_of_three_kinds_of_files(tmp_path: Path) -> None:
    (tmp_path / "cameras.json").write_text(json.dumps({"S1.54138969": CAMERA}))
    arrays = {f"S1.54138969/{key}": np.array(value) for key, value in CAMERA.items()}
    np.savez(tmp_path / "cameras.npz", **arrays)
    by_json, by_npz = (read_cameras(tmp_path / f"cameras.{end}") for end in ("json", "npz"))
    assert by_json["S1.54138969"].values == by_npz["S1.54138969"].values
    x, y, z = 300.0, -200.0, 2000.0
    a, b = x / z, y / z
    r2 = a * a + b * b
    k1, k2, k3 = CAMERA["k"]
    p1, p2 = CAMERA["p"]
    bend = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + 2 * (p1 * b + p2 * a)
    expected = [1000 * (a * bend + p2 * r2) + 500, 1010 * (b * bend + p1 * r2) + 510]
    np.testing.assert_allclose(by_json["S1.54138969"].project([x, y, z]), expected)


def test_a_pickle_is_refused_with_the_line_that_converts_it(tmp_path: Path) -> None:
    cameras = {("S1", "54138969"): {k: np.array(v) for k, v in CAMERA.items()} | {"w": 1000}}
    (tmp_path / "cameras.pkl").write_bytes(pickle.dumps(cameras))
    path = find_cameras(tmp_path)
    with pytest.raises(H36MError, match="pickle") as caught:
        read_cameras(path)
    line = str(caught.value).split("convert it with ")[1]
    line = line.replace("python ", f"{sys.executable} ", 1)
    subprocess.run(line, shell=True, check=True, cwd=tmp_path)
    assert find_cameras(tmp_path).suffix == ".json"
    assert read_cameras(tmp_path / "cameras.json")["S1.54138969"].f.tolist() == [1000, 1010]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        "junk",
        '{"S1.5": {"f": [1, 2]}}',
        '{"S1.5": {"f": 1, "c": 1, "k": 1, "p": 1}}',
    ],
)
def test_other_files_are_no_cameras(tmp_path: Path, text: str) -> None:
    (tmp_path / "cameras.json").write_text(text)
    with pytest.raises(H36MError, match=r"cameras\.json"):
        read_cameras(tmp_path / "cameras.json")


def write(path: Path, **changes) -> Path:
    name = "S1/S1_Photo.54138969/S1_Photo.54138969_000001.jpg"
    arrays = {"imgname": np.array([name]), "part": np.ones((1, 17, 3)), "S": np.ones((1, 17, 4))}
    arrays |= changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"S": None},
        {"imgname": None},
        {"part": np.ones((1, 16, 3))},
        {"S": np.ones((2, 17, 4))},
        {"S": np.concatenate([np.full((1, 17, 3), np.nan), np.ones((1, 17, 1))], -1)},
        {"part": np.full((1, 17, 3), 1e9)},
        {"S": np.full((1, 17, 4), "a")},
    ],
)
def test_wrong_arrays_end_in_a_sentence(tmp_path: Path, changes: dict) -> None:
    path = write(tmp_path / "h36m.npz", **changes)
    with pytest.raises(H36MError, match=r"h36m\.npz"):
        read_annotations(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(H36MError, match="cannot be read"):
        read_annotations(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"S": None}, "has no array S: it is not mmpose's"),
        ({"imgname": None}, "has no array imgname: it is not mmpose's"),
        ({"S": np.ones((1, 17, 4), dtype=object)}, "an array of Python objects, which"),
        ({"imgname": np.array(["x.jpg"], dtype=object)}, "an array of Python objects, which"),
        ({"imgname": np.array("x.jpg")}, r"imgname of <U5 \(\), not one row of names"),
        ({"imgname": np.array([["x.jpg"]])}, r"imgname of <U5 \(1, 1\), not one row"),
        ({"imgname": np.arange(1)}, r"imgname of int64 \(1,\), not one row of names"),
        ({"S": np.ones((1, 17, 4)) * 1j}, "S of complex128, not numbers"),
        ({"part": np.full((1, 17, 3), "a")}, "part of <U1, not numbers"),
    ],
)
def test_sentences_about_arrays(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(H36MError, match=message) as caught:
        read_annotations(write(tmp_path / "h36m.npz", **changes))
    assert "not a file in the archive" not in str(caught.value)
    assert "download it again" not in str(caught.value)


def test_names_as_bytes_are_names(tmp_path: Path) -> None:
    name = "S1/S1_Photo.54138969/S1_Photo.54138969_000001.jpg"
    found = read_annotations(write(tmp_path / "h36m.npz", imgname=np.array([name.encode()])))
    assert found.images == [name]


def test_names_of_images() -> None:
    name = parse_image("S11/S11_TakingPhoto 1.60457274/S11_TakingPhoto 1.60457274_00065.jpg")
    assert (name.subject, name.action, name.number, name.digits) == (11, "Photo", 65, 5)
    assert name.split == "test"
    huge = "S1/S1_Photo.5/S1_Photo.5_99999999999.jpg"  # no frame has it, and no int32 holds it
    for bad in (
        "x.jpg",
        huge,
        "S1/S1_Jumping.5/S1_Jumping.5_000001.jpg",
        "S1/a/S1_Photo.5_000001.jpg",
    ):
        with pytest.raises(HarError, match=r"Human3\.6M|sequence"):
            parse_image(bad)
