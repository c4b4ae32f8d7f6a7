"""The official annotations: every irregularity of the real file."""

from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import scipy.io

from har.data.matlab import read_matlab
from har.data.mpii import official
from har.data.mpii.official import read_official
from har.data.mpii.persons import MPIIError, Split, estimated_head_size_px, head_size_px
from har.data.mpii.split import tompson_validation
from tests.helpers.golden import real_path
from tests.helpers.mpii_annotations import EMPTY, PLACE, point, release, structs, u8


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
    monkeypatch.setattr(official, "read_matlab", lambda *_, **__: [whole])
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
