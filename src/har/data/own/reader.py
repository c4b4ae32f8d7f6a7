"""Own clips, prepared, as a clip set: classes are folders, splits are those of the record."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from har.data.clip_set import ClipSet, StoredReader
from har.data.framestore.folder import open_prepared
from har.data.ntu.targets import COLOR_CAMERA
from har.data.own.record import OwnActions


class OwnReader(StoredReader):
    """A :class:`har.data.clip_set.ClipReader`; skeletons are taken to come from NTU's camera.

    Args:
        labels: names of the classes, in this order; None: all, sorted.
    """

    def __init__(self, labels: Sequence[str] | None = None) -> None:
        super().__init__(labels, protocol="own", camera=COLOR_CAMERA)

    def read(self, data_dir: Path) -> ClipSet:
        """See the protocol."""
        record = OwnActions.read(data_dir / "prepared")
        index, store = open_prepared(data_dir)
        names = [name.decode() for name in index.names.tolist()]
        clips = [record.clips.get(name) for name in names]
        # An index of 0.1.0 does not state which samples have joints.
        index.has_joints &= np.array([clip is not None and clip.has_skeleton for clip in clips])
        labels = ["" if clip is None else clip.label for clip in clips]
        splits = [record.splits.get(name, "") for name in names]
        return self.clip_set(index, store, labels, splits, record.labels)
