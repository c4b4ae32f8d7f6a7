"""The joints that were marked by eye in real frames: two markings agree, inside the pictures."""

from collections import Counter

import cv2
import numpy as np
import pytest

from har.layouts import get_layout
from tests.helpers.golden import real_path
from tests.helpers.marks import MarkedFrame, marked_frames

FRAMES = marked_frames()
VIDEOS = sorted({marks.video for marks in FRAMES})
LIMB_JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def test_six_frames_of_each_video_have_the_twelve_limb_joints() -> None:
    assert Counter(marks.video for marks in FRAMES) == dict.fromkeys(VIDEOS, 6)
    assert len({(marks.video, marks.frame) for marks in FRAMES}) == len(FRAMES) == 12
    names = {f"{side} {joint}" for side in ("left", "right") for joint in LIMB_JOINTS}
    assert names <= set(get_layout("pa17j").joints)
    for marks in FRAMES:
        assert set(marks.joints) == names
        assert len(marks.joints) == 12


def test_markings_agree_within_a_tenth_of_the_torso_in_95_percent() -> None:
    distance = np.concatenate(
        [np.linalg.norm(marks.first - marks.second, axis=1) / marks.torso for marks in FRAMES]
    )
    assert distance.shape == (144,)
    assert (distance <= 0.1).mean() >= 0.95
    assert distance.max() > 0  # two markings, not one copied


def test_joints_and_boxes_lie_inside_the_pictures() -> None:
    for marks in FRAMES:
        left, top, right, bottom = marks.box
        assert 0 <= left < right <= marks.size[0]
        assert 0 <= top < bottom <= marks.size[1]
        assert 0 <= marks.frame < marks.num_frames
        for marking in (marks.first, marks.second):
            assert marking.shape == (12, 2)
            assert (marking >= (left, top)).all()
            assert (marking <= (right, bottom)).all()


@pytest.mark.parametrize("part", [("shoulder", "elbow"), ("hip", "knee"), ("knee", "ankle")])
@pytest.mark.parametrize("side", ["left", "right"])
def test_limbs_are_no_longer_than_a_body_allows(side: str, part: tuple[str, str]) -> None:
    """A pair of exchanged or misread joints makes a limb that is too long."""
    for marks in FRAMES:
        upper, lower = (marks.joints.index(f"{side} {joint}") for joint in part)
        for marking in (marks.first, marks.second):
            assert np.linalg.norm(marking[upper] - marking[lower]) < 0.9 * marks.torso


@pytest.mark.parametrize("video", VIDEOS)
def test_marks_are_of_the_videos_that_the_packages_ship(video: str) -> None:
    capture = cv2.VideoCapture(str(real_path(f"video/{video}")))
    marks: MarkedFrame = next(marks for marks in FRAMES if marks.video == video)
    properties = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FRAME_COUNT)
    assert tuple(int(capture.get(value)) for value in properties) == (
        *marks.size,
        marks.num_frames,
    )
    capture.release()
