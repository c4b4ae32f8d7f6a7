"""Joints of twelve real frames that were marked by eye (tests/data/people/marked/README.md)."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MARKS = Path(__file__).parents[1] / "data" / "people" / "marked" / "marks.json"


@dataclass(frozen=True)
class MarkedFrame:
    """One person in one frame.

    Attributes:
        video: name of the video's file.
        size: width and height of its frames in pixels.
        num_frames: how many frames it has.
        frame: number of the frame, from 0 in decoding order.
        joints: names of the J joints; left and right are the person's own.
        box: (4,) left, top, right, bottom in pixels, drawn by eye.
        first: (J, 2) first marking in pixels.
        second: (J, 2) second marking in pixels.
    """

    video: str
    size: tuple[int, int]
    num_frames: int
    frame: int
    joints: tuple[str, ...]
    box: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @property
    def torso(self) -> float:
        """Pixels from left shoulder to right hip in the first marking."""
        left, right = (self.joints.index(name) for name in ("left shoulder", "right hip"))
        return float(np.linalg.norm(self.first[left] - self.first[right]))


def marked_frames() -> list[MarkedFrame]:
    """All frames of ``marks.json``."""
    content = json.loads(MARKS.read_text(encoding="utf-8"))
    return [
        MarkedFrame(
            video["file"],
            tuple(video["size"]),
            video["num_frames"],
            marks["frame"],
            tuple(content["joints"]),
            *(np.array(marks[key], dtype=float) for key in ("box", "first", "second")),
        )
        for video in content["videos"]
        for marks in video["frames"]
    ]
