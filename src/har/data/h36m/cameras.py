"""The cameras of Human3.6M: from camera space to pixels, and the files that list them.

Camera space is x to the right, y down, z away, in millimeters. With x' = X / Z, y' = Y / Z and
r2 = x'^2 + y'^2 a point lies at f (x' (1 + k1 r2 + k2 r2^2 + k3 r2^3 + 2 (p1 y' + p2 x')) + p2 r2)
+ c, and y likewise with p1 r2.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.data.h36m.files import H36MError

FloatArray = NDArray[np.float64]
_SHAPES = {"f": 2, "c": 2, "k": 3, "p": 2}
_CONVERT = (
    "python -c \"import json, pickle; print(json.dumps({'.'.join(map(str, k)): {n: v.tolist() if "
    "hasattr(v, 'tolist') else v for n, v in c.items()} for k, c in "
    "pickle.load(open('cameras.pkl', 'rb')).items()}))\" > cameras.json"
)


@dataclass(frozen=True)
class Intrinsics:
    """What maps camera space to pixels.

    Attributes:
        f: (2,) focal lengths in pixels.
        c: (2,) principal point in pixels.
        k: (3,) radial distortion.
        p: (2,) tangential distortion.
    """

    f: FloatArray
    c: FloatArray
    k: FloatArray
    p: FloatArray

    @property
    def values(self) -> list[float]:
        """All nine, in this order."""
        return np.concatenate([self.f, self.c, self.k, self.p]).tolist()

    def project(self, points: ArrayLike) -> FloatArray:
        """Points (..., 3) of camera space, in any unit, as pixels (..., 2)."""
        xyz = np.asarray(points, dtype=np.float64)
        xy = xyz[..., :2] / xyz[..., 2:]
        r2 = (xy**2).sum(-1, keepdims=True)
        radial = 1 + self.k[0] * r2 + self.k[1] * r2**2 + self.k[2] * r2**3
        tangential = 2 * (xy * self.p[::-1]).sum(-1, keepdims=True)
        bent: FloatArray = xy * (radial + tangential) + r2 * self.p[::-1]
        return self.f * bent + self.c


def read_cameras(path: Path) -> dict[str, Intrinsics]:
    """The cameras of a file, by ``S1.54138969``.

    JSON: a mapping of such names to ``f``, ``c``, ``k`` and ``p`` (other keys are not read);
    ``.npz``: arrays ``S1.54138969/f`` and so on.

    Raises:
        H36MError: a pickle, which could run any program; or a file that cannot be read, with
            another content.
    """
    if path.suffix in (".pkl", ".pickle"):
        raise H36MError(
            f"{path} is a pickle, which runs what is written in it when it is opened: if you trust "
            f"its source, convert it with {_CONVERT}"
        )
    try:
        if path.suffix == ".npz":
            listed: dict[str, dict[str, Any]] = {}
            with np.load(path, allow_pickle=False) as arrays:
                for key in arrays.files:
                    name, _, entry = key.rpartition("/")
                    listed.setdefault(name, {})[entry] = arrays[key]
        else:
            listed = json.loads(path.read_text(encoding="utf-8"))
        cameras = {str(name): _intrinsics(entry) for name, entry in listed.items()}
    except Exception as error:  # of a file of anything
        raise H36MError(
            f"{path} is not a list of cameras with f, c, k and p by names such as S1.54138969 "
            f"({error}): take mmpose's and convert it."
        ) from error
    if not cameras:
        raise H36MError(f"{path} lists no camera: take mmpose's file and convert it.")
    return cameras


def _intrinsics(entry: Mapping[str, Any]) -> Intrinsics:
    values = {}
    for name, count in _SHAPES.items():
        array = np.asarray(entry[name], dtype=np.float64).ravel()
        if array.size != count or not np.isfinite(array).all():
            raise ValueError(f"{name} has {array.size} values, not {count} numbers")
        values[name] = array
    if not (values["f"] > 0).all():
        raise ValueError("a focal length is not greater than 0")
    return Intrinsics(**values)


def find_cameras(root: Path) -> Path | None:
    """The file of cameras in the folder of the data, or beside mmpose's annotations; a pickle only
    where there is nothing else."""
    places = (root, root / "annotation_body3d")
    names = (f"cameras{ending}" for ending in (".json", ".npz", ".pkl"))
    paths = (place / name for name in names for place in places)
    return next((path for path in paths if path.is_file()), None)
