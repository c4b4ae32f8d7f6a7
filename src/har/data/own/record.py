"""``actions.json``: which class, file and split every prepared sample of own actions has.

Samples get names as NTU RGB+D's, so that everything that reads those reads them: class 3's clip
1000 is ``S003C001P002R001A003``. A name stays with its file in later preparations.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.data.ntu.labels import SampleName
from har.data.own.folder import SPLITS, OwnClip
from har.errors import HarError

FILE_NAME = "actions.json"
_FORMAT = 1
_MOST = 999  # what three digits of a name can say


@dataclass
class OwnActions:
    """The record of a prepared folder.

    Attributes:
        classes: number of every class by its name; numbers are those in sample names.
        clips: the clip of every sample by the sample's name.
        splits: ``train``, ``val`` or ``test`` by sample name; none for clips in no list.
    """

    classes: dict[str, int] = field(default_factory=dict)
    clips: dict[str, OwnClip] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """Names of the classes, sorted: class index i is ``labels[i]``."""
        return sorted(self.classes)

    def choose(self, labels: Sequence[str] | None) -> list[str]:
        """Names of classes that there are; all for None.

        Raises:
            HarError: there is no such class.
        """
        unknown = sorted(set(labels or ()) - set(self.classes))
        if unknown:
            raise HarError(
                f"data.actions names the class {unknown[0]}, which is not among the own actions "
                f"{', '.join(self.labels)}."
            )
        return self.labels if labels is None else list(labels)

    def select(
        self, names: NDArray[np.bytes_], split: str, labels: Iterable[str]
    ) -> NDArray[np.int64]:
        """Numbers of the prepared samples of a split, ascending.

        Args:
            names: of the index, ascending, (N,).
            split: ``train``, ``val`` or ``test``.
            labels: names of the classes to take.
        """
        taken = set(labels)
        chosen = [
            name
            for name, clip in self.clips.items()
            if self.splits.get(name) == split and clip.label in taken
        ]
        return np.flatnonzero(np.isin(names, np.array(chosen, dtype="S20")))

    def have_poses(self, names: NDArray[np.bytes_]) -> NDArray[np.bool_]:
        """Which samples have skeletons.

        Args:
            names: of samples, (N,).
        """
        with_skeleton = [name for name, clip in self.clips.items() if clip.has_skeleton]
        return np.isin(names, np.array(with_skeleton, dtype="S20"))

    def updated(
        self, clips: Iterable[OwnClip], splits: Mapping[str, str], used: Iterable[str]
    ) -> OwnActions:
        """The record of the clips that are there now.

        A clip that is known keeps its name; a new one, or one whose file has changed, gets a name
        that nothing has yet.

        Args:
            clips: all that are there.
            splits: by file.
            used: names of samples that are stored, of whatever clips.

        Raises:
            HarError: more classes than a name can number.
        """
        known = {clip: name for name, clip in self.clips.items()}
        numbers = {name: _number_in_class(name) for name in {*used, *self.clips}}
        last: dict[int, int] = {}  # number of the last clip by class
        for name, number in numbers.items():
            last[_class_of(name)] = max(number, last.get(_class_of(name), -1))
        result = OwnActions()
        free = max([0, *last, *self.classes.values()])
        for clip in clips:
            if clip.label not in result.classes:
                if clip.label not in self.classes:
                    free += 1
                result.classes[clip.label] = self.classes.get(clip.label, free)
            if clip not in known:
                known[clip] = _free_name(clip, result.classes[clip.label], last)
            name = known[clip]
            result.clips[name] = clip
            if clip.file in splits:
                result.splits[name] = splits[clip.file]
        return result

    # ---------------------------------------------------------------------------------- on disk

    def write(self, folder: Path) -> None:
        """Writes the record into a prepared folder, whole or not at all."""
        path = folder / FILE_NAME
        samples = {
            name: {
                "file": clip.file,
                "split": self.splits.get(name),
                "video_bytes": clip.num_bytes[0],
                "skeleton_bytes": clip.num_bytes[1],
            }
            for name, clip in sorted(self.clips.items())
        }
        document = {"format": _FORMAT, "classes": self.classes, "samples": samples}
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
        partial.write_text(json.dumps(document, indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(partial, path)

    @classmethod
    def read(cls, folder: Path) -> OwnActions:
        """Reads the record of a prepared folder.

        Raises:
            HarError: there is none, or it is damaged.
        """
        path = folder / FILE_NAME
        if not path.is_file():
            raise HarError(
                f"Own actions are not prepared: there is no {path}; put clips into a folder per "
                f"class and run python -m har.prepare actions paths.data_dir={folder.parent}."
            )
        try:
            return cls._from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise HarError(
                f"{path} is damaged ({error}): remove {folder} and run python -m har.prepare "
                "actions again."
            ) from error

    @classmethod
    def _from_json(cls, document: dict[str, Any]) -> OwnActions:
        if document["format"] != _FORMAT:
            raise ValueError("it is of another version")
        record = cls(classes={str(key): int(n) for key, n in document["classes"].items()})
        for name, sample in document["samples"].items():
            num_bytes = int(sample["video_bytes"]), int(sample["skeleton_bytes"])
            clip = OwnClip(str(sample["file"]), num_bytes)
            if clip.label not in record.classes or _class_of(name) < 1:
                raise ValueError(f"{name} has no class")
            record.clips[name] = clip
            if sample["split"] in SPLITS:
                record.splits[name] = sample["split"]
        return record


def is_own(folder: Path) -> bool:
    """Whether a prepared folder holds own actions."""
    return (folder / FILE_NAME).is_file()


def _free_name(clip: OwnClip, kind: int, last: dict[int, int]) -> str:
    """The next name of a class, whose last number it raises."""
    last[kind] = last.get(kind, -1) + 1
    if kind > _MOST or last[kind] >= _MOST * _MOST:
        raise HarError(
            f"{clip.file}: at most {_MOST} classes of {_MOST * _MOST} clips each can be prepared "
            "in one folder."
        )
    return _name(kind, last[kind])


def _name(kind: int, number: int) -> str:
    """Name of a class's clip; clips are numbered from 0, over subjects and replications."""
    subject, replication = divmod(number, _MOST)
    return str(SampleName(kind, 1, subject + 1, replication + 1, kind))


def _class_of(name: str) -> int:
    return int(name[17:20])


def _number_in_class(name: str) -> int:
    return (int(name[9:12]) - 1) * _MOST + int(name[13:16]) - 1
