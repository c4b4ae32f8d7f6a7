"""SPNet: poses and actions from one network of prediction blocks in pyramids.

Luvizon, Picard, Tabia, "Multi-task Deep Learning for Real-Time 3D Human Pose Estimation and Action
Recognition", TPAMI 2020 (arXiv 1912.08077), section 3, and the authors' published program. The two
parts are two modules, see :mod:`har.models.base`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from har.errors import HarError
from har.layouts import Layout
from har.models.base import FrameFeatures, FrameOutput, JointChannels, PoseNetwork
from har.models.spnet_blocks import ActionPart, PosePart
from har.models.spnet_config import SPNetConfig, plan_steps, steps_until


class SPNet(PoseNetwork):
    """Poses from images, poses and actions from clips (TPAMI 2020).

    Example:
        >>> import torch
        >>> model = SPNet(num_actions=(12,), growth=32, num_levels=3)
        >>> out = model(torch.zeros(1, 8, 3, 96, 96))
        >>> out.poses[-1].shape, out.actions[-1].shape
        (torch.Size([1, 8, 17, 4]), torch.Size([1, 12]))

    Args:
        num_joints: joints of a pose.
        dim: 2 for x, y; 3 with depth.
        num_actions: classes of every action set; () for poses only.
        num_pyramids: pyramids, by turns down and up.
        action_pyramids: pyramids with an action part, from 1; () for poses only.
        num_levels: levels of a pyramid.
        kernel_size: of the pyramids' separable convolutions; one number or (rows, columns).
        growth: channels that every level adds.
        image_div: size of the image over that of level 0.
        downsampling: ``"maxpooling"``, or ``"conv"`` for strided and transposed convolutions.
        pose_replica: own heat maps for the action part.
        num_pose_features, num_visual_features: channels of the action part's two streams.
        softargmax_alpha: factor before the softmax of heat maps.
        stop_after: the last prediction block, by its number from 1 or its name (pyramid and level,
            ``"up2_pb0"``); later ones are not built. None: all blocks.

    Raises:
        HarError: arguments that contradict each other.
    """

    def __init__(
        self,
        num_joints: int = 17,
        dim: int = 3,
        num_actions: Sequence[int] = (60,),
        num_pyramids: int = 2,
        action_pyramids: Sequence[int] = (1, 2),
        num_levels: int = 4,
        kernel_size: int | Sequence[int] = 5,
        growth: int = 96,
        image_div: int = 8,
        downsampling: str = "maxpooling",
        pose_replica: bool = False,
        num_pose_features: int = 128,
        num_visual_features: int = 128,
        softargmax_alpha: float = 1.0,
        stop_after: int | str | None = None,
    ) -> None:
        kernel = kernel_size if isinstance(kernel_size, int) else (kernel_size[0], kernel_size[1])
        pyramids = tuple(num_actions), num_pyramids, tuple(action_pyramids), num_levels
        features = pose_replica, num_pose_features, num_visual_features
        shape = *pyramids, kernel, growth, image_div, downsampling, *features
        config = SPNetConfig(num_joints, dim, *shape, softargmax_alpha, stop_after)
        super().__init__(config, num_joints=num_joints, dim=dim, num_actions=config.num_actions)
        self.steps = plan_steps(num_pyramids, num_levels, config.action_pyramids)
        if stop_after is not None:
            self.steps = steps_until(self.steps, stop_after)
        self.block_names = tuple(step.block for step in self.steps)
        self.num_pose_outputs = len(self.steps)
        self.num_action_blocks = sum(step.has_action for step in self.steps)
        self.pose = PosePart(self.steps, config)
        self.action = ActionPart(self.steps, self.pose.widths, config)

    @property
    def pose_arguments(self) -> dict[str, Any]:
        return {**self.arguments, "num_actions": (), "action_pyramids": ()}

    def action_arguments(self, num_actions: int, layout: Layout) -> dict[str, Any]:
        pyramids = self.config.action_pyramids or tuple(range(1, self.config.num_pyramids + 1))
        return {**self.arguments, "num_actions": (num_actions,), "action_pyramids": pyramids}

    def joint_channels(self) -> dict[str, JointChannels]:
        one = torch.arange(self.num_joints)[:, None]
        two = torch.cat([one, one + self.num_joints], 1)  # forward maps and heat maps
        maps = ("heatmaps", "depthmaps", "heatmaps_replica", "depthmaps_replica", "forward_maps")
        return self._channels_of_layers(
            {
                **{layer: JointChannels(0, one) for layer in maps},
                "heatmaps_back": JointChannels(1, two),
                "depthmaps_back": JointChannels(1, one),
            }
        )

    def pose_modules(self) -> list[nn.Module]:
        return [self.pose]

    def forward_frames(self, images: Tensor) -> FrameOutput:
        self.check_frames(images)
        poses, features = self.pose(images)
        return FrameOutput(tuple(poses), poses[-1], tuple(features))

    def training_frames(self, images: Tensor) -> FrameOutput:
        self.check_frames(images)
        poses, _ = self.pose(images, with_actions=False)
        return FrameOutput(tuple(poses), poses[-1])

    def forward_clips(self, features: Sequence[FrameFeatures]) -> list[Tensor]:
        if not self.num_action_blocks:
            return super().forward_clips(features)
        return self.action(features)

    def check_images(self, x: Tensor) -> None:
        super().check_images(x)
        shrinking = 2 ** (self.config.num_levels - 1)  # from level 0 to the last level
        for size in x.shape[-2:]:
            cells = -(-size // self.config.image_div)  # every stride rounds up
            # The way up doubles exactly; a confidence needs 2x2 cells.
            uneven = self.config.num_pyramids > 1 and cells % shrinking != 0
            if uneven or cells <= shrinking:
                multiple, levels = self.config.image_div * shrinking, self.config.num_levels
                raise HarError(
                    f"SPNet cannot take images of {x.shape[-1]}x{x.shape[-2]} (width x height): "
                    f"with image_div={self.config.image_div} and num_levels={levels} choose sides "
                    f"that are multiples of {multiple}, at least {2 * multiple}."
                )
