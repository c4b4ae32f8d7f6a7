"""What a validation or test pass over clips measures: actions, and poses in pixels and mm."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from har.geometry import Camera
from har.layouts import LayoutLike, get_layout
from har.metrics.action import ActionMetrics
from har.metrics.camera import crop_to_image, pose_to_camera_mm
from har.metrics.pck import PCK
from har.metrics.pose3d import PCK3D, ActionJointError, MeanJointError


class ClipMetrics(nn.Module):
    """Accuracies of every action output and errors of every pose block, over processes.

    Everything stays on the device until :meth:`compute`, which reduces once.

    Args:
        layout: joint layout of the poses, or its name.
        num_classes: number of actions.
        num_pose_outputs, num_action_outputs: of the network. Known beforehand, since every
            process needs the same metrics, one that gets no batch as well.
        camera: which took the clips; None: errors in pixels of the crops, and PCK at 0.2 of the
            longer side of the box around the joints that count.
        depth_range_mm: that z of 0 to 1 spans in a crop of scale 1; None as ``camera``.
    """

    def __init__(
        self,
        layout: LayoutLike,
        num_classes: int,
        num_pose_outputs: int,
        num_action_outputs: int,
        camera: Camera | None = None,
        depth_range_mm: float | None = None,
    ) -> None:
        super().__init__()
        root = get_layout(layout).root
        self.camera = camera if depth_range_mm is not None else None
        self.depth_range_mm = depth_range_mm
        blocks = range(num_pose_outputs if self.camera is not None else 0)
        # nn.Module's own annotations would make every one of these a Tensor or Module
        outputs = range(num_action_outputs)
        self.actions: Any = nn.ModuleList(ActionMetrics(num_classes) for _ in outputs)
        self.errors: Any = nn.ModuleList(MeanJointError(root=root) for _ in blocks)
        self.error_absolute: Any = MeanJointError(root=None)
        self.error_px: Any = MeanJointError(root=None)
        self.pck: Any = PCK3D(threshold_mm=150, root=root)
        classes = num_classes if blocks and not num_action_outputs else 0
        self.by_action: Any = ActionJointError(classes, root) if classes else None
        in_2d = range(num_pose_outputs if self.camera is None else 0)
        self.pck_box: Any = nn.ModuleList(PCK(threshold=0.2, layout=layout) for _ in in_2d)

    def update(
        self, poses: Sequence[Tensor], batch: Mapping[str, Any], probabilities: Sequence[Tensor]
    ) -> None:
        """Adds N clips.

        Args:
            poses: per block (N, T, J, dim + 1), coordinates in [0, 1] of the crops.
            batch: of :class:`har.data.clips_dataset.ClipDataset`.
            probabilities: per action output (N, C), or anything in their order.
        """
        for metric, scores in zip(self.actions, probabilities, strict=True):
            metric.update(scores, batch["action"])
        true = batch["pose"]  # (N, T, J, dim + 1)
        valid = batch["tracked"].flatten(0, 1)  # (N T, J)
        if self.camera is not None:
            true_mm = self._in_mm(true, batch)
            for metric, pose in zip(self.errors, poses, strict=True):
                last_mm = self._in_mm(pose, batch)
                metric.update(last_mm, true_mm, valid)
            if self.by_action is not None:
                self.by_action.update(last_mm, true_mm, valid, batch["action"])
            self.error_absolute.update(last_mm, true_mm, valid)
            self.pck.update(last_mm, true_mm, valid)
        else:
            self._update_pck(poses, true, batch["affine"], valid)
        height, width = batch["images"].shape[-3:-1]
        # The size by arithmetic: a tensor of it would be copied to the device.
        last_px, true_px = (
            torch.stack([pose[..., 0].float() * width, pose[..., 1].float() * height], dim=-1)
            for pose in (poses[-1], true)
        )
        self.error_px.update(last_px.flatten(0, 1), true_px.flatten(0, 1), valid)

    def _update_pck(
        self, poses: Sequence[Tensor], true: Tensor, affine: Tensor, valid: Tensor
    ) -> None:
        """Counts joints in pixels of the frames: a clip's crop need not be a square."""
        true_px = crop_to_image(true[..., :2], affine).flatten(0, 1)
        infinity = torch.full_like(true_px, torch.inf)
        known = valid[..., None]
        low = torch.where(known, true_px, infinity).amin(1)
        high = torch.where(known, true_px, -infinity).amax(1)
        # A frame without a joint counts in neither number, whatever its length.
        length = torch.where(valid.any(1), (high - low).amax(1), 1.0)
        for metric, pose in zip(self.pck_box, poses, strict=True):
            found_px = crop_to_image(pose[..., :2], affine).flatten(0, 1)
            metric.update(found_px, true_px, valid, length)

    def _in_mm(self, pose: Tensor, batch: Mapping[str, Any]) -> Tensor:
        """Poses (N, T, J, 3 or more) in the crop as (N T, J, 3) in mm."""
        crop = {k: batch[k] for k in ("affine", "root_depth_mm", "depth_scale", "frame_width")}
        of_data: Any = {"camera": self.camera, "depth_range_mm": self.depth_range_mm}
        of_data["intrinsics"] = batch.get("intrinsics")
        return pose_to_camera_mm(pose[..., :3], **crop, **of_data).flatten(0, 1)

    def compute(self) -> dict[str, Any]:
        """All metrics, in percent, mm and crop pixels; plain numbers and lists of them, None
        where nothing was counted."""
        results: dict[str, Any] = {}
        if len(self.actions):
            blocks = [metric.compute() for metric in self.actions]
            for name in ("top1", "top5", "mean_class"):
                if name in blocks[-1]:
                    results[f"action_{name}"] = blocks[-1][name]
            results["action_top1_by_block"] = torch.stack([block["top1"] for block in blocks])
            results["action_per_class"] = blocks[-1]["per_class"]
        if self.camera is not None:
            errors = torch.stack([metric.compute()["total"] for metric in self.errors])
            pck = self.pck.compute()
            results |= {
                "joint_error_mm": errors[-1],
                "joint_error_absolute_mm": self.error_absolute.compute()["total"],
                "pck3d_150mm": pck["total"],
                "pck3d_auc": pck["auc"],
                "joint_error_mm_by_block": errors,
            }
        if self.by_action is not None:
            results["joint_error_mm_by_action"] = self.by_action.compute()
        if len(self.pck_box):
            by_block = torch.stack([metric.compute()["total"] for metric in self.pck_box])
            results |= {"pck_box": by_block[-1], "pck_box_by_block": by_block}
        results["joint_error_px"] = self.error_px.compute()["total"]
        return {name: plain(value) for name, value in results.items()}

    def confusion_matrix(self) -> np.ndarray | None:
        """Counts (true, predicted) of the last action output; None without one."""
        if not len(self.actions):
            return None
        return self.actions[-1].compute()["confusion"].cpu().numpy()


def scalars(results: Mapping[str, Any]) -> dict[str, float]:
    """The single numbers of results and, under a name each, those of blocks and joints."""
    flat: dict[str, float] = {}
    for name, value in results.items():
        if isinstance(value, float):
            flat[name] = value
        elif name.endswith("_by_block"):
            blocks = enumerate(value, start=1)
            short = name.removesuffix("_by_block")
            flat |= {f"{short}/block_{i}": v for i, v in blocks if v is not None}
        elif name.endswith("_by_joint"):
            short = name.removesuffix("_by_joint")
            flat |= {f"{short}_joint/{j.replace(' ', '_')}": v for j, v in value.items()}
    return flat


def plain(value: Tensor) -> Any:
    """A tensor as a number or a list of numbers; None for NaN, which JSON does not have."""
    values = value.tolist()
    if isinstance(values, list):
        return [None if number != number else number for number in values]
    return None if values != values else values
