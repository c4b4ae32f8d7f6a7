"""Soft-argmax heads on a backbone that was trained to classify photographs."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from har.models.base import FrameOutput, PoseNetwork
from har.models.soft_argmax import (
    around_peak,
    channel_softmax_2d,
    joint_confidence,
    soft_argmax_2d,
)

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as the weights expect


class Maps(NamedTuple):
    """What a network makes of N images.

    Attributes:
        heat: heat map per joint (N, J, H / 4, W / 4) before the softmax.
        depth: of the same shape before the sigmoid; None in 2-D.
        person: (N,) before the sigmoid, how surely an image shows a person; None: not asked for.
    """

    heat: Tensor
    depth: Tensor | None = None
    person: Tensor | None = None


class BackbonePoseNet(PoseNetwork):
    """Base of the networks that make a heat map per joint from a backbone's feature maps.

    A joint is the soft-argmax of its map, and its depth the mean of a depth map under it (TPAMI
    2020, section 4), so that losses and metrics are those of SPNet.

    Args:
        config: dataclass of the arguments that build the network, without the backbone's initial
            weights: a file of the network has all its weights.
        num_joints, dim, num_actions: see :class:`PoseNetwork`.

    Attributes:
        peak_radius: outside training, joints are soft-argmaxes of so many cells around the peaks
            of the maps; None: of the whole maps.
    """

    size_multiple = 32
    peak_radius: int | None = None
    mean: Tensor
    std: Tensor

    def __init__(
        self, config: Any, *, num_joints: int, dim: int = 2, num_actions: tuple[int, ...] = ()
    ) -> None:
        super().__init__(config, num_joints=num_joints, dim=dim, num_actions=num_actions)
        self.register_buffer("mean", torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(3, 1, 1), persistent=False)

    def maps(self, images: Tensor) -> Maps:
        """The maps of images that are normalized by ImageNet's mean and deviation."""
        raise NotImplementedError

    def forward_frames(self, images: Tensor) -> FrameOutput:
        self.check_frames(images)
        heat, depth, person = self.maps(((images + 1) / 2 - self.mean) / self.std)
        with torch.autocast(heat.device.type, enabled=False):
            probability = channel_softmax_2d(heat)
            near = probability
            if self.peak_radius is not None and not self.training:
                near = around_peak(probability, self.peak_radius)
            parts = [soft_argmax_2d(near)]
            if depth is not None:
                z = (torch.sigmoid(depth.to(near.dtype)) * near).sum((2, 3))
                parts.append(z[..., None])
            confidence = joint_confidence(probability)
            if person is not None:  # no joint is surer than that there is somebody
                confidence = confidence * torch.sigmoid(person.to(near.dtype))[:, None]
            pose = torch.cat([*parts, confidence[..., None]], -1)
        return FrameOutput((pose,), pose, heat_maps=self._learned_maps(heat))

    def _learned_maps(self, heat: Tensor) -> tuple[Tensor, ...]:
        """The maps if they are learned from as well."""
        return ()
