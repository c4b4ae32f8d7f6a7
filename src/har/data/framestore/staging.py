"""The prepared folder: frames and index, which a run killed at any moment leaves whole.

A sample that has just been extracted waits in ``staging/`` as a file of its own. When all of a
setup's samples are there, they are put together into the setup's shard in ``frames/``.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from har.data.framestore.index import NTUIndex, write_index
from har.data.framestore.reader import FrameStore, HDF5Frames, JPEGFolders
from har.data.framestore.shards import merge_shards, shard_names
from har.data.ntu.files import find_dataset_root, missing_data
from har.errors import HarError


def staged_path(output: Path, name: str) -> Path:
    """Where a sample waits to become part of a shard."""
    return output / "staging" / f"{name}.h5"


def remark_path(output: Path, name: str) -> Path:
    """Where it stands what is odd about a sample."""
    return output / "remarks" / f"{name}.txt"


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


class PreparedFolder:
    """The prepared folder: shards, samples that wait to become part of one, index.

    Args:
        output: the folder.
        settings: how its frames are stored; refused where it has frames of another kind.
        mine: setups of this job, where others write to the same folder; None: all.
    """

    def __init__(self, output: Path, settings: dict[str, Any], mine: set[str] | None) -> None:
        self.output, self.mine = output, mine
        self.frames, self.staging = output / "frames", output / "staging"
        for path in (self.frames, self.staging, output / "remarks"):
            path.mkdir(parents=True, exist_ok=True)
        self._check_settings(output / "settings.json", settings)
        for path in [*self.frames.glob("*.partial"), *self.staging.glob("*.partial")]:
            if self._is_mine(path):
                path.unlink(missing_ok=True)  # what a killed run was writing

    def _is_mine(self, path: Path) -> bool:
        return self.mine is None or path.name[:4] in self.mine

    def _check_settings(self, path: Path, ours: dict[str, Any]) -> None:
        if not path.is_file():
            write_text(path, json.dumps(ours))
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = "unknown settings"
        if found != ours:
            raise HarError(
                f"{path.parent} was prepared with {found}, not with {ours}: use the same settings, "
                "or remove that folder first."
            )

    def shards(self) -> list[Path]:
        """The shards, sorted."""
        return sorted(self.frames.glob("*.h5"))

    def _staged(self) -> list[Path]:
        return sorted(path for path in self.staging.glob("*.h5") if self._is_mine(path))

    def finished(self) -> set[str]:
        """Names of all samples that are extracted."""
        names = set()
        for path in self._staged():
            try:
                names.update(shard_names(path))
            except HarError:
                path.unlink()  # the machine went down before the disk had all of it
        for path in self.shards():
            names.update(shard_names(path))
        return names

    def waiting_setups(self) -> list[str]:
        """Setups of which single samples wait to be put together, sorted."""
        return sorted({path.name[:4] for path in self._staged()})

    def assemble(self, setup: str) -> None:
        """Puts the waiting samples of a setup into its shard."""
        waiting = [path for path in self._staged() if path.name[:4] == setup]
        shard = self.frames / f"{setup}.h5"
        if waiting:
            merge_shards([*([shard] if shard.is_file() else []), *waiting], shard)
        for path in waiting:
            path.unlink()

    def write_index(self, settings: dict[str, Any]) -> None:
        """Writes the index over all shards, those of other jobs included."""
        path = self.output / "index.h5"
        # Another job may add a shard while this one is reading. So each looks again after it has
        # written: whoever writes last has seen all.
        while not self._is_complete(path):
            write_index(self.shards(), path, settings)

    def _is_complete(self, index: Path) -> bool:
        if not index.is_file():
            return False
        try:
            listed = NTUIndex.open(index).names.tolist()
        except HarError:
            return False
        names = {name.encode() for shard in self.shards() for name in shard_names(shard)}
        return listed == sorted(names)


def open_prepared(data_dir: str | Path) -> tuple[NTUIndex, FrameStore]:
    """The index and the frames of a data folder.

    Raises:
        DatasetNotFoundError: it is not prepared.
    """
    root = find_dataset_root(Path(data_dir))
    path = root / "prepared" / "index.h5"
    if not path.is_file():
        raise missing_data(root, "there is no prepared/index.h5")
    index = NTUIndex.open(path)
    if index.settings["store"] == "jpeg":
        images = path.parent / str(index.settings["images"])
        return index, JPEGFolders(images, index.frame_numbers)
    return index, HDF5Frames(path.parent / "frames")
