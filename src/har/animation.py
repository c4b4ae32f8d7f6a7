"""Animated images (GIF, WebP) as videos, with the interface of OpenCV's reader of videos."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from har.endings import ANIMATED_ENDINGS, ending_of

_SHORTEST_MS = 10  # of a picture: browsers show those that state 0 for 100 ms
_USUAL_MS = 100


def is_animation(path: Path) -> bool:
    """Whether a file is a GIF or WebP of several pictures."""
    return ending_of(path) in ANIMATED_ENDINGS and len(_pictures(path, 2)[0]) > 1


class AnimationCapture:
    """The pictures of an animation at their times; the part of ``cv2.VideoCapture`` that is used.

    Args:
        path: of a file for which :func:`is_animation` is true.
    """

    def __init__(self, path: Path) -> None:
        self._pictures, durations = _pictures(path)
        times = np.where(np.asarray(durations) < _SHORTEST_MS, _USUAL_MS, durations)
        self._ends_ms = np.cumsum(times)
        self._number = -1

    def isOpened(self) -> bool:
        return bool(self._pictures)

    def grab(self) -> bool:
        self._number += 1
        return self._number < len(self._pictures)

    def retrieve(self) -> tuple[bool, NDArray[Any]]:
        picture = self._pictures[self._number]
        if picture.ndim == 3 and picture.shape[2] == 4:  # transparent: the pixels as they are
            picture = np.ascontiguousarray(picture[..., :3])
        return True, picture

    def get(self, what: int) -> float:
        if not self._pictures:
            return 0.0
        if what == cv2.CAP_PROP_POS_MSEC:
            return float(self._ends_ms[self._number - 1]) if self._number > 0 else 0.0
        count = len(self._pictures)
        values = {
            cv2.CAP_PROP_FRAME_COUNT: float(count),
            cv2.CAP_PROP_FPS: 1000 * count / float(self._ends_ms[-1]),
        }
        return values.get(what, 0.0)

    def release(self) -> None:
        self._pictures = []


def _pictures(path: Path, count: int = 32767) -> tuple[list[NDArray[Any]], list[int]]:
    """The first pictures (H, W, 3 or 4), BGR, and how long each is shown in ms; empty: none."""
    with suppress(cv2.error, OSError, MemoryError):
        data = np.fromfile(path, np.uint8)
        done, animation = (
            cv2.imdecodeanimation(data, start=0, count=count) if data.size else (0, None)
        )
        if done and animation is not None:
            return list(animation.frames), [int(each) for each in animation.durations]
    return [], []
