"""Synthetic NTU: what is drawn agrees with what is written, and always with itself."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from har.data.ntu.skeleton import main_body, read_skeleton
from har.data.ntu.splits import XSUB60_TRAINING, missing_skeletons
from har.errors import HarError
from har.synthetic.anatomy import draw_body
from har.synthetic.motion import ACTIONS, perform, two_bones
from har.synthetic.ntu import (
    parse_sample_name,
    simulate,
    skeleton_text,
    synthetic_samples,
    write_ntu,
)
from har.synthetic.render import Camera, Shape, outline, project

LIMBS = [(4, 5), (5, 6), (8, 9), (9, 10), (12, 13), (13, 14), (16, 17), (17, 18), (0, 20)]


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_bodies_keep_their_bones(action: int) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        joints = perform(action, draw_body(rng), 70, rng)
        assert np.isfinite(joints).all()
        assert joints[..., 1].min() > -0.05  # no body sinks into the floor
        for a, b in LIMBS:
            length = np.linalg.norm(joints[:, a] - joints[:, b], axis=-1)
            if (a, b) in ((5, 6), (9, 10), (13, 14), (17, 18), (0, 20)):
                assert length.std() < 1e-6  # lower limbs and the spine are never stretched
            assert length.std() < 0.02
        step = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max()
        assert step < 0.55  # meters from one frame to the next: a dropped hand, but no jump


def test_two_bones_reach_their_target() -> None:
    rng = np.random.default_rng(0)
    root, way = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    way *= (rng.uniform(0.2, 0.9, 50) / np.linalg.norm(way, axis=1))[:, None]
    middle, end = two_bones(root, root + way, 0.5, 0.45, np.array([0.0, 0.3, 1.0]))
    np.testing.assert_allclose(end, root + way, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(middle - root, axis=1), 0.5)
    np.testing.assert_allclose(np.linalg.norm(end - middle, axis=1), 0.45)


def test_pixels_lie_where_the_joints_are() -> None:
    """A thin limb alone, drawn in full HD: its ends and its middle, to a pixel."""
    for name in ("S001C001P001R001A023", "S003C003P003R001A043"):
        scene = simulate(name)
        for a, b in LIMBS[:8]:
            shape = Shape(scene.joints[:, [a, b]], np.array([0.004, 0.004]), (255, 255, 255))
            drawn = outline(shape, (1920, 1080), (0.0, 0.0))
            for frame in (0, len(scene.joints) // 2):
                image = np.zeros((1080, 1920), np.uint8)
                cv2.fillConvexPoly(image, drawn.fill[frame], 255, cv2.LINE_AA, 4)
                rows, columns = np.nonzero(image)
                weights = image[rows, columns].astype(float)
                middle = np.average(np.stack([columns, rows], 1) + 0.5, axis=0, weights=weights)
                ends = scene.colour_px[frame, [a, b]]
                if (ends < 5).any() or (ends > (1915, 1075)).any():
                    continue
                tolerance = 1.0 + 0.1 * np.abs(np.diff(scene.joints[frame, [a, b], 2])) * 20
                assert np.linalg.norm(middle - ends.mean(0)) < tolerance
                x, y = ends.mean(0) - (ends[1] - ends[0]) * 0.3
                assert image[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2].any()


def test_projection_is_the_kinects() -> None:
    x, y, z = 0.4, -0.3, 3.0
    expected = (1059 * x / z + 48 / z + 962, -1056 * y / z - 30 / z + 575)
    np.testing.assert_allclose(project(np.array([x, y, z])), expected)
    half = project(np.array([x, y, z]), (960, 540))
    np.testing.assert_allclose(half, np.array(expected) / 2)


def test_the_picture_is_mirrored_against_the_anatomy() -> None:
    """Who faces the camera has the anatomical left on the left of the picture, as in a mirror."""
    camera = Camera(azimuth=0.0, distance=3.0, height=1.2)
    rng = np.random.default_rng(0)
    joints = camera.see(perform(22, draw_body(rng), 20, rng))  # facing the camera, cheering
    pixels = project(joints)
    assert (pixels[:, 4, 0] < pixels[:, 8, 0]).all()  # left shoulder, right shoulder
    assert (pixels[:, 12, 0] < pixels[:, 16, 0]).all()  # hips


def test_the_same_name_is_always_the_same() -> None:
    name = "S002C002P002R001A001"
    one, two = simulate(name), simulate(name)
    assert skeleton_text(one) == skeleton_text(two)
    frames = [next(scene.frames((320, 180))) for scene in (one, two)]
    np.testing.assert_array_equal(*frames)
    for other in ("S002C002P002R002A001", "S003C002P003R001A001"):
        assert skeleton_text(simulate(other)) != skeleton_text(one)
    assert skeleton_text(simulate(name, seed=1)) != skeleton_text(one)


def test_three_cameras_see_one_performance() -> None:
    scenes = [simulate(f"S002C{camera:03d}P002R001A024") for camera in (1, 2, 3)]
    bones = [np.linalg.norm(s.joints[:, 19] - s.joints[:, 3], axis=-1) for s in scenes]
    np.testing.assert_allclose(bones[0], bones[1])
    np.testing.assert_allclose(bones[0], bones[2])
    assert np.abs(scenes[0].colour_px - scenes[1].colour_px).max() > 20


def test_the_files_are_read_by_the_readers_of_the_data_set(tmp_path: Path) -> None:
    names = synthetic_samples([1, 3], [8], [2], [1])
    report = write_ntu(tmp_path, names, size=(320, 180), workers=1)
    assert (report.written, report.skipped) == (2, 0)
    for name in names:
        path = tmp_path / "nturgb+d_skeletons" / f"{name}.skeleton"
        raw = path.read_bytes()
        assert raw.count(b"\r\n") == raw.count(b"\n") > 0
        skeleton, scene = read_skeleton(path), simulate(name)
        np.testing.assert_allclose(skeleton["xyz_m"][:, 0], scene.joints, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(skeleton["colour_px"][:, 0], scene.colour_px, rtol=1e-5)
        track = main_body(skeleton)
        assert track is not None
        np.testing.assert_allclose(track.depth_mm, 1000 * scene.joints[..., 2], rtol=1e-5)
        capture = cv2.VideoCapture(str(tmp_path / "nturgb+d_rgb" / f"{name}_rgb.avi"))
        count = 0
        while capture.read()[0]:
            count += 1
        assert count == len(scene.joints)
    assert write_ntu(tmp_path, names, size=(320, 180), workers=1).skipped == 2
    with pytest.raises(HarError, match="remove that folder"):
        write_ntu(tmp_path, names, size=(640, 360), workers=1)


def test_sample_names() -> None:
    subjects = range(1, 41)
    names = synthetic_samples(subjects, sorted(ACTIONS), cameras_per_sample=1)
    assert len(names) == len(set(names))
    assert not set(names) & missing_skeletons()
    parsed = [parse_sample_name(name) for name in names]
    assert {p.subject for p in parsed} == set(subjects) > set(XSUB60_TRAINING)
    per_camera = np.bincount([p.camera for p in parsed])[1:]
    assert per_camera.min() > 0.9 * per_camera.max()
    with pytest.raises(HarError, match="no synthetic action 2"):
        synthetic_samples([1], [2])
