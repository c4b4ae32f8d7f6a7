"""Changes to MP4 files that OpenCV cannot write: a turned picture, frames of varying length.

An MP4 is a tree of boxes: 4 bytes of size, 4 of type, content (ISO/IEC 14496-12).
"""

import struct
from pathlib import Path

_PARENTS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def turn_right(path: Path, width: int) -> None:
    """Says that the picture, so many pixels wide, is to be shown turned by 90 degrees."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # version 0
    assert data[matrix - 40] == 0
    struct.pack_into(">9i", data, matrix, 0, 1 << 16, 0, -1 << 16, 0, 0, width << 16, 0, 1 << 30)
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
