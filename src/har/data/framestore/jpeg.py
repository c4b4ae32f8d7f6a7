"""Decoding a part of a JPEG file without decoding the rest.

A file with restart markers (ITU-T T.81, B.2.1) holds stretches of its rows that can be decoded each
on its own. A window is decoded from the stretches that it touches, put together as a file under the
same header with another size, to the pixels of the whole picture. Stored frames are written with
such markers; a file without them, or with others, is decoded as a whole.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from har.errors import HarError

Image = NDArray[np.uint8]
Bytes = NDArray[np.uint8]

_START, _END = b"\xff\xd8", b"\xff\xd9"
_SCAN = b"\xff\xda"
_BASELINE, _RESTART_INTERVAL = 0xC0, 0xDD
_FIRST_RESTART = 0xD0
_RESTARTS = np.arange(_FIRST_RESTART, 0xD8, dtype=np.uint8)  # in turn
_LONGEST_HEADER = 4096
_STRETCH_BLOCKS = (3, 4, 5, 6, 7, 8, 2)  # the first that divides a row; else whole rows
_BESIDE_PX = 4  # the colors of a pixel are mixed from those of its neighbors


class JPEGError(HarError):
    """Bytes that are no JPEG file."""


class Part(NamedTuple):
    """A part of a picture.

    Attributes:
        image: RGB (H, W, 3).
        corner: x and y of its first pixel in the whole picture.
    """

    image: Image
    corner: tuple[int, int]


def encode(image: Image, quality: int) -> Bytes:
    """A picture as a JPEG file of which windows can be decoded.

    The markers make it larger by some 5 percent.

    Args:
        image: BGR (H, W, 3).
        quality: 1 to 100.
    """
    blocks = -(-image.shape[1] // 16)  # OpenCV halves the colors' resolution
    interval = next((n for n in _STRETCH_BLOCKS if blocks % n == 0), blocks)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_RST_INTERVAL, interval]
    return cv2.imencode(".jpg", image, options)[1].ravel()


def decode(data: Bytes, half: bool = False) -> Image:
    """A JPEG file's bytes as an RGB image (H, W, 3), or one of half its width and height.

    Raises:
        JPEGError: these bytes are no picture, or not all of it.
    """
    image = None
    if _is_complete(data):
        image = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2 if half else cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise JPEGError("This JPEG file is damaged.")
    if half:  # there is no IMREAD_REDUCED_COLOR_RGB_2
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return image  # type: ignore[return-value]


def decode_window(data: Bytes, window: Sequence[float], half: bool = False) -> Part:
    """The part of a JPEG file's picture that holds a window, and as little more as can be.

    Args:
        data: the file.
        window: x1, y1, x2, y2 in pixels of the whole picture; it may leave the picture.
        half: at half width and height; the corner stays one of the whole picture.

    Returns:
        Its pixels are those of the whole picture, in the window at least.

    Raises:
        JPEGError: these bytes are no picture, or not all of it.
    """
    header = _read_header(data) if _is_complete(data) else None
    cut = header and _cut(data, header, window)
    if not cut:
        return Part(decode(data, half), (0, 0))
    return Part(decode(cut[0], half), cut[1])


def _is_complete(data: Bytes) -> bool:
    """Whether a file ends as it has to: one cut off would be decoded all the same, partly gray."""
    return data[:2].tobytes() == _START and data[-2:].tobytes() == _END


class _Header(NamedTuple):
    """What a file states of its scan."""

    size_at: int  # where height and width stand
    size: tuple[int, int]  # width and height in pixels
    block: tuple[int, int]  # width and height of what is coded together
    per_stretch: int  # blocks between two restart markers
    scan_at: int  # where the coded data begin


def _read_header(data: Bytes) -> _Header | None:
    """The header of a baseline file with restart markers; None for any other."""
    head = data[:_LONGEST_HEADER].tobytes()
    at = head.find(_SCAN)
    return _parse(head[: at + 2 + _number(head, at + 2)]) if at > 0 else None


@lru_cache(maxsize=64)  # the frames of a store have the same one
def _parse(head: bytes) -> _Header | None:
    at, size_at, interval = 2, 0, 0
    size = block = (0, 0)
    while at + 4 <= len(head) and head[at] == 0xFF:
        kind, length = head[at + 1], _number(head, at + 2)
        if kind == _BASELINE and at + 9 < len(head):
            size_at = at + 5
            height, width = _number(head, size_at), _number(head, size_at + 2)
            factors = head[at + 11 : at + 11 + 3 * head[at + 9] : 3]
            size = width, height
            across, down = [f >> 4 for f in factors], [f & 15 for f in factors]
            block = 8 * max(across, default=0), 8 * max(down, default=0)
        elif kind == _RESTART_INTERVAL:
            interval = _number(head, at + 4)
        at += 2 + length
    if at != len(head) or not interval or 0 in (*size, *block):
        return None
    return _Header(size_at, size, block, interval, at)


def _number(head: bytes, at: int) -> int:
    return int.from_bytes(head[at : at + 2], "big")


def _cut(
    data: Bytes, header: _Header, window: Sequence[float]
) -> tuple[Bytes, tuple[int, int]] | None:
    """A file of the stretches that a window touches, and its corner in the whole picture; None
    where that would be the whole file, or where the stretches are not those of the header."""
    (width, height), (block_width, block_height) = header.size, header.block
    across, rows = -(-width // block_width), -(-height // block_height)
    columns, rest = divmod(across, header.per_stretch)
    if rest or not columns:
        return None
    pixels = header.per_stretch * block_width
    left, right = _touched(window[0], window[2], pixels, columns)
    top, bottom = _touched(window[1], window[3], block_height, rows)
    if (right - left, bottom - top) == (columns, rows):
        return None

    scan = data[header.scan_at :]
    marks = np.flatnonzero(scan[:-1] == 0xFF)
    marks = marks[scan[marks + 1] & 0xF8 == _FIRST_RESTART]
    if len(marks) != columns * rows - 1:
        return None
    bounds = np.concatenate([[0], marks + 2, [len(scan)]])  # of the stretches, with their markers
    first = bounds[top * columns + left : bottom * columns : columns].tolist()
    last = bounds[top * columns + right : bottom * columns + 1 : columns].tolist()
    head = data[: header.scan_at].copy()
    tall = min(bottom * block_height, height) - top * block_height
    wide = min(right * pixels, width) - left * pixels
    head[header.size_at : header.size_at + 4] = np.array([tall, wide], ">u2").view(np.uint8)
    cut = np.concatenate([head, *(scan[a:b] for a, b in zip(first, last, strict=True))])
    # The markers have to count from 0 again.
    lengths = np.diff(bounds).reshape(rows, columns)[top:bottom, left:right]
    number_at = np.cumsum(lengths) + (header.scan_at - 1)
    cut[number_at] = _RESTARTS[np.arange(len(number_at)) % 8]
    cut[-1] = _END[1]
    return cut, (left * pixels, top * block_height)


def _touched(low: float, high: float, size: int, count: int) -> tuple[int, int]:
    """Which of ``count`` intervals of a size a stretch of pixels touches, at least one of them."""
    first = min(max(int((low - _BESIDE_PX) // size), 0), count - 1)
    return first, max(min(int(-(-(high + _BESIDE_PX) // size)), count), first + 1)
