"""Metrics of poses and actions (torchmetrics classes, summed over processes)."""

from har.metrics.action import ActionMetrics
from har.metrics.average_precision import average_precision
from har.metrics.clips import ClipMetrics, scalars
from har.metrics.keypoint_similarity import oks, oks_sigmas
from har.metrics.pck import PCK, PCKh, by_part
from har.metrics.persons import PersonMetrics
from har.metrics.pose3d import PCK3D, MeanJointError

__all__ = [
    "PCK",
    "PCK3D",
    "ActionMetrics",
    "ClipMetrics",
    "MeanJointError",
    "PCKh",
    "PersonMetrics",
    "average_precision",
    "by_part",
    "oks",
    "oks_sigmas",
    "scalars",
]
