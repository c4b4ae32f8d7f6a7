"""Metrics of poses and actions (torchmetrics classes, summed over processes)."""

from har.metrics.action import ActionMetrics
from har.metrics.pck import PCKh, by_part
from har.metrics.pose3d import PCK3D, MeanJointError

__all__ = ["PCK3D", "ActionMetrics", "MeanJointError", "PCKh", "by_part"]
