"""Crops, affine maps and boxes against the original program and slow direct computations."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from har.geometry import (
    INVALID,
    GeometryError,
    box_around,
    box_from_center,
    center_and_window,
    crop_affine,
    grid_boxes,
    invert_affine,
    transform_points,
    union_box,
    warp,
)
from tests.helpers.golden import golden_arrays, golden_json, golden_path


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    return golden_arrays("transforms.npz")


def affine_of(case: dict) -> np.ndarray:
    return crop_affine(
        case["centre"],
        case["winsize"],
        (160, 120),
        angle_deg=case["angle"],
        flip=bool(case["hflip"]),
    )


def test_affines_and_points_are_those_of_the_original(golden):
    cases = golden_json(golden["cases"])
    assert len(cases) == 25
    for i, case in enumerate(cases):
        truth = {key: golden[f"{i:02d}/{key}"] for key in ("afmat", "points", "points_back")}
        affine = affine_of(case)
        np.testing.assert_allclose(affine, truth["afmat"], atol=1e-13, rtol=0)
        points = transform_points(affine, golden["points"])
        np.testing.assert_allclose(points, truth["points"], atol=1e-12, rtol=0)
        back = transform_points(invert_affine(affine), points)
        np.testing.assert_allclose(back, truth["points_back"], atol=1e-10, rtol=0)


def test_crops_look_like_those_of_the_original(golden):
    """Pillow's filter is another one, and its rotated canvas has whole pixels."""
    differences = {0: [], 1: []}
    for i, case in enumerate(golden_json(golden["cases"])):
        crop = warp(golden["image"], affine_of(case), tuple(case["resolution"]))
        truth = golden[f"{i:02d}/image"]
        assert crop.shape == truth.shape
        assert crop.dtype == np.uint8
        differences[case["angle"] != 0].append(np.abs(crop.astype(float) - truth).mean())
    assert max(differences[False]) < 2
    assert max(differences[True]) < 6
    assert np.mean(differences[False] + differences[True]) < 2.3


def smooth_image(width: int, height: int, wave_px: float = 25.0) -> np.ndarray:
    """Three plane waves: an image whose value at any point is known in closed form."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.rint(wave_at(x, y, wave_px)).astype(np.uint8)


def wave_at(x: np.ndarray, y: np.ndarray, wave_px: float) -> np.ndarray:
    angles = np.array([0.3, 1.7, 2.6])
    along = x[..., None] * np.cos(angles) + y[..., None] * np.sin(angles)
    return 127 + 100 * np.sin(along * 2 * np.pi / wave_px)


@pytest.mark.parametrize("angle_deg", [0, 25])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("window", [45, 100, 210])
def test_a_pixel_of_the_crop_shows_what_lies_at_its_center(angle_deg, flip, window):
    """Exact values at the pixel centers; half a pixel off would be 3 gray levels or more."""
    affine = crop_affine((200, 160), window, (400, 320), angle_deg=angle_deg, flip=flip)
    resolution = (96, 80)
    crop = warp(smooth_image(400, 320), affine, resolution)
    rows, columns = np.mgrid[:80, :96] + 0.5
    centers = np.stack([columns.ravel() / 96, rows.ravel() / 80], axis=-1)
    x, y = transform_points(invert_affine(affine), centers).T
    truth = wave_at(x, y, 25.0).reshape(80, 96, 3)
    shifted = wave_at(x + 0.5, y, 25.0).reshape(80, 96, 3)
    off_by = np.abs(crop - truth).mean()
    assert off_by < 2.2
    assert np.abs(crop - shifted).mean() > 3 * off_by


@pytest.mark.parametrize("angle_deg", [0, 25])
def test_fine_texture_does_not_alias(angle_deg):
    """Noise shrunk four times: a quarter of the deviation is left, as of a mean of 16 pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    affine = crop_affine((200, 200), 256, (400, 400), angle_deg=angle_deg)
    crop = warp(noise, affine, (64, 64))
    assert crop.std() < noise.std() / 4 * 1.1
    assert abs(crop.mean() - noise.mean()) < 2


@pytest.mark.parametrize("window", [90, 400])
def test_outside_the_image_is_black(window):
    image = np.full((60, 80, 3), 200, dtype=np.uint8)
    affine = crop_affine((0, 0), window, (80, 60))
    crop = warp(image, affine, (64, 64))
    rows, columns = np.mgrid[:64, :64] + 0.5
    centers = np.stack([columns.ravel() / 64, rows.ravel() / 64], axis=-1)
    x, y = transform_points(invert_affine(affine), centers).T
    margin = window / 64
    outside = ((x < -margin) | (y < -margin) | (x > 80 + margin) | (y > 60 + margin)).reshape(
        64, 64
    )
    inside = ((x > margin) & (y > margin) & (x < 80 - margin) & (y < 60 - margin)).reshape(64, 64)
    assert (crop[outside] == 0).all()
    assert inside.any()
    assert (crop[inside] == 200).all()
    far = crop_affine((5000, 5000), window, (80, 60), angle_deg=10)
    assert (warp(image, far, (64, 64)) == 0).all()


@pytest.mark.parametrize(("angle_deg", "window"), [(0, 60), (0, 150), (10, 60), (-35, 200)])
def test_a_crop_from_a_part_of_the_frame_has_the_same_pixels(angle_deg, window):
    """So frames may be stored as the region that crops margin, counted from any corner."""
    image = np.random.default_rng(1).integers(0, 256, (540, 960, 3), dtype=np.uint8)
    affine = crop_affine((400, 300), window, (960, 540), angle_deg=angle_deg, flip=True)
    whole = warp(image, affine, (64, 64))
    for x, y in [(200, 100), (208, 112), (231, 97)]:
        to_frame = np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
        part = warp(image[y : y + 420, x : x + 420], affine @ to_frame, (64, 64))
        assert np.abs(part.astype(int) - whole).max() <= (0 if angle_deg == 0 else 1)


def test_a_crop_is_written_where_it_is_asked_for():
    image = smooth_image(100, 80)
    clip = np.zeros((2, 32, 32, 3), dtype=np.uint8)
    for angle_deg in (0, 15):
        affine = crop_affine(None, 70, (100, 80), angle_deg=angle_deg)
        assert warp(image, affine, (32, 32), out=clip[1]) is not None
        assert (clip[1] == warp(image, affine, (32, 32))).all()
        assert (clip[0] == 0).all()


@settings(max_examples=60, deadline=None)
@given(
    center=st.tuples(st.floats(-200, 900), st.floats(-200, 700)),
    window=st.floats(4, 900),
    angle_deg=st.floats(-180, 180),
    flip=st.booleans(),
)
def test_points_go_through_the_crop_and_back(center, window, angle_deg, flip):
    affine = crop_affine(center, window, (640, 480), angle_deg=angle_deg, flip=flip)
    points = np.array([[3.5, 7.25], [600.0, 400.0], [-50.0, 900.0]])
    back = transform_points(invert_affine(affine), transform_points(affine, points))
    np.testing.assert_allclose(back, points, atol=1e-8)
    # a crop shows the middle of its box, to the pixel that rounding may cost
    middle = transform_points(affine, np.array(center))
    assert np.abs(middle - 0.5).max() <= 1.01 / (window - 2)
    # and it changes no angle: the map is a rotation, a scale per axis, perhaps a mirror
    assert np.sign(np.linalg.det(affine)) == (-1 if flip else 1)


def test_a_positive_angle_turns_counter_clockwise_on_the_screen():
    right_of_middle = np.array([90.0, 50.0])
    x, y = transform_points(crop_affine(None, 100, (100, 100), angle_deg=90), right_of_middle)
    assert x == pytest.approx(0.5, abs=0.02)
    assert y == pytest.approx(0.1, abs=0.02)  # above the middle


def test_missing_points_stay_missing():
    affine = crop_affine((30, 40), 50, (100, 80), angle_deg=20, flip=True)
    points = np.array([[10.0, 20.0], [INVALID, INVALID], [np.nan, 5.0], [INVALID, 5.0]])
    moved = transform_points(affine, points)
    np.testing.assert_array_equal(moved[1:], points[1:])
    x, y, _ = affine @ [10.0, 20.0, 1.0]
    np.testing.assert_allclose(moved[0], [x, y])


def test_many_affines_at_once():
    affines = np.stack(
        [crop_affine((i * 10, 40), 50 + i, (100, 80), angle_deg=i) for i in range(4)]
    )
    points = np.random.default_rng(0).uniform(0, 100, (4, 7, 2))
    moved = transform_points(affines, points)
    for affine, before, after in zip(affines, points, moved, strict=True):
        np.testing.assert_allclose(transform_points(affine, before), after)


@pytest.mark.parametrize(
    ("center", "window"), [((5.5, 5.5), 0.2), ((5, math.nan), 50), ((5, 5), -4)]
)
def test_a_crop_without_pixels_is_refused(center, window):
    with pytest.raises(GeometryError, match="check its box"):
        crop_affine(center, window, (100, 100))


def test_boxes_of_valid_points_are_those_of_the_original():
    golden = golden_arrays("clips.npz")
    points = golden["valid_bbox/points"]
    for enlarge in (1.0, 1.5):
        for square in (True, False):
            truth = golden[f"valid_bbox/relsize{enlarge}_square{square:d}"]
            boxes = box_around(points, enlarge=enlarge, square=square)
            np.testing.assert_allclose(boxes, truth, atol=1e-12)
    # by probability; the original's boxes make no sense where it lets missing joints in
    chosen = golden["valid_bbox/prob"][..., 0] > 0.5
    sensible = (golden["valid_bbox/by_prob"] > -1e6).all(-1)
    assert sensible.sum() == 2
    boxes = box_around(points, chosen, enlarge=1.5)
    np.testing.assert_allclose(boxes[sensible], golden["valid_bbox/by_prob"][sensible])


def test_no_valid_point_no_box():
    boxes = box_around([[[INVALID, INVALID], [np.nan, 3.0]], [[1.0, 2.0], [3.0, 8.0]]])
    assert np.isnan(boxes[0]).all()
    np.testing.assert_array_equal(boxes[1], [-1, 2, 5, 8])
    np.testing.assert_array_equal(union_box(boxes), [-1, 2, 5, 8])
    np.testing.assert_array_equal(union_box([[0, 1, 2, 3], [-1, 2, 1, 9]]), [-1, 1, 2, 9])


def test_center_and_window_are_those_of_the_original():
    golden = golden_arrays("clips.npz")
    center, window = center_and_window(golden["boxes"])
    np.testing.assert_allclose(center, golden["boxes/objpos"])
    np.testing.assert_allclose(window, golden["boxes/winsize"])
    np.testing.assert_allclose(box_from_center(center, window), golden["boxes/back"])


def test_grid_boxes_are_those_of_the_original():
    golden_path("clips.npz")
    golden = {k: v for k, v in golden_arrays("clips.npz").items() if k.startswith("grid_bboxes/")}
    assert len(golden) == 8
    for key, truth in golden.items():
        size, grid, square = key.removeprefix("grid_bboxes/").split("_")
        image_size = tuple(map(int, size.split("x")))
        cells = tuple(map(int, grid.removeprefix("grid").split("x")))
        boxes = grid_boxes(image_size, cells, square=square == "square1")
        np.testing.assert_allclose(boxes, truth)


def test_opencv_still_counts_from_pixel_centers():
    """What the half-pixel shift in ``warp`` rests on."""
    image = np.array([[0, 100]], dtype=np.uint8)
    shift = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]])
    moved = cv2.warpAffine(image, shift, (2, 1), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    assert moved[0, 0] == 50
