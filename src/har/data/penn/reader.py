"""Penn Action, prepared, as a clip set: the official split and its 15 actions."""

from collections.abc import Sequence
from pathlib import Path

from har.data.clip_set import ClipSet, StoredReader
from har.data.framestore.folder import open_prepared
from har.data.penn.files import find_root, missing
from har.data.penn.labels import ACTIONS, LAYOUT
from har.errors import HarError


class PennReader(StoredReader):
    """A :class:`har.data.clip_set.ClipReader`. Poses are 2-D: no camera is known.

    Args:
        actions: names of the actions that are classes, in this order; None: all 15.
    """

    def __init__(self, actions: Sequence[str] | None = None) -> None:
        super().__init__(ACTIONS if actions is None else actions, "Penn Action, official split")

    def read(self, data_dir: Path) -> ClipSet:
        """See the protocol.

        Raises:
            DatasetNotFoundError: it is not prepared.
            HarError: another data set lies there, or an action that was asked for does not exist.
        """
        root = find_root(data_dir)
        if not (root / "prepared" / "index.h5").is_file():
            raise missing(root, "there is no prepared/index.h5")
        index, store = open_prepared(root)
        if index.layout.name != LAYOUT.name:
            raise HarError(
                f"{index.path.parent} holds another data set, not Penn Action: give the folder of "
                "Penn Action as paths.data_dir, or that data set's experiment."
            )
        labels, splits = (
            [text.decode() for text in column.tolist()] for column in (index.labels, index.splits)
        )
        return self.clip_set(index, store, labels, splits, ACTIONS)
