"""Random changes of a clip of poses: what looks different and is the same action."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class PoseAugmentation:
    """What is drawn for a clip of poses, each for all of its frames alike but the noise.

    Attributes:
        pace: frames lie up to this share closer or farther apart in time.
        angle_deg: turned in the picture, at most.
        stretch: of width, height and depth, at most this share each.
        noise: standard deviation of a joint's place, in units of the person's size.
        drop: probability that a joint is not seen.
        flip: half of the clips are mirrored.
    """

    pace: float = 0.15
    angle_deg: float = 8.0
    stretch: float = 0.1
    noise: float = 0.02
    drop: float = 0.05
    flip: bool = True

    def __post_init__(self) -> None:
        for name in ("pace", "angle_deg", "stretch", "noise", "drop"):
            highest = 180 if name == "angle_deg" else 0.9
            if not 0 <= getattr(self, name) <= highest:
                raise HarError(
                    f"data.augmentation.{name}={getattr(self, name)} has to be from 0 to {highest}."
                )

    def __call__(
        self,
        pose: FloatArray,
        confidence: FloatArray,
        flip: Sequence[int],
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray]:
        """A changed clip.

        Args:
            pose: (T, J, dim) in pixels.
            confidence: (T, J, 1).
            flip: the joints of a mirrored pose, see :class:`har.layouts.Layout`.
            rng: what is drawn from.
        """
        middle = pose.mean((0, 1))
        moved = pose - middle
        size = np.sqrt(np.square(moved - moved.mean(1, keepdims=True))[..., :2].sum(-1).mean())
        if self.flip and rng.random() < 0.5:
            moved, confidence = mirrored(moved, confidence, flip)
        angle = np.deg2rad(self.angle_deg) * rng.uniform(-1, 1)
        cos, sin = np.cos(angle), np.sin(angle)
        turned = moved[..., :2] @ np.array([[cos, sin], [-sin, cos]])
        moved = np.concatenate([turned, moved[..., 2:]], -1)
        moved = moved * (1 + self.stretch * rng.uniform(-1, 1, moved.shape[-1]))
        moved[..., :2] += rng.normal(0, self.noise * size, moved[..., :2].shape)
        seen = rng.random(moved.shape[1]) >= self.drop
        confidence = confidence * seen[:, None]
        return (moved + middle).astype(np.float32), confidence.astype(np.float32)


def mirrored(
    pose: FloatArray, confidence: FloatArray, flip: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """A clip of poses (..., J, dim) and confidences (..., J, 1) in a mirror at x = 0."""
    order = np.asarray(flip)
    turned = pose[..., order, :].copy()
    turned[..., 0] *= -1
    return turned, confidence[..., order, :]
