"""Penn Action, prepared, as a clip set: the official split and its 15 actions."""

from collections.abc import Sequence
from pathlib import Path

from har.data.clip_set import ClipSet, StoredReader
from har.data.penn.files import find_root, missing
from har.data.penn.labels import ACTIONS, LAYOUT


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
        return self.read_official(root, "Penn Action", LAYOUT.name, missing, ACTIONS)
