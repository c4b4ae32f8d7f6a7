"""Evaluation protocols: which clips of a sequence are classified, in which crops.

An item is a whole sequence: its crops, each once, and clips as numbers of crops, so that a frame of
several clips passes through a network once. Luvizon et al., TPAMI 2020, section 6: one centered
clip, or all, half overlapping, with and without mirroring, whose probabilities are multiplied.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from har.data.augment import AugmentParams
from har.data.clip_boxes import FILE, ClipBoxes
from har.data.clips import clip_frames, multi_clip_frames
from har.data.clips_dataset import ClipDataset
from har.data.crops import read_crops
from har.data.framestore.index import Annotation
from har.data.persons import VIEWS, view_shift
from har.data.targets import Target
from har.errors import HarError

CLIPS, BOXES = ("single", "multi"), ("clip", "sequence", "listed")


@dataclass(frozen=True)
class ClipProtocol:
    """Which clips of a sequence are classified together.

    Attributes:
        clips: ``single``, the centered one, or ``multi``, all that overlap by half.
        steps: between the frames of a clip, in 1/15 s; several for clips at several paces.
        flip: classify every clip mirrored as well.
        box_per: ``clip``, each has its own crop, as in the papers; ``sequence``, one crop for all
            of it, so that overlapping clips share frames; ``listed``, as ``clip``, in the box that
            the data set's authors predicted for it, see :mod:`har.data.clip_boxes`.
        views: crops per image, whose poses are averaged, for networks of single images: one of
            :data:`har.data.persons.VIEWS`.

    Raises:
        HarError: another word, a step below 1, or listed boxes of other than all clips of one step.
    """

    clips: str = "single"
    steps: Sequence[int] = (4,)
    flip: bool = False
    box_per: str = "clip"
    views: str = "single"

    def __post_init__(self) -> None:
        for key, known in (("clips", CLIPS), ("box_per", BOXES), ("views", tuple(VIEWS))):
            value = getattr(self, key)
            if value not in known:
                raise HarError(f"protocol.{key}={value}: choose {' or '.join(known)}.")
        if not self.steps or min(self.steps) < 1:
            raise HarError(f"protocol.steps={list(self.steps)}: give steps of 1 or more.")
        if self.box_per == "listed" and (self.clips != "multi" or len(self.steps) > 1):
            raise HarError("protocol.box_per=listed needs protocol.clips=multi and one step.")

    def clips_of(self, grid: np.ndarray, clip_size: int) -> np.ndarray:
        """Positions of the frames of every clip of a sequence, (C, T).

        Args:
            grid: (G,) positions of the frames at every 1/15 s, see
                :func:`har.data.clips.time_grid`.
            clip_size: T.
        """
        if self.clips == "single":
            return grid[[clip_frames(len(grid), clip_size, self.steps[0])]]
        return grid[multi_clip_frames(len(grid), clip_size, self.steps)]

    @property
    def num_views(self) -> int:
        """Crops per image."""
        return len(VIEWS[self.views])

    def of_images(self) -> "ClipProtocol":
        """The same for single images: every one of a sequence is measured, in its own crops."""
        return replace(self, clips="multi", steps=(1,), flip=False, box_per="clip")

    def describe(self) -> dict[str, Any]:
        """In words, for ``metrics.json``."""
        overlap = "all, half overlapping, probabilities multiplied"
        return {
            "clips": "single, centered" if self.clips == "single" else overlap,
            "steps": [int(step) for step in self.steps],
            "flip": "with and without" if self.flip else "without",
            "box_per": self.box_per,
            **({"views": self.views} if self.views != "single" else {}),
        }


class ProtocolDataset(Dataset[dict[str, Any]]):
    """Sequences with all clips of a protocol.

    Item ``number`` is a sequence with U crops, in which C clips of T frames are seen:

    - ``crops``: uint8 RGB (U, H, W, 3); ``mirrored``: bool (U,), which of them are flipped;
    - ``clips``: int64 (C, T), numbers of crops;
    - ``pose`` float32 (U, J, 4), ``tracked`` bool (U, J), ``affine`` float64 (U, 3, 3),
      ``root_depth_mm``, ``depth_scale`` float64 (U,) and ``frame_width`` (U,): as in
      :class:`har.data.clips_dataset.ClipDataset`, of every crop;
    - ``action``: class index; ``name``: sample name.

    Where images have several views, the crops of an image follow each other.

    Args:
        samples: fixed clips, with data, classes and crops.
        protocol: which clips are classified.

    Raises:
        HarError: single frames, several views of clips, or listed boxes that are not there or of
            other clips.
    """

    def __init__(self, samples: ClipDataset, protocol: ClipProtocol) -> None:
        if samples.clip_size is None:
            raise HarError("Evaluation protocols need clips, not single frames.")
        if protocol.views != "single" and samples.clip_size > 1:
            raise HarError(
                f"protocol.views={protocol.views} is of single images: clips are classified in one "
                "crop each, with protocol.flip=true mirrored as well."
            )
        self.samples, self.protocol, self.clip_size = samples, protocol, samples.clip_size
        self._listed: ClipBoxes | None = None
        if protocol.box_per == "listed":
            self._listed = self._open_listed()

    def _open_listed(self) -> ClipBoxes:
        listed, step = ClipBoxes(self.samples.index.path.with_name(FILE)), self.protocol.steps[0]
        if listed.clip_size != self.clip_size or not listed.has_step(step):
            raise HarError(
                f"{listed.path} has boxes of other clips than of {self.clip_size} frames, every "
                f"{step}: it is for clips of {listed.clip_size} frames."
            )
        return listed

    def describe(self) -> dict[str, Any]:
        """The protocol in words, and the boxes where they are listed."""
        if self._listed is None:
            return self.protocol.describe()
        step, flips = self.protocol.steps[0], (False, True)[: 1 + self.protocol.flip]
        names = [self.samples.index.name(sample) for sample in self.samples.selection.tolist()]
        per_flip = self.num_clips() // len(flips)
        missing = sum(
            (name, step, clip, flip) not in self._listed.boxes
            for name, count in zip(names, per_flip.tolist(), strict=True)
            for clip in range(count)
            for flip in flips
        )
        of_image = f"; the whole image for {missing} clips" if missing else ""
        return {**self.protocol.describe(), "boxes": f"{self._listed.source}{of_image}"}

    def __len__(self) -> int:
        return len(self.samples)

    def num_crops(self) -> np.ndarray:
        """Number of crops of every sequence, (N,), without reading any."""
        frames = self._of_lengths(lambda clips: sum(map(len, self._in_one_box(clips))))
        return self.protocol.num_views * frames

    def num_clips(self) -> np.ndarray:
        """Number of clips of every sequence, (N,), mirrored ones included."""
        return self._of_lengths(len)

    def _of_lengths(self, count: Callable[[np.ndarray], int]) -> np.ndarray:
        """Sequences on the grid of one length have the same clips: each length is counted once."""
        index, counts, known = self.samples.index, [], dict[int, int]()
        for sample in self.samples.selection.tolist():
            # A key below 0 is one sample's own.
            key = int(index.num_frames[sample]) if index.on_grid[sample] else -1 - sample
            if key not in known:
                known[key] = count(self.protocol.clips_of(index.grid(sample), self.clip_size))
            counts.append(known[key])
        return (1 + self.protocol.flip) * np.array(counts, dtype=int)

    def _in_one_box(self, clips: np.ndarray) -> list[np.ndarray]:
        """Which frames share a box, ascending and each once."""
        if self.protocol.box_per == "sequence":
            return [np.unique(clips)]
        return [np.unique(clip) for clip in clips]

    def _views(
        self,
        sample: int,
        annotation: Annotation,
        frames: np.ndarray,
        flip: bool,
        box: np.ndarray | None,
    ) -> list[Target]:
        """Crops and poses of some frames of a sample that share a box, by view."""
        plain = self.samples.target(sample, annotation, frames, AugmentParams(flip=flip), box)
        index, targets = self.samples.index, [plain]
        window = 1 / abs(float(plain.affine[0, 0]))  # of a crop that is not rotated, in pixels
        if index.recipe_width_px is not None:  # what shifts are pixels of
            window *= index.recipe_width_px / index.frame_size(sample)[0]
        for view in VIEWS[self.protocol.views][1:]:
            params = replace(view, shift_px=tuple(view_shift(view, window).tolist()))
            targets.append(self.samples.target(sample, annotation, frames, params))
        return targets

    def __getitem__(self, number: int) -> dict[str, Any]:
        samples = self.samples
        sample = int(samples.selection[number])
        name = samples.index.name(sample)
        annotation = samples.index.annotation(sample)
        clips = self.protocol.clips_of(samples.index.grid(sample), self.clip_size)
        boxes = self._in_one_box(clips)
        targets: list[Target] = []
        numbers: list[np.ndarray] = []  # of the crops of every clip, (C, T)
        frame_of_crop: list[np.ndarray] = []
        first = 0
        for flip in (False, True) if self.protocol.flip else (False,):
            for box, frames in enumerate(boxes):
                in_box = clips if len(boxes) == 1 else clips[box : box + 1]
                listed = None
                if self._listed is not None:
                    key = (name, self.protocol.steps[0], box, flip)
                    listed = self._listed.of_clip(key, samples.index.frame_size(sample))
                for target in self._views(sample, annotation, frames, flip, listed):
                    targets.append(target)
                    numbers.append(first + np.searchsorted(frames, in_box))
                    frame_of_crop.append(frames)
                    first += len(frames)
        target_of_crop = np.repeat(np.arange(len(targets)), [len(f) for f in frame_of_crop])

        def each(attribute: str) -> torch.Tensor:
            values = np.array([getattr(target, attribute) for target in targets])
            return torch.from_numpy(values[target_of_crop])

        affines = each("affine")
        from_pictures = affines.numpy() @ samples.index.region_offset(sample)
        frames = np.concatenate(frame_of_crop)
        crops = read_crops(samples.store, name, frames, from_pictures, samples.resolution)
        camera = samples.index.intrinsics(sample)
        of_camera = (
            {} if camera is None else {"intrinsics": torch.from_numpy(camera).expand(first, 9)}
        )
        return {
            **of_camera,
            "crops": torch.from_numpy(crops),
            "mirrored": each("mirrored"),
            "clips": torch.from_numpy(np.concatenate(numbers)),
            "pose": torch.from_numpy(np.concatenate([target.pose for target in targets])),
            "tracked": torch.from_numpy(np.concatenate([target.tracked for target in targets])),
            "affine": affines,
            "root_depth_mm": each("root_depth_mm"),
            "depth_scale": each("depth_scale"),
            "frame_width": torch.full((first,), samples.index.frame_size(sample)[0]),
            "action": int(samples.classes[number]),
            "name": name,
        }


def collate_sequences(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One batch of sequences: crops end to end, clips numbered through.

    ``sequence``: int64 (C,), which sequence of the batch every clip belongs to. ``first_clip``:
    int64 (N,), number of every sequence's first clip.
    """
    joined = [key for key in items[0] if key not in ("clips", "action", "name")]
    batch: dict[str, Any] = {key: torch.cat([item[key] for item in items]) for key in joined}
    num_crops = [len(item["crops"]) for item in items]
    num_clips = torch.tensor([len(item["clips"]) for item in items])
    offsets = np.cumsum([0, *num_crops[:-1]]).tolist()
    shifted = [item["clips"] + offset for item, offset in zip(items, offsets, strict=True)]
    batch["clips"] = torch.cat(shifted)
    batch["sequence"] = torch.arange(len(items)).repeat_interleave(num_clips)
    batch["first_clip"] = num_clips.cumsum(0) - num_clips
    batch["action"] = torch.tensor([item["action"] for item in items])
    batch["name"] = [item["name"] for item in items]
    return batch


class CropBatches(Sampler[list[int]]):
    """Sequences in batches of about equally many crops, shared out over processes.

    Every process gets every ``world_size``-th sequence, without padding: none is counted twice.

    Args:
        num_crops: of every sequence, (N,).
        crops_per_batch: at most so many, or a single sequence that has more.
        rank, world_size: of the processes.

    Raises:
        HarError: there are more processes than sequences.
    """

    def __init__(
        self, num_crops: np.ndarray, crops_per_batch: int, rank: int = 0, world_size: int = 1
    ) -> None:
        if len(num_crops) < world_size:
            raise HarError(
                f"{len(num_crops)} samples cannot be shared out over {world_size} processes: set "
                "trainer.devices to a smaller number."
            )
        self.batches: list[list[int]] = []
        held = crops_per_batch
        for number in range(rank, len(num_crops), world_size):
            crops = int(num_crops[number])
            if held + crops > crops_per_batch:
                self.batches.append([])
                held = 0
            self.batches[-1].append(number)
            held += crops

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)
