"""Evaluates sequences by all clips of a protocol, every crop through the pose part once."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from har.data.modules.base import make_loader
from har.data.protocols import CropBatches, ProtocolDataset, collate_sequences
from har.geometry import Camera
from har.layouts import LayoutLike, get_layout
from har.metrics import ClipMetrics
from har.metrics.persons import mean_of_views
from har.models.base import PoseNetwork, join_frames
from har.modules.base import MeasuringModule
from har.precision import batch_for_device, exact_dtype
from har.transforms import normalize_images


class ClipEvaluation(MeasuringModule):
    """For ``trainer.test(module)``, on any number of processes; no sequence counts twice.

    A batch holds about ``crops_per_batch`` crops, of as many sequences as that makes, and the
    network sees at most so many at a time, so that memory does not depend on a sequence's length.
    The probabilities of a sequence's clips are multiplied (their logarithms summed in float64).
    Poses are measured on every crop that is not mirrored; where images have several views, once an
    image, on the mean of them.

    Source: Luvizon et al., TPAMI 2020, section 6.2.

    Args:
        network: of :mod:`har.models`, with weights.
        samples: the test sequences, with the clips of a protocol.
        labels: names of the classes.
        layout: joint layout of the poses.
        camera, depth_range_mm: of the data, see :class:`har.metrics.ClipMetrics`.
        crops_per_batch: of a process.
        num_workers: loader processes.
    """

    scores: ClipMetrics

    def __init__(
        self,
        network: PoseNetwork,
        samples: ProtocolDataset,
        labels: Sequence[str],
        layout: LayoutLike,
        *,
        camera: Camera | None,
        depth_range_mm: float | None,
        crops_per_batch: int = 64,
        num_workers: int = 0,
    ) -> None:
        super().__init__(network, layout)
        self.samples, self.label_names = samples, list(labels)
        self.camera, self.depth_range_mm = camera, depth_range_mm
        self.crops_per_batch, self.num_workers = crops_per_batch, num_workers

    def test_dataloader(self) -> DataLoader[dict[str, Any]]:
        share = (self.trainer.global_rank, self.trainer.world_size)
        batches = CropBatches(self.samples.num_crops(), self.crops_per_batch, *share)
        options = {"batch_sampler": batches, "collate_fn": collate_sequences}
        return make_loader(self.samples, self.num_workers, **options)

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        batch = batch_for_device(batch, device)
        return super().transfer_batch_to_device(batch, device, dataloader_idx)

    def _new_scores(self) -> ClipMetrics:
        counts = (self.network.num_pose_outputs, self.network.num_action_outputs)
        of_data = (self.camera, self.depth_range_mm)
        return ClipMetrics(self.layout, len(self.label_names), *counts, *of_data)

    def test_step(self, batch: dict[str, Any], batch_idx: int) -> dict[str, Any]:
        poses, log_probabilities = self.evaluate(batch)
        if self.samples.protocol.num_views > 1:
            poses, of_images = self._mean_of_views(poses, batch)
            batch.update(of_images)  # in place: callbacks are given this batch
        upright = batch["tracked"] & ~batch["mirrored"][:, None]
        frames = {  # a crop is a clip of one frame: (U, 1, ...)
            **batch,
            "images": batch["crops"],
            "pose": batch["pose"].unsqueeze(1),
            "tracked": upright.unsqueeze(1),
        }
        if not log_probabilities:  # errors by action: sequences differ in the number of crops
            frames["action"] = batch["action"][_sequence_of_crop(batch)]
        self.scores.update([pose.unsqueeze(1) for pose in poses], frames, log_probabilities)
        # For the callback that draws figures, every sequence is its first clip.
        shown = batch["clips"][batch["first_clip"]]  # (N, T)
        batch["images"], batch["pose"] = batch["crops"][shown], batch["pose"][shown]
        probabilities = log_probabilities[-1].softmax(-1) if log_probabilities else None
        return {"pose": poses[-1][shown], "probabilities": probabilities}

    def _mean_of_views(
        self, poses: list[Tensor], batch: dict[str, Any]
    ) -> tuple[list[Tensor], dict[str, Any]]:
        """Of every image the mean pose of its views, as a pose in the first one, and what the batch
        holds of that crop; numbers of crops become those of images."""
        views, layout = self.samples.protocol.num_views, get_layout(self.layout)
        names = ("affine", "mirrored", "depth_scale")
        affine, flipped, scale = (batch[name].unflatten(0, (-1, views)) for name in names)
        poses = [
            mean_of_views(pose.unflatten(0, (-1, views)), affine, flipped, scale, layout)
            for pose in poses
        ]
        of_crops = len(batch["crops"])
        batch = {k: v[::views] if len(v) == of_crops else v for k, v in batch.items()}
        numbers = {key: batch[key] // views for key in ("clips", "first_clip")}
        return poses, {**batch, **numbers}

    def evaluate(self, batch: Mapping[str, Any]) -> tuple[list[Tensor], list[Tensor]]:
        """Poses (U, J, dim + 1) of every prediction block, and, of every action output, the summed
        logarithms of the clips' probabilities (N, C), float64; see
        :func:`har.data.protocols.collate_sequences`."""
        parts = map(normalize_images, batch["crops"].split(self.crops_per_batch))
        frames = join_frames([self.network.forward_frames(part) for part in parts])
        if not frames.features:
            return list(frames.poses), []
        clips, count = batch["clips"], len(batch["action"])
        lots = clips.split(max(1, self.crops_per_batch // clips.shape[1]))
        logits = [self.network.forward_clips(frames.clips(lot)) for lot in lots]
        summed = []
        for block in zip(*logits, strict=True):
            of_clips = torch.cat(block)  # (C, classes)
            of_clips = of_clips.to(exact_dtype(of_clips.device)).log_softmax(-1)
            sums = of_clips.new_zeros(count, of_clips.shape[1])
            summed.append(sums.index_add(0, batch["sequence"], of_clips))
        return list(frames.poses), summed


def _sequence_of_crop(batch: Mapping[str, Any]) -> Tensor:
    """Which sequence of the batch every crop belongs to, int64 (U,)."""
    clips = batch["clips"]
    found = clips.new_zeros(len(batch["crops"]))
    return found.scatter(0, clips.flatten(), batch["sequence"].repeat_interleave(clips.shape[1]))
