"""Clips for training and evaluation: which samples are in which split, and in what batches."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from har.data.augment import Augmentation
from har.data.clip_set import ClipReader, ClipSet
from har.data.clips_dataset import ClipDataset
from har.data.framestore.predicted_boxes import open_predicted_boxes
from har.data.modules.base import TrainingDataModule
from har.data.ntu.reader import NTUReader
from har.data.own.reader import OwnReader
from har.data.targets import DEPTH_RANGE_MM
from har.errors import HarError
from har.layouts import LayoutLike
from har.numbers import check_number


class ClipDataModule(TrainingDataModule):
    """Clips with poses and actions of any prepared data set, and single frames for poses.

    Clips and frames come from one loader, batch by batch in turn, one update each, as the recipe
    trains. (Lightning's ``CombinedLoader`` hands over both at once: docs/design.md, "Decisions".)

    Args:
        data_dir: folder of the data set, prepared.
        reader: returns its clips, classes and splits.
        batch_size: clips per batch and process.
        frame_batch_size: single frames per batch and process; None: clips only.
        clip_size: frames per clip.
        step: between the frames of evaluation clips, in 1/15 s (Penn Action: in frames).
        boxes: crop around the ``ground_truth`` joints, or around boxes ``predicted`` by
            ``python -m har.prepare boxes``.
        augmentation: for training clips.
        frame_augmentation: for training frames.
        validate_on_training: validate on the training clips, to see a network overfit.
        layout, **loading: see :class:`har.data.modules.base.TrainingDataModule`.

    Attributes:
        clips: the data set, from ``setup`` on.
        val_clips, test_clips: fixed clips, from ``setup`` on.

    Raises:
        HarError: data missing, or a selection without a single training sample.
    """

    clips: ClipSet

    def __init__(
        self,
        data_dir: str,
        *,
        reader: ClipReader,
        batch_size: int = 4,
        frame_batch_size: int | None = None,
        clip_size: int = 8,
        step: int = 4,
        layout: LayoutLike = "pa17j",
        boxes: str = "ground_truth",
        augmentation: Augmentation | None = None,
        frame_augmentation: Augmentation | None = None,
        validate_on_training: bool = False,
        **loading: Any,
    ) -> None:
        check_number("batch_size", batch_size)
        check_number("clip_size", clip_size)
        check_number("step", step)
        frames = {} if frame_batch_size is None else {"pose": frame_batch_size}
        super().__init__(batch_sizes={"action": batch_size, **frames}, layout=layout, **loading)
        self.data_dir, self.reader = Path(data_dir), reader
        self.labels, self.actions = list(reader.labels), list(reader.actions)
        self.camera = reader.camera
        self.depth_range_mm = None if reader.camera is None else DEPTH_RANGE_MM
        self.clip_size, self.step = clip_size, step
        self.boxes, self.validate_on_training = boxes, validate_on_training
        self.augmentation, self.frame_augmentation = augmentation, frame_augmentation
        self.val_clips: ClipDataset | None = None
        self.test_clips: ClipDataset | None = None

    def setup(self, stage: str | None = None) -> None:
        if self.datasets:
            return
        self.clips = self.reader.read(self.data_dir)
        self.labels = self.clips.labels
        self._predicted_boxes = open_predicted_boxes(self.clips.index, self.boxes)
        train = self.clips.splits["train"]
        self.val_clips = self._fixed_clips("train" if self.validate_on_training else "val")
        self.test_clips = self._fixed_clips("test")
        self.val_samples, self.test_samples = self.val_clips, self.test_clips
        self.datasets = {"action": self._dataset(train, self.clip_size, self.augmentation)}
        if "pose" in self.batch_sizes:
            self.datasets["pose"] = self._pose_samples(train)
        if stage == "fit" and len(train) == 0:
            raise HarError(
                f"No training sample of {self.clips.protocol} lies in {self.data_dir} for the "
                f"actions {self.actions or self.labels}; prepare more samples, or change "
                "data.protocol or data.actions."
            )

    def _pose_samples(self, train: np.ndarray) -> Dataset[dict[str, Any]]:
        """What batches of poses are drawn from: here single frames of the training clips."""
        with_poses = train[self.clips.index.has_joints[train]]
        return self._dataset(with_poses, None, self.frame_augmentation)

    def _dataset(
        self, selection: np.ndarray, clip_size: int | None, augmentation: Augmentation | None
    ) -> ClipDataset:
        return ClipDataset(
            self.clips.index,
            self.clips.store,
            selection,
            self.clips.classes[selection],
            clip_size=clip_size,
            resolution=self.resolution,
            layout=self.layout,
            augmentation=augmentation,
            step=self.step,
            seed=self.seed,
            boxes=self._predicted_boxes,
        )

    def _fixed_clips(self, split: str) -> ClipDataset:
        selection = self.clips.splits[split]
        return self._dataset(selection[self._limited(len(selection))], self.clip_size, None)

    @property
    def clip_seconds_between_frames(self) -> float:
        """Pace of the evaluation clips, whatever rate the stored frames have; from ``setup`` on."""
        return self.step / self.clips.index.steps_per_second

    def describe_protocol(self) -> dict[str, Any]:
        """Split, clips, boxes and classes."""
        boxes = self.boxes.replace("_", " ")
        if self.boxes == "ground_truth" and self.test_clips:
            without = int((~self.clips.index.has_joints[self.test_clips.selection]).sum())
            if without:
                boxes += f"; the whole image for {without} clips without skeletons"
        return {
            "split": self.reader.protocol,
            "clips": "single, centered",
            "num_test_clips": self.num_test_samples,
            "boxes": boxes,
            "actions": list(self.actions or self.labels),
            "prediction_block": "last",
        }


class NTUDataModule(ClipDataModule):
    """Clips of NTU RGB+D with poses and actions.

    Args:
        data_dir: folder of the data set (or one that has it in ``ntu/``), prepared by
            ``python -m har.prepare ntu``.
        protocol: ``xsub60``, ``xview60``, ``xsub120`` or ``xset120``. (``own``, which checkpoints
            of version 0.1.0 state, is :class:`OwnActionsDataModule`'s reader.)
        actions: NTU action numbers (from 1) that are classes, in this order; None: all of them,
            60 or 120 by the protocol.
        val_subjects: training subjects kept out of training for curves; nothing is ever chosen
            on the test subjects.
        **clips: everything else, see :class:`ClipDataModule`.
    """

    def __init__(
        self,
        data_dir: str,
        *,
        protocol: str = "xsub60",
        actions: Sequence[Any] | None = None,
        val_subjects: Sequence[int] = (),
        **clips: Any,
    ) -> None:
        own = protocol == "own"
        reader = OwnReader(actions) if own else NTUReader(protocol, actions, val_subjects)
        super().__init__(data_dir, reader=reader, **clips)


class MultitaskDataModule(NTUDataModule):
    """Clips of NTU RGB+D for actions and its single frames for poses.

    Args:
        frame_batch_size: single frames per batch and process.
        **clips: everything else, see :class:`NTUDataModule`.
    """

    def __init__(self, data_dir: str, *, frame_batch_size: int = 32, **clips: Any) -> None:
        super().__init__(data_dir, frame_batch_size=frame_batch_size, **clips)


class OwnActionsDataModule(ClipDataModule):
    """Own clips, a folder per class, prepared by ``python -m har.prepare actions``.

    Args:
        actions: names of the classes, in this order; None: all, sorted.
        frame_batch_size: single frames per batch and process, of the clips that have skeletons.
        **clips: everything else, see :class:`ClipDataModule`.
    """

    def __init__(
        self,
        data_dir: str,
        *,
        actions: Sequence[str] | None = None,
        frame_batch_size: int = 32,
        **clips: Any,
    ) -> None:
        super().__init__(
            data_dir, reader=OwnReader(actions), frame_batch_size=frame_batch_size, **clips
        )
