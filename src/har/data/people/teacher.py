"""Landmarks that a published network found in training photographs: depth, and missing joints.

The file is written by ``benchmarks/teach_people.py`` (MediaPipe Pose, Apache-2.0, which nothing
here imports). A landmark is used only in photographs where most of the annotated joints are where
the teacher sees them: elsewhere it looks at somebody else, or is wrong.
"""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError
from har.layouts import Layout

# Of the 33 landmarks of MediaPipe Pose ("BlazePose GHUM 3D", Bazarevsky et al., 2020).
LANDMARKS = {
    "left shoulder": 11, "right shoulder": 12, "left elbow": 13, "right elbow": 14,
    "left wrist": 15, "right wrist": 16, "left hip": 23, "right hip": 24,
    "left knee": 25, "right knee": 26, "left ankle": 27, "right ankle": 28,
}  # fmt: skip
EARS = (7, 8)
_ARRAYS = {"size": (2,), "xy": (33, 2), "world": (33, 3), "visibility": (33,)}
_NEAR = 0.5  # of the torso: a landmark there means the annotated joint
_AGREES = 0.7  # of the annotated joints
_APART = 0.3  # of the torso: left and right nearer to each other than that cannot be told apart
_SURE = 0.65  # visibility from which a landmark takes the place of a joint without annotation


@dataclass(frozen=True)
class Landmarks:
    """The teacher's landmarks of N photographs, NaN where it saw nobody.

    Attributes:
        size: (N, 2) width and height of the photographs in pixels.
        xy_px: (N, 33, 2) in pixels of the photograph.
        world_m: (N, 33, 3) meters from the middle of the hips: right, down, away from the camera.
        visibility: (N, 33) in [0, 1].
    """

    size: NDArray[np.float64]
    xy_px: NDArray[np.float64]
    world_m: NDArray[np.float64]
    visibility: NDArray[np.float64]

    @classmethod
    def read(cls, path: Path, images: NDArray[np.bytes_]) -> "Landmarks":
        """Those of photographs, in their order.

        Args:
            path: of the file: ``names`` (N,), ``size``, ``xy``, ``world`` and ``visibility``.
            images: (N,) paths of the photographs below the data set's folder.

        Raises:
            HarError: no such file, a damaged one, or one without any of the photographs.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                names = [str(name).encode() for name in file["names"]]
                arrays = [np.array(file[key], float) for key in _ARRAYS]
        except (OSError, KeyError, ValueError, BadZipFile) as error:
            raise HarError(
                f"{path} is missing or damaged: write it with benchmarks/teach_people.py."
            ) from error
        shapes = [(len(names), *end) for end in _ARRAYS.values()]
        if [array.shape for array in arrays] != shapes:
            raise HarError(f"{path} has arrays of {[a.shape for a in arrays]}, not {shapes}.")
        place = {name: number for number, name in enumerate(names)}
        rows = np.array([place.get(name, -1) for name in images.tolist()])
        if (rows < 0).all():
            raise HarError(f"{path} has none of the {len(images)} photographs: write it anew.")
        for array in arrays:  # a row more, of nobody
            array.resize((len(names) + 1, *array.shape[1:]), refcheck=False)
            array[-1] = np.nan
        return cls(*(array[rows] for array in arrays))

    def limbs(self, joints: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Places (N, J, 2) in pixels and depth (N, J) in mm of joints; NaN of those that a teacher
        does not know. Middle and spine are means of what lies around them."""
        places = np.full((len(self.xy_px), len(joints), 2), np.nan)
        depth = np.full(places.shape[:2], np.nan)
        for number, joint in enumerate(joints):
            if joint in LANDMARKS:
                places[:, number] = self.xy_px[:, LANDMARKS[joint]]
                depth[:, number] = self.world_m[:, LANDMARKS[joint], 2]
        hips, shoulders = self._middle("hip"), self._middle("shoulder")
        middles = {
            "pelvis": hips,
            "thorax": shoulders,
            "neck": shoulders,
            "spine": (hips + shoulders) / 2,
            "head": self.world_m[:, EARS, 2].mean(1),
        }
        for joint, values in middles.items():
            if joint in joints:
                depth[:, joints.index(joint)] = values
        return places, 1000 * (depth - hips[:, None])

    def _middle(self, joint: str) -> NDArray[np.float64]:
        pair = [LANDMARKS[f"{side} {joint}"] for side in ("left", "right")]
        return np.asarray(self.world_m[:, pair, 2].mean(1))

    def torso_px(self) -> NDArray[np.float64]:
        """(N,) from the left shoulder to the right hip, at least a third of the person's extent."""
        pair = self.xy_px[:, LANDMARKS["left shoulder"]] - self.xy_px[:, LANDMARKS["right hip"]]
        extent = np.ptp(self.xy_px[:, list(LANDMARKS.values())], axis=1).max(-1)
        return np.asarray(np.fmax(np.hypot(*pair.T), extent / 3))


def taught(
    joints_px: NDArray[np.float64], joints: tuple[str, ...], teacher: Landmarks
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Annotated joints with the teacher's depth, and its places where there is no annotation.

    Args:
        joints_px: (N, J, 2), NaN where not annotated.
        joints: their names.
        teacher: of the same photographs.

    Returns:
        (N, J, 2) in pixels, (N, J) depth in mm from the middle of the hips, NaN where unknown, and
        (N,) in which the teacher sees the annotated person.
    """
    places, depth = teacher.limbs(joints)
    away = np.hypot(*np.moveaxis(joints_px - places, -1, 0)) / teacher.torso_px()[:, None]
    compared = np.isfinite(away)
    near = compared & (away <= _NEAR)
    agrees = near.sum(1) >= np.maximum(_AGREES * compared.sum(1), 3)
    depth[~agrees] = np.nan
    depth[compared & ~near] = np.nan
    sure = np.zeros(depth.shape, dtype=bool)
    for number, joint in enumerate(joints):
        if joint in LANDMARKS:
            sure[:, number] = teacher.visibility[:, LANDMARKS[joint]] >= _SURE
    missing = ~np.isfinite(joints_px).all(-1) & sure & agrees[:, None]
    return np.where(missing[..., None], places, joints_px), depth, agrees


def exchanged(
    joints_px: NDArray[np.float64], layout: Layout, teacher: Landmarks
) -> NDArray[np.bool_]:
    """Annotated joints (N, J) whose left one lies where the teacher sees the right one, and the
    right one where it sees the left one: one of them is wrong.

    Args:
        joints_px, teacher: as :func:`taught` takes them.
        layout: of the joints.
    """
    flip = list(layout.flip)
    places, _ = teacher.limbs(layout.joints)
    torso = teacher.torso_px()[:, None]

    def away(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.hypot(*np.moveaxis(first - second, -1, 0)) / torso)

    same, other = away(joints_px, places), away(joints_px, places[:, flip])
    told_apart = away(joints_px, joints_px[:, flip]) > _APART
    return told_apart & (other + other[:, flip] < np.fmin(same + same[:, flip], _NEAR))
