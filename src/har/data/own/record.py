"""``actions.json``: which file and split every prepared sample of own actions has.

A sample's id is its file, ``waving/clip 1.mp4``; of a file that has changed, or whose skeleton was
added or removed, ``waving/clip 1.mp4 (2)``. An id stays with its file in later preparations.
Records of version 0.1.0 (format 1) have other ids, which stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

from har.data.framestore.staging import write_text
from har.data.own.folder import OwnClip
from har.data.records import SPLITS
from har.errors import HarError

FILE_NAME = "actions.json"
_FORMAT = 2


@dataclass
class OwnActions:
    """The record of a prepared folder.

    Attributes:
        clips: the clip of every sample by the sample's id.
        splits: ``train``, ``val`` or ``test`` by id; none for clips in no list.
    """

    clips: dict[str, OwnClip] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """Names of the classes, sorted: class index i is ``labels[i]``."""
        return sorted({clip.label for clip in self.clips.values()})

    def updated(
        self, clips: Iterable[OwnClip], splits: Mapping[str, str], used: Iterable[str]
    ) -> OwnActions:
        """The record of the clips that are there now.

        A clip that is known keeps its id; a new one, or one whose file has changed, gets an id
        that nothing has yet.

        Args:
            clips: all that are there.
            splits: by file.
            used: ids of samples that are stored, of whatever clips.
        """
        known = {clip: name for name, clip in self.clips.items()}
        taken = {*used, *self.clips}
        result = OwnActions()
        for clip in clips:
            name = known.get(clip) or _free_id(clip.file, taken)
            taken.add(name)
            result.clips[name] = clip
            if clip.file in splits:
                result.splits[name] = splits[clip.file]
        return result

    def write(self, folder: Path) -> None:
        """Writes the record into a prepared folder, whole or not at all."""
        samples = {}
        for name, clip in sorted(self.clips.items()):
            sizes = dict(zip(("video_bytes", "skeleton_bytes"), clip.num_bytes, strict=True))
            samples[name] = {"file": clip.file, "split": self.splits.get(name), **sizes}
        document = {"format": _FORMAT, "samples": samples}
        write_text(folder / FILE_NAME, json.dumps(document, indent=1, ensure_ascii=False))

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
        if document["format"] not in (1, _FORMAT):
            raise ValueError("it is of another version")
        record = cls()
        for name, sample in document["samples"].items():
            num_bytes = int(sample["video_bytes"]), int(sample["skeleton_bytes"])
            clip = OwnClip(str(sample["file"]), num_bytes)
            if clip.label == clip.file:
                raise ValueError(f"{name} has no class")
            record.clips[name] = clip
            if sample["split"] in SPLITS:
                record.splits[name] = sample["split"]
        return record


def is_own(folder: Path) -> bool:
    """Whether a prepared folder holds own actions."""
    return (folder / FILE_NAME).is_file()


def _free_id(file: str, taken: set[str]) -> str:
    """The id of a file: its path, with a number where that is taken."""
    candidates = (f"{file} ({number})" for number in count(2))
    return next(name for name in chain([file], candidates) if name not in taken)
