"""What the containers of videos state: how long they are, how they are turned, which tracks and
which codec they hold."""

import math
import re
import struct
from contextlib import suppress
from pathlib import Path
from shlex import quote

from har.errors import HarError

EBML = b"\x1a\x45\xdf\xa3"  # MKV and WebM begin with it
_MP4_STARTS = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_LARGEST_HEADER = 2**28  # bytes
_NOT_MP4 = (OSError, struct.error, ValueError, ZeroDivisionError, StopIteration)
_VIDEO_TRACK = re.compile(rb"hdlr.{8}vide", re.DOTALL)
_TILT = 0.02  # of a matrix that turns by right angles: rounding
_TRACKS, _TRACK_TYPE = b"\x16\x54\xae\x6b", b"\x83\x81\x01"  # of MKV: a video track's type
_SYNC = 0x47  # begins every packet of an MPEG transport stream
_PACKETS = ((0, 188), (4, 192))  # .ts, and .m2ts with a clock of its own before each packet
_PROGRAM_STREAM = b"\0\0\1\xba"

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


def _mp4_movie(path: Path) -> bytes:
    """The header of an MP4 or MOV file, empty: another file. It is a tree of boxes: 4 bytes of
    size, 4 of type, content (ISO/IEC 14496-12)."""
    with suppress(*_NOT_MP4), path.open("rb") as file:
        start, size, kind = 0, 0, b""
        while kind != b"moov":
            start += size
            file.seek(start)
            size, kind, long_size = struct.unpack(">I4sQ", file.read(16))
            size = long_size if size == 1 else size
            if size < 8 or (start == 0 and kind not in _MP4_STARTS):
                return b""
        file.seek(start)
        return file.read(min(size, _LARGEST_HEADER))
    return b""


def _video_tracks(movie: bytes) -> list[bytes]:
    """Headers of the tracks of several pictures: a single one is a cover."""
    tracks = [part for part in movie.split(b"trak")[1:] if _VIDEO_TRACK.search(part)]
    samples = [(track, track.find(b"stsz") + 12) for track in tracks]
    covers = [at >= 12 and track[at : at + 4] == b"\0\0\0\1" for track, at in samples]
    several = [track for track, cover in zip(tracks, covers, strict=True) if not cover]
    return several or tracks


def mp4_duration_s(path: Path) -> float | None:
    """Seconds that an MP4 or MOV file shows of its video, by its edit list; None: another file."""
    with suppress(*_NOT_MP4):
        movie = _mp4_movie(path)
        track = next(iter(_video_tracks(movie)))
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


def mp4_orientation(path: Path) -> tuple[int, int, int, int]:
    """How an MP4 or MOV file wants its pictures shown: (a, b, c, d), each -1, 0 or 1, of
    x' = a x + c y and y' = b x + d y, x to the right and y down. Other files: as they are.

    Raises:
        HarError: it wants them turned by another angle than a right one.
    """
    with suppress(*_NOT_MP4):
        track = next(iter(_video_tracks(_mp4_movie(path))))
        place = track.index(b"tkhd") + 4
        place += 52 if track[place] else 40
        a, b, c, d = struct.unpack_from(">ii4xii", track, place)
        straight, across = (abs(a), abs(d)), (abs(b), abs(c))
        if sum(across) <= _TILT * min(straight):
            return int(math.copysign(1, a)), 0, 0, int(math.copysign(1, d))
        if sum(straight) <= _TILT * min(across):
            return 0, int(math.copysign(1, b)), int(math.copysign(1, c)), 0
        raise HarError(
            f"{path} is to be shown turned by {math.degrees(math.atan2(b, a)):.0f} degrees, and "
            "only right angles are turned here: convert it with "
            f"ffmpeg -i {quote(str(path))} -c:v libx264 {quote(path.stem + '_upright.mp4')}."
        )
    return 1, 0, 0, 1


def num_video_tracks(path: Path) -> int:
    """Number of video tracks of an MP4, MOV, MKV or WebM file; 1: one, or not known."""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head[:4] == EBML:
            place = head.find(_TRACKS)
            length, size = _ebml_size(head, place + 4)
            tracks = head[place + 4 + length :][:size]
            return max(1, tracks.count(_TRACK_TYPE))
    return max(1, len(_video_tracks(_mp4_movie(path))))


def has_short_clock(path: Path) -> bool:
    """Whether time stamps begin again after 2**33 / 90000 s (26.5 hours): of MPEG transport and
    program streams (ISO/IEC 13818-1), in which a clock that begins anew looks like that too."""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(200)
        packets = ([head[n : n + 1] for n in (at, at + size)] for at, size in _PACKETS)
        synced = any(each == [bytes([_SYNC])] * 2 for each in packets)
        return synced or head[:4] == _PROGRAM_STREAM
    return False


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


def _ebml_size(data: bytes, place: int) -> tuple[int, int]:
    """Bytes that the size of an element of MKV takes, and the size (RFC 8794, 4)."""
    length = 9 - data[place].bit_length() if place < len(data) and data[place] else 8
    number = int.from_bytes(data[place : place + length], "big")
    return length, number & ((1 << 7 * length) - 1)


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
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}."
    codec = codec_of(path)
    if not codec:
        return f"{path} is no video that OpenCV can read, or a broken one."
    return (
        f"{path} cannot be decoded here: it is damaged, or there is no decoder for its codec "
        f"{codec}; convert it with ffmpeg -i {quote(str(path))} -c:v libx264 "
        f"{quote(path.stem + '_h264.mp4')}."
    )
