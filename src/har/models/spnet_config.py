"""The arguments of SPNet, and the order in which data passes its prediction blocks."""

from collections.abc import Sequence
from dataclasses import dataclass

from har.errors import HarError


@dataclass(frozen=True)
class SPNetConfig:
    """The arguments of :class:`SPNet`, checked."""

    num_joints: int
    dim: int
    num_actions: tuple[int, ...]
    num_pyramids: int
    action_pyramids: tuple[int, ...]
    num_levels: int
    kernel_size: int | tuple[int, int]
    growth: int
    image_div: int
    downsampling: str
    pose_replica: bool
    num_pose_features: int
    num_visual_features: int
    softargmax_alpha: float
    stop_after: int | str | None = None

    def __post_init__(self) -> None:
        wrong = [p for p in self.action_pyramids if not 1 <= p <= self.num_pyramids]
        if wrong:
            raise HarError(
                f"action_pyramids={list(self.action_pyramids)} counts pyramids from 1 to "
                f"{self.num_pyramids} (num_pyramids): {wrong[0]} is not there."
            )
        if bool(self.action_pyramids) != bool(self.num_actions):
            raise HarError(
                "num_actions and action_pyramids go together: give both, or neither for poses only."
            )
        if self.dim not in (2, 3):
            raise HarError(f"dim={self.dim}: poses have 2 or 3 dimensions.")
        if self.downsampling not in ("maxpooling", "conv"):
            raise HarError(f"downsampling={self.downsampling}: choose maxpooling or conv.")
        if self.image_div not in (4, 8, 16):
            raise HarError(f"image_div={self.image_div}: choose 4, 8 or 16.")
        if self.num_levels < 2 or self.num_pyramids < 1:
            raise HarError("SPNet needs at least one pyramid (num_pyramids) of 2 num_levels.")


@dataclass(frozen=True)
class Step:
    """One step through a pyramid, with the prediction block at its end."""

    pyramid: int  # from 1; odd ones go down, even ones up
    level: int
    has_action: bool

    @property
    def down(self) -> bool:
        return self.pyramid % 2 == 1

    @property
    def unit(self) -> str:
        """Name of what leads to the level, as in the original: ``dp1_du2``, ``up2_uu0``."""
        letter = "d" if self.down else "u"
        return f"{letter}p{self.pyramid}_{letter}u{self.level}"

    @property
    def block(self) -> str:
        """Name of the prediction block, as in the original: ``dp1_pb2``."""
        return f"{'dp' if self.down else 'up'}{self.pyramid}_pb{self.level}"


def plan_steps(num_pyramids: int, num_levels: int, action_pyramids: Sequence[int]) -> list[Step]:
    """All steps in the order in which data meets them."""
    steps = []
    for pyramid in range(1, num_pyramids + 1):
        downwards = range(1, num_levels)
        upwards = range(num_levels - 2, -1, -1)
        for level in downwards if pyramid % 2 else upwards:
            steps.append(Step(pyramid, level, pyramid in action_pyramids))
    return steps


def steps_until(steps: Sequence[Step], stop_after: int | str) -> list[Step]:
    """The steps up to a prediction block, given by its name or its number from 1.

    Raises:
        HarError: there is no such block.
    """
    names = [step.block for step in steps]
    if str(stop_after).isdecimal() and 1 <= int(stop_after) <= len(steps):
        return list(steps[: int(stop_after)])
    if stop_after in names:
        return list(steps[: 1 + names.index(str(stop_after))])
    raise HarError(
        f"stop_after={stop_after}: there is no such prediction block; choose 1 to {len(steps)}, or "
        f"by pyramid and level {', '.join(names)}."
    )
