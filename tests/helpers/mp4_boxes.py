"""Changes to MP4 files that OpenCV cannot write: rotation, varying rates, edits, order of boxes.

An MP4 is a tree of boxes: 4 bytes of size, 4 of type, content (ISO/IEC 14496-12).
"""

import struct
from pathlib import Path

_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def turn_right(path: Path, width: int) -> None:
    """Says that the picture, so many pixels wide, is to be shown turned by 90 degrees."""
    set_matrix(path, (0, 1, -1, 0), (width, 0))


def set_matrix(
    path: Path, matrix: tuple[float, float, float, float], shift: tuple[int, int] = (0, 0)
) -> None:
    """Says that a pixel x, y is to be shown at (a x + c y, b x + d y), moved by a number of
    pixels."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40  # version 0
    assert data[place - 40] == 0
    a, b, c, d, x, y = (round(value * (1 << 16)) for value in (*matrix, *shift))
    struct.pack_into(">9i", data, place, a, b, 0, c, d, 0, x, y, 1 << 30)
    path.write_bytes(data)


def set_durations(path: Path, factors: list[int]) -> None:
    """Makes every frame last a whole number of times as long as now."""
    data = path.read_bytes()
    start = data.index(b"stts") - 4
    size, entries, count, duration = (
        *struct.unpack_from(">I8xI", data, start)[:2],
        *(struct.unpack_from(">II", data, start + 16)),
    )
    assert entries == 1
    assert count == len(factors)
    assert data.index(b"mdat") < start  # offsets of the pictures stay what they are
    table = b"".join(struct.pack(">II", 1, factor * duration) for factor in factors)
    box = struct.pack(">I4sII", 16 + len(table), b"stts", 0, len(factors)) + table
    grown = bytearray(data[:start] + box + data[start + size :])
    for parent in _PARENTS:
        place = grown.index(parent) - 4
        (old,) = struct.unpack_from(">I", grown, place)
        struct.pack_into(">I", grown, place, old + len(box) - size)
    path.write_bytes(grown.replace(b"edts", b"free"))  # else it is cut at its old length


def pause_first(path: Path, pause: int) -> None:
    """Shows nothing for so many units of the movie's clock before the video begins."""
    data = bytearray(path.read_bytes())
    start = data.index(b"elst") - 4
    size, entries = struct.unpack_from(">I8xI", data, start)
    assert (size, entries) == (28, 1)
    assert data.index(b"mdat") < start
    data[start + 16 : start + 16] = struct.pack(">IiI", pause, -1, 1 << 16)
    struct.pack_into(">I", data, start + 12, 2)
    for parent in (b"moov", b"trak", b"edts", b"elst"):
        place = data.index(parent) - 4
        (old,) = struct.unpack_from(">I", data, place)
        struct.pack_into(">I", data, place, old + 12)
    path.write_bytes(data)


def header_first(path: Path) -> None:
    """Puts the header before the pictures, as in files made for streaming."""
    data = path.read_bytes()
    start = data.index(b"moov") - 4
    (size,) = struct.unpack_from(">I", data, start)
    header = bytearray(data[start : start + size])
    table = header.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", header, table)
    first = data.index(b"mdat") - 4
    assert first < start
    for place in range(table + 4, table + 4 + 4 * count, 4):
        (old,) = struct.unpack_from(">I", header, place)
        struct.pack_into(">I", header, place, old + size)
    path.write_bytes(data[:first] + header + data[first:start] + data[start + size :])
