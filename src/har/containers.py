"""What the containers of videos state: how long they are, and which codec they hold."""

import re
import struct
from contextlib import suppress
from pathlib import Path
from shlex import quote

EBML = b"\x1a\x45\xdf\xa3"  # MKV and WebM begin with it
_MP4_STARTS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_LARGEST_HEADER = 2**28  # bytes
_NOT_MP4 = (OSError, struct.error, ValueError, ZeroDivisionError, StopIteration)
_VIDEO_TRACK = re.compile(rb"hdlr.{8}vide", re.DOTALL)

_HEAD_BYTES = 2**20  # of a file that is searched for the name of its codec
_READABLE_NAMES = {
    "AV01": "AV1",
    "V_AV1": "AV1",
    "HVC1": "HEVC",
    "HEV1": "HEVC",
    "VVC1": "VVC",
    "VVI1": "VVC",
    "APCN": "ProRes",
    "APCH": "ProRes",
}


def mp4_duration_s(path: Path) -> float | None:
    """Seconds that an MP4 or MOV file shows of its video, by its edit list; None: another file. It
    is a tree of boxes: 4 bytes of size, 4 of type, content (ISO/IEC 14496-12)."""
    with suppress(*_NOT_MP4), path.open("rb") as file:
        start, size, kind = 0, 0, b""
        while kind != b"moov":
            start += size
            file.seek(start)
            size, kind, long_size = struct.unpack(">I4sQ", file.read(16))
            size = long_size if size == 1 else size
            if size < 8 or (start == 0 and kind not in _MP4_STARTS):
                return None
        file.seek(start)
        movie = file.read(min(size, _LARGEST_HEADER))
        track = next(part for part in movie.split(b"trak")[1:] if _VIDEO_TRACK.search(part))
        movie_clock, _ = _clock(movie, b"mvhd")
        clock, duration = _clock(track, b"mdhd")
        place = track.find(b"elst") + 4
        if place >= 4:
            entry = struct.Struct(">QqI" if track[place] else ">IiI")
            (count,) = struct.unpack_from(">I", track, place + 4)
            edits = [entry.unpack_from(track, place + 8 + entry.size * n) for n in range(count)]
            shown = sum(length for length, begin, _ in edits if begin >= 0)  # else: a pause before
            if shown:
                return float(shown / movie_clock)
        return duration / clock or None
    return None


def counts_from_zero(path: Path) -> bool:
    """Whether the duration that a file states ends with its last frame, but begins at 0, and not
    with its first frame: of MKV and WebM (RFC 9559, 5.1.2.10)."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(4) == EBML
    return False


def _clock(data: bytes, kind: bytes) -> tuple[int, int]:
    """Units of a second, and the duration in them, of an ``mvhd`` or ``mdhd`` box."""
    place = data.index(kind) + 4
    clock, duration = struct.unpack_from(">20xIQ" if data[place] else ">12xII", data, place)
    return clock, duration


def codec_of(path: Path) -> str:
    """Name of the codec of an MP4, MOV, MKV or WebM video, by its header; empty: not known."""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        with suppress(OSError):  # of a file that is not streamed the header is at its end
            file.seek(-_HEAD_BYTES, 2)
            head += file.read()
        for track in head.split(b"trak")[1:]:
            place = track.find(b"stsd")
            if _VIDEO_TRACK.search(track) and place >= 0:
                name = track[place + 16 : place + 20].decode("ascii", "replace").strip().upper()
                return _READABLE_NAMES.get(name, name)
        if found := re.search(rb"V_[A-Z0-9/_]{2,30}", head):
            name = found[0].decode("ascii")
            return _READABLE_NAMES.get(name, name.removeprefix("V_").split("/")[0])
    return ""


def cannot_decode(path: Path) -> str:
    """A sentence about a video that OpenCV cannot read, with the way to convert it."""
    codec = codec_of(path)
    if not codec:
        return f"{path} is no video that OpenCV can read, or a broken one."
    return (
        f"{path} cannot be decoded here: it is damaged, or there is no decoder for its codec "
        f"{codec}; convert it with ffmpeg -i {quote(str(path))} -c:v libx264 "
        f"{quote(path.stem + '_h264.mp4')}."
    )
