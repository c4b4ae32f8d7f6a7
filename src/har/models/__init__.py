"""The networks: plain PyTorch modules, independent of data and training."""

from typing import TYPE_CHECKING, Any

from har.models.registry import NETWORKS, network_class

if TYPE_CHECKING:
    from har.models.action_merge import ActionMergeNet
    from har.models.pyramid_pose import PyramidPoseNet
    from har.models.reception import ReceptionNet
    from har.models.spnet import SPNet
    from har.models.torchvision_pose import TorchvisionPoseNet

__all__ = ["ActionMergeNet", "PyramidPoseNet", "ReceptionNet", "SPNet", "TorchvisionPoseNet"]


def __getattr__(name: str) -> Any:
    if name in NETWORKS:  # har.models.spec must not wait for torch
        return network_class(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
