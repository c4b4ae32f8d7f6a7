"""Predicted boxes of prepared samples: where a network found the person, beside the index.

``boxes.h5``, written by ``python -m har.prepare boxes``:

- ``name``: UTF-8 (N,), sorted; ``first_frame``: int64 (N + 1,), as in the index;
- ``box``: float32 (F, 4), x1, y1, x2, y2 in pixels of the stored frames; NaN without a person;
- attributes ``format``, ``weights_sha256`` and ``weights``: which network predicted them;
  ``every_frame``: a clip's box holds those of all its frames.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.data.framestore.index import FrameIndex
from har.errors import HarError
from har.files import whole_file
from har.geometry import union_box

FORMAT = 1


class PredictedBoxes:
    """Boxes of a prepared folder, read when they are asked for.

    Args:
        path: ``boxes.h5``.

    Raises:
        HarError: it is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise HarError(
                f"Predicted boxes are asked for (data.boxes=predicted), but there is no {path}; "
                "run python -m har.prepare boxes paths.data_dir=<folder> ckpt_path=<file> first."
            )
        try:
            with h5py.File(path, locking=False) as file:
                self.settings: dict[str, Any] = dict(file.attrs)
                names = file["name"][:].tolist()
                self._first: NDArray[np.int64] = file["first_frame"][:]
                shape = file["box"].shape
            self.numbers = {name.decode(): number for number, name in enumerate(names)}
            if shape != (self._first[-1], 4) or len(self._first) != len(names) + 1:
                raise ValueError("boxes and frames differ in number")
            if self.settings.get("format") != FORMAT:
                raise ValueError("another format")
        except (OSError, KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise HarError(
                f"The boxes {path} cannot be read ({error}); remove that file and run "
                "python -m har.prepare boxes again."
            ) from error
        self._boxes: Any = None
        self._owner = -1

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_boxes": None, "_owner": -1}

    @property
    def weights_sha256(self) -> str:
        """Checksum of the network that predicted the boxes."""
        return str(self.settings["weights_sha256"])

    @property
    def every_frame(self) -> bool:
        """Whether a clip's box holds the boxes of all its frames, not of three."""
        return bool(self.settings.get("every_frame", False))

    def num_frames(self, name: str) -> int:
        """Number of boxes of a sample that has some."""
        number = self.numbers[name]
        return int(self._first[number + 1] - self._first[number])

    def of_sample(self, name: str, num_frames: int) -> NDArray[np.float64]:
        """Boxes of all stored frames of a sample, (F, 4) in pixels of the stored frames.

        Raises:
            HarError: the sample has none, or another number of frames.
        """
        if name not in self.numbers or self.num_frames(name) != num_frames:
            raise HarError(
                f"{self.path} has no boxes for the {num_frames} stored frames of {name}; run "
                "python -m har.prepare boxes again, which adds what is missing."
            )
        if self._boxes is None or self._owner != os.getpid():
            # An HDF5 file that was open before a fork must not be used after it.
            self._boxes, self._owner = h5py.File(self.path, locking=False)["box"], os.getpid()
        first = self._first[self.numbers[name]]
        return self._boxes[first : first + num_frames].astype(np.float64)


def open_predicted_boxes(index: FrameIndex, boxes: str) -> PredictedBoxes | None:
    """What ``data.boxes`` means: boxes beside the index, or None for those of the true joints.

    Raises:
        HarError: another word, or boxes that are not prepared.
    """
    if boxes not in ("ground_truth", "predicted"):
        raise HarError(f"data.boxes={boxes}: choose ground_truth or predicted.")
    return PredictedBoxes(index.path.with_name("boxes.h5")) if boxes == "predicted" else None


def box_of_clip(
    boxes: ArrayLike, frame_size: tuple[int, int], *, every_frame: bool = False
) -> NDArray[np.float64]:
    """The box of a clip by the boxes of its frames, as :func:`har.data.targets.clip_box`.

    The smallest that holds those of the first, middle and last frame; the whole image stands in
    for a frame without a person. All are x1, y1, x2, y2 in pixels of the stored frames.

    Args:
        boxes: (T, 4), NaN where there is none.
        frame_size: width and height of the stored frames.
        every_frame: the box holds those of all frames, as the original program's of Penn Action.
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    last = len(boxes) - 1
    three = [0, min(int(len(boxes) / 2 + 0.5), last), last]
    chosen = boxes if every_frame else boxes[three]
    whole_image = np.array([0, 0, *frame_size], dtype=np.float64)
    return union_box(np.where(np.isnan(chosen), whole_image, chosen))


def write_predicted_boxes(
    path: Path, names: Sequence[str], boxes: Sequence[NDArray[Any]], weights: dict[str, Any]
) -> None:
    """Writes ``boxes.h5``, whole or not at all.

    Args:
        path, weights: of the file; ``weights_sha256`` and ``weights``, and ``every_frame``.
        names, boxes: of the samples, ascending, and (F_i, 4) of each.

    Raises:
        HarError: it cannot be written.
    """
    with whole_file(path) as partial, h5py.File(partial, "w") as file:
        file["name"] = np.array([name.encode() for name in names] or np.empty(0, "S1"))
        file["first_frame"] = np.cumsum([0, *map(len, boxes)], dtype=np.int64)
        file["box"] = np.concatenate([np.empty((0, 4), np.float32), *boxes])
        file.attrs.update({**weights, "format": FORMAT})
