"""The LightningDataModule of own clips whose frames have passed a frozen pose part once."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from har.data.feature_clips import FeatureClips, all_windows, collate_clips
from har.data.framestore.stored_features import StoredFeatures
from har.data.groups import assign_splits, groups_of
from har.data.modules.base import TrainingDataModule, make_loader
from har.data.own.folder import read_lists
from har.data.own.reader import OwnReader
from har.data.own.record import OwnActions
from har.data.pose_augment import PoseAugmentation
from har.data.sampling import UnpaddedDistributedSampler
from har.errors import HarError
from har.layouts import LayoutLike, get_layout
from har.numbers import check_number

log = logging.getLogger(__name__)

IntArray = NDArray[np.int64]
FOLDS = ("none", "leave_one_group_out")
_INNER_FOLDS = 5


@dataclass(frozen=True)
class Fold:
    """A part of a cross-validation.

    Attributes:
        name: of what is held out.
        train, held_out: rows of the data module's clips.
    """

    name: str
    train: IntArray = field(repr=False)
    held_out: IntArray = field(repr=False)


class OwnFeaturesDataModule(TrainingDataModule):
    """Own clips, a folder per class, by what a frozen pose part gave for their frames.

    Clips in which nobody is seen are left out, and named in ``left_out``.

    Args:
        data_dir: folder of the clips, prepared.
        features: name of the file of features in ``prepared/``.
        actions: names of the classes, in this order; None: all that have a clip, sorted.
        batch_size: clips per batch and process.
        clip_size: frames of a clip.
        pace_s: seconds between them.
        mirror: mirrored clips show the same action; only where the features are poses.
        group_by: regular expression with one group, searched for in the paths of the clips: those
            with the same text (a person, a recording) are on one side of every split.
        folds: ``leave_one_group_out``: every clip trains and is tested, in another fold; ``none``.
        test_share: part of the clips that tests, by groups, where ``group_by`` is given and no
            lists of clips are.
        poses: the features are poses in pixels and confidences.
        augmentation: of training clips.
        depth_range_mm: see :class:`har.models.spec.ModelSpec`.
        layout, **loading: see :class:`har.data.modules.base.TrainingDataModule`.

    Attributes:
        files, groups, classes: of the N clips that are used, (N,) each.
        train_rows, test_rows: which of them train and test.
        left_out: reasons by file.

    Raises:
        HarError: data missing, an expression that cannot be used, or too few classes.
    """

    def __init__(
        self,
        data_dir: str,
        *,
        features: str | None = None,
        actions: Sequence[str] | None = None,
        batch_size: int = 64,
        clip_size: int = 16,
        pace_s: float = 1 / 15,
        mirror: bool | None = True,
        group_by: str | None = None,
        folds: str = "none",
        test_share: float = 0.2,
        poses: bool = True,
        augmentation: PoseAugmentation | None = None,
        depth_range_mm: float | None = None,
        layout: LayoutLike = "pa17j",
        **loading: Any,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("clip_size", clip_size)):
            check_number(name, value)
        check_number("pace_s", pace_s)
        super().__init__(batch_sizes={"action": batch_size}, layout=layout, **loading)
        if folds not in FOLDS:
            raise HarError(f"data.folds={folds}: choose {' or '.join(FOLDS)}.")
        if folds != "none" and group_by is None:
            raise HarError(
                f"data.folds={folds} needs data.group_by=<expression with one group>, which "
                "finds the person or the recording in the path of a clip."
            )
        self.data_dir, self.features_name = Path(data_dir), features
        self.chosen = None if actions is None else [str(action) for action in actions]
        self.clip_size, self.pace_s, self.mirror, self.poses = clip_size, pace_s, mirror, poses
        self.group_by, self.folds, self.test_share = group_by, folds, test_share
        self.augmentation = augmentation or PoseAugmentation()
        self.depth_range_mm = depth_range_mm
        self.left_out: dict[str, str] = {}

    @property
    def clip_seconds_between_frames(self) -> float:
        return self.pace_s

    def setup(self, stage: str | None = None) -> None:
        if self.datasets:
            return
        if self.features_name is None:
            raise HarError("data.features names no file of features: train first.")
        path = self.data_dir / "prepared" / self.features_name
        self.features = StoredFeatures.read(path)
        clips = OwnReader(self.chosen).read(self.data_dir)
        record = OwnActions.read(self.data_dir / "prepared")
        names, files, labels, splits = [], [], [], []
        for split, members in clips.splits.items():
            for number in members.tolist():
                name = clips.index.name(number)
                file = record.clips[name].file
                reason = self._unusable(name, path)
                if reason is not None:
                    self.left_out[file] = reason
                    continue
                names.append(name)
                files.append(file)
                labels.append(clips.labels[int(clips.classes[number])])
                splits.append("train" if split == "val" else split)
        order = np.argsort(np.array(files, dtype=str), kind="stable")
        self.names, self.files = [names[i] for i in order], [files[i] for i in order]
        self.labels = self._classes(clips.labels, set(labels))
        number_of = {label: number for number, label in enumerate(self.labels)}
        self.classes = np.array([number_of[labels[i]] for i in order], np.int64)
        self.groups = groups_of(self.files, self.group_by)
        self._split(np.array([splits[i] for i in order], dtype="S5"))
        self.use(self.train_rows, self.test_rows)

    def _unusable(self, name: str, path: Path) -> str | None:
        """Why a clip cannot be used."""
        clip = self.features.clips.get(name)
        if clip is None:
            raise HarError(
                f"{path} has no features of {name}: run python -m har.train experiment=own_actions "
                f"paths.data_dir={self.data_dir} with the same weights, which adds them."
            )
        if all_windows(clip, self.clip_size, self.pace_s):
            return None
        nobody = clip.num_frames - len(clip.times_s)
        what = "nobody seen" if nobody == clip.num_frames else "too short: nobody seen"
        return f"{what} in {nobody} of {clip.num_frames} frames"

    def _classes(self, labels: Sequence[str], used: set[str]) -> list[str]:
        empty = [label for label in labels if label not in used]
        kept = [label for label in labels if label in used]
        if empty and self.chosen is not None:
            raise HarError(
                f"No clip of the class {empty[0]} in {self.data_dir} can be used: add some, or "
                "leave it out of data.actions."
            )
        if empty:
            log.warning("Without a clip that can be used, left out: %s.", ", ".join(empty))
        if len(kept) < 2:
            there = f"the class {kept[0]} alone" if kept else "no class with a clip"
            raise HarError(
                f"The data in {self.data_dir} has {there} that can be used: a network needs two "
                "classes or more to tell apart."
            )
        return kept

    def _split(self, splits: NDArray[np.bytes_]) -> None:
        """Which clips train and test, no group on both sides."""
        everything = np.arange(len(splits))
        if self.folds != "none":
            self.train_rows = self.test_rows = everything
            return
        if self.group_by is not None:
            if not read_lists(self.data_dir):  # drawn clip by clip
                splits = np.full(len(splits), b"train", dtype="S5")
            shares = {"val": 0.0, "test": self.test_share}
            splits = assign_splits(splits, self.groups, shares, self.seed)
        self.train_rows = everything[splits == b"train"]
        self.test_rows = everything[splits == b"test"]

    def check_classes(self) -> None:
        """Checks that every class has a clip to learn from.

        Raises:
            HarError: one has none.
        """
        trained = set(self.classes[self.train_rows].tolist())
        for number, label in enumerate(self.labels):
            if number not in trained:
                raise HarError(
                    f"No training clip in {self.data_dir} is of the class {label}: add one, change "
                    "the split, or leave the class out of data.actions."
                )

    @property
    def can_mirror(self) -> bool:
        """Whether mirrored clips can be made: of poses whose left and right are known."""
        return self.poses and get_layout(self.layout).can_mirror

    def use(self, train: IntArray, test: IntArray) -> None:
        """Takes these rows for training and test from now on."""
        self.datasets = {"action": self.dataset(train)}
        self.test_samples = self.dataset(test[self._limited(len(test))])

    def dataset(self, rows: IntArray, *, mirror: bool = False) -> FeatureClips:
        """Some of the clips; ``mirror``: those asked for by number are mirrored."""
        layout = get_layout(self.layout)
        can_flip = self.can_mirror
        flips = bool(self.mirror) and can_flip
        return FeatureClips(
            self.features,
            [self.names[row] for row in rows.tolist()],
            self.classes[rows],
            clip_size=self.clip_size,
            pace_s=self.pace_s,
            augmentation=replace(self.augmentation, flip=self.augmentation.flip and flips),
            flip=(layout.flip if can_flip else range(layout.num_joints)) if self.poses else None,
            seed=self.seed,
            mirror=mirror,
        )

    def cross_validation(self) -> list[Fold]:
        """The folds over the training clips: a group each (``leave_one_group_out``), else five of
        groups or of clips class by class. A clip that is the last of its class always trains."""
        rows = self.train_rows
        if self.folds != "none":
            part_of = np.array([self.groups[row] for row in rows])
        else:
            part_of = self._parts(rows)
        folds = []
        for part in sorted(set(part_of.tolist())):
            held = rows[part_of == part]
            train = rows[part_of != part]
            known = np.isin(self.classes[held], self.classes[train])
            train, held = np.sort(np.concatenate([train, held[~known]])), held[known]
            if len(held) and len(train):
                folds.append(Fold(part.removeprefix("group "), train, held))
        return folds

    def _parts(self, rows: IntArray) -> NDArray[np.str_]:
        """Five parts of some rows."""
        place: dict[str, int] = {}
        if self.group_by is not None:
            groups = sorted({self.groups[row] for row in rows.tolist()}, key=_shuffled)
            place = {group: number for number, group in enumerate(groups)}
            parts = [place[self.groups[row]] for row in rows.tolist()]
        else:
            drawn = sorted(rows.tolist(), key=lambda row: _shuffled(self.files[row]))
            of_row: dict[int, int] = {}
            for row in drawn:
                label = self.labels[int(self.classes[row])]
                place[label] = place.get(label, -1) + 1
                of_row[row] = place[label]
            parts = [of_row[row] for row in rows.tolist()]
        return np.array([f"part {part % _INNER_FOLDS + 1}" for part in parts])

    def _eval_loader(self, samples: Any) -> Any:
        assert self.trainer is not None
        ranks = self.trainer.global_rank, self.trainer.world_size
        share = UnpaddedDistributedSampler(len(samples), *ranks)
        options = {"batch_size": self.eval_batch_size, "sampler": share}
        return make_loader(samples, self.num_workers, collate_fn=collate_clips, **options)

    def describe_protocol(self) -> dict[str, Any]:
        """Split, groups and clips."""
        return {
            "split": "own" if self.folds == "none" else self.folds,
            "clips": "all, each 0.25 s; mean of their log probabilities",
            "num_test_clips": self.num_test_samples,
            "group_by": self.group_by,
            "actions": list(self.labels),
            "left_out": self.left_out,
        }


def _shuffled(text: str) -> tuple[int, str]:
    return crc32(text.encode()), text
