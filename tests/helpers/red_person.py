"""A network that knows persons by their color, and pictures and videos of such a person.

A person is a red rectangle; how blue it is says what it does. So every pose is known exactly, and
that of a mirror image is the mirrored one.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from har.layouts import get_layout
from har.models.spec import ModelSpec
from har.runtime.engine import Engine

LABELS = ("still", "waving", "falling")
SIZE = 64
_BLUE = 70  # per action

LAYOUT = get_layout("pa17j")
_RNG = np.random.default_rng(0)
TEMPLATE = _RNG.uniform(0.1, 0.9, (17, 2))  # joints in the person's rectangle
TEMPLATE[[3, 13, 4, 5]] = [0.5, 0.0], [0.5, 1.0], [0.0, 0.3], [1.0, 0.3]  # margin its borders
_FLIP = list(LAYOUT.flip)
_DEPTH = np.linspace(0.5, 0.6, 17)
_DEPTH = (_DEPTH + _DEPTH[_FLIP]) / 2
for _joint, _other in enumerate(_FLIP):
    if _joint >= _other:
        TEMPLATE[_other] = (1, 0) + TEMPLATE[_joint] * (-1, 1)
    if _joint == _other:
        TEMPLATE[_joint, 0] = 0.5

INFO = ModelSpec(
    layout="pa17j",
    num_joints=17,
    dim=3,
    resolution=(SIZE, SIZE),
    labels=LABELS,
    clip_size=8,
    clip_seconds_between_frames=0.1,
    depth_range_mm=2000.0,
    name="red",
    weights_sha256="",
)


class SeesRed:
    """Finds the red pixels of crops; counts how many crops it was given."""

    def __init__(self) -> None:
        self.crops = 0

    def forward_frames(self, images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        self.crops += len(images)
        poses = np.full((len(images), 17, 4), 0.5, np.float32)
        poses[..., 3] = 0.05
        blue = np.zeros((len(images), 1), np.float32)
        for number, image in enumerate(images.astype(int)):
            rows, columns = np.nonzero(image[..., 0] - image[..., 1] > 90)
            if len(rows) > 3:
                low = np.array([columns.min(), rows.min()]) / SIZE
                high = np.array([columns.max() + 1, rows.max() + 1]) / SIZE
                poses[number, :, :2] = low + TEMPLATE * (high - low)
                poses[number, :, 2] = _DEPTH
                poses[number, :, 3] = 0.9
                blue[number] = image[rows, columns, 2].mean()
        return poses, [blue]

    def classify_clips(self, clips: Sequence[Sequence[tuple[np.ndarray, ...]]]) -> np.ndarray:
        blue = np.array([[frame[0][0] for frame in clip] for clip in clips]).mean(1)
        number = np.clip(np.rint(blue / _BLUE), 0, len(LABELS) - 1).astype(int)
        return (0.1 + 0.7 * np.eye(len(LABELS))[number]).astype(np.float32)

    def compile(self, images: np.ndarray) -> bool:
        return False


def red_engine(batch_size: int = 8, spec: ModelSpec = INFO) -> Engine:
    return Engine(SeesRed(), spec, batch_size=batch_size)


def picture(
    *boxes: tuple[float, float, float, float],
    size: tuple[int, int] = (320, 240),
    action: int = 0,
) -> np.ndarray:
    """uint8 RGB, dark, with a red rectangle x1, y1, x2, y2 for every person."""
    image = np.full((size[1], size[0], 3), 40, np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[round(y1) : round(y2), round(x1) : round(x2)] = (230, 20, 10 + _BLUE * action)
    return image


def joints_of(box: tuple[float, float, float, float]) -> np.ndarray:
    """(17, 2) in pixels: where the joints of a person are."""
    low, high = np.array(box[:2]), np.array(box[2:])
    return low + TEMPLATE * (high - low)


def write_video(path: Path, images: Sequence[np.ndarray], fps: float = 30.0) -> Path:
    """Any ending; MPEG-4 in .mp4, Motion JPEG otherwise."""
    code = cv2.VideoWriter.fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG"))
    size = images[0].shape[1], images[0].shape[0]
    writer = cv2.VideoWriter(str(path), code, fps, size)
    assert writer.isOpened()
    for image in images:
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def walking(frames: int, size: tuple[int, int] = (320, 240), action: int = 0) -> list[np.ndarray]:
    """A person who walks to the right, 1 px a frame; see :func:`walker_box`."""
    return [picture(walker_box(n), size=size, action=action) for n in range(frames)]


def walker_box(frame: int) -> tuple[int, int, int, int]:
    return 60 + frame, 80, 100 + frame, 180
