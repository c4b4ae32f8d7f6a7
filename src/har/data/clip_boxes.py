"""Boxes that a data set's authors predicted for whole clips: one for each clip of a protocol.

``clip_boxes.h5``, beside the index:

- ``name``: UTF-8 (N,), of the samples;
- ``clip``: int32 (K, 4): a sample's place in ``name``, step between the clip's frames, the clip's
  number among those of that step, 1 for the mirrored clip;
- ``box``: float32 (K, 4), x1, y1, x2, y2 in pixels of the stored frames, which are not mirrored;
- attributes ``format``, ``clip_size`` (frames of a clip) and ``source``.
"""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from har.errors import HarError
from har.files import whole_file

FILE = "clip_boxes.h5"
_FORMAT = 1

Box = tuple[float, float, float, float]
ClipKey = tuple[str, int, int, bool]  # sample, step, number of the clip, mirrored


class ClipBoxes:
    """The boxes of a prepared folder.

    Args:
        path: ``clip_boxes.h5``.

    Attributes:
        clip_size: frames of the clips.
        source: name of the authors' file.
        boxes: by clip.

    Raises:
        HarError: it is missing or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise HarError(
                f"protocol.box_per=listed needs a box of every clip, but there is no {path}: put "
                "the authors' file of them beside the data (Penn Action: "
                "penn_pred_bboxes_16f.json) and run python -m har.prepare again."
            )
        try:
            with h5py.File(path, locking=False) as file:
                if file.attrs["format"] != _FORMAT:
                    raise ValueError("another format")
                self.clip_size = int(file.attrs["clip_size"])
                self.source = str(file.attrs["source"])
                names = [name.decode() for name in file["name"][:].tolist()]
                clips, boxes = file["clip"][:].tolist(), file["box"][:].tolist()
            self.boxes: dict[ClipKey, Box] = {
                (names[place], step, number, bool(mirrored)): tuple(box)
                for (place, step, number, mirrored), box in zip(clips, boxes, strict=True)
            }
        except (OSError, KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise HarError(
                f"The boxes {path} cannot be read ({error}): remove that file and run python -m "
                "har.prepare again."
            ) from error

    def has_step(self, step: int) -> bool:
        """Whether clips with this step between their frames are listed."""
        return any(key[1] == step for key in self.boxes)

    def of_clip(self, key: ClipKey, frame_size: tuple[int, int]) -> NDArray[np.float64]:
        """The box (4,) of a clip; the whole image where none is listed.

        Args:
            key: of the clip.
            frame_size: width and height of the stored frames.
        """
        return np.array(self.boxes.get(key, (0, 0, *frame_size)), dtype=np.float64)


def write_clip_boxes(path: Path, boxes: Mapping[ClipKey, Box], clip_size: int, source: str) -> None:
    """Writes ``clip_boxes.h5``, whole or not at all.

    Raises:
        HarError: it cannot be written.
    """
    names = sorted({key[0] for key in boxes})
    place = {name: number for number, name in enumerate(names)}
    clips = [(place[name], step, number, flip) for name, step, number, flip in boxes]
    with whole_file(path) as partial, h5py.File(partial, "w") as file:
        file["name"] = np.array([name.encode() for name in names] or np.empty(0, "S1"))
        file["clip"] = np.array(clips, dtype=np.int32).reshape(-1, 4)
        file["box"] = np.array([*boxes.values()], dtype=np.float32).reshape(-1, 4)
        file.attrs.update({"format": _FORMAT, "clip_size": clip_size, "source": source})
