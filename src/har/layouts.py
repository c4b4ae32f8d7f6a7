"""Joint layouts: which joints a pose has, in which order, and how one order becomes another.

``pa16j``, ``pa17j``, ``pa20j`` and ``pa21j`` are the layouts of the networks ("pose and action",
Luvizon et al., CVPR 2018 and TPAMI 2020); ``mpii`` and ``ntu25`` are the orders in which MPII Human
Pose and NTU RGB+D annotate.

In the network layouts and in ``mpii``, left and right mean what the picture shows. NTU names the
joints by the person's own anatomy, but its color video is mirrored, so that its left arm is what
the picture shows as a right arm: ``from_ntu`` takes right joints from NTU's left, and the reverse.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from har.errors import HarError

MISSING = -1
"""Entry of a joint map where the source has no such joint."""


class LayoutError(HarError):
    """An unknown joint layout was asked for."""


@dataclass(frozen=True)
class Layout:
    """Names of the joints of a pose, in order, and what follows from the names.

    Attributes:
        name: what configs call it.
        joints: name of every joint; those of a side start with "left" or "right".
        links: pairs of joint numbers between which a skeleton is drawn.
        root: joint to which root-relative poses refer (the pelvis).
        from_ntu: number, among NTU's 25 joints, of every joint; None where it makes no sense.
        from_mpii: number, among MPII's 16 joints, of every joint, :data:`MISSING` (-1) where MPII
            has none; None where it makes no sense.
    """

    name: str
    joints: tuple[str, ...]
    links: tuple[tuple[int, int], ...]
    root: int = 0
    from_ntu: tuple[int, ...] | None = None
    from_mpii: tuple[int, ...] | None = None

    @property
    def num_joints(self) -> int:
        """Number of joints."""
        return len(self.joints)

    @cached_property
    def sides(self) -> tuple[str, ...]:
        """Side of every joint: "left", "right" or "middle"."""
        words = (set(joint.split()) for joint in self.joints)
        return tuple(
            "left" if "left" in name else "right" if "right" in name else "middle" for name in words
        )

    @cached_property
    def flip(self) -> tuple[int, ...]:
        """Permutation that swaps left and right: joint i of a mirrored pose is joint flip[i]."""
        return tuple(self.joints.index(_other_side(joint)) for joint in self.joints)

    @cached_property
    def excluded_from_pck(self) -> tuple[int, ...]:
        """Joints that MPII's PCKh leaves out of its total: pelvis and thorax."""
        return tuple(i for i, joint in enumerate(self.joints) if joint in ("pelvis", "thorax"))

    @cached_property
    def to_mpii(self) -> tuple[int, ...] | None:
        """Number, in this layout, of each of MPII's 16 joints; None as for ``from_mpii``."""
        if self.from_mpii is None:
            return None
        return tuple(self.from_mpii.index(joint) for joint in range(len(_MPII_JOINTS)))


def get_layout(name: str) -> Layout:
    """The layout called ``name``: pa16j, pa17j, pa20j, pa21j, mpii or ntu25.

    Raises:
        LayoutError: there is no such layout.
    """
    if name not in LAYOUTS:
        raise LayoutError(f"There is no joint layout {name!r}; choose one of {', '.join(LAYOUTS)}.")
    return LAYOUTS[name]


def _other_side(joint: str) -> str:
    """The name with left and right exchanged."""
    swap = {"left": "right", "right": "left"}
    return " ".join(swap.get(word, word) for word in joint.split())


_MPII_JOINTS = (
    "right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle",
    "pelvis", "thorax", "neck", "head",
    "right wrist", "right elbow", "right shoulder", "left shoulder", "left elbow", "left wrist",
)  # fmt: skip

_NTU_JOINTS = (
    "base of the spine", "middle of the spine", "neck", "head",
    "left shoulder", "left elbow", "left wrist", "left hand",
    "right shoulder", "right elbow", "right wrist", "right hand",
    "left hip", "left knee", "left ankle", "left foot",
    "right hip", "right knee", "right ankle", "right foot",
    "spine at the shoulders",
    "tip of the left hand", "left thumb", "tip of the right hand", "right thumb",
)  # fmt: skip

# The list by which the authors of NTU RGB+D draw: parent of each joint, from 1. It says 1-2 twice.
_NTU_PARENTS = (
    2, 1, 21, 3, 21, 5, 6, 7, 21, 9, 10, 11, 1, 13, 14, 15, 1, 17, 18, 19, 2, 8, 8, 12, 12,
)  # fmt: skip

_NTU_NAME_OF = {
    "pelvis": "base of the spine",
    "spine": "middle of the spine",
    "thorax": "spine at the shoulders",
}

_TRUNK = ("pelvis", "thorax", "neck", "head")
_ARMS = ("shoulder", "elbow", "wrist")
_LEGS = ("hip", "knee", "ankle")
_SIDES = ("right", "left")


def _right_and_left(parts: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{side} {part}" for part in parts for side in _SIDES)


def _network_layout(name: str, *, spine: bool, hands_and_feet: bool) -> Layout:
    """One of the four layouts of the networks: trunk, arms, legs, and the spine at the end."""
    arms = (*_ARMS, "hand") if hands_and_feet else _ARMS
    legs = (*_LEGS, "foot") if hands_and_feet else _LEGS
    joints = _TRUNK + _right_and_left(arms) + _right_and_left(legs) + (("spine",) if spine else ())
    trunk = ("pelvis", "spine", "thorax", "neck", "head") if spine else _TRUNK
    limbs = [[f"{side} {part}" for part in limb] for limb in (arms, legs) for side in _SIDES]
    return Layout(
        name=name,
        joints=joints,
        links=_chains(joints, [trunk, *limbs]),
        from_ntu=tuple(
            _NTU_JOINTS.index(_NTU_NAME_OF.get(joint, _other_side(joint))) for joint in joints
        ),
        from_mpii=tuple(
            _MPII_JOINTS.index(joint) if joint in _MPII_JOINTS else MISSING for joint in joints
        ),
    )


def _chains(
    joints: tuple[str, ...], chains: Iterable[Iterable[str]]
) -> tuple[tuple[int, int], ...]:
    """Links between neighbors along each chain of joint names."""
    numbers = [[joints.index(joint) for joint in chain] for chain in chains]
    return tuple(link for chain in numbers for link in pairwise(chain))


LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        _network_layout("pa16j", spine=False, hands_and_feet=False),
        _network_layout("pa17j", spine=True, hands_and_feet=False),
        _network_layout("pa20j", spine=False, hands_and_feet=True),
        _network_layout("pa21j", spine=True, hands_and_feet=True),
        Layout(
            name="mpii",
            joints=_MPII_JOINTS,
            links=_chains(
                _MPII_JOINTS,
                [
                    _TRUNK,
                    *([f"{s} {part}" for part in limb] for limb in (_ARMS, _LEGS) for s in _SIDES),
                ],
            ),
            root=_MPII_JOINTS.index("pelvis"),
            from_mpii=tuple(range(len(_MPII_JOINTS))),
        ),
        Layout(
            name="ntu25",
            joints=_NTU_JOINTS,
            links=tuple(
                sorted({(min(i, p - 1), max(i, p - 1)) for i, p in enumerate(_NTU_PARENTS)})
            ),
            from_ntu=tuple(range(len(_NTU_JOINTS))),
        ),
    )
}
