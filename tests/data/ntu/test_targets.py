"""Crops and poses of NTU clips against the original program, and the way back to millimeters."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from har.data.augment import AugmentParams
from har.data.ntu.targets import COLOR_CAMERA
from har.data.targets import DEPTH_RANGE_MM, Target, clip_box
from har.errors import HarError
from har.geometry import INVALID, transform_points
from har.layouts import get_layout
from har.metrics.camera import pose_to_camera_mm
from tests.helpers.golden import golden_arrays, golden_path
from tests.helpers.ntu_target import ntu_target

FRAME_SIZE = (960, 540)


@pytest.fixture(scope="module")
def golden() -> tuple[dict, dict[str, np.ndarray]]:
    return json.loads(golden_path("clips.json").read_text()), golden_arrays("clips.npz")


def joints_of(sequence: np.ndarray, frames: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels, depth and tracking state out of the original's rows of 151 numbers."""
    rows = sequence[frames]
    pixels = np.stack([rows[:, 76:101], rows[:, 101:126]], axis=-1)
    return pixels, rows[:, 126:], np.full((len(rows), 25), 2)


def draw_of(dataconf: dict) -> AugmentParams:
    scale = dataconf.get("fixed_scale", 1.0)
    return AugmentParams(
        angle_deg=dataconf.get("fixed_angle", 0),
        scale=scale,
        shift_px=(
            scale * dataconf.get("fixed_trans_x", 0),
            scale * dataconf.get("fixed_trans_y", 0),
        ),
        flip=bool(dataconf.get("fixed_hflip", 0)),
    )


def assert_same(target: Target, pose: np.ndarray, affine: np.ndarray, case: object) -> None:
    np.testing.assert_allclose(target.affine, affine, atol=1e-12, rtol=0, err_msg=str(case))
    assert target.pose.dtype == np.float32
    np.testing.assert_array_equal(target.pose[..., 3], pose[..., 3], err_msg=str(case))
    np.testing.assert_allclose(target.pose, pose, atol=1e-6, rtol=0, err_msg=str(case))
    np.testing.assert_array_equal(target.tracked, pose[..., 3] == 1)


def test_all_clips_of_the_original(golden):
    info, arrays = golden
    compared = 0
    for i, case in enumerate(info["ntu"]["cases"]):
        if case["error"]:  # the original fails on 2-D layouts
            continue
        target = ntu_target(
            *joints_of(arrays[f"ntu/sequence_{case['sequence']}"], case["frame_list"]),
            layout=get_layout(case["layout"].removesuffix("3d")),
            frame_size=FRAME_SIZE,
            params=draw_of(case["dataconf"]),
            use_true_box=case["use_gt_bbox"],
        )
        assert_same(target, arrays[f"ntu/{i:03d}/pose"], arrays[f"ntu/{i:03d}/afmat"], case)
        compared += 1
    assert compared == 64


def test_single_frames_and_a_given_box_of_the_original(golden):
    info, arrays = golden
    layout = get_layout("pa17j")
    for key, sequence, frame in info["ntu"]["single_frames_key_sequence_frame"]:
        joints = joints_of(arrays[f"ntu/sequence_{sequence}"], [frame])
        target = ntu_target(*joints, layout=layout, frame_size=FRAME_SIZE, params=AugmentParams())
        pose, affine = arrays[f"ntu/frame_{key}/pose"][None], arrays[f"ntu/frame_{key}/afmat"]
        assert_same(target, pose, affine, key)
    given = info["ntu"]["given_box"]
    target = ntu_target(
        *joints_of(arrays[f"ntu/sequence_{given['sequence']}"], given["frame_list"]),
        layout=layout,
        frame_size=FRAME_SIZE,
        params=AugmentParams(),
        box=given["bbox"],
    )
    assert_same(target, arrays["ntu/given_box/pose"], arrays["ntu/given_box/afmat"], given)


def test_boxes_of_the_original(golden):
    info, arrays = golden
    poses = np.where(arrays["gt_bbox/visible"][..., None] > 0, arrays["gt_bbox/pose"], np.nan)
    failed = 0
    for i, case in info["gt_bbox"]["cases"].items():
        box = clip_box(poses[case["frames"], :, :2], FRAME_SIZE, case["scale"])
        if case["error"]:  # one frame without a visible joint; here it is the whole image
            np.testing.assert_array_equal(box, [0, 0, *FRAME_SIZE])
            failed += 1
        else:
            np.testing.assert_allclose(box, arrays[f"gt_bbox/{int(i):02d}/bbox"], err_msg=str(case))
    assert failed == 3


@pytest.fixture
def walk() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Four frames of a person who walks through the image, all joints known."""
    rng = np.random.default_rng(7)
    body = rng.uniform((-150, -350), (150, 350), (25, 2))
    pixels = np.array([900.0, 560.0]) + body + np.arange(4)[:, None, None] * [20.0, 1.0]
    return pixels, 3000 + rng.uniform(-300, 300, (4, 25)), np.full((4, 25), 2)


def test_crops_do_not_depend_on_the_size_of_the_stored_frames(walk):
    """Third-size frames: the same crop of the same scene, to the rounding of its corners."""
    draw = AugmentParams(angle_deg=10, scale=1.3, shift_px=(26.0, -13.0))
    arguments = {"layout": get_layout("pa17j"), "params": draw}
    large = ntu_target(*walk, frame_size=(1920, 1080), **arguments)
    small = ntu_target(*walk, frame_size=(640, 360), **arguments)
    assert large.pose[..., 3].all()
    np.testing.assert_allclose(small.pose, large.pose, atol=0.01)


def test_a_mirrored_crop_swaps_left_and_right(walk):
    layout = get_layout("pa17j")
    plain, mirrored = (
        ntu_target(*walk, layout=layout, frame_size=FRAME_SIZE, params=AugmentParams(flip=flip))
        for flip in (False, True)
    )
    expected = plain.pose[:, list(layout.flip)] * [-1, 1, 1, 1] + [1, 0, 0, 0]
    np.testing.assert_allclose(mirrored.pose, expected, atol=1e-6)
    assert mirrored.mirrored
    assert not plain.mirrored


def test_joints_the_kinect_lost_are_learned_from_but_not_measured(walk):
    pixels, depth, state = walk
    state[2, 0] = 0
    state[1, 20] = 1
    layout = get_layout("pa17j")
    target = ntu_target(
        pixels, depth, state, layout=layout, frame_size=FRAME_SIZE, params=AugmentParams()
    )
    assert target.pose[..., 3].all()
    assert (~target.tracked).sum() == 1
    assert not target.tracked[2, 0]


@pytest.mark.parametrize("use_true_box", [True, False])
def test_a_clip_without_any_joint_is_the_whole_image(walk, use_true_box):
    pixels, depth, state = walk
    target = ntu_target(
        np.full_like(pixels, np.nan),
        depth * np.nan,
        state,
        layout=get_layout("pa17j"),
        frame_size=FRAME_SIZE,
        params=AugmentParams(),
        use_true_box=use_true_box,
    )
    assert (target.pose[..., :3] == INVALID).all()
    assert (target.pose[..., 3] == 0).all()
    assert np.isnan(target.root_depth_mm)
    middle = transform_points(target.affine, np.array([480.0, 270.0]))
    np.testing.assert_allclose(middle, [0.5, 0.5])


def test_a_tiny_person_gets_a_window_of_32_pixels(walk):
    pixels, depth, state = walk
    tiny = np.array([900.0, 500.0]) + (pixels - pixels.mean((0, 1))) / 100
    arguments = {"layout": get_layout("pa17j"), "params": AugmentParams()}
    target = ntu_target(tiny, depth, state, frame_size=FRAME_SIZE, **arguments)
    np.testing.assert_allclose(1 / target.affine[[0, 1], [0, 1]], [32, 32])


def test_a_layout_that_ntu_does_not_have_is_refused(walk):
    with pytest.raises(HarError, match="mpii cannot be made from the joints of ntu25"):
        ntu_target(*walk, layout=get_layout("mpii"), frame_size=FRAME_SIZE, params=AugmentParams())


def in_camera(*crop: np.ndarray | float) -> np.ndarray:
    """Poses in mm by the metrics' own geometry: pose, affine, root depth, scale, frame width."""
    tensors = [torch.from_numpy(np.asarray(value, dtype=np.float64)) for value in crop]
    return pose_to_camera_mm(*tensors, COLOR_CAMERA, DEPTH_RANGE_MM).numpy()


@pytest.mark.parametrize(
    "draw",
    [
        AugmentParams(),
        AugmentParams(angle_deg=10, scale=2.0, shift_px=(40.0, -20.0)),
        AugmentParams(scale=1.3, flip=True),
    ],
)
def test_back_to_millimeters(walk, draw):
    """A known scene: points in camera space, projected by hand, cropped, and found again."""
    _, _, state = walk
    rng = np.random.default_rng(3)
    body = rng.uniform((-400, -800, -250), (400, 800, 250), (25, 3))
    truth = np.array([100.0, 50.0, 3500.0]) + body + np.arange(4)[:, None, None] * [30.0, 0, 20]
    u = truth[..., 0] / truth[..., 2] * 1059 + 962
    v = -truth[..., 1] / truth[..., 2] * 1056 + 575
    layout = get_layout("pa17j")
    target = ntu_target(
        np.stack([u, v], axis=-1),
        truth[..., 2],
        state,
        layout=layout,
        frame_size=FRAME_SIZE,
        params=replace(draw),
    )
    order = np.array(layout.from_ntu)
    if draw.flip:
        order = order[list(layout.flip)]
    visible = target.pose[..., 3] == 1
    assert visible.sum() > 40
    assert target.root_depth_mm == pytest.approx(truth[:, 0, 2].mean())
    crop = target.affine, target.root_depth_mm, target.depth_scale, FRAME_SIZE[0]
    camera = in_camera(target.pose, *crop)
    np.testing.assert_allclose(camera[visible], truth[:, order][visible], atol=0.05)
    assert (camera[~visible] == INVALID).all()
    batch = in_camera(  # two clips at once
        np.stack([target.pose] * 2),
        np.stack([target.affine] * 2),
        np.array([target.root_depth_mm, target.root_depth_mm + 100]),
        np.array([target.depth_scale] * 2),
        np.array([FRAME_SIZE[0]] * 2),
    )
    np.testing.assert_allclose(batch[0], camera)
    np.testing.assert_allclose((batch[1] - batch[0])[visible][:, 2], 100)
