"""Files: written whole or not at all, checksums, and images as arrays (uint8 RGB)."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from har.errors import HarError

Image = NDArray[np.uint8]

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_TRAILER_BYTES = 4096  # cameras and programs may append something to a whole JPEG file


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
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")
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
    """An image file as uint8 RGB (H, W, 3).

    Gray images get three channels, 16 bits become 8, an alpha channel is dropped, and rotated
    images (EXIF) are put upright.

    Raises:
        HarError: the file cannot be read, or is no image.
    """
    image = decode_image(_read(path))
    if image is None:
        raise HarError(f"{path} is no image, or a broken one.")
    return image


def read_stored_image(path: str | Path) -> Image:
    """An image file as uint8 RGB (H, W, 3), as its pixels are stored: what annotations refer to.

    Raises:
        HarError: the file is missing, cut off, or no image.
    """
    data, image = _read(path), None
    # A JPEG file that is cut off would be decoded all the same, gray where its data end.
    ends = data[-_TRAILER_BYTES:].tobytes().rfind(_JPEG_END) >= 0
    if data.size and (data[:2].tobytes() != _JPEG_START or ends):
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise HarError(
            f"The image {path} is damaged: download it again, or prepare the data set again, which "
            "leaves out what cannot be read."
        )
    return np.asarray(image, dtype=np.uint8)


def _read(path: str | Path) -> NDArray[np.uint8]:
    try:
        return np.fromfile(path, dtype=np.uint8)  # cv2.imread loses some letters on some systems
    except OSError as error:
        raise HarError(f"The image {path} cannot be read: {error.strerror}.") from error


def decode_image(data: NDArray[np.uint8]) -> Image | None:
    """The encoded bytes of an image as uint8 RGB (H, W, 3); None where they are none."""
    with suppress(cv2.error):
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is not None:
            return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)
    return None
