"""What a validation or test pass over clips measures: actions, and poses in pixels and mm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from har.data.ntu.targets import pose_to_camera_mm
from har.layouts import get_layout
from har.metrics import PCK3D, ActionMetrics, MeanJointError


class MultitaskScores(nn.Module):
    """Accuracies of every action output and errors of every pose block, over processes.

    Args:
        layout: joint layout of the poses.
        num_classes: number of actions.
        num_pose_outputs, num_action_outputs: of the network. Known beforehand, since every
            process needs the same metrics, one that gets no batch as well.
    """

    def __init__(
        self, layout: str, num_classes: int, num_pose_outputs: int, num_action_outputs: int
    ) -> None:
        super().__init__()
        root = get_layout(layout).root
        # nn.Module's own annotations would make every one of these a Tensor or Module
        self.actions: Any = nn.ModuleList(
            ActionMetrics(num_classes) for _ in range(num_action_outputs)
        )
        self.errors: Any = nn.ModuleList(MeanJointError(root=root) for _ in range(num_pose_outputs))
        self.error_absolute: Any = MeanJointError(root=None)
        self.error_px: Any = MeanJointError(root=None)
        self.pck: Any = PCK3D(threshold_mm=150, root=root)

    def update(self, out: Any, batch: Mapping[str, Any]) -> None:
        """Adds a batch of clips: the network's output and what the data set knows."""
        for metric, probabilities in zip(self.actions, out.actions, strict=True):
            metric.update(probabilities, batch["action"])
        true = batch["pose"]  # (N, T, J, 4)
        valid = batch["tracked"].flatten(0, 1)  # (N T, J)
        crops = [
            batch[key].cpu().numpy()
            for key in ("affine", "root_depth_mm", "depth_scale", "frame_width")
        ]

        def in_mm(pose: Tensor) -> Tensor:
            mm = pose_to_camera_mm(pose[..., :3].double().cpu().numpy(), *crops)
            return torch.from_numpy(mm).flatten(0, 1).to(true.device)

        true_mm = in_mm(true)
        for metric, pose in zip(self.errors, out.poses, strict=True):
            last_mm = in_mm(pose)
            metric.update(last_mm, true_mm, valid)
        self.error_absolute.update(last_mm, true_mm, valid)
        self.pck.update(last_mm, true_mm, valid)
        height, width = batch["images"].shape[-3:-1]
        crop_px = torch.tensor([width, height], device=true.device)
        self.error_px.update(
            out.poses[-1][..., :2].float().flatten(0, 1) * crop_px,
            true[..., :2].flatten(0, 1) * crop_px,
            valid,
        )

    def compute(self) -> dict[str, Any]:
        """All figures, in percent, mm and crop pixels; plain numbers and lists of them."""
        results: dict[str, Any] = {}
        if len(self.actions):
            blocks = [metric.compute() for metric in self.actions]
            results["action_top1"] = blocks[-1]["top1"].item()
            if "top5" in blocks[-1]:
                results["action_top5"] = blocks[-1]["top5"].item()
            results["action_mean_class"] = blocks[-1]["mean_class"].item()
            results["action_top1_by_block"] = [block["top1"].item() for block in blocks]
            results["action_per_class"] = blocks[-1]["per_class"].tolist()
        errors = [metric.compute()["total"].item() for metric in self.errors]
        pck = self.pck.compute()
        results |= {
            "joint_error_mm": errors[-1],
            "joint_error_absolute_mm": self.error_absolute.compute()["total"].item(),
            "joint_error_px": self.error_px.compute()["total"].item(),
            "pck3d_150mm": pck["total"].item(),
            "pck3d_auc": pck["auc"].item(),
            "joint_error_mm_by_block": errors,
        }
        return {name: json_number(value) for name, value in results.items()}

    def confusion_matrix(self) -> np.ndarray | None:
        """Counts (true, predicted) of the last action output; None without one."""
        if not len(self.actions):
            return None
        matrix: np.ndarray = self.actions[-1].compute()["confusion"].cpu().numpy()
        return matrix

    @staticmethod
    def scalars(results: Mapping[str, Any]) -> dict[str, float]:
        """The single numbers of :meth:`compute` and, under a name each, those of the blocks."""
        flat = {}
        for name, value in results.items():
            if isinstance(value, float):
                flat[name] = value
            elif name.endswith("_by_block"):
                short = name.removesuffix("_by_block")
                blocks = enumerate(value, start=1)
                flat |= {f"{short}/block_{i}": v for i, v in blocks if v is not None}
        return flat


def json_number(value: Any) -> Any:
    """NaN (a figure of no joint at all) has no place in JSON: None."""
    if isinstance(value, list):
        return [json_number(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value
