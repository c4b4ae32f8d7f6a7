"""Clips of stored features as samples: a random clip of each to train, all of them to test."""

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from har.data.clips import ClipClock
from har.data.framestore.stored_features import ClipFeatures, StoredFeatures
from har.data.pose_augment import PoseAugmentation, mirrored
from har.data.sampling import Key, seeded_rng

IntArray = NDArray[np.int64]


def stretches(clip: ClipFeatures, gap_s: float) -> list[IntArray]:
    """The rows of a clip in which one person is followed without a longer gap, each two or more."""
    breaks = (np.diff(clip.tracks) != 0) | (np.diff(clip.times_s) > gap_s)
    parts = np.split(np.arange(len(clip.times_s)), np.flatnonzero(breaks) + 1)
    return [part for part in parts if len(part) > 1]


def all_windows(
    clip: ClipFeatures, clip_size: int, pace_s: float, every_s: float = 0.25
) -> list[IntArray]:
    """The rows of every clip that a prediction of the same frames would classify: one each
    ``every_s``, or the only one of a video that is shorter than a clip.

    Args:
        clip: the frames that a person is in.
        clip_size: frames of a clip.
        pace_s: seconds between them.
        every_s: seconds between clips.
    """
    found: list[IntArray] = []
    short: list[tuple[int, IntArray]] = []
    for rows in stretches(clip, clip_size * pace_s):
        clock = ClipClock(clip_size, pace_s, every_s)
        for time_s in clip.times_s[rows].tolist():
            frames = clock.push(time_s)
            found += [] if frames is None else [rows[frames]]
        only = clock.finish()
        short += [] if only is None else [(len(rows), rows[only])]
    if not found and short:
        found = [max(short, key=lambda each: each[0])[1]]
    return found


def random_window(
    times_s: NDArray[np.float64],
    parts: Sequence[IntArray],
    clip_size: int,
    pace_s: float,
    rng: np.random.Generator,
) -> IntArray:
    """The rows (clip_size,) of a random clip.

    Args:
        times_s: (R,) of the frames that a person is in.
        parts: of :func:`stretches`, at least one.
        clip_size: frames of the clip.
        pace_s: seconds between them.
        rng: what is drawn from.
    """
    ends = np.cumsum([len(part) for part in parts])
    rows = parts[int(np.searchsorted(ends, rng.integers(ends[-1]), side="right"))]
    times = times_s[rows]
    span_s = (clip_size - 1) * pace_s
    if times[-1] - times[0] <= span_s:
        clock = ClipClock(clip_size, pace_s, np.inf)
        clips = [frames for time_s in times.tolist() if (frames := clock.push(time_s)) is not None]
        short = clock.finish()
        return rows[clips[-1] if short is None else short]
    end_s = rng.uniform(times[0] + span_s, times[-1])
    wanted = end_s - pace_s * np.arange(clip_size - 1, -1, -1.0)
    after = np.searchsorted(times, wanted).clip(1, len(times) - 1)
    return rows[after - (wanted - times[after - 1] < times[after] - wanted)]


class FeatureClips(Dataset[dict[str, Any]]):
    """Clips of stored features, with the actions they show.

    An item is asked for by ``("action", number, draw)`` for a random clip of a sample, where
    ``draw`` decides everything, or by its number for all of the sample's clips at the usual pace.

    Args:
        features: of all samples.
        names: of the N samples, each with :func:`all_windows`.
        classes: class of each, (N,).
        clip_size: frames of a clip.
        pace_s: seconds between them.
        augmentation: of random clips; of features that are no poses its pace alone counts.
        flip: the joints of a mirrored pose; None: features that are no poses.
        seed: of the run.
        mirror: the clips that are asked for by number are mirrored.
    """

    def __init__(
        self,
        features: StoredFeatures,
        names: Sequence[str],
        classes: IntArray,
        *,
        clip_size: int,
        pace_s: float,
        augmentation: PoseAugmentation,
        flip: Sequence[int] | None,
        seed: int = 0,
        mirror: bool = False,
    ) -> None:
        self.features, self.names, self.classes = features, list(names), classes
        self.clip_size, self.pace_s = clip_size, pace_s
        self.augmentation, self.flip, self.seed = augmentation, flip, seed
        self.mirror = mirror
        gap_s = clip_size * pace_s
        self._parts = [stretches(features.clips[name], gap_s) for name in self.names]

    def __len__(self) -> int:
        return len(self.names)

    def checksums(self) -> list[int]:
        """Of the samples' names and of their classes."""
        names = "\n".join(self.names).encode()
        return [crc32(names), crc32(self.classes.astype("<i8").tobytes())]

    def __getitem__(self, key: Key | int) -> dict[str, Any]:
        if isinstance(key, tuple):
            return self._random(*key)
        clip = self.features.clips[self.names[key]]
        windows = all_windows(clip, self.clip_size, self.pace_s)
        arrays = self.features.arrays(clip.values[np.stack(windows)])
        if self.mirror and self.flip is not None:
            arrays = list(mirrored(arrays[0], arrays[1], self.flip))
        return self._item(key, arrays)

    def _random(self, kind: str, number: int, draw: int) -> dict[str, Any]:
        rng = seeded_rng(self.seed, kind, draw)
        clip = self.features.clips[self.names[number]]
        pace_s = self.pace_s * (1 + self.augmentation.pace * rng.uniform(-1, 1))
        rows = random_window(clip.times_s, self._parts[number], self.clip_size, pace_s, rng)
        arrays = self.features.arrays(clip.values[rows])
        if self.flip is not None:
            arrays = list(self.augmentation(arrays[0], arrays[1], self.flip, rng))
        return self._item(number, arrays)

    def _item(self, number: int, arrays: Sequence[NDArray[np.float32]]) -> dict[str, Any]:
        tensors = [torch.from_numpy(np.ascontiguousarray(part)) for part in arrays]
        action = torch.tensor(int(self.classes[number]))
        return {"name": self.names[number], "action": action, "features": tensors}


def collate_clips(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All clips of N samples end to end, and how many each has: ``num_clips`` (N,)."""
    parts = zip(*(item["features"] for item in items), strict=True)
    return {
        "name": [item["name"] for item in items],
        "action": torch.stack([item["action"] for item in items]),
        "features": [torch.cat(part) for part in parts],
        "num_clips": torch.tensor([len(item["features"][0]) for item in items]),
    }
