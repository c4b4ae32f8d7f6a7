"""The networks: plain PyTorch modules that know nothing of training."""

from har.models.spnet import SPNet

__all__ = ["SPNet"]
