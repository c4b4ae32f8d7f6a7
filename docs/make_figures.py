"""Makes the pictures of the documentation.

    python docs/make_figures.py                          the twelve synthetic actions
    python docs/make_figures.py <weights> <video>        the picture of the front page

The video is ``upright_single_person.mp4`` of the BSD-3 package pose2sim 0.10.49.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from har import Predictor
from har.data.ntu.labels import ACTION_NAMES
from har.layouts import get_layout
from har.synthetic.motion import ACTIONS
from har.synthetic.ntu import simulate
from har.video import Video
from har.visual.draw import contact_sheet, draw_skeleton

IMAGES = Path(__file__).parent / "images"
SIZE = (384, 216)
FRAME = 4  # of the front page
BOX = (245, 328, 583, 1178)  # of the man in this frame, pixels
SHOWN = (0, 280, 1080, 1240)
UNSURE = 0.15


def synthetic_actions() -> None:
    """Twelve actions, four moments of each; the joints of the skeleton file on the last."""
    rows = []
    for place, action in enumerate(sorted(ACTIONS)):
        subject = 3 * place + 2
        scene = simulate(f"S001C{1 + place % 3:03d}P{subject:03d}R001A{action:03d}")
        frames = list(scene.frames(SIZE))
        moments = np.linspace(0.1, 0.8, 4) * len(frames)
        pictures = [frames[int(moment)] for moment in moments]
        joints = scene.colour_px[int(moments[-1])] * (SIZE[0] / 1920)
        pictures[-1] = draw_skeleton(pictures[-1], joints, get_layout("ntu25"))
        strip = np.hstack([picture[:, 96:288] for picture in pictures])
        rows.append(strip)
    captions = [ACTION_NAMES[action - 1] for action in sorted(ACTIONS)]
    write("synthetic_ntu.jpg", contact_sheet(rows, 2, captions))


def front_page(weights: str, video: str) -> None:
    """The pose of one person in a frame of a video, in a box that is given."""
    picture = next(f.image for f in Video(video) if f.number == FRAME)
    predictor = Predictor.from_pretrained(weights, fast=False)
    poses = predictor(picture, boxes=BOX).poses
    layout, sure = predictor.engine.spec.joint_layout, poses.confidence[0] >= UNSURE
    picture = draw_skeleton(picture, poses.joints_px[0], layout, valid=sure)
    left, top, right, bottom = SHOWN
    write("front_page.jpg", picture[top:bottom, left:right])


def write(name: str, picture: np.ndarray) -> None:
    """Writes an RGB picture as JPEG."""
    data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    (IMAGES / name).write_bytes(data.tobytes())


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    front_page(*sys.argv[1:]) if sys.argv[1:] else synthetic_actions()
