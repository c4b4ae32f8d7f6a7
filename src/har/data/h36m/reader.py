"""Human3.6M, prepared, as a clip set: subjects 1, 5, 6, 7, 8 train, 9 and 11 are tested."""

from pathlib import Path

from har.data.clip_set import ClipSet, StoredReader
from har.data.h36m.files import ACTIONS, find_root, missing
from har.data.h36m.mmpose import LAYOUT
from har.geometry import Camera

NOMINAL_CAMERA = Camera((1147.0, 1145.0), (512.0, 508.0), 1000)
"""About what the four cameras are; every sample brings its own."""


class H36MReader(StoredReader):
    """A :class:`har.data.clip_set.ClipReader`: sequences of single frames with 3-D poses."""

    def __init__(self) -> None:
        super().__init__(ACTIONS, "Human3.6M, subjects 9 and 11", NOMINAL_CAMERA)

    def read(self, data_dir: Path) -> ClipSet:
        """See the protocol.

        Raises:
            DatasetNotFoundError: it is not prepared.
            HarError: another data set lies there.
        """
        root = find_root(data_dir)
        return self.read_official(root, "Human3.6M", LAYOUT.name, missing, ACTIONS)
