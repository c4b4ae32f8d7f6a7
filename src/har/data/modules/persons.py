"""LightningDataModules of persons in images: which train, validate and test."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from har.data.augment import Augmentation
from har.data.lengths import areas, length_text, measured_in
from har.data.modules.base import TrainingDataModule
from har.data.mpii.prepare import open_prepared
from har.data.mpii.reader import person_set
from har.data.persons import VIEWS, PersonDataset
from har.data.records import PersonSet
from har.data.targets import DEPTH_RANGE_MM
from har.errors import HarError
from har.layouts import LayoutLike, get_layout
from har.metrics import oks_sigmas
from har.numbers import check_number, check_switch

log = logging.getLogger(__name__)

_NAMED = 10  # persons that a warning names
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
        val_prefix: only those whose ids begin so.
        repeat: training persons whose ids begin so are seen so many times an epoch, others once.
        metric: ``pck``, or ``pckh`` if the records' lengths are head sizes; names the results.
        threshold: allowed distance in lengths.
        length: what PCK measures in: ``torso``, ``box_diagonal`` or ``box_side``; None: the
            records' own length.
        oks: measure OKS as well, and average precision in ``har.evaluate``.
        oks_sigma: of all joints or of each; None: COCO's for its 17 joints, else 0.1.
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
    length_text = "the records' lengths"

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
        val_prefix: str = "",
        repeat: Mapping[str, int] | None = None,
        metric: str = "pck",
        threshold: float = 0.2,
        length: str | None = None,
        oks: bool = False,
        oks_sigma: float | Sequence[float] | None = None,
        eval_batch_size: int = 24,
        **loading: Any,
    ) -> None:
        super().__init__(
            batch_sizes={"pose": batch_size},
            layout=layout,
            eval_batch_size=eval_batch_size,
            **loading,
        )
        check_number("data.threshold", threshold)
        check_number("data.val_persons", val_persons)
        check_switch("data.oks", oks)
        self.data_dir, self.read = Path(data_dir), read
        self.augmentation, self.views, self.dim = augmentation, views, dim
        self.depth_range_mm = DEPTH_RANGE_MM if dim == 3 else None
        self.boxes, self.train_boxes = boxes, train_boxes
        self.val_persons, self.val_prefix = val_persons, val_prefix
        self.repeat = dict(repeat or {})
        self.length, self.oks, self.oks_sigma = length, oks, oks_sigma
        self.length_text = length_text(length) if length is not None else self.length_text
        self.metric, self.threshold = metric, threshold
        self.person_metric = (metric, threshold, None)

    def setup(self, stage: str | None = None) -> None:
        if self.datasets:
            return
        persons = self.read(self.data_dir)
        self.source = persons.source
        if self.layout is None:
            self.layout = persons.layout
        if self.oks:
            sigmas, self.sigma_text = oks_sigmas(get_layout(self.layout), self.oks_sigma)
            self.person_metric = (self.metric, self.threshold, sigmas)
        training, test = persons.of_split("train"), persons.of_split("test")
        eligible = np.char.startswith(training.rows["id"], self.val_prefix.encode())
        labeled = np.isfinite(training.rows["joints_px"]).any((1, 2))
        if persons.unlabeled == "unknown":  # the others are images of nobody
            eligible &= labeled
        held_out = np.zeros(len(training), dtype=bool)
        held_out[eligible] = hold_out(training.rows[eligible], self.val_persons)
        rows = np.concatenate([training.rows[held_out], persons.of_split("val").rows])
        test = test[self._limited(len(test))]
        validation = self._measured(replace(persons, rows=rows))
        test = self._measured(test)
        self._report_unscored(test)
        self.datasets = {"pose": self._dataset(self._repeated(training[~held_out]), train=True)}
        self.val_samples = self._dataset(validation)
        self.test_samples = self._dataset(test, views=self.views)
        if stage == "fit" and not labeled[~held_out].any():
            raise HarError(
                f"No training person is in {self.data_dir} ({self.source}): prepare more images, "
                "or lower data.val_persons."
            )

    def _repeated(self, training: PersonSet) -> PersonSet:
        times = np.ones(len(training), dtype=int)
        for prefix, count in self.repeat.items():
            times[np.char.startswith(training.rows["id"], prefix.encode())] = count
        return training[np.repeat(np.arange(len(training)), times)]

    def _measured(self, persons: PersonSet) -> PersonSet:
        """Persons with the lengths and areas that metrics measure in."""
        rows = persons.rows.copy()
        if self.length is not None:
            rows["length_px"] = measured_in(self.length, persons)
        if self.oks:
            rows["area_px2"] = areas(persons)
        return replace(persons, rows=rows)

    def _report_unscored(self, persons: PersonSet) -> None:
        """Logs which persons have no length to measure in."""
        unscored = persons.rows["id"][~(persons.rows["length_px"] > 0)].tolist()
        if unscored:
            names = ", ".join(name.decode() for name in unscored[:_NAMED])
            more = f" and {len(unscored) - _NAMED} others" if len(unscored) > _NAMED else ""
            text = "%d of %d test persons have no head box (or other length): not scored: %s%s."
            log.warning(text, len(unscored), len(persons), names, more)

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
        """Split, crops, annotations and what is measured."""
        kind = {"pckh": "PCKh", "pck": "PCK"}[self.metric]
        of_oks = {"oks_sigma": self.sigma_text} if self.oks else {}
        return {
            "split": self.test_split,
            "annotations": self.source,
            "num_test_persons": self.num_test_samples,
            "views": self.views,
            "crops_per_person": len(VIEWS[self.views]),
            "boxes": self.box_texts[self.boxes],
            "metric": f"{kind} at {self.threshold:g} of {self.length_text}",
            **of_oks,
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
    length_text = "the head size (0.6 of the head box's diagonal)"
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
