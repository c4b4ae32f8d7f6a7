"""What a validation or test pass over persons in images measures: PCK and OKS, in one crop or
several."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from har.layouts import Layout, LayoutLike, get_layout
from har.metrics.camera import crop_to_image
from har.metrics.clips import plain
from har.metrics.found_persons import FoundPersons, PersonCollector
from har.metrics.keypoint_similarity import oks
from har.metrics.pck import PCK, PCKh, by_part


def poses_in_image(poses: Tensor, affine: Tensor, flipped: Tensor, layout: Layout) -> Tensor:
    """Poses in crops brought back to the image: the mean over a person's views.

    Args:
        poses: (N, V, J, 2 or more), coordinates in [0, 1] of the crops.
        affine: (N, V, 3, 3), image pixels to [0, 1] of every crop.
        flipped: (N, V) bool, crops in which left and right have changed places.
        layout: of the joints.

    Returns:
        (N, J, 2) in pixels of the images: float64, or float32 on a device without float64.
    """
    places = crop_to_image(poses[..., :2], affine)
    return _unmirrored(places, flipped[..., None, None], layout).mean(1)


def mean_of_views(
    poses: Tensor, affine: Tensor, flipped: Tensor, scale: Tensor, layout: Layout
) -> Tensor:
    """The mean of an image's poses in V crops, in the coordinates of the first crop.

    Args:
        poses: (N, V, J, dim + 1), in [0, 1] of the crops and their depth ranges, and confidence.
        affine: (N, V, 3, 3), image pixels to [0, 1] of every crop.
        flipped: (N, V) bool, crops in which left and right have changed places.
        scale: (N, V) of the crops, with which their depth ranges go.
        layout: of the joints.

    Returns:
        (N, J, dim + 1): float64, or float32 on a device without float64.
    """
    places = poses_in_image(poses, affine, flipped, layout)
    to_first = affine[:, 0].to(places)
    xy = places @ to_first[:, :2, :2].transpose(1, 2) + to_first[:, None, :2, 2]
    others = _unmirrored(poses[..., 2:].to(places), flipped[..., None, None], layout)
    if others.shape[-1] > 1:
        ratio = (scale / scale[:, :1]).to(places)[..., None]
        depth = (others[..., 0] - 0.5) * ratio + 0.5
        others = torch.stack([depth, *others[..., 1:].unbind(-1)], -1)
    return torch.cat([xy, others.mean(1)], -1)


def _unmirrored(values: Tensor, flipped: Tensor, layout: Layout) -> Tensor:
    """Values (N, V, J, ...) of the joints, those of mirrored views in the layout's order again."""
    # joint by joint: a list as an index would be copied to the device
    mirrored = torch.stack([values[:, :, joint] for joint in layout.flip], dim=2)
    return torch.where(flipped, mirrored, values)


class PersonMetrics(nn.Module):
    """PCK of every prediction block, measured in pixels of the images, over processes; with
    sigmas also the mean OKS of the last block.

    All annotated joints count, as in MPII's official evaluation. Beside it stands the value of
    the original program, which leaves out joints that lie outside the crop. Persons without a
    length to measure in are left out. Everything stays on the device until :meth:`compute`.

    Args:
        layout: joint layout of the poses, or its name.
        num_pose_outputs: of the network.
        metric: ``pckh`` for lengths that are head sizes, else ``pck``; results are named by it.
        threshold: allowed distance in lengths.
        sigmas: of every joint, for OKS; None: OKS is not measured.

    Attributes:
        found: the last block's poses of every person, after :meth:`compute`.
    """

    found: FoundPersons

    def __init__(
        self,
        layout: LayoutLike,
        num_pose_outputs: int,
        metric: str = "pckh",
        threshold: float = 0.5,
        sigmas: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.layout, self.metric = get_layout(layout), metric
        self.sigmas = sigmas
        kind = PCKh if metric == "pckh" else PCK
        # nn.Module's own annotations would make these a Tensor or Module
        self.blocks: Any = nn.ModuleList(
            kind(threshold, self.layout) for _ in range(num_pose_outputs)
        )
        self.inside: Any = kind(threshold, self.layout)
        self.collector: Any = PersonCollector(self.layout.num_joints)

    def update(
        self,
        poses: Sequence[Tensor],
        batch: Mapping[str, Any],
        probabilities: Sequence[Tensor] = (),
    ) -> None:
        """Adds N persons.

        Args:
            poses: per block (N, V, J, dim + 1), coordinates in [0, 1] of the crops.
            batch: of :class:`har.data.persons.PersonDataset`.
            probabilities: of actions, which single images do not have; not used.
        """
        scored = batch["length_px"] > 0
        length = torch.where(scored, batch["length_px"], 1.0)
        true = batch["joints_px"].nan_to_num()
        valid = batch["valid"] & scored[:, None]
        for metric, pose in zip(self.blocks, poses, strict=True):
            places = poses_in_image(pose, batch["affine"], batch["flipped"], self.layout)
            metric.update(places, true, valid, length)
        self.inside.update(places, true, valid & batch["inside"], length)
        if "number" not in batch:
            return
        valid = batch["valid"]
        distance = (places - true.to(places.dtype)).norm(dim=-1)
        error = torch.where(valid, distance, 0).sum(1) / valid.sum(1) / batch["length_px"]
        error = torch.where(scored, error, torch.nan)
        alike = torch.full_like(error, torch.nan)
        if self.sigmas is not None:
            alike = oks(places, true, valid, batch["area_px2"], self.sigmas)
        sure = _unmirrored(poses[-1][..., -1], batch["flipped"][..., None], self.layout).mean(1)
        self.collector.update(batch["number"], error, alike, places, sure)

    def compute(self) -> dict[str, Any]:
        """Values in percent, None where nothing was annotated; joints and parts by name."""
        found = [metric.compute() for metric in self.blocks]
        last = found[-1]
        per_joint = last["per_joint"]
        by_joint = dict(zip(self.layout.joints, per_joint.tolist(), strict=True))
        self.found = self.collector.persons()
        results = {
            "": plain(last["total"]),
            "_auc": plain(last["auc"]),
            "_inside_crop": plain(self.inside.compute()["total"]),
            "_by_block": plain(torch.stack([block["total"] for block in found])),
            "_by_joint": _annotated(by_joint),
            "_by_part": _annotated(by_part(per_joint, self.layout)),
        }
        if "curve" in last:
            results["_curve"] = plain(last["curve"])
        measured = {self.metric + name: value for name, value in results.items()}
        if self.sigmas is not None:
            of_persons = self.found.oks[np.isfinite(self.found.oks)]
            measured["oks"] = float(of_persons.mean()) if len(of_persons) else None
        return measured

    def confusion_matrix(self) -> None:
        """None: poses have no classes."""


def _annotated(values: Mapping[str, float]) -> dict[str, float]:
    """The values of joints that the data set annotates."""
    return {name: value for name, value in values.items() if value == value}
