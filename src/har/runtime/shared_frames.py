"""Every frame passes through the network once, whatever clips it belongs to.

The pose part of SPNet and ActionMergeNet looks at one frame at a time; only the small action part
looks at a clip (TPAMI 2020, section 3; CVPR 2018, section 4). So the frames of overlapping clips
are looked at once, and the action part is given, clip by clip, what was found in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from har.models.spnet import FrameFeatures


class FrameAnswers(NamedTuple):
    """What the pose part says about U frames.

    Attributes:
        poses: one per prediction block, (U, J, dim + 1).
        features: one per block with actions, of (U, J, dim) and (U, J, C); none of a network
            that knows no actions.
    """

    poses: list[Tensor]
    features: list[FrameFeatures]


def look_at_frames(network: Any, images: Tensor, batch_size: int | None = None) -> FrameAnswers:
    """The pose part on frames.

    Args:
        network: of :mod:`har.models`.
        images: (U, 3, H, W) in [-1, 1].
        batch_size: frames at a time; None: all at once.
    """
    parts = images.split(batch_size or max(1, len(images)))
    return join_answers([_look(network, part) for part in parts])


def join_answers(answers: Sequence[FrameAnswers]) -> FrameAnswers:
    """What was found in several lots of frames, end to end."""
    poses = [torch.cat(block) for block in zip(*(a.poses for a in answers), strict=True)]
    features = [
        FrameFeatures(torch.cat([f.pose for f in block]), torch.cat([f.visual for f in block]))
        for block in zip(*(a.features for a in answers), strict=True)
    ]
    return FrameAnswers(poses, features)


def _look(network: Any, images: Tensor) -> FrameAnswers:
    if network.num_action_outputs == 0:
        return FrameAnswers(list(network(images).poses), [])
    poses, features = network.pose_part(images)
    return FrameAnswers(list(poses), list(features))


def answer_clips(network: Any, features: Sequence[FrameFeatures], clips: Tensor) -> list[Tensor]:
    """The action part on clips of frames that were looked at.

    Args:
        network: of :mod:`har.models`, with actions.
        features: of U frames, see :class:`FrameAnswers`.
        clips: (N, T) numbers of frames; one frame may be in several clips, and twice in one.

    Returns:
        Logits (N, C) per action output, in the order of the network's ``actions``.
    """
    gathered = [FrameFeatures(f.pose[clips], f.visual[clips]) for f in features]
    logits: list[Tensor] = network.action_part(gathered)
    return logits
