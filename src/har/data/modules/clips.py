"""LightningDataModules: which samples train, validate and test, and in what batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from har.data.augment import Augmentation
from har.data.clips_dataset import NTUDataset
from har.data.framestore.boxes import open_boxes
from har.data.framestore.staging import open_prepared
from har.data.modules.base import TrainingDataModule
from har.data.ntu.labels import ACTION_NAMES
from har.data.ntu.splits import split_indices
from har.data.ntu.targets import COLOR_CAMERA, DEPTH_RANGE_MM
from har.data.own.folder import SPLITS
from har.data.own.record import OwnActions, is_own
from har.errors import HarError


class NTUDataModule(TrainingDataModule):
    """Clips of NTU RGB+D with poses and actions, or own clips in its form.

    Args:
        data_dir: folder of the data set (or one that has it in ``ntu/``), prepared by
            ``python -m har.prepare ntu``, or ``actions`` for own clips.
        protocol: ``xsub60``, ``xview60``, ``xsub120`` or ``xset120``; ``own`` for own clips.
        actions: NTU action numbers (from 1) that are classes, in this order; None: all of them,
            60 or 120 by the protocol. Of own clips: names of classes.
        val_subjects: training subjects kept out of training for curves; nothing is ever chosen
            on the test subjects.
        batch_size: clips per batch and process.
        clip_size: frames per clip.
        step: frame step of evaluation clips, in stored frames.
        resolution: (width, height) of crops in pixels.
        layout: joint layout of the poses.
        boxes: crop around the ``ground_truth`` joints, or around boxes ``predicted`` by
            ``python -m har.prepare boxes``.
        augmentation: for training clips.
        eval_batch_size: clips per evaluation batch and process.
        limit_eval: at most so many evaluation clips, spread evenly; None: all.
        validate_on_training: validate on the training clips, to see a network overfit.
        num_workers: loader processes.
        seed: of shuffling and augmentation.

    Raises:
        HarError: data missing, or a selection without a single training sample.
    """

    camera, depth_range_mm = COLOR_CAMERA, DEPTH_RANGE_MM

    def __init__(
        self,
        data_dir: str,
        *,
        protocol: str = "xsub60",
        actions: Sequence[int] | Sequence[str] | None = None,
        val_subjects: Sequence[int] = (),
        batch_size: int = 4,
        clip_size: int = 8,
        step: int = 4,
        resolution: Sequence[int] = (256, 256),
        layout: str = "pa17j",
        boxes: str = "ground_truth",
        augmentation: Augmentation | None = None,
        eval_batch_size: int = 8,
        limit_eval: int | None = None,
        validate_on_training: bool = False,
        num_workers: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_sizes={"action": batch_size},
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            seed=seed,
        )
        self.data_dir, self.protocol = Path(data_dir), protocol
        self.own: OwnActions | None = None  # with protocol "own", from setup on
        if protocol == "own":
            self._chosen_labels = None if actions is None else [str(label) for label in actions]
        else:
            count = 120 if protocol.endswith("120") else 60
            chosen = range(1, count + 1) if actions is None else actions
            self.actions = [int(action) for action in chosen]
            self.labels = [ACTION_NAMES[action - 1] for action in self.actions]
        self.val_subjects = tuple(val_subjects)
        self.clip_size, self.step = clip_size, step
        self.resolution = (int(resolution[0]), int(resolution[1]))
        self.layout, self.augmentation = layout, augmentation
        self.boxes = boxes
        self.limit_eval, self.validate_on_training = limit_eval, validate_on_training
        self.val_clips: NTUDataset | None = None
        self.test_clips: NTUDataset | None = None

    # ---------------------------------------------------------------- samples

    def setup(self, stage: str | None = None) -> None:
        if self.datasets:
            return
        if self.protocol == "own":
            self.own = OwnActions.read(self.data_dir / "prepared")
            self.labels = self.own.choose(self._chosen_labels)
            self.actions = [self.own.classes[label] for label in self.labels]
        self.index, self.store = open_prepared(self.data_dir)
        self.predicted_boxes = open_boxes(self.index, self.boxes)
        self.train_selection, validation, test = self._splits()
        if self.validate_on_training:
            validation = self.train_selection
        self.val_clips = self._fixed_clips(validation)
        self.test_clips = self._fixed_clips(test)
        self.datasets = self._training_datasets()
        if stage == "fit" and len(self.train_selection) == 0:
            raise HarError(
                f"No training sample of {self.protocol} lies in {self.data_dir} for the actions "
                f"{self.actions}; prepare more samples, or change data.protocol or data.actions."
            )

    def _splits(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numbers of the samples that train, validate and test."""
        index, own = self.index, self.own
        if own is not None:
            train, val, test = (own.select(index.names, split, self.labels) for split in SPLITS)
            return train, val, test
        if is_own(index.path.parent):
            raise HarError(
                f"{index.path.parent} holds own actions: set data.protocol=own, or use "
                "experiment=own_actions."
            )
        train = split_indices(index, self.protocol, "train", self.actions)
        test = split_indices(index, self.protocol, "test", self.actions)
        kept_out = np.isin(index.subjects[train], self.val_subjects)
        return train[~kept_out], train[kept_out], test

    def _with_poses(self, selection: np.ndarray) -> np.ndarray:
        """The samples whose skeletons are known."""
        if self.own is None:
            return selection
        return selection[self.own.have_poses(self.index.names[selection])]

    def _training_datasets(self) -> dict[str, NTUDataset]:
        """What training batches are drawn from, by kind."""
        clips = self._dataset(self.train_selection, self.clip_size, self.augmentation)
        return {"action": clips}

    def _dataset(
        self, selection: np.ndarray, clip_size: int | None, augmentation: Augmentation | None
    ) -> NTUDataset:
        class_of = np.full(1 + max(self.actions), -1)
        class_of[self.actions] = np.arange(len(self.actions))
        return NTUDataset(
            self.index,
            self.store,
            selection,
            class_of[self.index.actions[selection]],
            clip_size=clip_size,
            resolution=self.resolution,
            layout=self.layout,
            augmentation=augmentation,
            step=self.step,
            seed=self.seed,
            boxes=self.predicted_boxes,
        )

    def _fixed_clips(self, selection: np.ndarray) -> NTUDataset:
        if self.limit_eval is not None and len(selection) > self.limit_eval:
            chosen = np.linspace(0, len(selection) - 1, self.limit_eval).round().astype(int)
            selection = selection[chosen]
        return self._dataset(selection, self.clip_size, None)

    # ---------------------------------------------------------------- evaluation

    @property
    def clip_seconds_between_frames(self) -> float:
        """Pace of the evaluation clips, whatever rate the stored frames have."""
        return self.step / 15

    @property
    def num_test_samples(self) -> int:
        """Number of test clips."""
        return len(self.test_clips) if self.test_clips is not None else 0

    def describe_protocol(self) -> dict[str, Any]:
        """Split, clips, boxes and classes."""
        boxes = self.boxes.replace("_", " ")
        test = self.test_clips.selection if self.test_clips is not None else np.empty(0, int)
        without = len(test) - len(self._with_poses(test))
        if self.boxes == "ground_truth" and without:
            boxes += f"; the whole image for {without} clips without skeletons"
        return {
            "split": self.protocol,
            "clips": "single, centered",
            "num_test_clips": self.num_test_samples,
            "boxes": boxes,
            "actions": list(self.actions),
            "prediction_block": "last",
        }

    def val_dataloader(self) -> Any:
        # Nothing to validate on is no loader, not an empty one, which Lightning complains of.
        return self._eval_loader(self.val_clips) if self.val_clips else []

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        return self._eval_loader(self.test_clips)


class MultitaskDataModule(NTUDataModule):
    """Clips for actions and single frames for poses, batch by batch in turn.

    The two kinds come from one loader, one update each, as the recipe trains. (Lightning's
    ``CombinedLoader`` would hand over both at once, which needs manual optimization for two
    updates, and that gives up gradient clipping, schedules and a true step count.)

    Args:
        frame_batch_size: single frames per batch and process.
        frame_augmentation: for training frames.
        **clips: everything else, see :class:`NTUDataModule`.
    """

    def __init__(
        self,
        data_dir: str,
        *,
        frame_batch_size: int = 32,
        frame_augmentation: Augmentation | None = None,
        **clips: Any,
    ) -> None:
        super().__init__(data_dir, **clips)
        self.batch_sizes["pose"] = frame_batch_size
        self.frame_augmentation = frame_augmentation

    def _training_datasets(self) -> dict[str, NTUDataset]:
        selection = self._with_poses(self.train_selection)
        frames = self._dataset(selection, None, self.frame_augmentation)
        return {**super()._training_datasets(), "pose": frames}
