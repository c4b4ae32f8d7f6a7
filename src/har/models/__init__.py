"""The networks: plain PyTorch modules that know nothing of training."""

from har.models.action_merge import ActionMergeNet
from har.models.reception import ReceptionNet
from har.models.spnet import SPNet

__all__ = ["ActionMergeNet", "ReceptionNet", "SPNet"]
