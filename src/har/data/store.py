"""Frames on disk behind one reader: HDF5 shards, or folders of JPEG files."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from har import HarError

Image = NDArray[np.uint8]


_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


class StoreError(HarError):
    """A frame that is not there or cannot be decoded."""


class FrameStore(Protocol):
    """Reads frames of samples."""

    def read(self, sample: str, frames: Sequence[int], half: bool = False) -> list[Image]:
        """Frames of a sample.

        Args:
            sample: its name.
            frames: positions in the stored sequence, from 0; one that is asked for twice is
                decoded once, and the same array is given twice.
            half: at half width and height (rounded up), which takes less time to decode.

        Returns:
            One uint8 RGB image (H, W, 3) per position.

        Raises:
            StoreError: the sample or a frame is missing or damaged.
        """
        ...


def keep_freed_memory() -> None:
    """Makes this process keep the memory of frames that are done with, for the next ones.

    Else glibc gives it back and gets it again for every frame, cleared by the system page by page:
    a clip of full-size frames then takes half as long again. Freeing one large block raises the
    sizes from which glibc does so (``mallopt(3)``, M_MMAP_THRESHOLD) for the rest of the process
    and those forked from it; with other C libraries nothing happens.
    """
    np.empty(30 * 2**20, np.uint8)  # the largest that counts are 32 MiB


def decode(data: NDArray[np.uint8], sample: str, where: str, half: bool = False) -> Image:
    """A JPEG file's bytes as an RGB image (H, W, 3), or one of half its width and height.

    Raises:
        StoreError: these bytes are no image.
    """
    image = None
    # A file that is cut off would be decoded all the same, grey where its data end.
    if data[:2].tobytes() == _JPEG_START and data[-2:].tobytes() == _JPEG_END:
        image = cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2 if half else cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise StoreError(
            f"A frame of {sample} in {where} is damaged; remove that file and prepare it again."
        )
    if half:  # there is no IMREAD_REDUCED_COLOR_RGB_2
        image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return image  # type: ignore[return-value]


class _OpenShard(NamedTuple):
    """What a process keeps of a shard: where frames are, and the handle of their bytes."""

    first_frame: dict[str, int]
    num_frames: dict[str, int]
    offsets: NDArray[np.int64]
    jpeg: h5py.Dataset


class HDF5Frames:
    """Shards ``S001.h5``, one per setup, see :mod:`har.data.ntu.shards`.

    Args:
        folder: where the shards lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shards: dict[str, _OpenShard] = {}
        self._owner = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "_shards": {}, "_owner": -1}

    def _shard(self, sample: str) -> _OpenShard:
        if self._owner != os.getpid():
            # Files that were open before a fork must not be used after it.
            self._shards, self._owner = {}, os.getpid()
        setup = sample[:4]
        if setup not in self._shards:
            path = self.folder / f"{setup}.h5"
            try:
                file = h5py.File(path, locking=False)
                names = [name.decode() for name in file["name"][:].tolist()]
                first = file["first_frame"][:]
                self._shards[setup] = _OpenShard(
                    dict(zip(names, first.tolist(), strict=False)),
                    dict(zip(names, np.diff(first).tolist(), strict=True)),
                    file["offsets"][:],
                    file["jpeg"],
                )
            except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
                raise StoreError(
                    f"The frames of {sample} cannot be read from {path}: it is missing or damaged; "
                    "remove it and run python -m har.prepare ntu again."
                ) from error
        return self._shards[setup]

    def read(self, sample: str, frames: Sequence[int], half: bool = False) -> list[Image]:
        """See :class:`FrameStore`."""
        shard, path = self._shard(sample), str(self.folder / f"{sample[:4]}.h5")
        first, count = shard.first_frame.get(sample), shard.num_frames.get(sample, 0)
        images: dict[int, Image] = {}
        for frame in frames:
            if frame not in images:
                if first is None or not 0 <= frame < count:
                    raise StoreError(
                        f"{sample} has {count} stored frames in {self.folder}, but not number "
                        f"{frame}; run python -m har.prepare ntu again."
                    )
                start, end = shard.offsets[first + frame : first + frame + 2].tolist()
                images[frame] = decode(_bytes(shard.jpeg, start, end), sample, path, half)
        return [images[frame] for frame in frames]


def _bytes(jpeg: h5py.Dataset, start: int, end: int) -> NDArray[np.uint8]:
    """Some bytes of a shard; none where the disk does not give them."""
    try:
        return jpeg[start:end]
    except OSError:
        return np.empty(0, np.uint8)


class JPEGFolders:
    """The original program's extraction: ``<sample>/00001.jpg``, named by frame number from 1.

    Args:
        folder: where the samples' folders lie (``images-small``).
        frame_numbers: which frames of the video, from 0, are the stored sequence of a sample.
    """

    def __init__(self, folder: Path, frame_numbers: Callable[[str], NDArray[np.int32]]) -> None:
        self.folder, self.frame_numbers = folder, frame_numbers

    def read(self, sample: str, frames: Sequence[int], half: bool = False) -> list[Image]:
        """See :class:`FrameStore`."""
        images: dict[int, Image] = {}
        numbers = self.frame_numbers(sample)
        for frame in frames:
            if frame not in images:
                if not 0 <= frame < len(numbers):
                    raise StoreError(
                        f"{sample} has {len(numbers)} stored frames, but not number {frame}."
                    )
                path = self.folder / sample / f"{numbers[frame] + 1:05d}.jpg"
                try:
                    data = np.fromfile(path, dtype=np.uint8)
                except OSError as error:
                    raise StoreError(
                        f"The frame {path} cannot be read: {error.strerror}; extract it again."
                    ) from error
                images[frame] = decode(data, sample, str(path), half)
        return [images[frame] for frame in frames]
