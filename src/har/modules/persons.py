"""PCKh of single persons, seen in one crop or several, measured in the pixels of their images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from har.layouts import Layout, get_layout
from har.metrics import PCKh
from har.metrics.pckh import by_part


def places_in_image(poses: Tensor, batch: Mapping[str, Any], layout: Layout) -> Tensor:
    """Every view mapped back to the image, mirrored ones with left and right exchanged; the mean.

    Args:
        poses: (N, V, J, 2 or more), coordinates in [0, 1] of the crops.
        batch: with ``affine`` (N, V, 3, 3), image pixels to [0, 1] of each crop, and ``flipped``
            (N, V).
        layout: of the joints.

    Returns:
        (N, J, 2) in pixels of the images, float64.
    """
    back = torch.linalg.inv(batch["affine"])
    places = poses[..., :2].double() @ back[..., :2, :2].mT + back[..., None, :2, 2]
    mirrored = places[:, :, list(layout.flip)]
    return torch.where(batch["flipped"][..., None, None], mirrored, places).mean(1)


class PersonScores(nn.Module):
    """PCKh at 0.5 of every prediction block, over processes.

    The official figure counts every annotated joint. The original program counted those inside the
    crop only, which is a little kinder: ``pckh_inside_crop``, of the last block.

    Args:
        layout: joint layout of the poses.
        num_pose_outputs: of the network. Known beforehand, since every process needs the same
            metrics, one that gets no batch as well.
    """

    def __init__(self, layout: str | Layout, num_pose_outputs: int) -> None:
        super().__init__()
        self.layout = layout if isinstance(layout, Layout) else get_layout(layout)
        # nn.Module's own annotations would make each of these a Tensor or Module
        self.blocks: Any = nn.ModuleList(PCKh(layout=self.layout) for _ in range(num_pose_outputs))
        self.inside: Any = PCKh(layout=self.layout)

    def update(self, poses: Sequence[Tensor], batch: Mapping[str, Any]) -> None:
        """Adds persons; those without a head size cannot be scored and are left out.

        Args:
            poses: of every block, (N, V, J, dim + 1), coordinates in [0, 1] of the crops.
            batch: of :class:`har.data.mpii.dataset.MPIIDataset`.
        """
        scored = batch["head_size_px"] > 0  # not NaN either
        true, valid = batch["joints_px"][scored].nan_to_num(), batch["valid"][scored]
        head_size_px = batch["head_size_px"][scored]
        for metric, pose in zip(self.blocks, poses, strict=True):
            places = places_in_image(pose, batch, self.layout)[scored]
            metric.update(places, true, valid, head_size_px)
        self.inside.update(places, true, valid & batch["inside"][scored], head_size_px)

    def compute(self) -> dict[str, Any]:
        """All figures in percent; plain numbers, None for what no joint was counted for.

        Returns:
            ``pckh``, ``pckh_auc``, ``pckh_inside_crop`` of the last block; ``pckh_by_block`` and,
            of the last one, ``pckh_by_joint`` and ``pckh_by_part``, joint or part to figure.
        """
        blocks = [metric.compute() for metric in self.blocks]
        last = blocks[-1]
        joints = zip(self.layout.joints, last["per_joint"].tolist(), strict=True)
        return {
            "pckh": _number(last["total"]),
            "pckh_auc": _number(last["auc"]),
            "pckh_inside_crop": _number(self.inside.compute()["total"]),
            "pckh_by_block": [_number(block["total"]) for block in blocks],
            "pckh_by_joint": _known(dict(joints)),
            "pckh_by_part": _known(by_part(last["per_joint"], self.layout)),
        }

    @staticmethod
    def scalars(results: Mapping[str, Any]) -> dict[str, float]:
        """The figures of :meth:`compute` as single numbers, each under a name of its own."""
        names = ("pckh", "pckh_auc", "pckh_inside_crop")
        flat = {name: results[name] for name in names if results[name] is not None}
        blocks = enumerate(results["pckh_by_block"], start=1)
        flat |= {f"pckh_block/{i}": value for i, value in blocks if value is not None}
        for joint, value in results["pckh_by_joint"].items():
            flat[f"pckh_joint/{joint.replace(' ', '_')}"] = value
        return flat


def _number(value: Tensor) -> float | None:
    """NaN, a figure of no joint at all, has no place in JSON: None."""
    return None if value.isnan() else value.item()


def _known(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if value == value}
