"""Joint layouts: which joints a pose has, in which order, and how one order becomes another.

``pa16j``, ``pa17j``, ``pa20j`` and ``pa21j`` are the layouts of the networks ("pose and action",
Luvizon et al., CVPR 2018 and TPAMI 2020); ``mpii`` and ``ntu25`` are the orders in which MPII Human
Pose and NTU RGB+D annotate.

In the network layouts and in ``mpii``, left and right mean what the picture shows. NTU names the
joints by the person's own anatomy, but its color video is mirrored, so that its left arm is what
the picture shows as a right arm: ``from_ntu`` takes right joints from NTU's left, and the reverse.
The layouts are listed in ``layouts.json``; NTU's links are those by which its authors draw.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import resources
from itertools import chain
from typing import Any

from har.errors import HarError
from har.joint_names import MISSING, Sides, find_sides, joint_key, match_joints, unique_keys


class LayoutError(HarError):
    """An unknown joint layout was asked for."""


@dataclass(frozen=True)
class Layout:
    """Names of the joints of a pose, in order, and what follows from the names.

    A data set with joints of its own makes one from its own list; it needs no registration.

    Attributes:
        name: what configs call it.
        joints: name of every joint; those of a side say so, as in "left knee", "knee_L" or
            "linkes Knie" (:mod:`har.joint_names`).
        links: pairs of joint numbers between which a skeleton is drawn.
        root: joint to which root-relative poses refer (the pelvis).
        from_ntu: number, among NTU's 25 joints, of every joint; None where it makes no sense.
        flip_pairs: pairs of joint numbers that change places in a mirrored image; None: by the
            names.
        mirrored: left and right are the person's own, in images that are mirrored (NTU RGB+D).

    Raises:
        LayoutError: names that occur twice, or numbers that no joint has; where ``flip`` is used,
            a joint of a side without its counterpart.
    """

    name: str
    joints: tuple[str, ...]
    links: tuple[tuple[int, int], ...] = ()
    root: int = 0
    from_ntu: tuple[int, ...] | None = None
    flip_pairs: tuple[tuple[int, int], ...] | None = None
    mirrored: bool = False

    def __post_init__(self) -> None:
        """Makes tuples of lists, as configurations have them, and checks them."""
        for name in ("links", "flip_pairs"):
            pairs = getattr(self, name)
            if pairs is not None:
                object.__setattr__(self, name, tuple((int(i), int(j)) for i, j in pairs))
        object.__setattr__(self, "joints", tuple(self.joints))
        if self.from_ntu is not None:
            object.__setattr__(self, "from_ntu", tuple(self.from_ntu))
        used = {self.root, *chain(*self.links), *chain(*(self.flip_pairs or ()))}
        if len(set(self.joints)) < self.num_joints or not used <= set(range(self.num_joints)):
            raise LayoutError(
                f"Joint layout {self.name}: every joint needs a name of its own, and root, links "
                f"and flip pairs are numbers from 0 to {self.num_joints - 1}."
            )
        # By names, flip is found when it is used: a network's record has no pairs.
        if self.flip_pairs is not None and sorted(self.flip) != list(range(self.num_joints)):
            raise LayoutError(f"Joint layout {self.name}: a joint is in two flip pairs.")

    @property
    def num_joints(self) -> int:
        """Number of joints."""
        return len(self.joints)

    @cached_property
    def _named_sides(self) -> Sides:
        return find_sides(self.joints)

    @property
    def sides(self) -> tuple[str, ...]:
        """Side of every joint: "left", "right" or "middle"."""
        return self._named_sides.sides

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """Body part of every joint: its name in words, without the side; the name as it is where
        words do not tell it from another joint."""
        numbers = unique_keys(self.joints)
        keys = [joint_key(joint) for joint in self.joints]
        return tuple(
            (key in numbers and " ".join(key[1])) or joint
            for key, joint in zip(keys, self.joints, strict=True)
        )

    @cached_property
    def flip(self) -> tuple[int, ...]:
        """Permutation that swaps left and right: joint i of a mirrored pose is joint flip[i]."""
        pairs = self.flip_pairs
        if pairs is None:
            pairs, unpaired = self._named_sides.pairs, self._named_sides.unpaired
            if unpaired:
                raise LayoutError(
                    f"Joint layout {self.name} has a joint of one side without its counterpart "
                    f"({self.joints[unpaired[0]]}): give flip_pairs."
                )
        other = {i: j for pair in pairs for i, j in (pair, pair[::-1])}
        return tuple(other.get(i, i) for i in range(self.num_joints))

    @property
    def can_mirror(self) -> bool:
        """Whether it is known which joints change places in a mirrored image: by ``flip_pairs``
        (() if none does), or by names of which some say a side and none lacks its counterpart."""
        named = self._named_sides
        return self.flip_pairs is not None or (bool(named.pairs) and not named.unpaired)

    @cached_property
    def excluded_from_pck(self) -> tuple[int, ...]:
        """Joints that MPII's PCKh leaves out of its total: pelvis and thorax."""
        return tuple(i for i, joint in enumerate(self.joints) if joint in ("pelvis", "thorax"))

    def order_from(self, source: "Layout") -> tuple[int, ...]:
        """Number, in another layout, of every joint by its name, or ``MISSING``, as
        :func:`har.joint_names.match_joints` finds them.

        Raises:
            LayoutError: no joint has a counterpart, or left and right mean different things.
        """
        order = match_joints(self.joints, source.joints)
        if self.mirrored != source.mirrored or set(order) == {MISSING}:
            raise LayoutError(
                f"Layout {self.name} cannot be made from the joints of {source.name}: choose a "
                "layout with joints of the same names."
            )
        return order


LayoutLike = str | Layout | Mapping[str, Any]
"""What stands for a layout: a name, a layout, or its attributes as in a configuration."""


def get_layout(layout: LayoutLike, joints: Sequence[str] = ()) -> Layout:
    """A joint layout: a name (pa16j, pa17j, pa20j, pa21j, mpii or ntu25), or what makes one.

    Args:
        layout: a name; a layout, which is returned; or its attributes, as in a configuration.
        joints: what a checkpoint stores of the joints of a layout that has no entry here; its
            links are not restored.

    Raises:
        LayoutError: there is no such layout.
    """
    if isinstance(layout, Layout):
        return layout
    if not isinstance(layout, str):
        try:
            return Layout(**layout)
        except (TypeError, ValueError) as error:
            raise LayoutError(f"A joint layout needs a name and joints: {error}.") from error
    if layout in LAYOUTS:
        return LAYOUTS[layout]
    if joints:
        return Layout(layout, tuple(joints))
    raise LayoutError(f"There is no joint layout {layout!r}; choose one of {', '.join(LAYOUTS)}.")


def plain_layout(layout: LayoutLike) -> str | dict[str, Any]:
    """What a checkpoint can hold of a layout: its name if it has an entry here, else attributes."""
    found = get_layout(layout)
    return found.name if LAYOUTS.get(found.name) == found else asdict(found)


_FILE = resources.files("har").joinpath("layouts.json")
LAYOUTS = {entry["name"]: Layout(**entry) for entry in json.loads(_FILE.read_text("utf-8"))}
