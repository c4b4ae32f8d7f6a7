"""MPII as samples: a crop with a pose to learn from, or a person seen in several crops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from har.data.augment import Augmentation, AugmentParams
from har.data.mpii.files import read_image
from har.data.mpii.persons import MPIIError, Persons
from har.data.mpii.targets import in_layout, person_affine, person_pose
from har.data.sampling import Key, seeded_rng
from har.errors import HarError
from har.geometry import GeometryError, transform_points, warp
from har.layouts import get_layout

_FLIP = (False, True)
_SHIFT_PX = 12.0  # of a crop of a person of scale 0.8, whose window is 200 px

VIEWS: dict[str, tuple[AugmentParams, ...]] = {
    "single": (AugmentParams(),),
    "flip": tuple(AugmentParams(flip=flip) for flip in _FLIP),
    "multicrop": tuple(
        AugmentParams(scale=scale, shift_px=shift, flip=flip)
        for scale, shift in [
            (1.0, (0.0, 0.0)),
            (0.9, (0.0, 0.0)),
            (1.1, (0.0, 0.0)),
            (1.0, (-_SHIFT_PX, 0.0)),
            (1.0, (_SHIFT_PX, 0.0)),
        ]
        for flip in _FLIP
    ),
}
"""The crops of a person whose poses are averaged, by the protocol's name. The first one is always
the plain crop. ``multicrop``: that one, 10 % smaller and larger, 6 % to the left and right, each
also mirrored (the original program's own list was not published)."""


class MPIIDataset(Dataset[dict[str, Any]]):
    """Persons of MPII.

    An item is asked for by ``(kind, number, draw)`` in training, where ``draw`` alone decides the
    augmentation. It holds

    - ``images``: uint8 RGB crop (H, W, 3);
    - ``gamma``: float32 (3,), the color power of every channel, applied on the device;
    - ``pose``: float32 (J, dim + 1): x, y in [0, 1] of the crop, z = -1e9 where dim is 3,
      visibility. Joints unlabeled or outside the crop: -1e9 and 0; those that MPII does not have:
      -1e9 and NaN;
    - ``name``: image and person, as text.

    An item for evaluation is asked for by its number, without augmentation, in V views:

    - ``images`` (V, H, W, 3), ``pose`` (V, J, dim + 1), ``gamma`` all 1, ``name``;
    - ``affine``: float64 (V, 3, 3), image pixels to [0, 1] of each crop;
    - ``flipped``: bool (V,), crops in which left and right have changed places;
    - ``joints_px``: float64 (J, 2) in image pixels, NaN where missing; ``valid``: bool (J,);
    - ``inside``: bool (J,), joints inside the plain crop: the only ones the original counts;
    - ``length_px``: float64, the head size, NaN where there is none and PCKh cannot be measured;
    - ``path``: of the image.

    Args:
        persons: (N,) of ``PERSON``.
        images_dir: folder of the images.
        head_size_px: (N,) in pixels.
        resolution: (width, height) of the crops in pixels.
        layout: joint layout of the poses.
        dim: 2 or 3.
        augmentation: what is drawn at random; its default draws nothing.
        views: ``single``, ``flip`` or ``multicrop``.
        seed: the run's seed.

    Raises:
        HarError: unknown views, layout or dim.
    """

    def __init__(
        self,
        persons: Persons,
        images_dir: Path,
        head_size_px: np.ndarray,
        *,
        resolution: tuple[int, int],
        layout: str = "pa16j",
        dim: int = 2,
        augmentation: Augmentation | None = None,
        views: str = "single",
        seed: int = 0,
    ) -> None:
        if views not in VIEWS:
            raise HarError(f"data.views={views}: choose {', '.join(VIEWS)}.")
        if dim not in (2, 3):
            raise HarError(f"data.dim={dim}: poses have 2 or 3 dimensions.")
        self.persons, self.images_dir = persons, images_dir
        self.head_size_px = head_size_px
        self.resolution, self.dim, self.seed = resolution, dim, seed
        self.layout = get_layout(layout)
        self.augmentation = augmentation or Augmentation()
        self.views = VIEWS[views]

    def __len__(self) -> int:
        return len(self.persons)

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
        joints = in_layout(self.persons["joints_px"][number], self.layout)  # (J, 2)
        in_crop = transform_points(affines[0], joints)
        with np.errstate(invalid="ignore"):
            inside = ((in_crop >= 0) & (in_crop <= 1)).all(-1)
        return {
            "images": torch.from_numpy(crops),
            "gamma": torch.ones(3),
            "pose": torch.from_numpy(poses),
            "affine": torch.from_numpy(affines),
            "flipped": torch.tensor([view.flip for view in self.views]),
            "joints_px": torch.from_numpy(joints),
            "valid": torch.from_numpy(np.isfinite(joints).all(-1)),
            "inside": torch.from_numpy(inside),
            "length_px": float(self.head_size_px[number]),
            "name": self._name(number),
            "path": str(self._path(number)),
        }

    def _views(
        self, number: int, draws: tuple[AugmentParams, ...]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Crops (V, H, W, 3), poses (V, J, dim + 1) and affine maps (V, 3, 3) of a person."""
        person = self.persons[number]
        image = read_image(self._path(number))
        width, height = self.resolution
        crops = np.empty((len(draws), height, width, 3), dtype=np.uint8)
        poses, affines = [], []
        for draw, crop in zip(draws, crops, strict=True):
            try:
                affine = person_affine(
                    person["centre_px"], person["scale"], (image.shape[1], image.shape[0]), draw
                )
            except GeometryError as error:
                raise MPIIError(
                    f"{self._name(number)} has a crop without a pixel (scale "
                    f"{person['scale']:g}): mend the annotation or remove the person."
                ) from error
            warp(image, affine, self.resolution, out=crop)
            affines.append(affine)
            poses.append(
                person_pose(person["joints_px"], affine, self.layout, self.dim, flipped=draw.flip)
            )
        return crops, np.stack(poses), np.stack(affines)

    def _path(self, number: int) -> Path:
        return self.images_dir / self.persons["image"][number].decode()

    def _name(self, number: int) -> str:
        return f"{self.persons['image'][number].decode()}, person {self.persons['number'][number]}"
