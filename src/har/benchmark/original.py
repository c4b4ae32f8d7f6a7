"""Crops as the original program computes them, for comparison: PIL and NumPy on whole frames."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.data.augment import AugmentParams
from har.data.clips_dataset import ClipDataset
from har.data.sampling import seeded_rng
from har.errors import HarError
from har.geometry import invert_affine


class OriginalCrops:
    """The crops of a data set as the program of Luvizon et al., TPAMI 2020, computes them.

    Every frame is decoded, rotated on an enlarged canvas, cropped, resized, flipped, converted to
    float32, and every channel raised to its gamma. Both resamplings use PIL's bilinear filter.

    Args:
        samples: whole frames in HDF5 shards.
        keys: (kind, number, draw) of the items of the data set.

    Raises:
        HarError: Pillow is not installed.
    """

    def __init__(self, samples: ClipDataset, keys: list[tuple[str, int, int]]) -> None:
        try:
            from PIL import Image
        except ImportError as error:
            raise HarError(
                "The comparison with the original crops needs Pillow: pip install pillow."
            ) from error
        self._image: Any = Image
        self.items = [self._item(samples, key) for key in keys]

    def _item(
        self, samples: ClipDataset, key: tuple[str, int, int]
    ) -> tuple[list[bytes], AugmentParams, tuple[int, ...]]:
        """Returns the frames' files, the augmentation, and the box on the rotated canvas."""
        kind, number, draw_number = key
        rng = seeded_rng(samples.seed, kind, draw_number)
        draw = samples.augmentation.sample(rng)
        sample = int(samples.selection[number])
        annotation = samples.index.annotation(sample)
        frames = samples.frames_of(sample, draw, rng)
        affine = samples.target(sample, annotation, frames, replace(draw, flip=False)).affine
        size = np.array(samples.index.frame_size(sample))
        corners = invert_affine(affine) @ np.array([[0, 1.0], [0, 1.0], [1, 1]])  # in the frame
        angle = np.radians(draw.angle_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        canvas = np.abs(turn) @ size
        box = turn @ (corners[:2] - size[:, None] / 2) + canvas[:, None] / 2
        stored = samples.store.files(samples.index.name(sample), frames.tolist())
        files = [file.tobytes() for file, _ in stored]
        return files, draw, tuple(box.T.round().astype(int).ravel())

    def run(self, resolution: tuple[int, int]) -> NDArray[np.float32]:
        """Computes all crops; returns those of the last item, (T, H, W, 3)."""
        bilinear = self._image.Resampling.BILINEAR
        crops: list[NDArray[Any]] = []
        for files, draw, box in self.items:
            crops = []
            for file in files:
                image = self._image.open(io.BytesIO(file))
                if draw.angle_deg:
                    image = image.rotate(draw.angle_deg, bilinear, expand=True)
                image = image.crop(box).resize(resolution, bilinear)
                if draw.flip:
                    image = image.transpose(self._image.Transpose.FLIP_LEFT_RIGHT)
                crop = np.asarray(image, dtype=np.float32) / 255
                for channel, power in enumerate(draw.gammas):
                    if power != 1:
                        crop[..., channel] **= power
                crop -= 0.5
                crop *= 2
                crops.append(crop)
        return np.stack(crops)
