"""Prepared clips as samples: a single frame with its pose, or a clip with poses and action."""

from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch.utils.data import Dataset

from har.data.augment import Augmentation, AugmentParams
from har.data.clips import clip_frames, num_random_starts
from har.data.crops import read_crops
from har.data.framestore.index import Annotation, FrameIndex
from har.data.framestore.predicted_boxes import PredictedBoxes, box_of_clip
from har.data.framestore.reader import FrameStore
from har.data.sampling import Key, seeded_rng
from har.data.targets import Target, clip_target, joint_order
from har.layouts import LayoutLike, get_layout


class ClipDataset(Dataset[dict[str, Any]]):
    """Samples of a prepared data set; the acting person of each gives crops and poses.

    An item is asked for by ``(kind, number, draw)`` in training, where ``draw`` alone decides the
    augmentation, or by its number for the one fixed, unaugmented clip of the sample. Items
    are rows of a :class:`har.data.records.ClipBatch`, or of a ``FrameBatch`` for single frames.

    Args:
        index, store: the prepared data.
        selection: numbers of the samples in the index, (N,).
        classes: class index of every selected sample, (N,).
        clip_size: frames of a clip; None: single frames.
        resolution: (width, height) of the crops in pixels.
        layout: joint layout of the poses.
        augmentation: what is drawn at random; its default draws nothing.
        step: between the frames of the fixed clip, in 1/15 s.
        seed: the run's seed.
        boxes: crop around these; None: around the true joints.

    Raises:
        HarError: the layout cannot be made from the stored joints, or crops would leave what is
            stored of the frames.
    """

    def __init__(
        self,
        index: FrameIndex,
        store: FrameStore,
        selection: np.ndarray,
        classes: np.ndarray,
        *,
        clip_size: int | None,
        resolution: tuple[int, int],
        layout: LayoutLike = "pa17j",
        augmentation: Augmentation | None = None,
        step: int = 4,
        seed: int = 0,
        boxes: PredictedBoxes | None = None,
    ) -> None:
        self.index, self.store = index, store
        self.selection, self.classes = selection, classes
        self.clip_size, self.resolution = clip_size, resolution
        self.layout = index.layout if layout == index.layout.name else get_layout(layout)
        self._order = joint_order(self.layout, index.layout)
        self.augmentation = augmentation or Augmentation()
        self.step, self.seed, self.boxes = step, seed, boxes
        index.check_margin(self.augmentation, true_boxes=boxes is None)

    def __len__(self) -> int:
        return len(self.selection)

    def checksums(self) -> list[int]:
        """Of the samples' names and of their classes."""
        names = b"\n".join(self.index.names[self.selection].tolist())
        return [crc32(names), crc32(self.classes.astype("<i8").tobytes())]

    def frames_of(
        self, sample: int, params: AugmentParams, rng: np.random.Generator | None
    ) -> np.ndarray:
        """Positions of the stored frames that make an item, (T,).

        Args:
            sample: its number in the index.
            params: augmentation.
            rng: of the start; None: the clip, or the frame, in the middle.
        """
        if self.clip_size is None:
            length = int(self.index.num_frames[sample])
            return np.array([length // 2 if rng is None else int(rng.integers(length))])
        grid = self.index.grid(sample)
        if rng is None:
            return grid[clip_frames(len(grid), self.clip_size, self.step)]
        start = int(rng.integers(num_random_starts(len(grid), self.clip_size, params.step)))
        return grid[clip_frames(len(grid), self.clip_size, params.step, start)]

    def target(
        self,
        sample: int,
        annotation: Annotation,
        frames: np.ndarray,
        params: AugmentParams,
        box: np.ndarray | None = None,
    ) -> Target:
        """Crop and poses of some frames of a sample, positions (T,), that share one box: ``box``
        (4,) in pixels of the frames, else that of the sample's."""
        size = self.index.frame_size(sample)
        if box is None and self.boxes is not None:
            boxes = self.boxes.of_sample(self.index.name(sample), len(annotation.joints_px))
            box = box_of_clip(boxes[frames], size, every_frame=self.boxes.every_frame)
        return clip_target(
            annotation.joints_px[frames],
            None if annotation.depth_mm is None else annotation.depth_mm[frames],
            annotation.state[frames],
            layout=self.layout,
            order=self._order,
            frame_size=size,
            params=params,
            width_px=self.index.joints_width_px,
            box=box,
            # Where no joints were recorded the crop shows all of the picture, undistorted.
            use_true_box=bool(np.isfinite(annotation.joints_px).any()),
            recipe_width_px=self.index.recipe_width_px,
        )

    def __getitem__(self, key: int | Key) -> dict[str, Any]:
        if isinstance(key, tuple):
            kind, number, draw_number = key
            rng = seeded_rng(self.seed, kind, draw_number)
            params = self.augmentation.sample(rng)
        else:
            number, rng, params = key, None, AugmentParams()
        sample = int(self.selection[number])
        name = self.index.name(sample)
        frames = self.frames_of(sample, params, rng)
        target = self.target(sample, self.index.annotation(sample), frames, params)
        from_picture = target.affine @ self.index.region_offset(sample)
        crops = read_crops(self.store, name, frames, from_picture, self.resolution)  # (T, H, W, 3)
        single = self.clip_size is None
        camera = self.index.intrinsics(sample)
        of_camera = {} if camera is None else {"intrinsics": torch.from_numpy(camera)}
        return {
            **of_camera,
            "images": torch.from_numpy(crops[0] if single else crops),
            "gamma": torch.from_numpy(np.array(params.gammas, dtype=np.float32)),
            "pose": torch.from_numpy(target.pose[0] if single else target.pose),
            "action": int(self.classes[number]),
            "name": name,
            "tracked": torch.from_numpy(target.tracked[0] if single else target.tracked),
            "affine": torch.from_numpy(target.affine),
            "root_depth_mm": target.root_depth_mm,
            "depth_scale": target.depth_scale,
            "frame_width": self.index.frame_size(sample)[0],
        }
