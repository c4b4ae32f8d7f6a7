"""A backbone of torchvision with a soft-argmax head, to compare the networks of this package with.

Xiao, Wu, Wei, "Simple Baselines for Human Pose Estimation and Tracking", ECCV 2018 (arXiv
1804.06208): a classification network without its classifier, some transposed convolutions, one heat
map per joint. The joint is the soft-argmax of its map, so that losses and metrics are the same.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.feature_extraction import create_feature_extractor

from har.errors import HarError
from har.models.backbone_pose import BackbonePoseNet, Maps
from har.models.base import JointChannels


@dataclass(frozen=True)
class TorchvisionPoseNetConfig:
    """The arguments of :class:`TorchvisionPoseNet` that make its shape.

    The backbone's initial weights are not among them: a file of this network has all its weights.
    """

    backbone: str
    features: str
    num_joints: int
    head_width: int
    num_upsamplings: int

    def __post_init__(self) -> None:
        if self.num_joints < 1 or self.head_width < 1 or self.num_upsamplings < 0:
            raise HarError(
                "TorchvisionPoseNet needs num_joints and head_width of at least 1, and "
                f"num_upsamplings of at least 0, not {self.num_joints}, {self.head_width} and "
                f"{self.num_upsamplings}."
            )


class TorchvisionPoseNet(BackbonePoseNet):
    """2-D poses from images with any feature extractor of :mod:`torchvision.models`.

    Example:
        >>> model = TorchvisionPoseNet("resnet18", num_joints=16)
        >>> model(torch.zeros(1, 3, 64, 64)).poses[-1].shape
        torch.Size([1, 16, 3])

    Args:
        backbone: its name in torchvision (``resnet50``, ``mobilenet_v3_large``, ...).
        features: the node of the backbone whose output is taken, (N, C, H / 32, W / 32).
        weights: of the backbone, by the name in torchvision's enum (``DEFAULT``,
            ``IMAGENET1K_V2``), downloaded once; None: random.
        num_joints: joints of a pose.
        head_width: channels of the transposed convolutions.
        num_upsamplings: how often they double the size.

    Raises:
        HarError: no such backbone, node or weights, no connection to download them, or numbers
            too small.
    """

    def __init__(
        self,
        backbone: str = "resnet50",
        features: str = "layer4",
        weights: str | None = None,
        num_joints: int = 16,
        head_width: int = 256,
        num_upsamplings: int = 3,
    ) -> None:
        config = TorchvisionPoseNetConfig(
            backbone, features, num_joints, head_width, num_upsamplings
        )
        super().__init__(config, num_joints=num_joints)
        self.backbone = _backbone(backbone, features, weights)
        channels = self._num_features()
        layers: list[nn.Module] = []
        for _ in range(num_upsamplings):
            layers += [
                nn.ConvTranspose2d(channels, head_width, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(head_width),
                nn.ReLU(inplace=True),
            ]
            channels = head_width
        self.head = nn.Sequential(*layers, nn.Conv2d(channels, num_joints, 1))

    def _num_features(self) -> int:
        """Channels of the backbone's node."""
        with torch.no_grad():
            maps = self.backbone.eval()(torch.zeros(1, 3, 64, 64))["features"]
        self.backbone.train()
        if maps.ndim != 4 or maps.shape[2] != maps.shape[3]:
            raise HarError(
                f"The node {self.config.features} of {self.config.backbone} gives no feature maps "
                f"(N, C, H, W), but {tuple(maps.shape)} for an image of 64x64: choose another node "
                "(model.features), or a convolutional network."
            )
        return int(maps.shape[1])

    def joint_channels(self) -> dict[str, JointChannels]:
        maps = JointChannels(0, torch.arange(self.num_joints)[:, None])
        return self._channels_of_layers({f"head.{len(self.head) - 1}": maps})

    def pose_modules(self) -> list[nn.Module]:
        return [self.backbone, self.head]

    def maps(self, images: Tensor) -> Maps:
        return Maps(self.head(self.backbone(images)["features"]))


def _backbone(name: str, features: str, weights: str | None) -> nn.Module:
    try:
        network = models.get_model(name, weights=weights)
    except (ValueError, KeyError) as error:
        raise HarError(
            f"torchvision has no model {name}, or no weights {weights} for it: choose a model of "
            "torchvision.models and weights=null, DEFAULT or a name of its enum."
        ) from error
    except (OSError, RuntimeError) as error:  # no connection, refused, another checksum
        raise HarError(
            f"The weights {weights} of {name} cannot be downloaded ({error}): check the "
            "connection, or start from random weights (model.weights=null)."
        ) from error
    try:
        extractor: nn.Module = create_feature_extractor(network, {features: "features"})
    except ValueError as error:
        raise HarError(
            f"{name} of torchvision has no node {features} to take features from: model.features "
            "is layer4 for ResNets, features for most others."
        ) from error
    return extractor
