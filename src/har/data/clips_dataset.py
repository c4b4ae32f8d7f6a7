"""NTU RGB+D as samples: a single frame with its pose, or a clip with its poses and action."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from har.data.augment import Augmentation, AugmentParams
from har.data.clips import clip_frames, num_random_starts
from har.data.crops import read_crops
from har.data.framestore.boxes import PredictedBoxes, box_of_clip
from har.data.framestore.index import NTUAnnotation, NTUIndex
from har.data.framestore.reader import FrameStore
from har.data.ntu.targets import Target, clip_target
from har.data.sampling import Key, seeded_rng
from har.layouts import get_layout


class NTUDataset(Dataset[dict[str, Any]]):
    """Samples of NTU RGB+D, prepared by ``python -m har.prepare ntu``.

    An item is asked for by ``(kind, number, draw)`` in training, where ``draw`` alone decides the
    augmentation, or by its number for the one fixed, unaugmented clip of the sample. It holds

    - ``images``: uint8 RGB crops (T, H, W, 3), or (H, W, 3) for single frames;
    - ``gamma``: float32 (3,), the color power of every channel, applied on the device;
    - ``pose``: float32 (T, J, 4) or (J, 4): x, y, z in [0, 1] of the crop, visibility 0 or 1;
    - ``action``: class index; ``name``: sample name;
    - ``tracked``: bool (T, J) or (J,), the joints that errors in millimeters count;
    - ``affine``: float64 (3, 3), pixels of the stored frames to [0, 1] of the crop;
    - ``root_depth_mm``, ``depth_scale``, ``frame_width``: what turns poses back into millimeters.

    Args:
        index, store: the prepared data.
        selection: numbers of the samples in the index, (N,).
        classes: class index of every selected sample, (N,).
        clip_size: frames of a clip; None: single frames.
        resolution: (width, height) of the crops in pixels.
        layout: joint layout of the poses.
        augmentation: what is drawn at random; its default draws nothing.
        step: frame step of the fixed clip.
        seed: the run's seed.
        boxes: crop around these; None: around the true joints.
    """

    def __init__(
        self,
        index: NTUIndex,
        store: FrameStore,
        selection: np.ndarray,
        classes: np.ndarray,
        *,
        clip_size: int | None,
        resolution: tuple[int, int],
        layout: str = "pa17j",
        augmentation: Augmentation | None = None,
        step: int = 4,
        seed: int = 0,
        boxes: PredictedBoxes | None = None,
    ) -> None:
        self.index, self.store = index, store
        self.selection, self.classes = selection, classes
        self.clip_size, self.resolution = clip_size, resolution
        self.layout = get_layout(layout)
        self.augmentation = augmentation or Augmentation()
        self.step, self.seed = step, seed
        self.boxes = boxes
        index.check_margin(self.augmentation, true_boxes=boxes is None)

    def __len__(self) -> int:
        return len(self.selection)

    def frames_of(
        self, length: int, draw: AugmentParams, rng: np.random.Generator | None
    ) -> np.ndarray:
        """Which of the sample's stored frames make the item, (T,)."""
        step = self.step if rng is None else draw.step
        if self.clip_size is None:
            frame = length // 2 if rng is None else int(rng.integers(length))
            return np.array([frame])
        if rng is None:
            return np.array(clip_frames(length, self.clip_size, step))
        start = int(rng.integers(num_random_starts(length, self.clip_size, step)))
        return np.array(clip_frames(length, self.clip_size, step, start))

    def target(
        self, sample: int, annotation: NTUAnnotation, frames: np.ndarray, draw: AugmentParams
    ) -> Target:
        """Crop and poses of some frames of a sample that share one box.

        Args:
            sample: its number in the index.
            annotation: of the sample.
            frames: positions in the stored sequence, (T,).
            draw: augmentation.
        """
        size, box = self.index.frame_size(sample), None
        if self.boxes is not None:
            name = self.index.names[sample].decode()
            boxes = self.boxes.of_sample(name, len(annotation.joints_px))
            box = box_of_clip(boxes[frames], size)
        return clip_target(
            annotation.joints_px[frames],
            annotation.depth_mm[frames],
            annotation.state[frames],
            layout=self.layout,
            frame_size=size,
            draw=draw,
            box=box,
            # Where no skeleton was recorded the crop shows all of the picture, undistorted.
            use_true_box=bool(np.isfinite(annotation.joints_px).any()),
        )

    def __getitem__(self, key: int | Key) -> dict[str, Any]:
        if isinstance(key, tuple):
            kind, number, draw_number = key
            rng = seeded_rng(self.seed, kind, draw_number)
            draw = self.augmentation.sample(rng)
        else:
            number, rng, draw = key, None, AugmentParams()
        sample = int(self.selection[number])
        name = self.index.names[sample].decode()
        annotation = self.index.annotation(sample)
        frames = self.frames_of(len(annotation.joints_px), draw, rng)
        target = self.target(sample, annotation, frames, draw)
        from_picture = target.affine @ self.index.region_offset(sample)
        crops = read_crops(self.store, name, frames, from_picture, self.resolution)  # (T, H, W, 3)
        single = self.clip_size is None
        return {
            "images": torch.from_numpy(crops[0] if single else crops),
            "gamma": torch.from_numpy(np.array(draw.gammas, dtype=np.float32)),
            "pose": torch.from_numpy(target.pose[0] if single else target.pose),
            "action": int(self.classes[number]),
            "name": name,
            "tracked": torch.from_numpy(target.tracked[0] if single else target.tracked),
            "affine": torch.from_numpy(target.affine),
            "root_depth_mm": target.root_depth_mm,
            "depth_scale": target.depth_scale,
            "frame_width": self.index.frame_size(sample)[0],
        }
