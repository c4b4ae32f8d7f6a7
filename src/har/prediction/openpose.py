"""Poses as OpenPose writes them: a JSON file per frame, with the 25 joints of BODY_25.

Format: https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from har.errors import HarError
from har.files import whole_file
from har.joint_names import MISSING, match_joints
from har.layouts import Layout
from har.prediction.coco_file import frame_name
from har.prediction.results import Frames, Poses

BODY_25 = (
    "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow",
    "left wrist", "mid hip", "right hip", "right knee", "right ankle", "left hip", "left knee",
    "left ankle", "right eye", "left eye", "right ear", "left ear", "left big toe",
    "left small toe", "left heel", "right big toe", "right small toe", "right heel",
)  # fmt: skip
"""Joints of OpenPose, in its order."""

# OpenPose's joints by other names; its neck lies between the shoulders, as a thorax does.
_SYNONYMS = {"mid hip": ("pelvis", "hip center", "spine base"), "neck": ("thorax",)}
_PX_DECIMALS, _DECIMALS = 3, 4


def body_25_joints(layout: Layout) -> list[int | None]:
    """Number, in a layout, of every joint of BODY_25; None where it has no joint of the name.

    Raises:
        HarError: it has none of them.
    """
    names = layout.joints
    if layout.mirrored:  # OpenPose's sides are those of the person
        names = tuple(names[number] for number in layout.flip)
    found: list[int | None] = []
    for joint, number in zip(BODY_25, match_joints(BODY_25, names), strict=True):
        others = match_joints(_SYNONYMS.get(joint, ()), names)
        found.append(next((n for n in (number, *others) if n != MISSING), None))
    if all(number is None for number in found):
        raise HarError(
            f"No joint of the layout {layout.name} is one of OpenPose's (BODY_25): leave openpose "
            "out of formats."
        )
    return found


def write_openpose(folder: Path, poses: Poses, frames: Frames, layout: Layout) -> None:
    """Writes ``<folder>/<video>_<frame, 12 digits>_keypoints.json`` for every frame.

    A joint that the network does not have is 0, 0 with confidence 0, as OpenPose writes joints that
    it does not find. ``person_id`` is the track.

    Args:
        folder: of the files.
        poses: of all frames.
        frames: of the video, or the images: their files are called after them.
        layout: of the joints.

    Raises:
        HarError: no joint is one of OpenPose's, or a file cannot be written.
    """
    joints = body_25_joints(layout)
    theirs = [place for place, number in enumerate(joints) if number is not None]
    ours = [number for number in joints if number is not None]
    for place, rows in enumerate(poses.rows_of(frames.number)):
        people: list[dict[str, Any]] = []
        for row in rows:
            points = np.zeros((len(BODY_25), 3))
            points[theirs, :2] = np.round(poses.joints_px[row, ours].astype(float), _PX_DECIMALS)
            points[theirs, 2] = np.round(poses.confidence[row, ours].astype(float), _DECIMALS)
            people.append(
                {
                    "person_id": [int(poses.track[row])],
                    "pose_keypoints_2d": points.ravel().tolist(),
                    **{key: [] for key in _EMPTY},
                }
            )
        stem = frames.stems[place] if frames.stems else Path(frame_name(frames, place)).stem
        with whole_file(folder / f"{stem}_keypoints.json") as partial:
            partial.write_text(json.dumps({"version": 1.3, "people": people}), encoding="utf-8")


_EMPTY = (
    "face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d", "pose_keypoints_3d",
    "face_keypoints_3d", "hand_left_keypoints_3d", "hand_right_keypoints_3d",
)  # fmt: skip
