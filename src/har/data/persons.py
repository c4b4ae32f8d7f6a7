"""Persons in images as samples: a crop with a pose to learn from, or a person in several crops."""

from math import ceil
from pathlib import Path
from typing import Any
from zlib import crc32

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Dataset

from har.data.augment import Augmentation, AugmentParams
from har.data.records import PersonSet
from har.data.sampling import Key, seeded_rng
from har.data.targets import DEPTH_RANGE_MM
from har.errors import HarError
from har.files import read_stored_image
from har.geometry import INVALID, GeometryError, crop_affine, transform_points, warp
from har.layouts import MISSING, Layout, LayoutLike, get_layout

BOXES = ("ground_truth", "image")
_FLIP = (False, True)
_SHIFT_PX = 12.0
_SHIFT_WINDOW_PX = 200.0  # shifts are in pixels of a crop of a window of this side

VIEWS: dict[str, tuple[AugmentParams, ...]] = {
    "single": (AugmentParams(),),
    "flip": tuple(AugmentParams(flip=flip) for flip in _FLIP),
    "multicrop": tuple(
        AugmentParams(scale=scale, shift_px=(shift, 0.0), flip=flip)
        for scale, shift in [(1, 0), (0.9, 0), (1.1, 0), (1, -_SHIFT_PX), (1, _SHIFT_PX)]
        for flip in _FLIP
    ),
}
"""The crops of a person whose poses are averaged, by the protocol's name. The first one is always
the plain crop. ``multicrop``: that one, 10 % smaller and larger, 6 % to the left and right, each
also mirrored (the original program's own list was not published)."""


class PersonDataset(Dataset[dict[str, Any]]):
    """Persons of any data set, in any joint layout.

    A training item has the key ``(kind, number, draw)``, where ``draw`` alone decides the
    augmentation; an item for evaluation its number, without augmentation and in V views. What they
    hold is a row of :class:`har.data.records.PersonBatch`, with ``path`` of the image.

    In ``pose``, joints unlabeled or outside the crop are -1e9 with visibility 0, those that the
    data set does not annotate -1e9 with NaN, as are unlabeled ones where they are ``unknown`` (see
    :class:`har.data.records.PersonSet`); z is -1e9 where no depth is known. ``inside`` are
    joints in the plain crop: the only ones that the original program counts.

    Args:
        persons: of the data set.
        resolution: (width, height) of the crops in pixels.
        layout: joint layout of the poses; None: the data set's own.
        dim: 2 or 3.
        augmentation: what is drawn at random; its default draws nothing.
        views: ``single``, ``flip`` or ``multicrop``.
        boxes: ``ground_truth``: the persons' own crops; ``image``: the whole images, squares of
            their longer sides.
        seed: the run's seed.

    Raises:
        HarError: unknown views, boxes, layout or dim, or a layout without joints of the data set.
    """

    def __init__(
        self,
        persons: PersonSet,
        *,
        resolution: tuple[int, int],
        layout: LayoutLike | None = None,
        dim: int = 2,
        augmentation: Augmentation | None = None,
        views: str = "single",
        boxes: str = "ground_truth",
        seed: int = 0,
    ) -> None:
        if boxes not in BOXES:
            raise HarError(f"boxes={boxes} of persons: choose {' or '.join(BOXES)}.")
        if views not in VIEWS:
            raise HarError(f"data.views={views}: choose {', '.join(VIEWS)}.")
        if dim not in (2, 3):
            raise HarError(f"data.dim={dim}: poses have 2 or 3 dimensions.")
        self.persons, self.resolution, self.dim, self.seed = persons, resolution, dim, seed
        self.layout = persons.layout if layout is None else get_layout(layout)
        self.order = self.layout.order_from(persons.layout)
        self.augmentation = augmentation or Augmentation()
        self.views, self.boxes = VIEWS[views], boxes

    def __len__(self) -> int:
        return len(self.persons)

    def checksums(self) -> list[int]:
        """Of the persons' images and ids, and of their joints."""
        rows = self.persons.rows
        names = b"\n".join([*rows["image"].tolist(), *rows["id"].tolist()])
        joints = np.nan_to_num(rows["joints_px"], nan=INVALID).astype("<f4")
        return [crc32(names), crc32(joints.tobytes())]

    def __getitem__(self, key: int | Key) -> dict[str, Any]:
        if not isinstance(key, tuple):
            return self._evaluation_item(int(key))
        kind, number, draw_number = key
        draw = self.augmentation.sample(seeded_rng(self.seed, kind, draw_number))
        crops, poses, _ = self._views(number, (draw,))
        return {
            "images": torch.from_numpy(crops[0]),
            "gamma": torch.tensor(draw.gammas, dtype=torch.float32),
            "pose": torch.from_numpy(poses[0]),
            "name": self._name(number),
        }

    def _evaluation_item(self, number: int) -> dict[str, Any]:
        crops, poses, affines = self._views(number, self.views)
        joints = in_order(self.persons.rows["joints_px"][number], self.order)  # (J, 2)
        return {
            "number": number,
            "images": torch.from_numpy(crops),
            "gamma": torch.ones(3),
            "pose": torch.from_numpy(poses),
            "affine": torch.from_numpy(affines),
            "flipped": torch.tensor([view.flip for view in self.views]),
            "joints_px": torch.from_numpy(joints),
            "valid": torch.from_numpy(np.isfinite(joints).all(-1)),
            "inside": torch.from_numpy(_inside(transform_points(affines[0], joints))),
            "length_px": float(self.persons.rows["length_px"][number]),
            "box_px": torch.from_numpy(self.persons.rows["box_px"][number].copy()),
            "area_px2": float(self.persons.rows["area_px2"][number]),
            "name": self._name(number),
            "path": str(self._path(number)),
        }

    def _views(
        self, number: int, draws: tuple[AugmentParams, ...]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Crops (V, H, W, 3), poses (V, J, dim + 1) and affine maps (V, 3, 3) of a person."""
        person = self.persons.rows[number]
        image = read_stored_image(self._path(number), bool(person["upright"]))
        size = image.shape[1], image.shape[0]
        center, window = person["center_px"], person["window_px"]
        if self.boxes == "image":
            center, window = np.array(size) / 2, float(max(size))
        width, height = self.resolution
        crops = np.empty((len(draws), height, width, 3), dtype=np.uint8)
        poses, affines = [], []
        for draw, crop in zip(draws, crops, strict=True):
            try:
                affine = person_affine(center, window, size, draw)
            except GeometryError as error:
                raise HarError(
                    f"{self._name(number)} has a crop without a pixel (of "
                    f"{window:g} px): mend the annotation or remove the person."
                ) from error
            if draw.detail < 1:
                fewer = ceil(draw.detail * width), ceil(draw.detail * height)
                coarse = warp(image, affine, fewer)
                cv2.resize(coarse, self.resolution, dst=crop, interpolation=cv2.INTER_LINEAR)
            else:
                warp(image, affine, self.resolution, out=crop)
            joints, flip = person["joints_px"], draw.flip
            depth = person["depth_mm"]
            pose = person_pose(
                joints, affine, self.layout, self.order, self.dim, flipped=flip, depth_mm=depth
            )
            if self.persons.unlabeled == "unknown":
                labeled = np.isfinite(in_order(joints, self._numbers(flip))).all(-1)
                pose[~labeled & labeled.any(), -1] = np.nan
            poses.append(pose)
            affines.append(affine)
        return crops, np.stack(poses), np.stack(affines)

    def _numbers(self, flipped: bool) -> NDArray[np.int_]:
        """Number, in the data set, of every joint of a pose."""
        numbers = np.asarray(self.order)
        return numbers[list(self.layout.flip)] if flipped else numbers

    def _path(self, number: int) -> Path:
        return self.persons.images_dir / self.persons.rows["image"][number].decode()

    def _name(self, number: int) -> str:
        return self.persons.rows["id"][number].decode()


def in_order(joints_px: ArrayLike, order: ArrayLike) -> NDArray[np.float64]:
    """A data set's joints (..., K, 2) in a layout's order (..., J, 2), NaN for those it lacks.

    Args:
        joints_px: of the data set.
        order: of :meth:`har.layouts.Layout.order_from`.
    """
    numbers = np.asarray(order)
    joints = np.asarray(joints_px, dtype=np.float64)[..., numbers, :]
    return np.where((numbers == MISSING)[:, None], np.nan, joints)


def person_affine(
    center_px: ArrayLike, window_px: float, image_size: tuple[int, int], draw: AugmentParams
) -> NDArray[np.float64]:
    """The map (3, 3) from image pixels to [0, 1] of a person's crop.

    Args:
        center_px: (2,) of the crop, in pixels.
        window_px: side of the crop.
        image_size: width and height in pixels.
        draw: augmentation; its shift is in pixels of a crop of 200 px, as in the original.

    Raises:
        GeometryError: a crop without a pixel.
    """
    return crop_affine(
        np.asarray(center_px, dtype=np.float64) + view_shift(draw, window_px),
        window_px * draw.scale,
        image_size,
        angle_deg=draw.angle_deg,
        flip=draw.flip,
    )


def view_shift(view: AugmentParams, window_px: float) -> NDArray[np.float64]:
    """The shift (2,) of a view's crop, in the pixels that its window is given in."""
    return window_px / _SHIFT_WINDOW_PX * np.array(view.shift_px)


def person_pose(
    joints_px: ArrayLike,
    affine: ArrayLike,
    layout: Layout,
    order: ArrayLike,
    dim: int = 2,
    *,
    flipped: bool = False,
    depth_mm: ArrayLike | None = None,
) -> NDArray[np.float32]:
    """The pose that a network shall find in a crop.

    Args:
        joints_px: (K, 2) in the data set's order, NaN where unlabeled.
        affine: (3, 3), image pixels to [0, 1] of the crop.
        layout: joint layout of the pose.
        order: number of every joint in the data set, ``MISSING`` where it has none.
        dim: 2, or 3 with depth.
        flipped: the crop is mirrored: left and right joints change places.
        depth_mm: (K,) from the root; NaN, and None: unknown (-1e9 in 3-D).

    Returns:
        (J, dim + 1) float32: x, y, [z,] visibility. Joints that are unlabeled or outside the crop:
        -1e9, visibility 0. Joints that the data set does not annotate: -1e9, visibility NaN
        (unknown).
    """
    numbers = np.asarray(order)
    if flipped:
        numbers = numbers[list(layout.flip)]
    crop_xy = transform_points(affine, in_order(joints_px, numbers))
    visible = _inside(crop_xy)
    pose = np.full((layout.num_joints, dim + 1), INVALID, dtype=np.float32)
    pose[visible, :2] = crop_xy[visible]
    if dim == 3 and depth_mm is not None:
        z = np.asarray(depth_mm)[numbers] / DEPTH_RANGE_MM + 0.5
        known = visible & (numbers != MISSING) & (z > 0) & (z < 1)
        pose[known, 2] = z[known]
    pose[:, -1] = np.where(numbers == MISSING, np.nan, visible)
    return pose


def _inside(crop_xy: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points (..., 2) of a crop lie in it; false for NaN."""
    with np.errstate(invalid="ignore"):
        return np.asarray(((crop_xy >= 0) & (crop_xy <= 1)).all(-1))
