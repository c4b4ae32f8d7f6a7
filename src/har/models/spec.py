"""What is known about a trained network besides its weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSpec:
    """What the answers of a network mean, and what it wants to be given.

    Attributes:
        layout: joint layout of its poses, see :mod:`har.layouts`.
        num_joints: joints of a pose.
        dim: 2 for x, y; 3 with depth.
        resolution: width and height of the crops in pixels.
        labels: names of the actions, in the order of the probabilities; () for poses only.
        clip_size: frames of a clip; 1 for a network of single images.
        clip_seconds_between_frames: pace of a clip; NTU RGB+D as trained: 4 / 15 s.
        depth_range_mm: z of 0 to 1 spans so much, the root in the middle; None in 2-D.
        name: what to call the network, a published name or a file.
        weights_sha256: checksum of the file that the weights came from.
        confidence: what the last number of a joint is. Always ``"probability"``: the share of the
            joint's softmax map in its best 2x2 cells, also where the network trains another one.
    """

    layout: str
    num_joints: int
    dim: int
    resolution: tuple[int, int]
    labels: tuple[str, ...]
    clip_size: int
    clip_seconds_between_frames: float
    depth_range_mm: float | None
    name: str
    weights_sha256: str
    confidence: str = "probability"

    def pose_shape(self, frames: int) -> tuple[int, int, int]:
        """Shape of the poses of so many frames."""
        return frames, self.num_joints, self.dim + 1

    def as_dict(self) -> dict[str, object]:
        """Plain values, as JSON holds them."""
        return dataclasses.asdict(self)
