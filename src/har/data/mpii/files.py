"""Where MPII's files lie, what to do when they are missing, and reading an image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from har.data.mpii.persons import MPIIError
from har.errors import DatasetNotFoundError

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_TRAILER_BYTES = 4096  # cameras and programs may append something to a whole JPEG file


def missing_data(folder: Path, what: str) -> DatasetNotFoundError:
    """The sentence for data that is not there."""
    base = folder.parent if folder.name == "mpii" else folder
    return DatasetNotFoundError(
        f"MPII Human Pose is not ready: {what} in {folder.resolve()}. Download images and "
        "annotations from http://human-pose.mpi-inf.mpg.de/ and unpack them into that folder, or "
        "write synthetic data with `python -m har.prepare synthetic dataset=mpii "
        f"paths.data_dir={base}`; then run `python -m har.prepare mpii paths.data_dir={base}`."
    )


def find_dataset_root(data_dir: Path) -> Path:
    """Where MPII lies: ``data_dir/mpii`` if there is such a folder, else ``data_dir``."""
    return data_dir / "mpii" if (data_dir / "mpii").is_dir() else data_dir


def find_images(root: Path) -> Path:
    """The folder of the images: ``images``, in the data set's folder or in a folder of it.

    Raises:
        DatasetNotFoundError: there is none.
    """
    for folder in [root / "images", *sorted(root.glob("*/images"))]:
        if folder.is_dir():
            return folder
    raise missing_data(root, "there is no folder of images")


def read_image(path: Path) -> NDArray[np.uint8]:
    """An image as RGB (H, W, 3), as its pixels are stored (the annotations do not know of EXIF).

    Raises:
        MPIIError: the file is missing, cut off, or no image.
    """
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise MPIIError(f"The image {path} cannot be read: {error.strerror}.") from error
    image = None
    # A file that is cut off would be decoded all the same, gray where its data end.
    ends = data[-_TRAILER_BYTES:].tobytes().rfind(_JPEG_END) >= 0
    if data.size and (data[:2].tobytes() != _JPEG_START or ends):
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise MPIIError(
            f"The image {path} is damaged: download it again, then run python -m har.prepare mpii, "
            "which leaves out what it cannot read."
        )
    return image  # type: ignore[return-value]
