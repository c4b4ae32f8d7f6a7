"""Judges the poses of MPII's persons by one crop or several of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from har.layouts import get_layout
from har.metrics import PCKh
from har.modules.scores import normalise_images


class PersonEvaluation(LightningModule):
    """For ``trainer.test(module, datamodule=<MPIIDataModule>)``, on any number of processes.

    Every view of a person is mapped back to the image, mirrored ones with left and right exchanged,
    and the mean of the views is compared with the annotation, in pixels of the image.

    Args:
        network: of :mod:`har.models`, with weights; it may know actions as well.
        layout: joint layout of its poses.
    """

    def __init__(self, network: nn.Module, layout: str) -> None:
        super().__init__()
        self.network: Any = network.to(memory_format=torch.channels_last)
        self.layout = get_layout(layout)
        self.blocks: Any = None
        self.results: dict[str, Any] = {}  # what the last test measured

    def on_test_epoch_start(self) -> None:
        count = self.network.num_pose_outputs
        self.blocks = nn.ModuleList(PCKh(layout=self.layout) for _ in range(count)).to(self.device)

    def test_step(self, batch: Mapping[str, Any], batch_idx: int) -> None:
        views = batch["images"].shape[:2]  # persons, crops of each
        images = batch["images"].flatten(0, 1)
        out = self.network(normalise_images(images, images.new_ones(len(images), 3)))
        scored = batch["head_size_px"] > 0  # persons without a head box cannot be
        for metric, pose in zip(self.blocks, out.poses, strict=True):
            places = self.in_image(pose.unflatten(0, views), batch)
            metric.update(
                places[scored],
                batch["joints_px"][scored].nan_to_num(),
                batch["valid"][scored],
                batch["head_size_px"][scored],
            )

    def in_image(self, poses: Tensor, batch: Mapping[str, Any]) -> Tensor:
        """Mean over the views, (N, J, 2) in pixels of the images.

        Args:
            poses: (N, V, J, 2 or more), coordinates in [0, 1] of the crops.
            batch: with ``affine`` (N, V, 3, 3) and ``flipped`` (N, V).
        """
        back = torch.linalg.inv(batch["affine"])
        places = poses[..., :2].double() @ back[..., :2, :2].mT + back[..., None, :2, 2]
        mirrored = places[:, :, list(self.layout.flip)]
        return torch.where(batch["flipped"][..., None, None], mirrored, places).mean(1)

    def on_test_epoch_end(self) -> None:
        found = [metric.compute() for metric in self.blocks]
        last = found[-1]
        per_joint = zip(self.layout.joints, last["per_joint"].tolist(), strict=True)
        self.results = {
            "pckh": last["total"].item(),
            "pckh_auc": last["auc"].item(),
            "pckh_by_block": [block["total"].item() for block in found],
            "pckh_by_joint": {joint: value for joint, value in per_joint if value == value},
        }
        for name in ("pckh", "pckh_auc"):
            self.log(f"test/{name}", self.results[name], rank_zero_only=True)
