"""Bodies: how long the limbs of a subject are, how thick, and what the subject wears.

Lengths are the usual shares of the body height (Drillis and Contini, "Body segment parameters",
1966), varied per subject.
"""

from dataclasses import dataclass

import numpy as np

Color = tuple[int, int, int]

_SKIN: tuple[Color, ...] = ((241, 205, 178), (224, 176, 142), (196, 142, 105), (141, 93, 63))
_HAIR: tuple[Color, ...] = (
    (38, 28, 24),
    (74, 48, 32),
    (128, 92, 52),
    (28, 28, 34),
    (150, 150, 150),
)
_SHIRT: tuple[Color, ...] = (
    (178, 44, 48), (38, 84, 160), (44, 124, 74), (208, 168, 46), (232, 232, 228),
    (60, 60, 68), (126, 66, 138), (222, 118, 52), (84, 160, 176), (168, 96, 112),
)  # fmt: skip
_TROUSERS: tuple[Color, ...] = (
    (42, 50, 84), (58, 58, 60), (96, 82, 64), (70, 92, 120), (36, 44, 40), (150, 138, 116),
)  # fmt: skip
_SHOES: tuple[Color, ...] = ((235, 235, 235), (40, 36, 34), (160, 52, 40), (90, 70, 50))


@dataclass(frozen=True)
class Body:
    """One subject: lengths and radii in meters, colors in RGB.

    Attributes:
        height: of the body.
        thigh, shank, ankle_height, foot: of a leg.
        spine, neck, head: from pelvis to shoulders, to the neck, to the middle of the head.
        shoulder, hip: half widths.
        upper_arm, forearm, hand: of an arm; the hand joint lies in the palm.
        stoutness: factor of all radii.
        right_handed: which hand acts.
        long_sleeves: sleeves to the wrist.
    """

    height: float
    thigh: float
    shank: float
    ankle_height: float
    foot: float
    spine: float
    neck: float
    head: float
    shoulder: float
    hip: float
    upper_arm: float
    forearm: float
    hand: float
    stoutness: float
    right_handed: bool
    long_sleeves: bool
    skin: Color
    hair: Color
    shirt: Color
    trousers: Color
    shoes: Color

    @property
    def arm(self) -> float:
        """Length from shoulder to wrist."""
        return self.upper_arm + self.forearm

    @property
    def pelvis_height(self) -> float:
        """Height of the pelvis joint of the standing body."""
        return 0.985 * (self.thigh + self.shank) + self.ankle_height + 0.02 * self.height


def draw_body(rng: np.random.Generator) -> Body:
    """A random adult."""
    height = float(rng.uniform(1.55, 1.92))

    def share(of_height: float) -> float:
        return float(of_height * height * rng.uniform(0.95, 1.05))

    def one(colors: tuple[Color, ...]) -> Color:
        base = np.array(colors[int(rng.integers(len(colors)))])
        varied = np.clip(base + rng.integers(-10, 11, 3), 0, 255)
        return int(varied[0]), int(varied[1]), int(varied[2])

    return Body(
        height=height,
        thigh=share(0.245),
        shank=share(0.235),
        ankle_height=share(0.04),
        foot=share(0.11),
        spine=share(0.275),
        neck=share(0.05),
        head=share(0.09),
        shoulder=share(0.112),
        hip=share(0.055),
        upper_arm=share(0.175),
        forearm=share(0.15),
        hand=share(0.045),
        stoutness=float(rng.uniform(0.9, 1.18)),
        right_handed=bool(rng.random() < 0.85),
        long_sleeves=bool(rng.random() < 0.4),
        skin=one(_SKIN),
        hair=one(_HAIR),
        shirt=one(_SHIRT),
        trousers=one(_TROUSERS),
        shoes=one(_SHOES),
    )
