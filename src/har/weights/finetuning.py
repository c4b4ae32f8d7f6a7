"""Weights of a network with other joints: the joints of the same names, and all that has none."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from har.errors import HarError
from har.joint_names import MISSING, match_joints
from har.layouts import Layout
from har.models.base import PoseNetwork
from har.weights.pretrained import open_weights
from har.weights.report import is_counter


@dataclass
class TransferReport:
    """What a network took over from one of other joints.

    Attributes:
        source: the file.
        joints: names that both have, of the new network.
        new: joints that begin anew.
        loaded: weights that were taken whole; ``partly``: those of which the joints' channels were;
            ``left``: those that stay as initialized.
    """

    source: str
    joints: tuple[str, ...]
    new: tuple[str, ...]
    loaded: list[str] = field(default_factory=list)
    partly: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        parts = [f"{self.source}: {len(self.loaded) + len(self.partly)} weights loaded"]
        if self.new or self.left:
            kept = ", ".join(self.joints) or "no joint"
            parts.append(f"of its head {kept} by name")
        if self.new:
            parts.append(f"new in the head: {', '.join(self.new)}")
        if self.left:
            first = ", ".join(self.left[:3]) + (", ..." if len(self.left) > 3 else "")
            parts.append(f"{len(self.left)} weights left as initialized ({first})")
        return "; ".join(parts)


def fine_tune(network: PoseNetwork, layout: Layout, source: str) -> TransferReport:
    """Puts the weights of a file into a network of the same kind with joints of its own.

    Args:
        network: new, of the file's class; its poses have the joints of ``layout``.
        layout: those joints.
        source: a published name or a file, see :func:`har.weights.load_weights`.

    Returns:
        The report; as text it is one line.

    Raises:
        HarError: the file cannot be read, or is of another network.
    """
    file = open_weights(source)
    whole = file.load()
    return transfer_weights(
        whole.pose_network, file.spec(whole).joint_layout, network, layout, str(source)
    )


def transfer_weights(
    source: PoseNetwork,
    source_layout: Layout,
    target: PoseNetwork,
    target_layout: Layout,
    name: str = "the weights",
) -> TransferReport:
    """Copies weights from one network to another of the same class with other joints.

    Joints are the same where their names are (:func:`har.joint_names.match_joints`). Which channels
    belong to which joint each network states itself (``joint_channels``).

    Args:
        source, source_layout: where weights come from, and the joints of its poses.
        target, target_layout: likewise, where they go.
        name: of the source, for people.

    Raises:
        HarError: networks of other classes or sizes.
    """
    order = match_joints(target_layout.joints, source_layout.joints)
    pairs = [(number, other) for number, other in enumerate(order) if other != MISSING]
    matched = {number for number, _ in pairs}
    report = TransferReport(
        name,
        tuple(target_layout.joints[number] for number, _ in pairs),
        tuple(j for n, j in enumerate(target_layout.joints) if n not in matched),
    )
    before, after = source.state_dict(), target.state_dict()
    theirs, ours = source.joint_channels(), target.joint_channels()
    for key, weight in after.items():
        if is_counter(key):
            continue
        value = before.get(key)
        if value is not None and key in ours and key in theirs:
            if _copy_joints(value, theirs[key].channels, weight, *ours[key], pairs):
                report.partly.append(key)
                continue
        elif value is not None and value.shape == weight.shape:
            weight.copy_(value)
            report.loaded.append(key)
            continue
        report.left.append(key)
    if not report.loaded:
        raise HarError(
            f"No weight of {name} ({type(source).__name__}) fits this {type(target).__name__}: "
            "choose the same network (model=...), or leave weights= out."
        )
    return report


def _copy_joints(
    value: Tensor,
    channels: Tensor,
    weight: Tensor,
    axis: int,
    own_channels: Tensor,
    pairs: list[tuple[int, int]],
) -> bool:
    """Copies the channels of joints that both have; false where there are none, or none fits."""
    rest = [size for at, size in enumerate(weight.shape) if at != axis]
    theirs = [size for at, size in enumerate(value.shape) if at != axis]
    if not pairs or rest != theirs or channels.shape[1] != own_channels.shape[1]:
        return False
    to, of = torch.tensor(pairs).unbind(1)
    weight.index_copy_(
        axis, own_channels[to].flatten(), value.index_select(axis, channels[of].flatten())
    )
    return True
