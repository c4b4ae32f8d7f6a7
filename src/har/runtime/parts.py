"""A network's parts as modules of their own, to be compiled, timed and exported.

All take and give tensors only, so that a compiler or exporter sees one graph each.
"""

from torch import Tensor, nn

from har.models.base import FrameFeatures, PoseNetwork
from har.transforms import normalize_images


class _Part(nn.Module):
    """Computes something of a network of :mod:`har.models`."""

    def __init__(self, network: PoseNetwork) -> None:
        super().__init__()
        self.network = network


class FramePart(_Part):
    """Crops to the pose of the last prediction block, and what the action part takes from it."""

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """uint8 RGB crops (N, H, W, 3) to the pose (N, J, dim + 1) with confidences in [0, 1],
        then, per block with actions, (N, J, dim) and (N, J, C)."""
        found = self.network.forward_frames(normalize_images(images))
        return found.pose, *(tensor for block in found.features for tensor in block)


class ClipPart(_Part):
    """The action part: features of the frames of clips to the probabilities of actions."""

    def forward(self, *features: Tensor) -> Tensor:
        """Per block with actions (N, T, J, dim) and (N, T, J, C), as :class:`FramePart` gives
        them, to probabilities (N, C) of the last block's first action set."""
        blocks = [FrameFeatures(*pair) for pair in zip(features[::2], features[1::2], strict=True)]
        logits = self.network.forward_clips(blocks)
        return logits[-len(self.network.num_actions)].softmax(-1)


class WholeNetwork(_Part):
    """All outputs of a network as one graph: what is exported.

    Networks with actions take clips (N, T, 3, H, W), others images (N, 3, H, W), in [-1, 1].
    """

    @property
    def takes_clips(self) -> bool:
        return self.network.num_action_outputs > 0

    def output_names(self) -> list[str]:
        """Names of the outputs: the last pose and action, those of every block, the features."""
        network = self.network
        last = ["pose", *(["action"] if network.num_action_outputs else [])]
        poses = [f"pose_{i + 1}" for i in range(network.num_pose_outputs)]
        actions = [f"action_{i + 1}" for i in range(network.num_action_outputs)]
        features = [
            f"features_{i + 1}_{kind}"
            for i in range(network.num_action_blocks)
            for kind in ("pose", "visual")
        ]
        return [*last, *poses, *actions, *features]

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The outputs in the order of :meth:`output_names`."""
        network = self.network
        if not network.num_action_outputs:
            found = network.forward_frames(images)
            return found.pose, *found.poses
        found = network.forward_frames(images.flatten(0, 1)).unflatten(images.shape[:2])
        actions = [logits.softmax(-1) for logits in network.forward_clips(found.features)]
        features = (values for block in found.features for values in block)
        return found.pose, actions[-len(network.num_actions)], *found.poses, *actions, *features
