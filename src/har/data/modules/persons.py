"""The LightningDataModule of MPII: who trains, who is looked at meanwhile, who is measured."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

from har.data.augment import Augmentation
from har.data.modules.base import TrainingDataModule
from har.data.mpii.persons import Persons, Split, estimated_head_size_px, head_size_px
from har.data.mpii.prepare import open_prepared
from har.data.persons import VIEWS, MPIIDataset
from har.errors import HarError

log = logging.getLogger(__name__)

_HOLD_OUT_SEED = 2014  # the same persons in every run, whatever its seed


class MPIIDataModule(TrainingDataModule):
    """Persons of MPII Human Pose, one crop each.

    The test split is the validation set of Tompson et al. (CVPR 2015), on which the field reports:
    MPII gives no joints of its own test images out. So nothing is chosen on it; curves come from
    training persons that are held out.

    Args:
        data_dir: folder of the data set (or one that has it in ``mpii/``), prepared by
            ``python -m har.prepare mpii``.
        layout: joint layout of the poses.
        dim: 2, or 3 for networks that also learn depth elsewhere.
        batch_size: persons per batch and process.
        resolution: (width, height) of crops in pixels.
        augmentation: for training crops.
        views: crops per person in the test: ``single``, ``flip`` or ``multicrop``.
        val_persons: training persons kept out of training for curves, by whole images; 0: none.
        single_person_only: train only on persons that stand apart from others, by the official
            annotations' list.
        eval_batch_size: persons per evaluation batch and process.
        limit_eval: at most so many test persons, spread evenly; None: all.
        num_workers: loader processes.
        seed: of shuffling and augmentation.

    Raises:
        HarError: data missing, or a selection without a training person.
    """

    person_metric = ("pckh", 0.5)
    val_kinds = test_kinds = ("person",)

    def __init__(
        self,
        data_dir: str,
        *,
        layout: str = "pa16j",
        dim: int = 2,
        batch_size: int = 24,
        resolution: Sequence[int] = (256, 256),
        augmentation: Augmentation | None = None,
        views: str = "single",
        val_persons: int = 200,
        single_person_only: bool = False,
        eval_batch_size: int = 24,
        limit_eval: int | None = None,
        num_workers: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_sizes={"pose": batch_size},
            eval_batch_size=eval_batch_size,
            num_workers=num_workers,
            seed=seed,
        )
        self.data_dir = Path(data_dir)
        self.layout, self.dim = layout, dim
        self.resolution = (int(resolution[0]), int(resolution[1]))
        self.augmentation, self.views = augmentation, views
        self.val_persons, self.single_person_only = val_persons, single_person_only
        self.limit_eval = limit_eval
        self.val_samples: MPIIDataset | None = None
        self.test_samples: MPIIDataset | None = None

    # ---------------------------------------------------------------- samples

    def setup(self, stage: str | None = None) -> None:
        if self.datasets:
            return
        prepared = open_prepared(self.data_dir)
        self.images_dir, self.source = prepared.images_dir, prepared.source
        training = prepared.persons[prepared.persons["split"] == Split.TRAIN]
        test = prepared.persons[prepared.persons["split"] == Split.VALIDATION]
        if self.single_person_only:
            if (training["stands_apart"] < 0).all():
                raise HarError(
                    f"data.single_person_only: the {self.source} in {self.data_dir} do not tell "
                    "which persons stand apart; only the official annotations do."
                )
            training = training[training["stands_apart"] == 1]
        held_out = hold_out(training, self.val_persons)
        if self.limit_eval is not None and len(test) > self.limit_eval:
            test = test[np.linspace(0, len(test) - 1, self.limit_eval).round().astype(int)]
        without = int((~(head_size_px(test) > 0)).sum())
        if without:
            log.warning("%d of %d test persons have no head box: not scored.", without, len(test))
        self.datasets = {"pose": self._dataset(training[~held_out], self.augmentation)}
        self.val_samples = self._dataset(training[held_out])
        self.test_samples = self._dataset(test, views=self.views, head_boxes_only=True)
        if stage == "fit" and len(self.datasets["pose"]) == 0:
            raise HarError(
                f"No training person lies in {self.data_dir} ({self.source}): prepare more images, "
                "or lower data.val_persons."
            )

    def _dataset(
        self,
        persons: Persons,
        augmentation: Augmentation | None = None,
        views: str = "single",
        head_boxes_only: bool = False,
    ) -> MPIIDataset:
        # Curves may use an estimate where the file has no head boxes; figures never do.
        size = head_size_px(persons) if head_boxes_only else estimated_head_size_px(persons)
        return MPIIDataset(
            persons,
            self.images_dir,
            size,
            resolution=self.resolution,
            layout=self.layout,
            dim=self.dim,
            augmentation=augmentation,
            views=views,
            seed=self.seed,
        )

    # ---------------------------------------------------------------- evaluation

    @property
    def num_test_samples(self) -> int:
        """Number of test persons."""
        return len(self.test_samples) if self.test_samples is not None else 0

    def describe_protocol(self) -> dict[str, Any]:
        """Split, crops and annotations."""
        return {
            "split": "MPII validation (Tompson et al.)",
            "annotations": self.source,
            "num_test_persons": self.num_test_samples,
            "views": self.views,
            "crops_per_person": len(VIEWS[self.views]),
            "boxes": "annotated center and scale",
            "prediction_block": "last",
        }

    def val_dataloader(self) -> Any:
        # Nothing to validate on is no loader, not an empty one, which Lightning complains of.
        return self._eval_loader(self.val_samples) if self.val_samples else []

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        return self._eval_loader(self.test_samples)


def hold_out(persons: Persons, count: int) -> np.ndarray:
    """Which persons to keep out of training, (N,) bool: at least ``count``, in whole images,
    always the same ones.

    Raises:
        HarError: there are not so many persons.
    """
    if len(persons) == 0:
        return np.zeros(0, dtype=bool)  # somebody who only measures
    if not 0 <= count < len(persons):
        raise HarError(
            f"data.val_persons={count}, but there are {len(persons)} training persons: keep fewer "
            "out."
        )
    _, image = np.unique(persons["image"], return_inverse=True)
    per_image = np.bincount(image, minlength=1)
    order = np.random.default_rng(_HOLD_OUT_SEED).permutation(len(per_image))
    before = np.cumsum(per_image[order]) - per_image[order]
    return np.isin(image, order[before < count])
