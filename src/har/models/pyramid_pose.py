"""A light pyramid on a backbone that has seen photographs: for few photographs and small machines.

The feature maps of strides 4 to 32 meet from the top down (Lin et al., "Feature Pyramid Networks
for Object Detection", CVPR 2017), depthwise-separable convolutions between them; a heat map per
joint at stride 4, joints by soft-argmax. Actions are learned from its poses alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from har.errors import HarError
from har.layouts import Layout
from har.models.backbone_pose import BackbonePoseNet, Maps
from har.models.backbones import build_backbone
from har.models.base import FrameFeatures, FrameOutput, JointChannels
from har.models.efficientnet_lite import ConvNormAct
from har.models.pose_actions import PoseActions

_AT_FIRST = 3.0  # everything shows a person (95 %), until crops without one are learned


@dataclass(frozen=True)
class PyramidPoseNetConfig:
    """The arguments of :class:`PyramidPoseNet` that make its shape."""

    num_joints: int
    dim: int
    backbone: str
    width: int
    num_layers: int
    kernel_size: int
    num_actions: tuple[int, ...] = ()
    root_joints: tuple[int, ...] = (0,)
    action_width: int = 128
    sees_nobody: bool = False

    def __post_init__(self) -> None:
        if self.dim not in (2, 3) or min(self.num_joints, self.width, self.num_layers) < 1:
            raise HarError(
                "PyramidPoseNet needs dim 2 or 3, and num_joints, width and num_layers of at least "
                f"1, not {self.dim}, {self.num_joints}, {self.width} and {self.num_layers}."
            )
        if self.kernel_size < 1 or self.kernel_size % 2 == 0:
            raise HarError(f"PyramidPoseNet needs an odd kernel_size, not {self.kernel_size}.")
        known = all(0 <= joint < self.num_joints for joint in self.root_joints)
        if not self.root_joints or not known or min((self.action_width, *self.num_actions)) < 1:
            raise HarError(
                "PyramidPoseNet needs num_actions and action_width of at least 1 and root_joints "
                f"below {self.num_joints}, not {self.num_actions}, {self.action_width} and "
                f"{self.root_joints}."
            )


class PyramidPoseNet(BackbonePoseNet):
    """Poses from single images with a backbone of feature maps of several strides.

    With ``num_actions`` it also has an action part, :class:`har.models.pose_actions.PoseActions`.

    Example:
        >>> model = PyramidPoseNet(num_joints=14)
        >>> model(torch.zeros(1, 3, 128, 128)).poses[-1].shape
        torch.Size([1, 14, 3])

    Args:
        num_joints: joints of a pose.
        dim: 2, or 3 for a depth map per joint.
        backbone: ``efficientnet_lite0`` to ``efficientnet_lite2``, or the name of a network of timm
            with feature maps of strides 4 to 32.
        backbone_weights: ``imagenet``, ``auto`` (those if they are there), or a file of weights;
            None: random.
        frozen_stages: the backbone's stem and so many stages keep these weights and statistics,
            which makes a training step half as expensive; 0: everything learns.
        width: channels of the pyramid.
        num_layers: separable convolutions per stride.
        kernel_size: of them, odd.
        num_actions: classes of every action set; () for poses only.
        root_joints: numbers of the joints whose middle is where the person is.
        action_width: channels of the action part.
        sees_nobody: whether it judges from the whole crop if there is a person, which bounds the
            confidence of the joints. It has to learn from crops without one as well.

    Raises:
        HarError: no such backbone or weights, or numbers that make no network.
    """

    features_in_image = True

    # by 200 photographs of LSP's training half: whole maps 63.7 %, 2 to 5 cells 69.6 to 71.9 %
    peak_radius = 5

    def __init__(
        self,
        num_joints: int = 14,
        dim: int = 2,
        backbone: str = "efficientnet_lite0",
        backbone_weights: str | None = None,
        frozen_stages: int = 0,
        width: int = 96,
        num_layers: int = 2,
        kernel_size: int = 5,
        num_actions: Sequence[int] = (),
        root_joints: Sequence[int] = (0,),
        action_width: int = 128,
        sees_nobody: bool = False,
    ) -> None:
        shape = num_joints, dim, backbone, width, num_layers, kernel_size
        actions = tuple(num_actions), tuple(root_joints), action_width
        config = PyramidPoseNetConfig(*shape, *actions, sees_nobody)
        super().__init__(config, num_joints=num_joints, dim=dim, num_actions=config.num_actions)
        self.num_action_blocks = 1 if config.num_actions else 0
        self.backbone = build_backbone(backbone, backbone_weights)
        self.backbone.freeze(frozen_stages)
        channels = self.backbone.channels
        self.laterals = nn.ModuleList(
            ConvNormAct(count, width, rectified=False) for count in channels
        )
        self.layers = nn.ModuleList(
            nn.Sequential(*(_separable(width, kernel_size) for _ in range(num_layers)))
            for _ in channels
        )
        self.heat_maps = nn.Conv2d(width, num_joints, 1)
        self.depth_maps = nn.Conv2d(width, num_joints, 1) if dim == 3 else None
        self.person = nn.Linear(channels[-1], 1) if sees_nobody else None
        if self.person is not None:
            nn.init.zeros_(self.person.weight)
            nn.init.constant_(self.person.bias, _AT_FIRST)
        self.action: PoseActions | None = None
        if config.num_actions:
            self.action = PoseActions(num_joints, dim, *actions)

    @property
    def pose_arguments(self) -> dict[str, Any]:
        return {**self.arguments, "num_actions": (), "root_joints": (0,)}

    def action_arguments(self, num_actions: int, layout: Layout) -> dict[str, Any]:
        hips = tuple(joint for joint, part in enumerate(layout.parts) if part == "hip")
        root = hips or (layout.root,)
        return {**self.arguments, "num_actions": (num_actions,), "root_joints": root}

    def class_weights(self) -> set[str]:
        return {name for name in self.state_dict() if name.startswith("action.classes.")}

    def joint_channels(self) -> dict[str, JointChannels]:
        maps = JointChannels(0, torch.arange(self.num_joints)[:, None])
        return self._channels_of_layers({"heat_maps": maps, "depth_maps": maps})

    def pose_modules(self) -> list[nn.Module]:
        more = [m for m in (self.depth_maps, self.person) if m is not None]
        return [self.backbone, self.laterals, self.layers, self.heat_maps, *more]

    def forward_frames(self, images: Tensor) -> FrameOutput:
        found = super().forward_frames(images)
        if self.action is None:
            return found
        features = FrameFeatures(found.pose[..., :-1], found.pose[..., -1:])
        return found._replace(features=(features,))

    def forward_clips(self, features: Sequence[FrameFeatures]) -> list[Tensor]:
        if self.action is None:
            return super().forward_clips(features)
        return self.action(features[0])

    def maps(self, images: Tensor) -> Maps:
        features = self.backbone(images)
        above: Tensor | None = None
        for values, lateral, layers in reversed(
            list(zip(features, self.laterals, self.layers, strict=True))
        ):
            merged = lateral(values)
            if above is not None:
                merged = merged + F.interpolate(above, scale_factor=2.0, mode="nearest")
            above = layers(merged)
        assert above is not None
        depth = None if self.depth_maps is None else self.depth_maps(above)
        person = None if self.person is None else self.person(features[-1].mean((2, 3)))[:, 0]
        return Maps(self.heat_maps(above), depth, person)

    def _learned_maps(self, heat: Tensor) -> tuple[Tensor, ...]:
        return (heat,) if self.training else ()


def _separable(width: int, kernel_size: int) -> nn.Module:
    return nn.Sequential(
        ConvNormAct(width, width, kernel_size, groups=width, rectified=False),
        ConvNormAct(width, width),
    )
