"""Results as files: each appears whole or not at all."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from har import HarError
from har.inference.prediction import Actions, Poses, top_actions
from har.visual.draw import Image

_CODEC = "mp4v"  # MPEG-4 part 2 in .mp4: what OpenCV can write everywhere
_TOP = 5


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A name to write to, which becomes ``path`` at the end; removed after an error.

    Raises:
        HarError: the place cannot be written to.
    """
    # the ending stays: OpenCV chooses the container by it
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise HarError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def write_poses(path: Path, poses: Poses) -> None:
    """``poses.npz``: the arrays of :class:`har.inference.prediction.Poses`."""
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **poses.arrays())  # type: ignore[arg-type]


def write_actions(path: Path, actions: Actions) -> None:
    """``actions.csv``: time in s, track, and the five likeliest actions with probabilities."""
    top = min(_TOP, len(actions.labels))
    columns = [f"{what}_{n}" for n in range(1, top + 1) for what in ("action", "probability")]
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["time_s", "track", *columns])
        for time_s, track, values in zip(
            actions.time_s, actions.track, actions.probabilities, strict=True
        ):
            best = top_actions(values, actions.labels, top)
            cells = [cell for a in best for cell in (a.label, f"{a.probability:.4f}")]
            table.writerow([f"{time_s:.3f}", int(track), *cells])


def write_json(path: Path, value: Any) -> None:
    """Plain values as a JSON file."""
    with whole_file(path) as partial:
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")


@contextmanager
def video_file(path: Path, fps: float) -> Iterator[VideoFile]:
    """A video to write to, which gets its name when the block is left without an error.

    Args:
        path: ending in .mp4.
        fps: frames per second of the file.

    Raises:
        HarError: OpenCV cannot write there, or the disk is full.
    """
    with whole_file(path) as partial:
        video = VideoFile(partial, fps)
        try:
            yield video
        finally:
            video.close()
        if not video.is_whole():
            raise HarError(f"{path} could not be written to its end: is the disk full?")


class VideoFile:
    """Writes pictures that come with their times.

    Where the frame rate varies, some are repeated or left out, so that the file runs as long as
    what it was made from.

    Args:
        path: ending in .mp4.
        fps: frames per second of the file.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps, self.num_frames = path, fps, 0
        self._writer: cv2.VideoWriter | None = None

    def write(self, image: Image, time_s: float) -> None:
        """Adds a picture.

        Args:
            image: uint8 RGB (H, W, 3), all of one size.
            time_s: since the first one.

        Raises:
            HarError: OpenCV cannot write here.
        """
        if self._writer is None:
            self._writer = self._open(image)
        height, width = image.shape[:2]
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        if height % 2 or width % 2:  # codecs want even sizes
            picture = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        while self.num_frames < round(time_s * self.fps) + 1:
            self._writer.write(picture)
            self.num_frames += 1

    def close(self) -> None:
        """Nothing more comes."""
        if self._writer is not None:
            self._writer.release()

    def is_whole(self) -> bool:
        """OpenCV does not say when the disk is full: does the file hold what was written?"""
        capture = cv2.VideoCapture(str(self.path))
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        return count == self.num_frames > 0

    def _open(self, image: Image) -> cv2.VideoWriter:
        code = cv2.VideoWriter.fourcc(*_CODEC)
        size = image.shape[1] + image.shape[1] % 2, image.shape[0] + image.shape[0] % 2
        writer = cv2.VideoWriter(str(self.path), code, self.fps, size)
        if not writer.isOpened():
            raise HarError(
                f"OpenCV cannot write a video of {size[0]}x{size[1]} to {self.path.parent}: is "
                "there space, and may you write there? video=false leaves it out."
            )
        return writer
