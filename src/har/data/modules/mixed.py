"""Poses of one data set beside those, or the actions, of another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from har.data.modules.base import TrainingDataModule, WithChecksums
from har.data.modules.clips import ClipDataModule, MultitaskDataModule
from har.data.modules.persons import MPIIDataModule, PersonDataModule
from har.data.sampling import Key, Orders, SampleOrder
from har.errors import HarError
from har.numbers import check_number


class PosesOnly(Dataset[dict[str, Any]]):
    """What the samples of every data set with poses have in common, so that they fit in a batch.

    Args:
        samples: a data set of items with ``images``, ``gamma``, ``pose`` and ``name``, and more.
    """

    def __init__(self, samples: Any) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def checksums(self) -> list[int]:
        """Those of the data set."""
        return self.samples.checksums() if isinstance(self.samples, WithChecksums) else []

    def __getitem__(self, key: Key) -> dict[str, Any]:
        item = self.samples[key]
        return {name: item[name] for name in ("images", "gamma", "pose", "name")}


def clips_and_persons(
    data: TrainingDataModule, clips: Any, persons: Any
) -> tuple[list[DataLoader[dict[str, Any]]], tuple[str, ...]]:
    """Loaders of the evaluation samples that there are, and their kinds: clips, then persons."""
    there = {kind: part for kind, part in (("clip", clips), ("person", persons)) if part}
    return [data._eval_loader(part) for part in there.values()], tuple(there)


class MixedPoseDataModule(TrainingDataModule):
    """Images of MPII with 2-D poses and frames of NTU RGB+D with 3-D poses in every batch.

    What MPII does not annotate has no loss: its depth counts as invalid, the middle of the spine
    has no visibility either (see :func:`har.losses.pose_loss`). Both data sets validate and test,
    each by its own protocol: a loader for NTU's clips, then one for MPII's persons.

    Source: Luvizon et al., TPAMI 2020, section 6, and the authors' published program.

    Args:
        data_dir: folder with the prepared data sets in ``mpii/`` and ``ntu/``.
        mpii: builds MPII's data module; its ``batch_size`` is the number of images in a batch and
            process, 0: MPII is measured only. An epoch is a pass over its images.
        ntu: builds NTU's; its ``frame_batch_size`` is the number of frames in a batch and process.
        layout, resolution, limit_eval, seed, **loading: see
            :class:`har.data.modules.base.TrainingDataModule`; ``limit_eval`` limits clips and
            persons each.

    Raises:
        HarError: batches without any image.
    """

    def __init__(
        self,
        data_dir: str,
        mpii: Callable[..., MPIIDataModule],
        ntu: Callable[..., MultitaskDataModule],
        *,
        layout: str = "pa17j",
        resolution: Sequence[int] = (256, 256),
        limit_eval: int | None = None,
        seed: int = 0,
        **loading: Any,
    ) -> None:
        shared: dict[str, Any] = {"layout": layout, "resolution": resolution}
        shared |= {"limit_eval": limit_eval, "seed": seed}
        self.mpii, self.ntu = mpii(data_dir, dim=3, **shared), ntu(data_dir, **shared)
        self._parts: dict[str, Any] = {"mpii": self.mpii, "ntu": self.ntu}
        sizes = {name: part.batch_sizes["pose"] for name, part in self._parts.items()}
        if max(sizes.values()) < 1:
            keys = "data.mpii.batch_size or data.ntu.frame_batch_size"
            raise HarError(f"A mixed batch needs images: raise {keys}.")
        super().__init__(batch_sizes=sizes, **shared, **loading)
        self.camera, self.depth_range_mm = self.ntu.camera, self.ntu.depth_range_mm
        self.person_metric = self.mpii.person_metric

    def setup(self, stage: str | None = None) -> None:
        for name, part in self._parts.items():
            part.setup(stage)
            self.datasets[name] = PosesOnly(part.datasets["pose"])

    def _orders(self, batch_sizes: Mapping[str, int]) -> Orders:
        parts = [
            SampleOrder(name, len(part.datasets["pose"]), batch_sizes[name], self.seed)
            for name, part in self._parts.items()
            if batch_sizes[name] > 0
        ]
        return {"pose": parts}

    @property
    def num_test_samples(self) -> int:
        """Number of test clips and test persons together."""
        return self.ntu.num_test_samples + self.mpii.num_test_samples

    def describe_protocol(self) -> dict[str, Any]:
        """The protocols of both data sets."""
        ntu, mpii = self.ntu.describe_protocol(), self.mpii.describe_protocol()
        del ntu["actions"]  # not evaluated here
        return {"split": f"{ntu['split']} and {mpii['split']}", "ntu": ntu, "mpii": mpii}

    def val_dataloader(self) -> Any:
        samples = self.ntu.val_clips, self.mpii.val_samples
        loaders, self.val_kinds = clips_and_persons(self, *samples)
        return loaders

    def test_dataloader(self) -> Any:
        samples = self.ntu.test_clips, self.mpii.test_samples
        loaders, self.test_kinds = clips_and_persons(self, *samples)
        return loaders


class ClipsAndPersonsDataModule(ClipDataModule):
    """Clips with actions, and images of persons for poses: the authors' recipe for Penn Action,
    whose poses are learned from MPII alone, and for Human3.6M, whose frames share every batch of
    poses with MPII's images.

    In training clips are measured first, then persons, where these have a test split; to measure
    clips alone (stage ``test``), no person has to be there.

    Source: the authors' published program (TPAMI 2020); for Human3.6M Luvizon et al., CVPR 2018.

    Args:
        data_dir: folder with both prepared data sets.
        persons: builds the data module of the persons; its ``batch_size`` is the number of images
            in a batch and process. An epoch without clips is a pass over its images.
        dim: of the network's poses.
        frame_batch_size: single frames of the clips beside them in a batch of poses and process;
            None: none.
        **clips: everything else, see :class:`har.data.ClipDataModule`.
    """

    def __init__(
        self,
        data_dir: str,
        persons: Callable[..., PersonDataModule],
        *,
        dim: int = 2,
        frame_batch_size: int | None = None,
        **clips: Any,
    ) -> None:
        super().__init__(data_dir, **clips)
        same = ("layout", "resolution", "limit_eval", "num_workers", "seed")
        self.persons = persons(data_dir, dim=dim, **{name: getattr(self, name) for name in same})
        self.batch_sizes["pose"] = self.persons.batch_sizes["pose"]
        if frame_batch_size is not None:
            check_number("frame_batch_size", frame_batch_size)
            self.batch_sizes["frame"] = frame_batch_size
        self.person_metric = self.persons.person_metric

    def setup(self, stage: str | None = None) -> None:
        if self.datasets:
            return
        if stage != "test":
            self.persons.setup(stage)
        super().setup(stage)

    def _pose_samples(self, train: np.ndarray) -> Dataset[dict[str, Any]]:
        if "frame" in self.batch_sizes:
            self.datasets["frame"] = PosesOnly(super()._pose_samples(train))
        return PosesOnly(self.persons.datasets.get("pose", ()))

    def _orders(self, batch_sizes: Mapping[str, int]) -> Orders:
        orders = dict(super()._orders(batch_sizes))
        frames = orders.pop("frame", ())
        return {**orders, "pose": [*orders["pose"], *frames]}

    def val_dataloader(self) -> Any:
        samples = self.val_clips, self.persons.val_samples
        loaders, self.val_kinds = clips_and_persons(self, *samples)
        return loaders

    def test_dataloader(self) -> Any:
        samples = self.test_clips, self.persons.test_samples
        loaders, self.test_kinds = clips_and_persons(self, *samples)
        return loaders

    def describe_protocol(self) -> dict[str, Any]:
        """The protocol of the clips and, as ``persons``, that of the persons, where they are
        measured too."""
        clips = super().describe_protocol()
        if not self.persons.datasets:
            return clips
        return {**clips, "persons": self.persons.describe_protocol()}
