"""Makes the pictures of the documentation: ``python docs/make_figures.py``."""

from pathlib import Path

import cv2
import numpy as np

from har.data.ntu.labels import ACTION_NAMES
from har.layouts import get_layout
from har.synthetic.motion import ACTIONS
from har.synthetic.ntu import simulate
from har.visual.draw import contact_sheet, draw_skeleton

IMAGES = Path(__file__).parent / "images"
SIZE = (384, 216)


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
    sheet = contact_sheet(rows, 2, captions)
    data = cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    (IMAGES / "synthetic_ntu.jpg").write_bytes(data.tobytes())


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    synthetic_actions()
