"""The prepared folder: frames and index, which a run killed at any moment leaves whole.

A sample that has just been extracted waits in ``staging/<group>/`` as a file of its own. When all
of a group's samples are there, they are put together into the group's shard in ``frames/``.
"""

import json
import re
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from har.data.framestore.index import FORMAT, FrameIndex, write_index
from har.data.framestore.shards import StoredSamples, merge_shards, shard_names, write_shard
from har.errors import HarError
from har.files import whole_file

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,60}")


def file_stem(text: str) -> str:
    """A file name without ending for any text: itself where every system can write it."""
    if _PLAIN.fullmatch(text):
        return text
    readable = re.sub(r"[^A-Za-z0-9]+", "_", text)[:40]
    return f"{readable}-{sha256(text.encode()).hexdigest()[:12]}"


def shard_path(frames: Path, group: str) -> Path:
    """The shard of a group in a folder of shards."""
    return frames / f"{file_stem(group)}.h5"


def remark_path(output: Path, name: str) -> Path:
    """The file with what is unusual about a sample."""
    return output / "remarks" / f"{file_stem(name)}.txt"


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all; HarError where that is impossible."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def stage(output: Path, sample: StoredSamples, remark: str = "") -> None:
    """Writes one sample where it waits to become part of a shard.

    Args:
        output: the prepared folder.
        sample: one sample.
        remark: what is unusual about it; empty: nothing.

    Raises:
        HarError: it cannot be written.
    """
    name, group = (sample.samples[key][0].decode() for key in ("name", "group"))
    if remark:  # written first, so that no finished sample lacks its remark
        write_text(remark_path(output, name), remark)
    path = output / "staging" / file_stem(group) / f"{file_stem(name)}.h5"
    write_shard(path, [sample], len(sample.num_bytes), len(sample.jpeg))


class PreparedFolder:
    """The prepared folder: shards, samples that wait to become part of one, index.

    Args:
        output: the folder.
        settings: how its frames are stored, see :func:`har.data.framestore.index.write_index`;
            refused where it has frames of another kind.
        mine: groups of this job, where others write to the same folder; None: all.

    Raises:
        HarError: the folder was prepared with other settings, or by version 0.1.0.
    """

    def __init__(
        self, output: Path, settings: dict[str, Any], mine: set[str] | None = None
    ) -> None:
        self.output, self.settings = output, settings
        self._mine = None if mine is None else {file_stem(group) for group in mine}
        self.frames, self.staging = output / "frames", output / "staging"
        for path in (self.frames, self.staging, output / "remarks"):
            path.mkdir(parents=True, exist_ok=True)
        self._check_settings(output / "settings.json", {**settings, "format": FORMAT})
        for path in output.rglob(".*.partial*"):  # what a killed run was writing
            in_group = path.parent.parent == self.staging
            if self._is_mine(path.parent.name if in_group else path.name.split(".")[1]):
                path.unlink(missing_ok=True)

    def _is_mine(self, stem: str) -> bool:
        return self._mine is None or stem in self._mine

    def _check_settings(self, path: Path, ours: dict[str, Any]) -> None:
        if not path.is_file():
            write_text(path, json.dumps(ours))
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = "unknown settings"
        if isinstance(found, dict) and "format" not in found:
            raise HarError(
                f"{path.parent} was prepared with har 0.1.0: it can be used as it is, but nothing "
                "can be added; prepare in another folder, or remove that folder first."
            )
        if found != json.loads(json.dumps(ours)):
            raise HarError(
                f"{path.parent} was prepared with {found}, not with {ours}: use the same settings, "
                "or remove that folder first."
            )

    def _staged(self, stem: str = "*") -> list[Path]:
        paths = self.staging.glob(f"{stem}/[!.]*.h5")
        return sorted(path for path in paths if self._is_mine(path.parent.name))

    def finished(self) -> set[str]:
        """Names of all samples that are extracted."""
        names = set()
        for path in self._staged():
            try:
                names.update(shard_names(path))
            except HarError:
                path.unlink()  # the machine went down before the disk had all of it
        for path in shards_in(self.frames):
            names.update(shard_names(path))
        return names

    def waiting(self) -> list[str]:
        """File names of the groups of which single samples wait to be put together, sorted."""
        return sorted({path.parent.name for path in self._staged()})

    def assemble(self, stem: str) -> None:
        """Puts the waiting samples of a group, by the name of its file, into its shard."""
        waiting, shard = self._staged(stem), self.frames / f"{stem}.h5"
        if waiting:
            merge_shards([*([shard] if shard.is_file() else []), *waiting], shard)
        for path in waiting:
            path.unlink()
        with suppress(OSError):  # another job has put a sample there
            (self.staging / stem).rmdir()

    def write_index(self, **settings: Any) -> None:
        """Writes the index over all shards, those of other jobs included.

        Args:
            **settings: more of them than decide whether samples can be added.
        """
        path = self.output / "index.h5"
        # Another job may add a shard while this one is reading. So each checks again after it has
        # written: whoever writes last has seen all.
        while not self._is_complete(path):
            stated = {"store": "hdf5", **self.settings, **settings}
            write_index(shards_in(self.frames), path, stated)

    def _is_complete(self, index: Path) -> bool:
        try:
            listed = FrameIndex.open(index).names.tolist()
        except HarError:  # not there yet, or of another version
            return False
        names = {name.encode() for shard in shards_in(self.frames) for name in shard_names(shard)}
        return bool(listed == sorted(names))


def shards_in(frames: Path) -> list[Path]:
    """The shards in a folder, sorted, without those that are being written."""
    return sorted(frames.glob("[!.]*.h5"))
