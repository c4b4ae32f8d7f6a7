"""A prepared data set of clips as data modules take it, and who returns one: readers."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from har.data.framestore.folder import open_prepared
from har.data.framestore.index import FrameIndex
from har.data.framestore.reader import FrameStore
from har.data.records import SPLITS
from har.errors import HarError
from har.geometry import Camera

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ClipSet:
    """Prepared clips with their classes and splits.

    Attributes:
        index, store: the N prepared samples.
        protocol: name of the split.
        labels: names of the classes; class index i is ``labels[i]``.
        classes: int64 (N,) class index of every sample, -1 for other classes.
        splits: numbers of the samples that train, validate and test, ascending, by ``train``,
            ``val`` and ``test``; of the classes only.
    """

    index: FrameIndex
    store: FrameStore
    protocol: str
    labels: list[str]
    classes: IntArray
    splits: dict[str, IntArray] = field(repr=False)


class ClipReader(Protocol):
    """What a data set's folder of readers provides to :class:`har.data.ClipDataModule`.

    ``protocol`` is the name of the split; ``labels`` of the classes, empty where the prepared
    folder decides; ``actions`` are numbers by which the data set calls the classes, or empty;
    ``camera`` is what turns poses into millimeters, None in 2-D.
    """

    protocol: str
    labels: Sequence[str]
    actions: Sequence[int]
    camera: Camera | None

    def read(self, data_dir: Path) -> ClipSet:
        """The prepared data set below a folder.

        Raises:
            HarError: it is not prepared, or damaged, or lacks a class that was asked for.
        """
        ...


class StoredReader:
    """Labels and splits as the data set's preparation has stored them.

    Args:
        labels: names of the classes, in this order; None: all, sorted.
        protocol: what to call the split.
        camera: that took the videos, where joints have a depth; None: poses are 2-D.
    """

    def __init__(
        self,
        labels: Sequence[str] | None = None,
        protocol: str = "stored",
        camera: Camera | None = None,
    ) -> None:
        self._chosen = None if labels is None else [str(label) for label in labels]
        twice = [label for label, count in Counter(self._chosen or ()).items() if count > 1]
        if twice:
            raise HarError(f"data.actions names the class {twice[0]} twice: name each once.")
        if self._chosen == []:
            raise HarError("data.actions is empty: name the classes, or null for all of them.")
        self.labels: Sequence[str] = self._chosen or ()
        self.actions: Sequence[int] = ()
        self.camera = camera
        self.protocol = protocol

    def read(self, data_dir: Path) -> ClipSet:
        """See :class:`ClipReader`."""
        index, store = open_prepared(data_dir)
        return self.clip_set(index, store, *_stored(index))

    def read_official(
        self,
        root: Path,
        title: str,
        layout: str,
        missing: Callable[[Path, str], HarError],
        classes: Sequence[str],
    ) -> ClipSet:
        """The clips of a data set whose classes and joint layout are known.

        Args:
            root: its folder.
            title: its name, for people.
            layout: name of its joint layout, by which another data set in the folder is known.
            missing: makes the error for data that are not there.
            classes: names of all classes.

        Raises:
            DatasetNotFoundError: it is not prepared.
            HarError: another data set lies there, or a class that was asked for does not exist.
        """
        if not (root / "prepared" / "index.h5").is_file():
            raise missing(root, "there is no prepared/index.h5")
        index, store = open_prepared(root)
        if index.layout.name != layout:
            raise HarError(
                f"{index.path.parent} holds another data set, not {title}: give the folder of "
                f"{title} as paths.data_dir, or that data set's experiment."
            )
        return self.clip_set(index, store, *_stored(index), classes)

    def clip_set(
        self,
        index: FrameIndex,
        store: FrameStore,
        labels: Sequence[str],
        splits: Sequence[str],
        classes: Sequence[str] | None = None,
    ) -> ClipSet:
        """A clip set by the label and the split of every sample, (N,) each.

        Args:
            index, store: the prepared samples.
            labels, splits: of every sample; others than the splits' names: in none.
            classes: names of all classes; None: the labels of the samples that are in a split.

        Raises:
            HarError: a class that was asked for is not there.
        """
        if classes is None:
            pairs = zip(labels, splits, strict=True)
            classes = sorted({label for label, split in pairs if split in SPLITS})
        unknown = sorted(set(self._chosen or ()) - set(classes))
        if unknown:
            raise HarError(
                f"data.actions names the class {unknown[0]}, which is not among the actions "
                f"{', '.join(classes)}."
            )
        chosen = list(classes if self._chosen is None else self._chosen)
        class_of = {label: number for number, label in enumerate(chosen)}
        numbers = np.array([class_of.get(label, -1) for label in labels], dtype=np.int64)
        split_of = np.array(splits, dtype=str)
        members = {split: np.flatnonzero((split_of == split) & (numbers >= 0)) for split in SPLITS}
        return ClipSet(index, store, self.protocol, chosen, numbers, members)


def _stored(index: FrameIndex) -> tuple[list[str], list[str]]:
    """Label and split of every sample, as its preparation stored them."""
    labels, splits = (
        [text.decode() for text in column.tolist()] for column in (index.labels, index.splits)
    )
    return labels, splits
