"""The networks: plain PyTorch modules that know nothing of training."""

from typing import TYPE_CHECKING, Any

from har.models.action_merge import ActionMergeNet
from har.models.reception import ReceptionNet
from har.models.spnet import SPNet

if TYPE_CHECKING:
    from har.models.torchvision_pose import TorchvisionPoseNet

__all__ = ["ActionMergeNet", "ReceptionNet", "SPNet", "TorchvisionPoseNet"]


def __getattr__(name: str) -> Any:
    if name == "TorchvisionPoseNet":  # torchvision takes seconds to import
        from har.models.torchvision_pose import TorchvisionPoseNet

        return TorchvisionPoseNet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
