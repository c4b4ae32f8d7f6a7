"""What a network's frozen pose part gives for every frame of prepared clips, beside the index.

``features_<12 digits>.h5``, named after the pose part that computed it:

- ``name``: UTF-8 (N,), sorted; ``first_row``: int64 (N + 1,); ``num_frames``: int64 (N,), frames
  that are stored of the clip, those without a person too;
- ``time_s``: float64 (R,) of the frames with a person, clip by clip; ``track``: int64 (R,);
- ``values``: float32 (R, V), the arrays of a frame one after the other, each flat;
- attributes ``format``, ``key`` (the pose part's checksum) and ``shapes`` (JSON, of the arrays).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from har.errors import HarError
from har.files import whole_file

FORMAT = 1
Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ClipFeatures:
    """What a followed person gave in a clip.

    Attributes:
        num_frames: stored frames of the clip.
        times_s: (R,) of the frames with a person, ascending.
        tracks: (R,) number of the person.
        values: float32 (R, V).
    """

    num_frames: int
    times_s: NDArray[np.float64]
    tracks: NDArray[np.int64]
    values: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        num_frames: int,
        rows: Sequence[tuple[float, int, Sequence[NDArray[np.float32]]]],
        num_values: int = 0,
    ) -> "ClipFeatures":
        """The features of rows of time, track and arrays; ``num_values`` where there is no row."""
        flat = [np.concatenate([part.ravel() for part in arrays]) for _, _, arrays in rows]
        return cls(
            num_frames,
            np.array([row[0] for row in rows], np.float64),
            np.array([row[1] for row in rows], np.int64),
            np.array(flat, np.float32).reshape(len(rows), -1 if rows else num_values),
        )


@dataclass(frozen=True)
class StoredFeatures:
    """The features of clips.

    Attributes:
        key: checksum of the pose part that computed them, and of how.
        shapes: of a frame's arrays; by action block (J, dim) and (J, C).
        clips: by the name of the sample.
    """

    key: str
    shapes: Shapes
    clips: Mapping[str, ClipFeatures]

    def arrays(self, values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The arrays (..., J, C) of values (..., V)."""
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        parts = np.split(values, np.cumsum(sizes)[:-1], axis=-1)
        pairs = zip(parts, self.shapes, strict=True)
        return [part.reshape(*values.shape[:-1], *shape) for part, shape in pairs]

    def write(self, path: Path) -> None:
        """Writes the file, whole or not at all.

        Raises:
            HarError: it cannot be written.
        """
        names = sorted(self.clips)
        clips = [self.clips[name] for name in names]
        width = sum(int(np.prod(shape)) for shape in self.shapes)
        with whole_file(path) as partial, h5py.File(partial, "w") as file:
            file["name"] = np.array([name.encode() for name in names] or np.empty(0, "S1"))
            file["first_row"] = np.cumsum([0, *(len(clip.times_s) for clip in clips)], dtype="i8")
            file["num_frames"] = np.array([clip.num_frames for clip in clips], np.int64)
            file["time_s"] = np.concatenate([np.empty(0), *(clip.times_s for clip in clips)])
            tracks = [clip.tracks for clip in clips]
            file["track"] = np.concatenate([np.empty(0, np.int64), *tracks])
            values = [clip.values for clip in clips]
            file["values"] = np.concatenate([np.empty((0, width), np.float32), *values])
            file.attrs.update(
                {"format": FORMAT, "key": self.key, "shapes": json.dumps(self.shapes)}
            )

    @classmethod
    def read(cls, path: Path) -> "StoredFeatures":
        """Reads a file.

        Raises:
            HarError: it is missing or damaged.
        """
        if not path.is_file():
            raise HarError(
                f"There is no {path}: run python -m har.train experiment=own_actions "
                f"paths.data_dir={path.parent.parent} with the same weights, which writes it."
            )
        try:
            with h5py.File(path, locking=False) as file:
                if file.attrs["format"] != FORMAT:
                    raise ValueError("another format")
                shapes = tuple(tuple(shape) for shape in json.loads(file.attrs["shapes"]))
                names = [name.decode() for name in file["name"][:].tolist()]
                first, frames = file["first_row"][:], file["num_frames"][:].tolist()
                times, tracks, values = (file[key][:] for key in ("time_s", "track", "values"))
                if len(times) != first[-1] or len(first) != len(names) + 1:
                    raise ValueError("clips and frames differ in number")
                columns = (np.split(each, first[1:-1]) for each in (times, tracks, values))
                rows = zip(names, frames, *columns, strict=True) if names else ()
                clips = {name: ClipFeatures(*parts) for name, *parts in rows}
                return cls(str(file.attrs["key"]), shapes, clips)
        except (OSError, KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
            raise HarError(
                f"The features {path} cannot be read ({error}): remove that file and train again, "
                "which computes them."
            ) from error
