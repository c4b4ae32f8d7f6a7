"""Animated images (GIF, WebP, APNG, AVIF) as videos, with the interface of OpenCV's reader of
videos; and which files are videos by their content, whatever their names end in."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from har.containers import EBML
from har.files import quiet_opencv

_GIF = b"GIF8"
_HEAD_BYTES = 2**16  # of a PNG file: what says that it moves stands in front of its pixels
_SHORTEST_MS = 10  # of a picture: browsers show those that state 0 for 100 ms
_USUAL_MS = 100
_VIDEO_BRANDS = frozenset(  # of files that are a tree of boxes, as HEIC and AVIF are too
    (
        b"isom",
        b"iso2",
        b"iso4",
        b"iso5",
        b"iso6",
        b"mp41",
        b"mp42",
        b"avc1",
        b"qt  ",
        b"M4V ",
        b"dash",
    )
)


def is_animation(path: Path) -> bool:
    """Whether a file is a GIF, WebP, PNG or AVIF of several pictures, by its content; also one that
    is cut short, of which no picture can be read."""
    head = _head(path, 32)
    if head[:4] == _GIF:
        return len(_gif_times(path, 2)) > 1
    return _may_be_animation(head, path) and len(_pictures(path, 2)[0]) != 1


def is_video_inside(path: Path) -> bool:
    """Whether a file is a video by its content: an animation, MP4, MOV, MKV, WebM or AVI. Sites
    give videos names of images (``.gif``)."""
    head = _head(path, 32)
    if head[4:8] == b"ftyp":
        return head[8:12] in _VIDEO_BRANDS or is_animation(path)
    riff = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return riff or head[:4] == EBML or is_animation(path)


def _may_be_animation(head: bytes, path: Path) -> bool:
    """Whether the first bytes allow several pictures, without decoding any."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return head[12:16] == b"VP8X" and len(head) > 20 and bool(head[20] & 2)
    if head[:4] == b"\x89PNG":
        return b"acTL" in _head(path, _HEAD_BYTES).partition(b"IDAT")[0]
    return head[4:8] == b"ftyp" and b"avis" in head[8:]


def _head(path: Path, count: int) -> bytes:
    with suppress(OSError), path.open("rb") as file:
        return file.read(count)
    return b""


class AnimationCapture:
    """The pictures of an animation at their times; the part of ``cv2.VideoCapture`` that is used.

    Args:
        path: of a file for which :func:`is_animation` is true.
    """

    def __init__(self, path: Path) -> None:
        self._pictures, durations = _pictures(path)
        if _head(path, 4) == _GIF and len(times_ms := _gif_times(path)) == len(durations):
            durations = times_ms
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


def _gif_times(path: Path, count: int = 32767) -> list[int]:
    """How long each of the first pictures of a GIF is shown in ms, 0 where it does not state it:
    OpenCV gives a second then. A file is blocks, one after the other (GIF89a, 12 to 27)."""
    found: list[int] = []
    shown_ms = 0
    with suppress(OSError, IndexError, ValueError):
        data = np.memmap(path, np.uint8, "r")
        place = 13 + _color_bytes(int(data[10]))
        while len(found) < count:
            kind = int(data[place])
            if kind == 0x2C:  # a picture
                found.append(shown_ms)
                shown_ms = 0
                place += 11 + _color_bytes(int(data[place + 9]))
            elif kind == 0x21:  # an extension
                if data[place + 1] == 0xF9:
                    shown_ms = 10 * (int(data[place + 4]) + 256 * int(data[place + 5]))
                place += 2
            else:  # the end
                break
            while size := int(data[place]):
                place += 1 + size
            place += 1
    return found


def _color_bytes(flags: int) -> int:
    """Bytes of the table of colors that the flags of a picture or of a whole GIF announce."""
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0


def _pictures(path: Path, count: int = 32767) -> tuple[list[NDArray[Any]], list[int]]:
    """The first pictures (H, W, 3 or 4), BGR, and how long each is shown in ms; empty: none."""
    with quiet_opencv(), suppress(cv2.error, OSError, MemoryError):
        data = np.fromfile(path, np.uint8)
        done, animation = (
            cv2.imdecodeanimation(data, start=0, count=count) if data.size else (0, None)
        )
        if done and animation is not None:
            return list(animation.frames), [int(each) for each in animation.durations]
    return [], []
