"""The LightningDataModule of own pictures with COCO key points."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from har.data.coco.prepare import open_prepared
from har.data.coco.skeleton import mirroring
from har.data.groups import assign_splits, groups_of
from har.data.modules.persons import PersonDataModule
from har.data.records import PersonSet
from har.errors import HarError
from har.layouts import get_layout
from har.numbers import check_number, check_switch

log = logging.getLogger(__name__)


class OwnPosesDataModule(PersonDataModule):
    """Persons in own pictures with joints of any skeleton, one crop each (``docs/own_poses.md``).

    Joints that are not labeled teach nothing; pictures without anybody teach a confidence of 0.
    Without test annotations the validation persons are what an evaluation measures, which the
    protocol says. Where left and right are not known, nothing is mirrored.

    Args:
        data_dir: where ``python -m har.prepare persons`` wrote.
        enlarge: side of the crop in longer sides of the box.
        val_share, test_share: parts of the training persons that are kept out where no file of
            annotations is for it; by groups.
        group_by: regular expression with one group, searched for in the paths of the pictures:
            those with the same text (a video, a person) stay on one side.
        negatives: train on pictures without anybody.
        length, **persons: see :class:`PersonDataModule`.

    Raises:
        HarError: data missing, an expression or shares that cannot be used, mirrored views of
            joints whose left and right are not known, or no training person.
    """

    def __init__(
        self,
        data_dir: str,
        *,
        length: str = "box_diagonal",
        enlarge: float = 1.25,
        val_share: float = 0.1,
        test_share: float = 0.0,
        group_by: str | None = None,
        negatives: bool = True,
        **persons: Any,
    ) -> None:
        check_number("data.enlarge", enlarge)
        check_number("data.val_share", val_share)
        check_number("data.test_share", test_share)
        check_switch("data.negatives", negatives)
        super().__init__(data_dir, self._read, length=length, **persons)
        self.enlarge, self.negatives = enlarge, negatives
        self.val_share, self.test_share = val_share, test_share
        self.group_by = group_by

    def _read(self, data_dir: Path) -> PersonSet:
        persons = open_prepared(data_dir)
        rows = persons.rows.copy()
        images = [name.decode() for name in rows["image"].tolist()]
        groups = groups_of(images, self.group_by)
        # not of the run's seed: another run is measured on the same persons
        shares = {"val": self.val_share, "test": self.test_share}
        somebody = np.isfinite(rows["joints_px"]).any((1, 2))
        # pictures of nobody are no part of a share: they may be many times as many as persons
        rows["split"] = assign_splits(rows["split"], groups, shares, counted=somebody)
        rows = rows[somebody | (self.negatives & (rows["split"] == b"train"))]
        low, high = rows["box_px"][:, :2], rows["box_px"][:, 2:]
        rows["center_px"] = (low + high) / 2
        rows["window_px"] = self.enlarge * (high - low).max(1)
        if not (rows["split"] == b"test").any() and (rows["split"] == b"val").any():
            log.info("There are no test persons: evaluations measure the validation persons.")
            self.test_split = "validation (no test persons)"
            copies = rows[rows["split"] == b"val"]
            copies["split"] = b"test"
            rows = np.concatenate([rows, copies])
        self._check_mirror(persons)
        return replace(persons, rows=rows)

    def _check_mirror(self, persons: PersonSet) -> None:
        """Nothing is mirrored where left and right are not known."""
        layout = persons.layout if self.layout is None else get_layout(self.layout)
        if layout.can_mirror:
            return
        if self.views != "single":
            raise HarError(f"data.views={self.views} mirrors pictures. {mirroring(layout)}")
        if self.augmentation is not None and self.augmentation.flip:
            log.warning("%s", mirroring(layout))
            self.augmentation = replace(self.augmentation, flip=False)

    def describe_protocol(self) -> dict[str, Any]:
        """Also by what pictures stay together."""
        return {**super().describe_protocol(), "group_by": self.group_by}
