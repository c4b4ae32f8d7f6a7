"""NTU RGB+D, prepared, as a clip set: its official splits and its numbered actions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from har.data.clip_set import ClipSet, StoredReader
from har.data.framestore.folder import open_prepared
from har.data.ntu.files import find_dataset_root, missing_data
from har.data.ntu.labels import ACTION_NAMES, sample_numbers
from har.data.ntu.splits import split_indices
from har.data.ntu.targets import COLOR_CAMERA
from har.errors import HarError


class NTUReader(StoredReader):
    """A :class:`har.data.clip_set.ClipReader`.

    Args:
        protocol: ``xsub60``, ``xview60``, ``xsub120`` or ``xset120``.
        actions: action numbers (from 1) that are classes, in this order; None: all of them, 60 or
            120 by the protocol.
        val_subjects: training subjects kept out of training for curves.
    """

    def __init__(
        self,
        protocol: str = "xsub60",
        actions: Sequence[int] | None = None,
        val_subjects: Sequence[int] = (),
    ) -> None:
        count = 120 if protocol.endswith("120") else 60
        numbers = list(range(1, count + 1)) if actions is None else list(actions)
        for number in numbers:
            if isinstance(number, bool) or number not in range(1, count + 1):
                raise HarError(
                    f"data.actions names {number!r}: the actions of {protocol} are numbers from 1 "
                    f"to {count}."
                )
        numbers = [int(number) for number in numbers]
        super().__init__([ACTION_NAMES[n - 1] for n in numbers], protocol, COLOR_CAMERA)
        self.actions, self.val_subjects = numbers, tuple(val_subjects)

    def read(self, data_dir: Path) -> ClipSet:
        """See the protocol.

        Raises:
            DatasetNotFoundError: it is not prepared.
            HarError: an unknown protocol, or another data set.
        """
        root = find_dataset_root(data_dir)
        if not (root / "prepared" / "index.h5").is_file():
            raise missing_data(root, "there is no prepared/index.h5")
        index, store = open_prepared(root)
        if "stride" not in index.settings:
            raise HarError(
                f"{index.path.parent} holds own actions or another data set, not NTU RGB+D: use "
                "the experiment of that data set, for own clips experiment=own_actions."
            )
        numbers = sample_numbers(index.names)
        splits = np.full(len(index), "", dtype="U5")
        for split in ("train", "test"):
            splits[split_indices(numbers, self.protocol, split, self.actions)] = split
        splits[(splits == "train") & np.isin(numbers.subjects, self.val_subjects)] = "val"
        labels = [ACTION_NAMES[action - 1] for action in numbers.actions.tolist()]
        return self.clip_set(index, store, labels, splits.tolist(), self.labels)
