"""LightningDataModules of persons in images: which train, validate and test."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from har.data.augment import Augmentation
from har.data.modules.base import TrainingDataModule
from har.data.mpii.prepare import open_prepared
from har.data.mpii.reader import person_set
from har.data.persons import VIEWS, PersonDataset
from har.data.records import PersonSet
from har.errors import HarError
from har.layouts import LayoutLike

log = logging.getLogger(__name__)

_HOLD_OUT_SEED = 2014  # the same persons in every run, whatever its seed


class PersonDataModule(TrainingDataModule):
    """Persons of any data set, one crop each; a reader turns its files into records.

    Nothing is chosen on the test split; curves come from the validation split and from training
    persons that are held out.

    Args:
        data_dir: folder of the data set.
        read: returns the persons of that folder.
        layout: joint layout of the poses; None: the data set's own.
        dim: 2, or 3 for networks that also learn depth elsewhere.
        batch_size: persons per batch and process.
        augmentation: for training crops.
        boxes: crops of evaluation, see :class:`har.data.persons.PersonDataset`.
        train_boxes: crops of training.
        views: crops per person in the test: ``single``, ``flip`` or ``multicrop``.
        val_persons: training persons kept out of training for curves, by whole images; 0: none.
        metric: ``pck``, or ``pckh`` if the records' lengths are head sizes; names the results.
        threshold: allowed distance in lengths.
        eval_batch_size, **loading: see :class:`har.data.modules.base.TrainingDataModule`;
            ``limit_eval`` limits the test persons.

    Raises:
        HarError: data missing, or a selection without a training person.
    """

    val_kinds = test_kinds = ("person",)
    val_samples: PersonDataset | None
    test_samples: PersonDataset | None
    clip_size, clip_seconds_between_frames = 1, None
    test_split = "test"  # this and the boxes as the protocol describes them
    box_texts: ClassVar = {"ground_truth": "annotated", "image": "whole image"}

    def __init__(
        self,
        data_dir: str,
        read: Callable[[Path], PersonSet],
        *,
        layout: LayoutLike | None = None,
        dim: int = 2,
        batch_size: int = 24,
        augmentation: Augmentation | None = None,
        boxes: str = "ground_truth",
        train_boxes: str = "ground_truth",
        views: str = "single",
        val_persons: int = 0,
        metric: str = "pck",
        threshold: float = 0.2,
        eval_batch_size: int = 24,
        **loading: Any,
    ) -> None:
        super().__init__(
            batch_sizes={"pose": batch_size},
            layout=layout,
            eval_batch_size=eval_batch_size,
            **loading,
        )
        self.data_dir, self.read = Path(data_dir), read
        self.augmentation, self.views, self.dim = augmentation, views, dim
        self.boxes, self.train_boxes = boxes, train_boxes
        self.val_persons = val_persons
        self.person_metric = (metric, threshold)

    def setup(self, stage: str | None = None) -> None:
        if self.datasets:
            return
        persons = self.read(self.data_dir)
        self.source = persons.source
        if self.layout is None:
            self.layout = persons.layout
        training, test = persons.of_split("train"), persons.of_split("test")
        held_out = hold_out(training.rows, self.val_persons)
        validation = np.concatenate([training.rows[held_out], persons.of_split("val").rows])
        test = test[self._limited(len(test))]
        without = int((~(test.rows["length_px"] > 0)).sum())
        if without:
            text = "%d of %d test persons have no head box (or other length): not scored."
            log.warning(text, without, len(test))
        self.datasets = {"pose": self._dataset(training[~held_out], train=True)}
        self.val_samples = self._dataset(PersonSet(validation, persons.images_dir, persons.layout))
        self.test_samples = self._dataset(test, views=self.views)
        if stage == "fit" and len(self.datasets["pose"]) == 0:
            raise HarError(
                f"No training person is in {self.data_dir} ({self.source}): prepare more images, "
                "or lower data.val_persons."
            )

    def _dataset(
        self, persons: PersonSet, *, train: bool = False, views: str = "single"
    ) -> PersonDataset:
        return PersonDataset(
            persons,
            resolution=self.resolution,
            layout=self.layout,
            dim=self.dim,
            augmentation=self.augmentation if train else None,
            boxes=self.train_boxes if train else self.boxes,
            views=views,
            seed=self.seed,
        )

    def describe_protocol(self) -> dict[str, Any]:
        """Split, crops and annotations."""
        return {
            "split": self.test_split,
            "annotations": self.source,
            "num_test_persons": self.num_test_samples,
            "views": self.views,
            "crops_per_person": len(VIEWS[self.views]),
            "boxes": self.box_texts[self.boxes],
            "prediction_block": "last",
        }


class MPIIDataModule(PersonDataModule):
    """Persons of MPII Human Pose, one crop each.

    The test split is the validation set of Tompson et al. (CVPR 2015), on which the field reports:
    MPII publishes no joints of its own test images.

    Args:
        data_dir: folder of the data set (or one that has it in ``mpii/``), prepared by
            ``python -m har.prepare mpii``.
        layout, val_persons, **persons: see :class:`PersonDataModule`.
        single_person_only: train only on persons that stand apart from others, by the official
            annotations' list.
    """

    test_split = "MPII validation (Tompson et al.)"
    box_texts: ClassVar = {
        "ground_truth": "annotated center and scale",
        "image": "whole image",
    }

    def __init__(
        self,
        data_dir: str,
        *,
        layout: LayoutLike = "pa16j",
        val_persons: int = 200,
        single_person_only: bool = False,
        **persons: Any,
    ) -> None:
        self.single_person_only = single_person_only
        super().__init__(
            data_dir,
            self._read,
            layout=layout,
            val_persons=val_persons,
            metric="pckh",
            threshold=0.5,
            **persons,
        )

    def _read(self, data_dir: Path) -> PersonSet:
        prepared = open_prepared(data_dir)
        persons = person_set(prepared.persons, prepared.images_dir, prepared.source)
        if not self.single_person_only:
            return persons
        apart = prepared.persons["stands_apart"]
        training = persons.rows["split"] == b"train"
        if (apart[training] < 0).all():
            raise HarError(
                f"data.single_person_only: the {prepared.source} in {data_dir} do not state which "
                "persons stand apart; only the official annotations do."
            )
        return persons[(apart == 1) | ~training]


def hold_out(persons: np.ndarray, count: int) -> np.ndarray:
    """Which persons to keep out of training, (N,) bool: at least ``count``, in whole images,
    always the same ones.

    Args:
        persons: (N,) with a field ``image``.
        count: how many.

    Raises:
        HarError: there are not so many persons.
    """
    if len(persons) == 0:
        return np.zeros(0, dtype=bool)  # an evaluation without training data
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
