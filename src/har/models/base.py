"""What every network can do: poses of single frames, actions of clips, training, inference.

A network has a pose part, which takes one frame at a time, and may have an action part, which takes
what the pose part found in the frames of a clip. So a frame passes through the pose part once,
whatever clips it belongs to (TPAMI 2020, section 3; CVPR 2018, section 4).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from har.errors import HarError
from har.layouts import Layout
from har.models.layers import FusibleLayer
from har.models.soft_argmax import joint_confidence


class NetworkOutput(NamedTuple):
    """Output of a network for images or clips.

    Attributes:
        poses: one per prediction block, (N, [T,] J, dim + 1): x, y in [0, 1] of the crop, z in
            [0, 1] of the depth range, confidence. ReceptionNet's confidence is raw in 2-D: the
            largest 2x2 sum of the heat map, of any sign and size.
        actions: probabilities (N, C), block by block, action set by action set; () for images and
            for networks without actions.
        action_logits: the same before the softmax.
        heat_maps: of ReceptionNet on request, one per block: (N, [T,] J, H, W), before the softmax.
    """

    poses: tuple[Tensor, ...]
    actions: tuple[Tensor, ...] = ()
    action_logits: tuple[Tensor, ...] = ()
    heat_maps: tuple[Tensor, ...] = ()


class FrameFeatures(NamedTuple):
    """What one action block takes from single frames."""

    pose: Tensor  # (N, [T,] J, dim), coordinates, times confidence where appearance is used
    visual: Tensor  # (N, [T,] J, C), appearance around every joint, or its confidence


class FrameOutput(NamedTuple):
    """Output of the pose part for N single frames.

    Attributes:
        poses: one per prediction block, (N, J, dim + 1), as in :class:`NetworkOutput`.
        pose: the last one, with a confidence in [0, 1].
        features: one per action block, with (N, J, dim) and (N, J, C).
        heat_maps: (N, J, H, W) before the softmax, one per pose; only of networks that learn from
            them, and only in training.
    """

    poses: tuple[Tensor, ...]
    pose: Tensor
    features: tuple[FrameFeatures, ...] = ()
    heat_maps: tuple[Tensor, ...] = ()

    def unflatten(self, clips: Sequence[int]) -> FrameOutput:
        """The same of N T frames as of clips (N, T)."""
        return tree_map(lambda values: values.unflatten(0, clips), self)

    def clips(self, index: Tensor) -> list[FrameFeatures]:
        """Features of clips, per action block (N, T, J, dim) and (N, T, J, C), from (N, T) numbers
        of frames; one frame may be in several clips, and twice in one."""
        return [FrameFeatures(f.pose[index], f.visual[index]) for f in self.features]


def join_frames(outputs: Sequence[FrameOutput]) -> FrameOutput:
    """The outputs of several batches of frames, end to end."""
    return tree_map(lambda *parts: torch.cat(parts), *outputs)


def frame_features(pose: Tensor, probability: Tensor, visual: Tensor) -> FrameFeatures:
    """Coordinates times confidence, and the visual features summed under each joint's map.

    Args:
        pose: (N, J, dim + 1).
        probability: maps (N, J, H, W).
        visual: (N, C, H, W).
    """
    maps = probability.flatten(2).to(visual.dtype)  # (N, J, H W)
    gathered = maps @ visual.flatten(2).transpose(1, 2)  # (N, J, C)
    return FrameFeatures(pose[..., :-1] * pose[..., -1:], gathered)


def with_confidence(pose: Tensor, probability: Tensor) -> Tensor:
    """The pose (N, J, dim + 1) with the confidence of its probability maps (N, J, H, W)."""
    return torch.cat([pose[..., :-1], joint_confidence(probability)[..., None]], -1)


class JointChannels(NamedTuple):
    """Which channels of a weight belong to which joint.

    Attributes:
        axis: of the weight, along which the channels are.
        channels: (J, K) numbers of the K channels of every joint.
    """

    axis: int
    channels: Tensor


class PoseNetwork(nn.Module):
    """Base class of the networks.

    Args:
        config: dataclass of the arguments that build the network.
        num_joints: joints of a pose.
        dim: 2 for x, y; 3 with depth.
        num_actions: classes of every action set; () for poses only.

    Attributes:
        block_names: prediction blocks after which the network can stop (``stop_after``); () for a
            network that cannot.
        size_multiple: height and width of images are multiples of it.
        features_in_image: the action part takes coordinates of the image, so that a followed
            person's crop may move; False: of crops that are the same for the frames of a clip.
    """

    block_names: tuple[str, ...] = ()
    num_pose_outputs: int = 1
    num_action_blocks: int = 0
    size_multiple: int = 1
    features_in_image: bool = False

    def __init__(
        self, config: Any, *, num_joints: int, dim: int, num_actions: tuple[int, ...] = ()
    ) -> None:
        super().__init__()
        self.config = config
        self.num_joints, self.dim, self.num_actions = num_joints, dim, num_actions

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that build the network, as plain values."""
        return dataclasses.asdict(self.config)

    @property
    def num_action_outputs(self) -> int:
        """Number of action outputs; 0 for a network of poses only."""
        return self.num_action_blocks * len(self.num_actions)

    @property
    def clip_size(self) -> int | None:
        """Frames of a clip where the arguments state them."""
        return None

    @property
    def pose_network(self) -> PoseNetwork:
        """The network of poses that this one is built around; itself where there is none."""
        return self

    @property
    def pose_arguments(self) -> dict[str, Any]:
        """The arguments of the same network for poses alone."""
        return self.arguments

    def action_arguments(self, num_actions: int, layout: Layout) -> dict[str, Any]:
        """The arguments of the same network with an action part for so many classes.

        Args:
            num_actions: number of classes.
            layout: of the poses.

        Raises:
            HarError: networks of this class have none.
        """
        raise HarError(
            f"{type(self).__name__} has no action part: choose weights of a network that can have "
            "one, for example people."
        )

    def class_weights(self) -> set[str]:
        """Names of the weights whose shape depends on the number of classes, where a file of
        weights of the original does not know them (:mod:`har.weights.keras`)."""
        return set()

    def joint_channels(self) -> dict[str, JointChannels]:
        """By the names of the weights that have channels of joints, their channels: what another
        network of other joints can take over. Weights that are not named here have none."""
        return {}

    def _channels_of_layers(self, layers: Mapping[str, JointChannels]) -> dict[str, JointChannels]:
        """The channels of the weights of layers, by the ends of the layers' names."""
        return {
            name: channels
            for name, weight in self.named_parameters()
            for layer, channels in layers.items()
            if f".{name.rpartition('.')[0]}".endswith(f".{layer}") and weight.ndim > channels.axis
        }

    def pose_modules(self) -> list[nn.Module]:
        """The modules that are fixed while only actions are learned."""
        raise NotImplementedError

    def action_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters of the action part: all that are not of :meth:`pose_modules`."""
        pose = {id(p) for module in self.pose_modules() for p in module.parameters()}
        return (p for p in self.parameters() if id(p) not in pose)

    def forward_frames(self, images: Tensor) -> FrameOutput:
        """Poses of single frames, and what the action part takes from them.

        Args:
            images: (N, 3, H, W) in [-1, 1].

        Raises:
            HarError: not single frames, or of a size that does not fit the network.
        """
        raise NotImplementedError

    def forward_clips(self, features: Sequence[FrameFeatures]) -> list[Tensor]:
        """Logits of clips from the features of their frames.

        Args:
            features: per action block, (N, T, J, dim) and (N, T, J, C).

        Returns:
            (N, C) per action output, in the order of :attr:`NetworkOutput.actions`.

        Raises:
            HarError: a network without actions.
        """
        raise HarError(f"{type(self).__name__} has no action part.")

    def training_frames(self, images: Tensor) -> FrameOutput:
        """Single frames (N, 3, H, W) with the poses of every block that learns from them."""
        return self.forward_frames(images)

    def forward(self, x: Tensor) -> NetworkOutput:
        """Images (N, 3, H, W) give poses; clips (N, T, 3, H, W) give poses and actions.

        Raises:
            HarError: another shape, or images of a size that does not fit the network.
        """
        frames, clips = self.split_clips(x)
        found = self.forward_frames(frames)
        if clips is None:
            return NetworkOutput(found.poses)
        found = found.unflatten(clips)
        logits = self.forward_clips(found.features) if found.features else []
        return NetworkOutput(found.poses, tuple(v.softmax(-1) for v in logits), tuple(logits))

    def split_clips(self, x: Tensor) -> tuple[Tensor, tuple[int, int] | None]:
        """Images, or the frames of clips, as (N, 3, H, W), and (N, T) of clips.

        Raises:
            HarError: neither.
        """
        self.check_images(x)
        return (x.flatten(0, 1), (x.shape[0], x.shape[1])) if x.ndim == 5 else (x, None)

    def check_images(self, x: Tensor) -> None:
        """Raises a sentence about an input before a convolution fails over it.

        Args:
            x: images (N, 3, H, W) or clips (N, T, 3, H, W).

        Raises:
            HarError: another shape or type, or a size that does not fit the network.
        """
        name = type(self).__name__
        if x.ndim not in (4, 5) or x.shape[-3] != 3:
            raise HarError(
                f"{name} takes images (N, 3, H, W) or clips (N, T, 3, H, W), not {tuple(x.shape)}."
            )
        if not x.is_floating_point():
            raise HarError(f"{name} takes floating-point images in [-1, 1], not {x.dtype}.")
        if x.shape[-2] % self.size_multiple or x.shape[-1] % self.size_multiple:
            raise HarError(
                f"{name} takes images whose height and width are multiples of "
                f"{self.size_multiple}, not {x.shape[-2]}x{x.shape[-1]}."
            )

    def check_frames(self, images: Tensor) -> None:
        """:meth:`check_images` of single frames."""
        if images.ndim != 4:
            raise HarError(
                f"{type(self).__name__}.forward_frames takes single frames (N, 3, H, W), not "
                f"{tuple(images.shape)}; flatten a clip's frames into N."
            )
        self.check_images(images)

    def rebuilt(self, **arguments: Any) -> Self:
        """A new network of the same class, some arguments changed; its weights are random."""
        return type(self)(**{**self.arguments, **arguments})

    def stopped(self, stop_after: int | str) -> Self:
        """A copy that ends with a prediction block, in ``eval`` mode.

        Raises:
            HarError: there is no such block.
        """
        short = self.rebuilt(stop_after=stop_after)
        state = self.state_dict()
        short.load_state_dict({name: state[name] for name in short.state_dict()})
        return short.eval()

    def whole(self) -> Self | None:
        """The network with all its blocks, its weights random; None where it has them all."""
        stops = self.block_names and self.arguments["stop_after"] is not None
        return self.rebuilt(stop_after=None) if stops else None

    def fuse(self) -> Self:
        """A copy for inference: batch normalization folded into the convolutions before it,
        channels last in memory, nothing to be trained, in ``eval`` mode.

        Batch normalization behind a convolution is a factor and a shift of each of its channels, so
        it goes into the kernel: exact but for rounding. Where a ReLU stands between the two, as in
        most of SPNet, which normalizes first, nothing can be folded.
        """
        fused = copy.deepcopy(self).eval().requires_grad_(False)
        for layer in list(fused.modules()):
            if isinstance(layer, FusibleLayer):
                layer.fuse_()
        return fused.to(memory_format=torch.channels_last)
