"""Frames on disk behind one reader: HDF5 shards, or folders of JPEG files."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from har.data.framestore.jpeg import Bytes, Image, JPEGError, Part, decode, decode_window
from har.data.framestore.shards import PREPARE_AGAIN
from har.data.framestore.staging import shard_path
from har.errors import HarError

_Picture = TypeVar("_Picture")


class StoreError(HarError):
    """A frame that is not there or cannot be decoded."""


def keep_freed_memory() -> None:
    """Makes this process keep the memory of frames that are done with, for the next ones.

    Else glibc gives it back and gets it again for every frame, cleared by the system page by page:
    a clip of full-size frames then takes half as long again. Freeing one large block raises the
    sizes from which glibc does so (``mallopt(3)``, M_MMAP_THRESHOLD) for the rest of the process
    and those forked from it; with other C libraries nothing happens.
    """
    np.empty(30 * 2**20, np.uint8)  # the largest that counts are 32 MiB


class FrameStore(ABC):
    """Reads frames of samples, JPEG files wherever these lie.

    Frames are named by the sample's name and their positions in the stored sequence, from 0. One
    that is asked for twice is decoded once, and the same array is given twice.
    """

    @abstractmethod
    def files(self, sample: str, frames: Sequence[int]) -> Iterator[tuple[Bytes, str]]:
        """The files of some frames, one after another, and where each of them lies.

        Raises:
            StoreError: one is missing.
        """

    def read(self, sample: str, frames: Sequence[int]) -> list[Image]:
        """Whole frames of a sample: one uint8 RGB image (H, W, 3) per position.

        Raises:
            StoreError: the sample or a frame is missing or damaged.
        """
        return self._decoded(sample, frames, decode)

    def read_window(
        self, sample: str, frames: Sequence[int], window: Sequence[float], half: bool = False
    ) -> list[Part]:
        """What can be seen in a window of some frames, without decoding the rest where possible.

        Args:
            sample, frames: which.
            window: x1, y1, x2, y2 in pixels of the stored pictures; it may leave them.
            half: at half width and height (rounded up), which takes less time to decode.

        Returns:
            Per position, the part of the picture: :func:`har.data.framestore.jpeg.decode_window`.

        Raises:
            StoreError: the sample or a frame is missing or damaged.
        """
        return self._decoded(sample, frames, partial(decode_window, window=window, half=half))

    def _decoded(
        self, sample: str, frames: Sequence[int], decoder: Callable[[Bytes], _Picture]
    ) -> list[_Picture]:
        different = list(dict.fromkeys(frames))
        pictures = {}
        for frame, (data, where) in zip(different, self.files(sample, different), strict=True):
            try:
                pictures[frame] = decoder(data)
            except JPEGError as error:
                raise StoreError(
                    f"A frame of {sample} in {where} is damaged; remove that file and prepare it "
                    "again."
                ) from error
        return [pictures[frame] for frame in frames]


# What a process keeps of a shard: every sample's rows, the offsets, and the handle of the bytes.
_OpenShard = tuple[dict[str, range], NDArray[np.int64], h5py.Dataset]


class HDF5Frames(FrameStore):
    """Shards, one per group, see :mod:`har.data.framestore.shards`.

    Args:
        folder: where the shards lie.
        group_of: returns the group of a sample.
    """

    def __init__(self, folder: Path, group_of: Callable[[str], str]) -> None:
        self.folder, self.group_of = folder, group_of
        self._shards: dict[Path, _OpenShard] = {}
        self._owner = os.getpid()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_shards": {}, "_owner": -1}

    def _shard(self, sample: str, path: Path) -> _OpenShard:
        if self._owner != os.getpid():
            # Files that were open before a fork must not be used after it.
            self._shards, self._owner = {}, os.getpid()
        if path not in self._shards:
            try:
                file = h5py.File(path, locking=False)
                names = [name.decode() for name in file["name"][:].tolist()]
                rows = [range(*ends) for ends in pairwise(file["first_frame"][:].tolist())]
                rows_of = dict(zip(names, rows, strict=True))
                self._shards[path] = rows_of, file["offsets"][:], file["jpeg"]
            except (OSError, KeyError, TypeError, AttributeError, ValueError) as error:
                raise StoreError(
                    f"The frames of {sample} cannot be read from {path}: it is missing or damaged; "
                    f"remove it and {PREPARE_AGAIN}."
                ) from error
        return self._shards[path]

    def files(self, sample: str, frames: Sequence[int]) -> Iterator[tuple[Bytes, str]]:
        """See :class:`FrameStore`."""
        path = shard_path(self.folder, self.group_of(sample))
        rows_of, offsets, jpeg = self._shard(sample, path)
        rows = rows_of.get(sample, range(0))
        for frame in frames:
            if not 0 <= frame < len(rows):
                raise StoreError(
                    f"{sample} has {len(rows)} stored frames in {self.folder}, but not number "
                    f"{frame}; {PREPARE_AGAIN}."
                )
            start, end = offsets[rows[frame] : rows[frame] + 2].tolist()
            data = np.empty(0, np.uint8)  # where the disk does not give the bytes
            with suppress(OSError):
                data = jpeg[start:end]
            yield data, str(path)


class JPEGFolders(FrameStore):
    """Extracted frames where they lie: ``<sample>/00001.jpg``, named by frame number from 1.

    Args:
        folder: where the samples' folders lie (the original program's ``images-small``).
        frame_numbers: which frames of the video, from 0, are the stored sequence of a sample.
        digits: of the numbers in the names.
        prefixed: the names begin with that of their folder: ``<sample>/<sample>_00001.jpg``.
    """

    def __init__(
        self,
        folder: Path,
        frame_numbers: Callable[[str], NDArray[np.int32]],
        digits: int = 5,
        prefixed: bool = False,
    ) -> None:
        self.folder, self.frame_numbers = folder, frame_numbers
        self.digits, self.prefixed = digits, prefixed

    def files(self, sample: str, frames: Sequence[int]) -> Iterator[tuple[Bytes, str]]:
        """See :class:`FrameStore`."""
        numbers = self.frame_numbers(sample)
        for frame in frames:
            if not 0 <= frame < len(numbers):
                raise StoreError(
                    f"{sample} has {len(numbers)} stored frames, but not number {frame}."
                )
            prefix = f"{Path(sample).name}_" if self.prefixed else ""
            name = f"{prefix}{numbers[frame] + 1:0{self.digits}d}.jpg"
            path = self.folder / sample / name
            try:
                yield np.fromfile(path, dtype=np.uint8), str(path)
            except OSError as error:
                raise StoreError(
                    f"The frame {path} cannot be read: {error.strerror}; extract it again."
                ) from error
