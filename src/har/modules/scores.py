"""What a validation or test pass over clips measures: actions, and poses in pixels and mm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from har.data.ntu.targets import pose_to_camera_mm
from har.layouts import get_layout
from har.metrics import PCK3D, MeanJointError


def normalise_images(images: Tensor, powers: Tensor) -> Tensor:
    """uint8 crops (N, [T,] H, W, 3) as network input in [-1, 1], (N, [T,] 3, H, W).

    The colour change of the recipe, value in [0, 1] to the drawn power of its channel, happens
    here, on the device, for the whole batch. The memory stays channels last.

    Args:
        images: uint8 RGB.
        powers: (N, 3), 1 for no change.
    """
    shape = (len(images), *(1,) * (images.ndim - 2), 3)
    values = images.float().div_(255)
    if not bool((powers == 1).all()):
        values = values.pow(powers.reshape(shape))
    return values.mul_(2).sub_(1).movedim(-1, -3)


class MultitaskScores(nn.Module):
    """Accuracies of every action output and errors of every pose block, over processes.

    Args:
        layout: joint layout of the poses.
        num_classes: number of actions.
    """

    def __init__(self, layout: str, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        root = get_layout(layout).root
        self.top1_by_block = nn.ModuleList()
        self.error_by_block = nn.ModuleList()
        self.root = root
        self.top5 = MulticlassAccuracy(num_classes, top_k=min(5, num_classes), average="micro")
        self.confusion = MulticlassConfusionMatrix(num_classes)
        self.error_absolute = MeanJointError(root=None)
        self.error_px = MeanJointError(root=None)
        self.pck = PCK3D(threshold_mm=150, root=root)
        self.clips = 0

    def update(self, out: Any, batch: Mapping[str, Any]) -> None:
        """Adds a batch of clips: the network's output and what the data set knows."""
        self.clips += len(batch["action"])
        self._grow(self.top1_by_block, len(out.actions), self._top1)
        for metric, probabilities in zip(self.top1_by_block, out.actions, strict=True):
            metric.update(probabilities, batch["action"])
        if out.actions:
            self.top5.update(out.actions[-1], batch["action"])
            self.confusion.update(out.actions[-1].argmax(1), batch["action"])
        self._grow(self.error_by_block, len(out.poses), lambda: MeanJointError(root=self.root))
        self._update_poses(out.poses, batch)

    def _top1(self) -> MulticlassAccuracy:
        return MulticlassAccuracy(self.num_classes, average="micro")

    def _grow(self, metrics: nn.ModuleList, size: int, make: Any) -> None:
        """One metric per block of the network, which only its first output tells."""
        while len(metrics) < size:
            metrics.append(make().to(self.confusion.device))

    def _update_poses(self, poses: tuple[Tensor, ...], batch: Mapping[str, Any]) -> None:
        true = batch["pose"]  # (N, T, J, 4)
        valid = batch["tracked"].flatten(0, 1)  # (N T, J)
        device = self.confusion.device

        def in_mm(pose: Tensor) -> Tensor:
            mm = pose_to_camera_mm(
                pose[..., :3].double().cpu().numpy(),
                *(batch[key].cpu().numpy() for key in ("affine", "root_depth_mm")),
                *(batch[key].cpu().numpy() for key in ("depth_scale", "frame_width")),
            )
            return torch.from_numpy(mm).flatten(0, 1).to(device)

        true_mm = in_mm(true)
        for metric, pose in zip(self.error_by_block, poses, strict=True):
            metric.update(in_mm(pose), true_mm, valid)
        last_mm = in_mm(poses[-1])
        self.error_absolute.update(last_mm, true_mm, valid)
        self.pck.update(last_mm, true_mm, valid)
        height, width = batch["images"].shape[-3:-1]
        crop_px = torch.tensor([width, height], device=device)
        self.error_px.update(
            poses[-1][..., :2].float().flatten(0, 1) * crop_px,
            true[..., :2].flatten(0, 1) * crop_px,
            valid,
        )

    def compute(self) -> dict[str, Any]:
        """All figures, in percent, mm and crop pixels; plain numbers and lists of them."""
        results: dict[str, Any] = {}
        if len(self.top1_by_block):
            blocks = [100 * metric.compute().item() for metric in self.top1_by_block]
            results["action_top1"] = blocks[-1]
            if self.num_classes > 5:
                results["action_top5"] = 100 * self.top5.compute().item()
            results["action_top1_by_block"] = blocks
            results["action_per_class"] = self._per_class()
        errors = [metric.compute()["total"].item() for metric in self.error_by_block]
        results["joint_error_mm"] = errors[-1]
        results["joint_error_absolute_mm"] = self.error_absolute.compute()["total"].item()
        results["joint_error_px"] = self.error_px.compute()["total"].item()
        pck = self.pck.compute()
        results["pck3d_150mm"] = pck["total"].item()
        results["pck3d_auc"] = pck["auc"].item()
        results["joint_error_mm_by_block"] = errors
        return {name: _json_number(value) for name, value in results.items()}

    def _per_class(self) -> list[float | None]:
        """Accuracy of every class in percent; None where the split has no clip of it."""
        matrix = self.confusion.compute().double()
        counts, right = matrix.sum(1).tolist(), matrix.diagonal().tolist()
        return [100 * r / n if n else None for r, n in zip(right, counts, strict=True)]

    def confusion_matrix(self) -> np.ndarray | None:
        """Counts (true, predicted) of the last action output; None before any update."""
        if not self.confusion.update_called:
            return None
        return self.confusion.compute().cpu().numpy()

    @staticmethod
    def scalars(results: Mapping[str, Any]) -> dict[str, float]:
        """The single numbers of :meth:`compute` and, under a name each, those of the blocks."""
        flat = {}
        for name, value in results.items():
            if isinstance(value, float):
                flat[name] = value
            elif name.endswith("_by_block"):
                short = name.removesuffix("_by_block")
                flat |= {f"{short}/block_{i + 1}": v for i, v in enumerate(value)}
        return flat


def _json_number(value: Any) -> Any:
    """NaN (a figure of no joint at all) has no place in JSON: None."""
    if isinstance(value, list):
        return [_json_number(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
