"""PCKh of MPII's persons, seen in one crop or in several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from har.layouts import Layout, get_layout
from har.metrics import PCKh, by_part
from har.modules.scores import json_number
from har.transforms import normalize_images


def poses_of_views(network: nn.Module, batch: Mapping[str, Any]) -> list[Tensor]:
    """What a network sees in every crop of every person.

    Args:
        network: its output has ``poses``; it may know actions as well, of which single images
            say nothing.
        batch: with ``images`` uint8 (N, V, H, W, 3) and ``gamma`` (N, 3).

    Returns:
        Of every prediction block, (N, V, J, dim + 1).
    """
    images = normalize_images(batch["images"], batch["gamma"])  # (N, V, 3, H, W)
    out = network(images.flatten(0, 1))
    return [pose.unflatten(0, images.shape[:2]) for pose in out.poses]


def poses_in_image(poses: Tensor, affine: Tensor, flipped: Tensor, layout: Layout) -> Tensor:
    """Poses in crops brought back to the image: the mean over a person's views.

    Args:
        poses: (N, V, J, 2 or more), coordinates in [0, 1] of the crops.
        affine: (N, V, 3, 3), image pixels to [0, 1] of every crop.
        flipped: (N, V) bool, crops in which left and right have changed places.
        layout: of the joints.

    Returns:
        (N, J, 2) float64 in pixels of the images.
    """
    back = torch.linalg.inv(affine)
    places = poses[..., :2].double() @ back[..., :2, :2].mT + back[..., None, :2, 2]
    mirrored = places[:, :, list(layout.flip)]
    return torch.where(flipped[..., None, None], mirrored, places).mean(1)


class PersonScores(nn.Module):
    """PCKh at 0.5 of every prediction block, measured in pixels of the images, over processes.

    All annotated joints count, as in the official evaluation. Beside it stands the figure of the
    original program, which leaves out joints that lie outside the crop. Persons without a head box
    cannot be scored and are left out.

    Args:
        layout: joint layout of the poses.
        num_pose_outputs: of the network.
    """

    def __init__(self, layout: str, num_pose_outputs: int) -> None:
        super().__init__()
        self.layout = get_layout(layout)
        # nn.Module's own annotations would make these a Tensor or Module
        self.blocks: Any = nn.ModuleList(PCKh(layout=self.layout) for _ in range(num_pose_outputs))
        self.inside: Any = PCKh(layout=self.layout)

    def update(self, poses: Sequence[Tensor], batch: Mapping[str, Any]) -> None:
        """Adds persons.

        Args:
            poses: per block (N, V, J, dim + 1), coordinates in [0, 1] of the crops.
            batch: of :class:`har.data.persons.MPIIDataset`.
        """
        scored = batch["head_size_px"] > 0
        true = batch["joints_px"][scored].nan_to_num()
        valid, head = batch["valid"][scored], batch["head_size_px"][scored]
        for metric, pose in zip(self.blocks, poses, strict=True):
            places = poses_in_image(pose, batch["affine"], batch["flipped"], self.layout)[scored]
            metric.update(places, true, valid, head)
        self.inside.update(places, true, valid & batch["inside"][scored], head)

    def compute(self) -> dict[str, Any]:
        """Figures in percent, None where nothing was annotated; joints and parts by name."""
        found = [metric.compute() for metric in self.blocks]
        last = found[-1]
        per_joint = last["per_joint"]
        return {
            "pckh": json_number(last["total"].item()),
            "pckh_auc": json_number(last["auc"].item()),
            "pckh_inside_crop": json_number(self.inside.compute()["total"].item()),
            "pckh_by_block": json_number([block["total"].item() for block in found]),
            "pckh_by_joint": _known(dict(zip(self.layout.joints, per_joint.tolist(), strict=True))),
            "pckh_by_part": _known(by_part(per_joint, self.layout)),
        }

    @staticmethod
    def scalars(results: Mapping[str, Any]) -> dict[str, float]:
        """The figures of :meth:`compute` as single numbers, each under a name of its own."""
        totals = ("pckh", "pckh_auc", "pckh_inside_crop")
        flat = {name: results[name] for name in totals if results[name] is not None}
        blocks = enumerate(results["pckh_by_block"], start=1)
        flat |= {f"pckh/block_{i}": value for i, value in blocks if value is not None}
        for joint, value in results["pckh_by_joint"].items():
            flat[f"pckh_joint/{joint.replace(' ', '_')}"] = value
        return flat

    def confusion_matrix(self) -> None:
        """None: poses have no classes."""


def _known(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures of joints that the data set annotates."""
    return {name: value for name, value in figures.items() if value == value}
