"""Actions from the motion of a skeleton alone: what surrounds the person cannot be learned.

Temporal convolutions over the joints of a clip, the size and the place of the person taken out
(as Kim and Reiter, "Interpretable 3D Human Action Analysis with Temporal Convolutional Networks",
CVPR Workshops 2017, in two layers, with the motion of the hips beside the joints).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from har.models.base import FrameFeatures
from har.precision import at_least_float32

_DEPTH_UNIT = 0.25  # of the depth range: about half a meter
_SPEED = 5.0  # a fifth of the person's size from frame to frame is a large step
_CERTAIN = 0.4  # a confidence from which on a joint counts in full
_SMALLEST = 1e-4  # of a person's size, where no joint is apart from the others
_DROPOUT = 0.3


class PoseActions(nn.Module):
    """Logits of actions from the poses of a clip, in coordinates of any scale and place.

    Args:
        num_joints, dim: of the poses.
        num_actions: classes of every action set.
        root_joints: numbers of the joints whose middle is where the person is: the hips.
        width: channels of the convolutions.
    """

    def __init__(
        self,
        num_joints: int,
        dim: int,
        num_actions: Sequence[int],
        root_joints: Sequence[int] = (0,),
        width: int = 128,
    ) -> None:
        super().__init__()
        self.root_joints = tuple(root_joints)
        channels = num_joints * (2 * dim + 1) + 4
        self.standardize = nn.BatchNorm1d(channels, affine=False)
        self.layers = nn.Sequential(
            nn.Dropout1d(0.1),
            nn.Conv1d(channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Dropout(_DROPOUT),
            nn.Conv1d(width, width, 3, padding=1),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(_DROPOUT)
        self.classes = nn.ModuleList(nn.Linear(2 * width, count) for count in num_actions)

    def forward(self, features: FrameFeatures) -> list[Tensor]:
        """Logits of N clips of T frames.

        Args:
            features: places (N, T, J, dim), and confidences (N, T, J, 1) as what is visual.

        Returns:
            (N, C) per action set.
        """
        with torch.autocast(features.pose.device.type, enabled=False):
            values = self.motion(features.pose, features.visual)
            values = self.layers(self.standardize(values.transpose(1, 2)))
            pooled = self.dropout(torch.cat([values.mean(2), values.amax(2)], 1))
            return [classify(pooled) for classify in self.classes]

    def motion(self, pose: Tensor, confidence: Tensor) -> Tensor:
        """What is learned from, (N, T, J (2 dim + 1) + 4): joints relative to the hips and their
        velocities, both times how sure they are; that; the hips' place in the clip and velocity.

        All are in units of the person's size over the clip: the root mean square of the distances
        of the joints from their middle.
        """
        pose, sure = at_least_float32(pose), at_least_float32(confidence)
        sure = (sure / _CERTAIN).clamp(0, 1)  # (N, T, J, 1)
        places = pose[..., :2]
        weight = sure + _SMALLEST
        middle = (places * weight).sum(2, keepdim=True) / weight.sum(2, keepdim=True)
        spread = ((places - middle).square().sum(-1, keepdim=True) * weight).sum((1, 2, 3))
        size = (spread / weight.sum((1, 2, 3))).clamp(min=1e-12).sqrt()[:, None, None, None]
        roots = torch.stack([pose[:, :, joint] for joint in self.root_joints])
        root = roots.mean(0)[:, :, None]  # (N, T, 1, dim)
        hips, joints = root[..., :2], (places - root[..., :2]) / size
        if pose.shape[-1] > 2:
            depth = (pose[..., 2:] - root[..., 2:]) / _DEPTH_UNIT
            joints = torch.cat([joints, depth], -1)
        both = torch.minimum(sure[:, 1:], sure[:, :-1])
        speed = _from_the_first(_SPEED * (joints[:, 1:] - joints[:, :-1]) * both, joints)
        travel = (hips - hips.mean(1, keepdim=True)) / size
        pace = _from_the_first(_SPEED * (hips[:, 1:] - hips[:, :-1]) / size, hips)
        parts = (joints * sure, speed, sure, travel, pace)
        return torch.cat([part.flatten(2) for part in parts], -1)


def _from_the_first(steps: Tensor, values: Tensor) -> Tensor:
    """Steps between T frames as (N, T, ...): none before the first frame."""
    return torch.cat([torch.zeros_like(values[:, :1]), steps], 1)
