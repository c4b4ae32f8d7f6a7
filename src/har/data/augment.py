"""What is drawn at random for a clip or an image.

The lists of the recipes (Luvizon et al., CVPR 2018 and TPAMI 2020) stand in the configs; without
lists nothing is changed, which is what evaluation uses. Colors are left to the device: the frames
stay uint8 until a batch is there, and the drawn exponents travel with them
(value / 255 to the power of its channel, times 2, minus 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from har.errors import HarError


@dataclass(frozen=True)
class AugmentParams:
    """What was drawn for one clip or image.

    Attributes:
        angle_deg: rotation about the image's center, counter-clockwise.
        scale: factor of the crop's window; with it goes the depth range of 3-D poses.
        shift_px: shift of the crop's center in x and y, already multiplied by the scale.
        flip: mirror left and right.
        gammas: exponents of red, green and blue.
        step: distance between the frames of a clip.
        detail: share of the crop's pixels, along each axis, that its picture has: less than 1 for
            somebody small in it.
    """

    angle_deg: float = 0.0
    scale: float = 1.0
    shift_px: tuple[float, float] = (0.0, 0.0)
    flip: bool = False
    gammas: tuple[float, float, float] = (1.0, 1.0, 1.0)
    step: int = 1
    detail: float = 1.0


@dataclass(frozen=True)
class Augmentation:
    """Values from which every clip or image draws once, each list uniformly and on its own.

    Attributes:
        angles_deg: rotations in degrees.
        scales: factors of the crop's window.
        shifts_x_px, shifts_y_px: shifts of the crop's center, to be multiplied by the scale.
        flip: mirror every other clip.
        gammas: exponents, drawn for each color channel.
        steps: distances between the frames of a clip.
        details: shares of the crop's pixels that its picture has, of single images.

    Raises:
        HarError: a list is empty, a scale, exponent, step or detail is not positive, or a detail
            above 1.
    """

    angles_deg: Sequence[float] = (0.0,)
    scales: Sequence[float] = (1.0,)
    shifts_x_px: Sequence[float] = (0.0,)
    shifts_y_px: Sequence[float] = (0.0,)
    flip: bool = False
    gammas: Sequence[float] = (1.0,)
    steps: Sequence[int] = (1,)
    details: Sequence[float] = (1.0,)

    def __post_init__(self) -> None:
        """Check the lists."""
        positive = ("scales", "gammas", "steps", "details")
        for name in ("angles_deg", "shifts_x_px", "shifts_y_px", *positive):
            if len(getattr(self, name)) == 0:
                raise HarError(f"The augmentation's {name} is empty: give it one value at least.")
        for name in positive:
            if min(getattr(self, name)) <= 0:
                raise HarError(f"The augmentation's {name} must be greater than 0.")
        if max(self.details) > 1:
            raise HarError("The augmentation's details must be at most 1.")

    def sample(self, rng: np.random.Generator) -> AugmentParams:
        """One value of each list, all from ``rng``, always in the same order."""
        # All numbers at once: a call of the generator takes longer than all of the rest. One more
        # only where details are drawn, so that other recipes draw what they always drew.
        drawn = len(self.details) > 1
        numbers = iter(rng.random(9 + drawn).tolist())

        def one(values: Sequence[float]) -> float:
            return values[int(next(numbers) * len(values))]

        scale, gamma = float(one(self.scales)), self.gammas
        return AugmentParams(
            scale=scale,
            shift_px=(scale * one(self.shifts_x_px), scale * one(self.shifts_y_px)),
            gammas=(one(gamma), one(gamma), one(gamma)),
            angle_deg=float(one(self.angles_deg)),
            flip=self.flip and next(numbers) < 0.5,
            step=int(one(self.steps)),
            detail=float(one(self.details) if drawn else self.details[0]),
        )


@dataclass(frozen=True)
class CropMargin:
    """How far crops of clips may go from a person: what stored regions have to hold.

    Attributes:
        scale: largest factor of the window.
        shift_px: largest shift in x and y, to be multiplied by the scale.
    """

    scale: float = 1.3
    shift_px: tuple[float, float] = (40.0, 10.0)

    def problem(self, augmentation: Augmentation) -> str:
        """What an augmentation draws beyond this; empty: nothing."""
        if any(augmentation.angles_deg):
            return "crops are rotated"
        if max(augmentation.scales) > self.scale:
            return f"scales up to {max(augmentation.scales):g}, and {self.scale:g} is stored"
        drawn = (augmentation.shifts_x_px, augmentation.shifts_y_px)
        for axis, shifts, most in zip("xy", drawn, self.shift_px, strict=True):
            if max(map(abs, shifts)) > most:
                return f"shifts in {axis} up to {max(map(abs, shifts)):g} px, {most:g} are stored"
        return ""
