"""Files: written whole or not at all, checksums, and images as arrays (uint8 RGB)."""

import hashlib
import os
import secrets
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from har.errors import HarError

Image = NDArray[np.uint8]
Turn = tuple[str, int]  # "irot" and quarter turns anticlockwise, or "imir" and the mirrored axis

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", 0xDA, b"\xff\xd9"
_PROBE_BYTES = 2**16
_LONGEST_STEM = 100  # bytes: with what is added, names stay below the 255 that systems allow
# From an upright image to the stored one, by its orientation in EXIF or TIFF.
_UNTURNED: dict[int, tuple[Turn, ...]] = {
    1: (),
    2: (("imir", 1),),
    3: (("irot", 2),),
    4: (("imir", 0),),
    5: (("irot", 1), ("imir", 0)),
    6: (("irot", 1),),
    7: (("irot", 3), ("imir", 0)),
    8: (("irot", 3),),
}
_USED_OF_16_BITS = 2**14  # values below it are of a camera of 10 to 14 bits


def check_writable(folder: Path) -> None:
    """Writes a little into a folder and removes it.

    Raises:
        HarError: the disk is full, or the folder cannot be written to (any more).
    """
    probe = folder / f".{secrets.token_hex(4)}.probe"
    try:
        probe.write_bytes(bytes(_PROBE_BYTES))
    except OSError as error:
        raise HarError(f"{folder} cannot be written to: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            probe.unlink()


def refuse_overwriting(out: Path, *inputs: str | Path | None) -> None:
    """Refuses an output that is one of the inputs, by whatever path or link.

    Args:
        out: the file to be written.
        *inputs: files that are read; None for none.

    Raises:
        HarError: they are the same file.
    """
    for source in inputs:
        if source is not None and out.exists() and Path(source).exists() and out.samefile(source):
            raise HarError(f"{out} is the file to convert: give another name, out=<file>.")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes ``path`` at the end; removed after an error.

    The one way to write a file whole or not at all: its folder is made, what was there before stays
    until the end, and the file has the permissions of any new file of the user. Several processes
    and threads may write the same path: the last one wins.

    Raises:
        HarError: the place cannot be written to.
    """
    # the ending stays: OpenCV chooses the container by it
    stem = path.stem if len(os.fsencode(path.stem)) <= _LONGEST_STEM else path.stem[:20]
    partial = path.with_name(f".{stem}.{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise HarError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def file_checksum(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_image(path: str | Path) -> Image:
    """An image file as uint8 RGB (H, W, 3), as :func:`read_stored_image` but upright (EXIF).

    Raises:
        HarError: the file cannot be read, or is no image.
    """
    data = _read(path)
    if _is_cut_off(data):
        raise HarError(f"{path} is no image, or a broken one: its end is missing.")
    image = _decoded(path, data, upright=True)
    if image is None:
        raise HarError(f"{path} is no image, or a broken one.")
    return image


def read_stored_image(path: str | Path, upright: bool = False) -> Image:
    """An image file as uint8 RGB (H, W, 3), as its pixels are stored: what annotations refer to.

    Gray images get three channels, 16 bits are divided by 257, an alpha channel is dropped, and of
    a moving image the first picture counts.

    Args:
        path: of the file.
        upright: turn it as its EXIF orientation says.

    Raises:
        HarError: the file is missing, cut off, no image, or of a kind that would look wrong: values
            that are not whole numbers, or 16 bits of which only the lower ones are used.
    """
    data = _read(path)
    image = _decoded(path, data, upright) if not _is_cut_off(data) else None
    if image is None:
        raise HarError(
            f"The image {path} is damaged: download it again, or prepare the data set again, which "
            "leaves out what cannot be read."
        )
    return image


def _is_cut_off(data: NDArray[np.uint8]) -> bool:
    """Whether the end of a file is missing, of formats that some versions of OpenCV decode all the
    same, gray or black where their data end. Cameras and programs append to whole files, a film for
    example: the end is looked for anywhere behind the beginning of the pixels."""
    start = data[:12].tobytes()
    if start.startswith(_JPEG_START):
        return data.tobytes().find(_JPEG_END, _first_scan(data)) < 0
    if start.startswith(b"\x89PNG"):
        return b"IEND" not in data.tobytes()
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":
        return len(data) < int.from_bytes(start[4:8], "little") + 8
    return False


def _first_scan(data: NDArray[np.uint8]) -> int:
    """Where the pixels of a JPEG file begin: behind the segments that may hold a small image with
    an end of its own (ITU-T T.81, B.1). The length of the data, if they hold no pixels."""
    place = len(_JPEG_START)
    while place + 4 <= len(data) and data[place] == 0xFF:
        kind = int(data[place + 1])
        if kind == _JPEG_SCAN:
            return place
        # a byte that fills up has no length
        place += 1 if kind == 0xFF else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return len(data)


def more_pages(path: Path) -> bool:
    """Whether a TIFF file holds more pictures than the first, which is the one that is read."""
    with suppress(OSError, struct.error), path.open("rb") as file:
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(file.read(4))
        if order is not None:
            file.seek(struct.unpack(f"{order}I", file.read(4))[0])
            (entries,) = struct.unpack(f"{order}H", file.read(2))
            file.seek(12 * entries, os.SEEK_CUR)
            return struct.unpack(f"{order}I", file.read(4))[0] != 0
    return False


def _read(path: str | Path) -> NDArray[np.uint8]:
    try:
        return np.fromfile(path, dtype=np.uint8)  # cv2.imread loses some letters on some systems
    except OSError as error:
        raise HarError(f"The image {path} cannot be read: {error.strerror}.") from error


def _decoded(path: str | Path, data: NDArray[np.uint8], upright: bool) -> Image | None:
    """The image, as stored or upright; None where there is none.

    OpenCV turns a TIFF always and an AVIF never, whatever it is told.

    Raises:
        HarError: it is of a kind that would look wrong.
    """
    image = _pixels(path, data, upright)
    if image is None:
        return None
    turns = _avif_turns(data) if upright else _UNTURNED[_tiff_orientation(data)]
    return np.ascontiguousarray(_turned(image, turns)) if turns else image


def _turned(image: Image, turns: Sequence[Turn]) -> Image:
    """An image after quarter turns, anticlockwise, and mirrorings along an axis."""
    for kind, value in turns:
        image = np.rot90(image, value) if kind == "irot" else np.flip(image, value)
    return image


def _tiff_orientation(data: NDArray[np.uint8]) -> int:
    """The orientation of a TIFF file, 1 to 8 (TIFF 6.0, tag 274); 1 for others."""
    with suppress(struct.error, KeyError):
        order = {b"II*\0": "<", b"MM\0*": ">"}[data[:4].tobytes()]
        file = data.data
        (start,) = struct.unpack_from(f"{order}I", file, 4)
        (entries,) = struct.unpack_from(f"{order}H", file, start)
        for place in range(start + 2, start + 2 + 12 * entries, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", file, place)
            if tag == 274:
                return value if value in _UNTURNED else 1
    return 1


def _avif_turns(data: NDArray[np.uint8]) -> list[Turn]:
    """What turns the stored pixels of an AVIF file upright (ISO/IEC 23008-12, 6.5.10 and 6.5.12),
    of its first image; nothing for others."""
    turns: list[Turn] = []
    if data[4:8].tobytes() != b"ftyp" or data[8:12].tobytes() not in (b"avif", b"avis"):
        return turns
    with suppress(struct.error, IndexError, KeyError, ValueError):
        file = data.tobytes()
        meta = dict(_boxes(file, 0, len(file)))["meta"]
        inside = dict(_boxes(file, meta.start + 4, meta.stop))
        (primary,) = struct.unpack_from(">I" if file[inside["pitm"].start] else ">H",
                                        file, inside["pitm"].start + 4)  # fmt: skip
        parts = dict(_boxes(file, inside["iprp"].start, inside["iprp"].stop))
        properties = list(_boxes(file, parts["ipco"].start, parts["ipco"].stop))
        for number in _associated(file, parts["ipma"].start, primary):
            kind, place = properties[number - 1]
            if kind in ("irot", "imir"):
                turns.append((kind, file[place.start] & (3 if kind == "irot" else 1)))
    return turns


def _boxes(file: bytes, start: int, stop: int) -> Iterator[tuple[str, slice]]:
    """The boxes in a part of a file (ISO/IEC 14496-12, 4.2), without their heads."""
    while start + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", file, start)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", file, start + 8)[0], 16
        size = size or stop - start
        if size < head:
            return
        yield kind.decode("latin-1"), slice(start + head, min(start + size, stop))
        start += size


def _associated(file: bytes, place: int, item: int) -> list[int]:
    """The properties of an item, from 1, in their order (ISO/IEC 23008-12, 9.3.1)."""
    version, wide = file[place], file[place + 3] & 1
    (entries,) = struct.unpack_from(">I", file, place + 4)
    place += 8
    for _ in range(entries):
        id_bytes = 4 if version else 2
        found = int.from_bytes(file[place : place + id_bytes], "big")
        count = file[place + id_bytes]
        place += id_bytes + 1
        step = 2 if wide else 1
        bits = 0x7FFF if wide else 0x7F  # the highest bit: it is essential
        numbers = [
            int.from_bytes(file[at : at + step], "big") & bits
            for at in range(place, place + count * step, step)
        ]
        if found == item:
            return [number for number in numbers if number]
        place += count * step
    return []


def _pixels(path: str | Path, data: NDArray[np.uint8], upright: bool) -> Image | None:
    """What OpenCV decodes, as uint8 RGB; None where there is no image.

    Raises:
        HarError: it is of a kind that would look wrong.
    """
    turned = 0 if upright else cv2.IMREAD_IGNORE_ORIENTATION
    image = _imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_ANYDEPTH | turned)
    if image is None:
        other = _imdecode(data, cv2.IMREAD_UNCHANGED)
        if other is None and data[4:8].tobytes() == b"ftyp":
            brand = data[8:12].tobytes().decode("ascii", "replace").strip()
            raise HarError(
                f"The image {path} is damaged, or of the kind {brand} (HEIC or similar), which "
                f"OpenCV cannot read: convert it to JPEG, ffmpeg -i {quote(str(path))} "
                f"{quote(Path(path).stem + '.jpg')}."
            )
        if other is None:
            return None
        image = other
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return image.astype(np.uint8, copy=False)
    if image.dtype != np.uint16 or image.ndim != 3 or image.shape[2] != 3:
        raise HarError(
            f"The image {path} holds {image.dtype} values, whose black and white are not known: "
            "convert it to 8 bits."
        )
    # OpenCV 5.0.0 leaves the pixels of a 16-bit TIFF unset where RGB is asked for: BGR is whole
    exact = _imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | turned)
    if exact is None:
        return None
    image = cv2.cvtColor(exact, cv2.COLOR_BGR2RGB)
    largest = int(image.max())
    if 0 < largest < _USED_OF_16_BITS:
        raise HarError(
            f"The image {path} has 16 bits, but no value above {largest} of 65535 "
            f"({largest.bit_length()} bits in 16?), and would be too dark: convert it to 8 bits."
        )
    return np.asarray(cv2.convertScaleAbs(image, alpha=1 / 257), dtype=np.uint8)


def _imdecode(data: NDArray[np.uint8], flags: int) -> NDArray | None:
    """What OpenCV decodes, without its remarks on the terminal; None for nothing."""
    if not data.size:
        return None
    with quiet_opencv(), suppress(cv2.error):
        return cv2.imdecode(data, flags)
    return None


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keeps what OpenCV says of files off the terminal: har reports them in one sentence."""
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
