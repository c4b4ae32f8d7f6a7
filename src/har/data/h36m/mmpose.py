"""mmpose's annotations of Human3.6M: ``annotation_body3d/**/*.npz``.

``imgname`` (N,), ``part`` (N, 17, 3) pixels and visibility, ``S`` (N, 17, 4) meters in the camera's
space and visibility. The joints are 17 of the data set's 32: the second one is the *right* hip
(mmpose's COCO file of test pictures names it left; the shoulders, whose names are right, lie on
the other side).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.data.h36m.files import H36MError
from har.layouts import get_layout

LAYOUT = get_layout("h36m")
NUM_LISTED = 17
FROM_17 = (*range(NUM_LISTED), 0)  # "spine" lies in the pelvis, as in all of Human3.6M
MAX_COORDINATE = 1e5  # pixels or mm; beyond it a number is damage, not a place


@dataclass(frozen=True)
class Annotations:
    """N images with the joints of layout ``h36m``.

    Attributes:
        images: (N,) paths below the folder of images.
        joints_px: float64 (N, 18, 2) pixels.
        joints_mm: float64 (N, 18, 3) in the camera's space.
        seen: bool (N, 18), what is annotated.
    """

    images: list[str]
    joints_px: NDArray[np.float64]
    joints_mm: NDArray[np.float64]
    seen: NDArray[np.bool_]


def find_annotations(root: Path) -> list[Path]:
    """mmpose's files in the folder of the data, sorted; the statistics that lie beside are none."""
    found = sorted({*root.glob("*.npz"), *(root / "annotation_body3d").rglob("*.npz")})
    return [path for path in found if path.stem != "cameras"]


def read_annotations(path: Path) -> Annotations:
    """Reads one file.

    Raises:
        H36MError: it cannot be read, or is of another form.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            for name in ("imgname", "part", "S"):
                if name not in arrays.files:
                    raise H36MError(
                        f"{path} has no array {name}: it is not mmpose's annotation_body3d."
                    )
            images = _names(arrays["imgname"], path)
            part, joints = (_floats(arrays[name], name, path) for name in ("part", "S"))
    except H36MError:
        raise
    except Exception as error:  # NumPy raises whatever a damaged file leads it to
        if "Object arrays" in str(error):  # NumPy's words; it has no class for this
            raise H36MError(
                f"{path} has an array of Python objects, which can run any program when it is "
                "read: save its names as text and its joints as numbers with numpy.savez."
            ) from error
        raise H36MError(f"{path} cannot be read as .npz: download it again.") from error
    shapes = (len(images), NUM_LISTED, 3), (len(images), NUM_LISTED, 4)
    if (part.shape, joints.shape) != shapes:
        raise H36MError(
            f"{path} has part {part.shape} and S {joints.shape} for {len(images)} images: "
            "(N, 17, 3) and (N, 17, 4) are expected."
        )
    part, joints = part[:, FROM_17], joints[:, FROM_17]
    seen = (part[..., 2] > 0) & (joints[..., 3] > 0)
    mm = 1000 * joints[..., :3]
    good = (np.abs(part[..., :2]) < MAX_COORDINATE).all(-1) & (mm[..., 2] > 0)
    if not (good & (np.abs(mm) < MAX_COORDINATE).all(-1))[seen].all():
        raise H36MError(f"{path} has joints that are no place before a camera: download it again.")
    return Annotations(images, part[..., :2], mm, seen)


def _names(names: NDArray[Any], path: Path) -> list[str]:
    """Names of images, also where they are stored as bytes."""
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise H36MError(
            f"{path} has imgname of {names.dtype} {names.shape}, not one row of names: it is not "
            "mmpose's annotation_body3d."
        )
    found = names.tolist()
    return [name.decode() if isinstance(name, bytes) else name for name in found]


def _floats(values: NDArray[Any], name: str, path: Path) -> NDArray[np.float64]:
    if values.dtype.kind not in "biuf":
        raise H36MError(
            f"{path} has {name} of {values.dtype}, not numbers: it is not mmpose's "
            "annotation_body3d."
        )
    return values.astype(np.float64)
