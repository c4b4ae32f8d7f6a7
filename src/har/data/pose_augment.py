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
        size = np.sqrt(2 * moved[..., :2].var(1).mean())  # of the person, about
        if self.flip and rng.random() < 0.5:
            moved, confidence = mirrored(moved, confidence, flip)
        angle = np.deg2rad(self.angle_deg) * rng.uniform(-1, 1)
        turn = np.eye(pose.shape[-1], dtype=np.float32)
        turn[:2, :2] = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
        turn *= 1 + self.stretch * rng.uniform(-1, 1, len(turn)).astype(np.float32)
        moved = moved @ turn + middle
        noise = rng.standard_normal((*moved.shape[:2], 2), dtype=np.float32)
        moved[..., :2] += np.float32(self.noise * size) * noise
        seen = rng.random(moved.shape[1]) >= self.drop
        return moved, confidence * seen[:, None].astype(np.float32)


def mirrored(
    pose: FloatArray, confidence: FloatArray, flip: Sequence[int]
) -> tuple[FloatArray, FloatArray]:
    """A clip of poses (..., J, dim) and confidences (..., J, 1) in a mirror at x = 0."""
    order = np.asarray(flip)
    turned = pose[..., order, :].copy()
    turned[..., 0] *= -1
    return turned, confidence[..., order, :]
