"""The Python API: its inputs, its results, and that threads may share it."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

import har
from har import Predictor
from har.errors import HarError
from har.models.spec import ModelSpec
from har.prediction.prediction import Prediction
from har.prediction.videos import predict_video
from har.runtime.engine import Engine
from har.video import Video
from tests.helpers.red_person import (
    INFO,
    LAYOUT,
    SeesRed,
    joints_of,
    picture,
    red_engine,
    walker_box,
    walking,
    write_video,
)

BOX = (60, 80, 100, 180)


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(red_engine())


def errors_px(result: Prediction) -> np.ndarray:
    """(M, J) distances from where the walker's joints are."""
    wanted = np.array([joints_of(walker_box(int(frame))) for frame in result.poses.frame])
    return np.linalg.norm(result.poses.joints_px - wanted, axis=-1)


def test_an_image_gives_one_pose_in_its_pixels(predictor: Predictor) -> None:
    result = predictor(picture(BOX))
    assert result.poses.joints_px.shape == (1, 17, 2)
    assert np.abs(result.poses.joints_px[0] - joints_of(BOX)).max() < 2  # refined twice
    np.testing.assert_allclose(result.poses.confidence, 0.9, atol=1e-6)
    assert result.poses.depth_mm[0, LAYOUT.root] == 0
    assert result.poses.joint_names == LAYOUT.joints
    assert len(result.actions) == 0
    assert result.actions.top() == []


def test_refining_makes_poses_better() -> None:
    small = (150, 100, 170, 150)
    errors = []
    for refine in (0, 1, 2):
        predictor = Predictor(red_engine(), refine=refine)
        result = predictor(picture(small, size=(1280, 720)), boxes=[[0, 0, 500, 400]])
        errors.append(np.abs(result.poses.joints_px[0] - joints_of(small)).max())
    assert errors[2] <= errors[1] < errors[0] / 3


@pytest.mark.parametrize("scale", [1, 12])  # up to 3840 x 2880
def test_sizes_of_images(predictor: Predictor, scale: int) -> None:
    box = tuple(scale * side for side in BOX)
    result = predictor(picture(box, size=(320 * scale, 240 * scale)))
    assert np.abs(result.poses.joints_px[0] - joints_of(box)).max() < 2 * scale


def test_grey_images_are_taken(predictor: Predictor) -> None:
    result = predictor(np.full((50, 80), 90, np.uint8))
    assert result.plot().shape == (50, 80, 3)
    assert len(result.poses) == 0  # the confidence says that nobody is there


def test_several_people_in_given_boxes(predictor: Predictor) -> None:
    other = (200, 50, 260, 150)
    result = predictor(picture(BOX, other), boxes=[BOX, other])
    assert result.poses.track.tolist() == [0, 1]
    for number, box in enumerate((BOX, other)):
        assert np.abs(result.poses.joints_px[number] - joints_of(box)).max() < 3
    assert len(predictor(picture(BOX), boxes=np.empty((0, 4))).poses) == 0


@pytest.mark.parametrize("kind", ["array", "file"])
def test_a_clip_gives_poses_and_actions(predictor: Predictor, kind: str, tmp_path: Path) -> None:
    images = walking(45, action=1)
    source = np.array(images) if kind == "array" else write_video(tmp_path / "ö 1.avi", images)
    result = predictor(source)
    assert result.poses.frame.tolist() == list(range(45))
    np.testing.assert_allclose(result.poses.time_s, np.arange(45) / 30, atol=2e-3)
    assert errors_px(result).max() < 6
    assert result.actions.labels == INFO.labels
    assert result.actions.probabilities.shape == (len(result.actions), 3)
    best, *rest = result.actions.top(2)
    assert best.label == "waving"
    assert best.probability == pytest.approx(0.8, abs=1e-6)
    assert len(rest) == 1
    assert result.actions.top(1, track=0) == [best]
    assert result.actions.top(1, track=9) == []


def test_the_pace_of_a_clip_that_is_an_array_can_be_said(predictor: Predictor) -> None:
    clip = np.array(walking(60))
    assert len(predictor(clip, fps=10).actions) > len(predictor(clip, fps=30).actions)


def test_a_box_for_a_whole_clip(predictor: Predictor) -> None:
    result = predictor(np.array([picture(BOX)] * 20), boxes=BOX)
    assert len(np.unique(result.poses.box, axis=0)) == 1
    assert np.abs(result.poses.joints_px - joints_of(BOX)).max() < 3


def test_one_frame_is_an_image(predictor: Predictor, tmp_path: Path) -> None:
    for source in (np.array(walking(1)), write_video(tmp_path / "one.avi", walking(1))):
        result = predictor(source)
        assert (len(result.poses), len(result.actions)) == (1, 0)
        assert result.plot().shape == (240, 320, 3)


@pytest.mark.parametrize(
    "source",
    [
        np.zeros((4, 4)),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((2, 4, 4, 1), np.uint8),
        np.zeros(3, np.uint8),
        "missing.png",
        Path("missing.mp4"),
    ],
)
def test_other_inputs_are_an_error(predictor: Predictor, source: object) -> None:
    with pytest.raises(HarError):
        predictor(source)  # type: ignore[arg-type]


def test_the_result_is_plain_json(predictor: Predictor) -> None:
    answer = json.loads(json.dumps(predictor(np.array(walking(30))).to_dict(), allow_nan=False))
    assert len(answer["poses"]) == 30
    assert answer["poses"][3]["frame"] == 3
    assert len(answer["poses"][0]["joints_px"]) == len(answer["joint_names"]) == 17
    assert answer["actions"][0]["top"][0]["label"] == "still"
    assert answer["model"]["layout"] == "pa17j"


def test_a_network_without_depth_or_actions() -> None:
    flat = ModelSpec(**{**INFO.to_dict(), "depth_range_mm": None, "labels": ()})  # type: ignore[arg-type]
    result = Predictor(red_engine(spec=flat))(np.array(walking(20)))
    assert np.isnan(result.poses.depth_mm).all()
    assert result.to_dict()["poses"][0]["depth_mm"] is None
    assert result.actions.probabilities.shape == (0, 0)
    assert result.plot().ndim == 3


def test_a_network_of_an_own_skeleton_is_drawn_with_its_joints(tmp_path: Path) -> None:
    class FiveJoints(SeesRed):
        def forward_frames(self, images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
            poses, features = super().forward_frames(images)
            return poses[:, [3, 13, 4, 5, 0]], features

    names = ("nose", "tail", "left_ear", "right_ear", "back")
    links = ((0, 4), (4, 1), (0, 2), (0, 3))
    own = replace(INFO, layout="cat", num_joints=5, joint_names=names, joint_links=links)
    predictor = Predictor(Engine(FiveJoints(), own))
    result = predictor(write_video(tmp_path / "film.avi", walking(20)))
    assert (result.poses.layout, result.poses.joint_names) == ("cat", names)
    wanted = [joints_of(walker_box(int(n)))[[3, 13, 4, 5, 0]] for n in result.poses.frame]
    assert np.abs(result.poses.joints_px - np.array(wanted)).max() < 6
    assert result.to_dict()["joint_names"] == list(names)
    image = picture(BOX)
    plot = predictor(image).plot()
    x, y = (joints_of(BOX)[0] + joints_of(BOX)[3]) / 2  # the middle of a link
    assert np.abs(plot[int(y), int(x)].astype(int) - image[int(y), int(x)]).max() > 60
    video = Video(write_video(tmp_path / "b.avi", walking(9)))
    predict_video(predictor, video, tmp_path / "out", skeleton_3d=True)
    with np.load(tmp_path / "out" / "poses.npz", allow_pickle=False) as poses:
        assert (str(poses["layout"]), tuple(poses["joint_names"])) == ("cat", names)


def test_the_plot_shows_the_skeleton_and_the_input_stays(predictor: Predictor) -> None:
    image = picture(BOX)
    plot = predictor(image).plot()
    assert plot.shape == image.shape
    changed = np.argwhere((plot != image).any(-1))
    assert len(changed) > 100
    assert changed.min(0)[::-1] == pytest.approx(BOX[:2], abs=8)
    assert changed.max(0)[::-1] == pytest.approx(BOX[2:], abs=8)
    np.testing.assert_array_equal(image, picture(BOX))


def test_the_plot_of_a_video_shows_few_frames_and_the_actions(predictor: Predictor) -> None:
    result = predictor(np.array(walking(100)))
    assert 4 <= len(result.images) <= 16
    assert result.plot().shape[1] > 4 * 320


def test_threads_share_a_predictor(predictor: Predictor) -> None:
    clips = [
        np.array([picture((20 + 9 * n, 60, 70 + 9 * n, 180), action=n % 3)] * 30) for n in range(12)
    ]
    alone = [predictor(clip) for clip in clips]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(predictor, clips))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.poses.joints_px, other.poses.joints_px)
        np.testing.assert_array_equal(one.actions.probabilities, other.actions.probabilities)


def test_images_of_every_kind_by_path(predictor: Predictor, tmp_path: Path) -> None:
    bgr = picture(BOX)[..., ::-1]
    alpha = np.dstack([bgr, np.full(bgr.shape[:2], 255, np.uint8)])
    for name, image in (
        ("8 bit.png", bgr),
        ("ä.png", alpha),
        ("16.png", bgr.astype(np.uint16) * 257),
    ):
        done, data = cv2.imencode(".png", image)
        assert done
        (tmp_path / name).write_bytes(data.tobytes())
        result = predictor(tmp_path / name)
        assert np.abs(result.poses.joints_px[0] - joints_of(BOX)).max() < 2


def test_har_gives_the_predictor_and_nothing_else() -> None:
    assert har.Predictor is Predictor
    with pytest.raises(AttributeError, match="no attribute 'Detector'"):
        _ = har.Detector
