"""Crops and poses of MPII: the original's numbers, and the way back to the picture."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from har.data.augment import Augmentation, AugmentParams
from har.data.mpii.annotations import find_annotations, read_annotations
from har.data.mpii.json_files import read_json
from har.data.mpii.persons import PERSON, Persons, Split, estimated_head_size_px, head_size_px
from har.data.mpii.prepare import PreparedMPII, open_prepared
from har.data.mpii.reader import person_crop, person_set
from har.data.persons import VIEWS, PersonDataset, in_order, person_affine, person_pose
from har.errors import HarError
from har.files import read_stored_image
from har.geometry import GeometryError, invert_affine, transform_points, warp
from har.layouts import get_layout
from tests.helpers.golden import golden_arrays, golden_path, real_path

PA16J, MPII = get_layout("pa16j"), get_layout("mpii")
FROM_MPII = PA16J.order_from(MPII)
RECIPE = Augmentation(
    angles_deg=range(-40, 41, 5),
    scales=[0.7, 1.0, 1.3],
    flip=True,
    gammas=[0.9, 1.0, 1.1],
)


@pytest.fixture(scope="module")
def prepared(tiny_mpii: Path) -> PreparedMPII:
    return open_prepared(tiny_mpii)


def dataset(prepared: PreparedMPII, **options) -> PersonDataset:
    options = {"resolution": (96, 96), "layout": "pa16j", **options}
    return PersonDataset(person_set(prepared.persons, prepared.images_dir), **options)


def prepared_length(persons: Persons) -> np.ndarray:
    """Head sizes; of persons that do not test they may be estimates."""
    tests = persons["split"] == Split.VALIDATION
    return np.where(tests, head_size_px(persons), estimated_head_size_px(persons))


def crop_of(person: np.void, size: tuple[int, int], draw: AugmentParams) -> np.ndarray:
    """The map of a person of MPII to a crop."""
    (center,), (window,) = person_crop(np.array([person]))
    return person_affine(center, window, size, draw)


def pose_of(joints: np.ndarray, affine: np.ndarray, layout=PA16J, dim: int = 2, **flipped):
    """A pose from MPII's joints."""
    return person_pose(joints, affine, layout, layout.order_from(MPII), dim, **flipped)


# ----------------------------------------------------------------------------------- the original


def test_crops_and_poses_are_the_originals() -> None:
    golden = golden_arrays("clips.npz")
    cases = json.loads(golden_path("clips.json").read_text())["mpii"]["cases"]
    image = golden["mpii/image"]
    compared = 0
    for number, case in enumerate(cases):
        of = f"mpii/annotation_{case['sample']}/"
        fixed = case["dataconf"]
        draw = AugmentParams(
            angle_deg=fixed.get("fixed_angle", 0.0),
            scale=fixed.get("fixed_scale", 1.0),
            shift_px=(fixed.get("fixed_trans_x", 0.0), fixed.get("fixed_trans_y", 0.0)),
            flip=bool(fixed.get("fixed_hflip", 0)),
        )
        person = np.zeros(1, PERSON)
        person["head_box_px"] = golden[of + "head"]
        person["centre_px"], person["scale"] = golden[of + "objpos"], golden[of + "scale"]
        affine = crop_of(person[0], (image.shape[1], image.shape[0]), draw)
        case_name = f"mpii/{number:02d}/"
        np.testing.assert_allclose(affine, golden[case_name + "afmat"], atol=1e-12)
        pose = pose_of(golden[of + "pose"].T, affine, flipped=draw.flip)
        np.testing.assert_allclose(pose, golden[case_name + "pose"], atol=1e-6)
        np.testing.assert_allclose(head_size_px(person), golden[case_name + "headsize"])
        if case_name + "frame" in golden:
            crop = warp(image, affine, (64, 64)).astype(np.float32)
            theirs = (golden[case_name + "frame"] + 1) * 127.5
            assert np.abs(crop - theirs)[2:-2, 2:-2].mean() < 2  # gray levels, of noise
            compared += 1
    assert (len(cases), compared) == (36, 12)


# ---------------------------------------------------------------------------------------- poses


def test_a_layout_with_joints_that_mpii_lacks(prepared: PreparedMPII) -> None:
    joints = prepared.persons["joints_px"][0]
    affine = np.diag([1 / 1000, 1 / 1000, 1.0])
    narrow = pose_of(joints, affine)
    wide = pose_of(joints, affine, get_layout("pa17j"), 3)
    assert wide.shape == (17, 4)
    np.testing.assert_array_equal(wide[:16, [0, 1, 3]], narrow)
    assert (wide[:, 2] == np.float32(-1e9)).all()
    assert (wide[16, :3] == np.float32(-1e9)).all()
    assert np.isnan(wide[16, 3])
    assert np.isfinite(wide[:16]).all()
    assert np.isnan(in_order(joints, get_layout("pa21j").order_from(MPII))[-1]).all()
    with pytest.raises(HarError, match="ntu25"):
        pose_of(joints, affine, get_layout("ntu25"))
    with pytest.raises(HarError, match="ntu25"):
        dataset(prepared, layout="ntu25")


def test_joints_round_trip_within_a_hundredth_of_a_pixel() -> None:
    persons = read_json(None, real_path("mpii/test_mpii.json")).persons
    rng = np.random.default_rng(0)
    for person in persons:
        image = read_stored_image(real_path("mpii/images") / person["image"].decode())
        size = image.shape[1], image.shape[0]
        for _ in range(20):
            draw = RECIPE.sample(rng)
            affine = crop_of(person, size, draw)
            pose = pose_of(person["joints_px"], affine, flipped=draw.flip)
            back = transform_points(invert_affine(affine), pose[:, :2].astype(np.float64))
            if draw.flip:
                back = back[list(PA16J.flip)]
            seen = (pose[:, 2] == 1)[list(PA16J.flip) if draw.flip else slice(None)]
            assert seen.sum() >= 7
            truth = in_order(person["joints_px"], FROM_MPII)
            assert np.abs(back - truth)[seen].max() < 0.01


# ---------------------------------------------------------------------------------------- items


def test_training_items(prepared: PreparedMPII) -> None:
    persons = dataset(prepared, augmentation=RECIPE, layout="pa17j", dim=3, seed=3)
    item = persons["pose", 4, 17]
    assert {key: tuple(getattr(value, "shape", ())) for key, value in item.items()} == {
        "images": (96, 96, 3),
        "gamma": (3,),
        "pose": (17, 4),
        "name": (),
    }
    again = dataset(prepared, augmentation=RECIPE, layout="pa17j", dim=3, seed=3)["pose", 4, 17]
    for key in ("images", "gamma", "pose"):
        np.testing.assert_array_equal(item[key].numpy(), again[key].numpy())
    others = [persons["pose", 4, draw]["pose"].numpy() for draw in range(12)]
    assert len({other.tobytes() for other in others}) > 6
    # nothing drawn, no augmentation: the evaluation's first view
    plain = dataset(prepared)
    np.testing.assert_array_equal(plain["pose", 4, 9]["images"], plain[4]["images"][0])
    np.testing.assert_array_equal(plain["pose", 4, 9]["pose"], plain[4]["pose"][0])


def test_somebody_small_has_fewer_pixels(prepared: PreparedMPII) -> None:
    """The same crop and the same pose, from a picture with a quarter of the pixels per axis."""
    whole = dataset(prepared)["pose", 3, 7]
    coarse = dataset(prepared, augmentation=Augmentation(details=[0.25]))["pose", 3, 7]
    assert (coarse["pose"] == whole["pose"]).all()
    sizes = (24, 24), (96, 96)
    images = [item["images"].numpy() for item in (whole, coarse)]
    fewer, found = (cv2.resize(i, sizes[0], interpolation=cv2.INTER_AREA) for i in images)
    assert np.abs(fewer.astype(int) - found).mean() < 5
    again = cv2.resize(found, sizes[1], interpolation=cv2.INTER_LINEAR)
    assert np.abs(again.astype(int) - images[1]).mean() < 3
    assert np.abs(again.astype(int) - images[0]).mean() > 3


def test_evaluation_items(prepared: PreparedMPII) -> None:
    persons = dataset(prepared, views="multicrop")
    for number in range(0, len(persons), 7):
        item = persons[number]
        views = len(VIEWS["multicrop"])
        assert item["images"].shape == (views, 96, 96, 3)
        assert item["flipped"].tolist() == [view.flip for view in VIEWS["multicrop"]]
        truth, valid = item["joints_px"].numpy(), item["valid"].numpy()
        assert valid.sum() >= 5
        np.testing.assert_array_equal(np.isfinite(truth).all(-1), valid)
        length = prepared_length(prepared.persons)[number]
        assert item["length_px"] == length
        first = item["pose"][0, :, 2].numpy()
        np.testing.assert_array_equal(first == 1, item["inside"].numpy() & valid)
        for pose, affine, flipped in zip(
            item["pose"].numpy(), item["affine"].numpy(), item["flipped"].tolist(), strict=True
        ):
            seen = pose[:, 2] == 1
            back = transform_points(invert_affine(affine), pose[:, :2].astype(np.float64))
            if flipped:
                back, seen = back[list(PA16J.flip)], seen[list(PA16J.flip)]
            assert np.abs(back - truth)[seen].max() < 0.01


def test_a_flipped_view_is_the_mirror_of_the_plain_one(prepared: PreparedMPII) -> None:
    item = dataset(prepared, views="flip")[0]
    plain, flipped = item["images"].numpy().astype(int)
    assert np.abs(plain[:, ::-1] - flipped).mean() < 0.5
    one, other = item["pose"].numpy()
    there = one[:, 2] == 1
    np.testing.assert_allclose(other[list(PA16J.flip)][there, 0], 1 - one[there, 0], atol=1e-6)


def test_the_three_sources_give_the_same_crop(tiny_mpii: Path) -> None:
    root, images = tiny_mpii / "mpii", {}
    for kind in ("official", "json", "deephar"):
        persons = read_annotations(find_annotations(root, kind)).persons
        persons = persons[persons["split"] < 2]
        persons = persons[np.lexsort((persons["centre_px"][:, 0], persons["image"]))]
        items = dataset(
            PreparedMPII(persons, root / "images", kind), resolution=(64, 64), views="flip"
        )
        images[kind] = [items[number] for number in range(0, len(items), 5)]
    for kind in ("json", "deephar"):
        assert len(images[kind]) == len(images["official"]) > 8
        for one, other in zip(images["official"], images[kind], strict=True):
            for key in ("images", "pose", "affine", "joints_px"):
                np.testing.assert_array_equal(one[key].numpy(), other[key].numpy())


def test_the_picture_shows_the_person_where_the_pose_says(prepared: PreparedMPII) -> None:
    """Marks painted on the joints in the image lie on the crop where the pose says."""
    person = prepared.persons[0]
    path = prepared.images_dir / person["image"].decode()
    black = np.zeros_like(read_stored_image(path))
    joints = person["joints_px"]
    for draw in (
        AugmentParams(),
        AugmentParams(flip=True),
        AugmentParams(angle_deg=30),
        AugmentParams(angle_deg=-40, flip=True),
    ):
        size = black.shape[1], black.shape[0]
        affine = crop_of(person, size, draw)
        pose = pose_of(joints, affine, flipped=draw.flip)
        order = list(np.array(FROM_MPII)[list(PA16J.flip)] if draw.flip else FROM_MPII)
        for joint in np.flatnonzero(pose[:, 2] == 1):
            image = black.copy()
            x, y = joints[order[joint]]
            cv2.circle(image, (round(16 * x - 8), round(16 * y - 8)), 48, (255, 255, 255), -1, 8, 4)
            crop = warp(image, affine, (256, 256))[..., 0].astype(float)
            if crop.sum() < 20 * 255:
                continue  # at the image's border
            rows, columns = np.nonzero(crop)
            middle = np.average([columns + 0.5, rows + 0.5], axis=1, weights=crop[rows, columns])
            assert np.abs(middle - 256 * pose[joint, :2]).max() < 1.0


def test_wrong_options(prepared: PreparedMPII) -> None:
    with pytest.raises(HarError, match="choose single, flip, multicrop"):
        dataset(prepared, views="many")
    with pytest.raises(HarError, match=r"data\.dim=4"):
        dataset(prepared, dim=4)


# --------------------------------------------------------------------------------- what is broken


def test_broken_images_and_crops(prepared: PreparedMPII, tmp_path: Path) -> None:
    name = prepared.persons["image"][0].decode()
    whole = (prepared.images_dir / name).read_bytes()
    for content in (None, b"", b"no image", whole[: len(whole) // 2], whole[:-2]):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        items = dataset(PreparedMPII(prepared.persons, tmp_path, ""))
        with pytest.raises(HarError, match=name):
            items[0]
    (tmp_path / name).write_bytes(whole + b"added by a camera")
    items = dataset(PreparedMPII(prepared.persons, tmp_path, ""))
    np.testing.assert_array_equal(items[0]["images"], dataset(prepared)[0]["images"])
    persons = prepared.persons.copy()
    persons["centre_px"][0], persons["scale"][0] = 10.5, 1e-4
    with pytest.raises(HarError, match="person 1 has a crop without a pixel"):
        dataset(PreparedMPII(persons, prepared.images_dir, ""))[0]
    with pytest.raises(GeometryError):
        person_affine((5, 5), np.nan, (10, 10), AugmentParams())


def test_head_sizes(prepared: PreparedMPII) -> None:
    persons = prepared.persons.copy()[:4]
    box = persons["head_box_px"]
    expected = [0.6 * float(np.linalg.norm(b[2:] - b[:2])) for b in box]
    np.testing.assert_allclose(head_size_px(persons), expected)
    persons["head_box_px"][:2] = np.nan
    persons["joints_px"][0, 8] = np.nan
    assert np.isnan(head_size_px(persons)).tolist() == [True, True, False, False]
    neck, top = persons["joints_px"][1, [8, 9]]
    estimate = estimated_head_size_px(persons)
    np.testing.assert_allclose(estimate[1:], [0.75 * np.linalg.norm(top - neck), *expected[2:]])
    assert np.isnan(estimate[0])
