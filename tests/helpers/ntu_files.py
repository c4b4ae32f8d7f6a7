"""Small files in the official formats, for the tests of preparation."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

BODY = 72057594037931101


def write_skeleton(path: Path, frames: int, bodies: int = 1, joints: int = 25) -> None:
    """A skeleton whose first joint lies at (10, 20) in frame 0 and moves by (1, 2) per frame."""
    lines = [str(frames)]
    for frame in range(frames):
        lines.append(str(bodies))
        for body in range(bodies):
            lines += [f"{BODY + body} 0 0 0 0 0 0 0 0 2", str(joints)]
            lines += [
                f"0 0 {3 + 0.1 * body} 200 200 {10 + frame + j} {20 + 2 * frame} 0 0 0 0 2"
                for j in range(joints)
            ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\r\n".join(lines) + "\r\n")


def gray_level(frame: int) -> int:
    """The gray level of a frame of :func:`write_video`, which so tells its number."""
    return 40 + 8 * frame % 200


def write_video(path: Path, frames: int, black: bool = False, codec: str = "MJPG") -> None:
    """A video of 64x48 whose gray level counts the frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 30, (64, 48))
    for frame in range(frames):
        level = 0 if black else gray_level(frame)
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()


def write_sample(root: Path, name: str, frames: int = 9) -> None:
    """Video and skeleton of a sample, each in a folder of its own."""
    write_video(root / "nturgb+d_rgb" / f"{name}_rgb.avi", frames)
    write_skeleton(root / "nturgb+d_skeletons" / f"{name}.skeleton", frames)


def video_frames(path: Path, numbers: Sequence[int], size: tuple[int, int]) -> list[np.ndarray]:
    """Frames of a video, counted from 0, as RGB images of another (width, height)."""
    capture = cv2.VideoCapture(str(path))
    frames = [capture.read()[1] for _ in range(max(numbers) + 1)]
    capture.release()
    return [cv2.resize(frames[n][..., ::-1], size, interpolation=cv2.INTER_AREA) for n in numbers]
