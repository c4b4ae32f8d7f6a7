"""Weights under the names of this package, put into a network, and the report about it."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table
from torch import Tensor, nn

from har.errors import HarError
from har.models.base import PoseNetwork
from har.visual.terminal import make_table


@dataclass
class LoadReport:
    """Which weights of a file were loaded into a network.

    Attributes:
        source: the file.
        loaded: name in the network -> name in the file, of every loaded weight.
        verified: layers of the file that are computed here; their stored values are the same.
        missing: weights of the network that the file does not have; they stay as they were.
        unexpected: weights of the file that the network does not have.
        reinitialized: weight -> why it was not taken, for layers of other classes.
    """

    source: str
    loaded: dict[str, str] = field(default_factory=dict)
    verified: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    reinitialized: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{self.source}: {len(self.loaded)} weights loaded"]
        if self.verified:
            parts.append(f"{len(self.verified)} fixed layers verified")
        for what, names in (
            ("not in the file, left as initialized", self.missing),
            ("left as initialized for other classes", list(self.reinitialized)),
            ("of the file not used", self.unexpected),
        ):
            if names:
                parts.append(f"{len(names)} {what} ({_parts(names)})")
        return "; ".join(parts)

    def table(self) -> Table:
        """The report part by part, for the terminal."""
        columns = ["loaded", "missing", "re-initialized"]
        table = make_table(self.source, ["part"], columns, caption_justify="left")
        groups = [self.loaded, self.missing, self.reinitialized]
        counts = [Counter(map(_part, names)) for names in groups]
        for part in dict.fromkeys(part for count in counts for part in count):
            table.add_row(part, *(str(count[part] or "-") for count in counts))
        table.add_section()
        table.add_row("all", *(str(len(names)) for names in groups), style="bold")
        lines = [
            f"fixed layers verified: {len(self.verified)}",
            f"in the file but not in the network: {_some(self.unexpected)}",
            *(f"re-initialized {name}: {why}" for name, why in self.reinitialized.items()),
        ]
        table.caption = "\n".join(lines)
        return table


def _part(name: str) -> str:
    """``pose.blocks.dp1_pb1``: the part of the network that a weight belongs to."""
    parts = name.split(".")
    return ".".join(parts[: 3 if parts[1] in ("units", "blocks") else 2][: len(parts) - 1])


def _parts(names: Collection[str]) -> str:
    return _some(list(dict.fromkeys(name.split("/")[0].split(".")[0] for name in names)))


def _some(names: list[str]) -> str:
    if not names:
        return "none"
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def is_counter(name: str) -> bool:
    """PyTorch's count of batches, which no network here reads and no other program stores."""
    return name.endswith("num_batches_tracked")


def put_weights(
    network: nn.Module,
    state: Mapping[str, Tensor],
    report: LoadReport,
    *,
    names: Mapping[str, str],
    class_weights: Collection[str] = (),
    other_classes: bool = False,
    strict: bool = True,
    hint: str = "",
) -> LoadReport:
    """Puts weights under this package's names into a network, all of them or none.

    Args:
        network: gets the weights; untouched where an error is raised.
        state: weights by the network's own names.
        report: completed and returned.
        names: the network's weights that a file has to hold -> what the file calls them.
        class_weights: weights that may have another shape unless ``strict``.
        other_classes: ``class_weights`` are not taken, whatever their shape.
        strict: every weight in ``names``, and nothing besides (``report.unexpected``).
        hint: what would fit, appended to errors.

    Raises:
        HarError: weights that do not fit, are missing (``strict``), or none that fits; or weights
            that are not numbers.
    """
    kind, targets = type(network).__name__, network.state_dict()
    taken: dict[str, Tensor] = {}
    for name, theirs in names.items():
        value, target = state.get(name), targets[name]
        if value is None:
            report.missing.append(name)
        elif other_classes and name in class_weights:
            report.reinitialized[name] = "the file has other classes"
        elif value.shape == target.shape:
            taken[name] = value.detach().to(target.dtype)
            report.loaded[name] = theirs
        else:
            shapes = f"{_size(value)} in the file, {_size(target)} in this {kind}"
            if strict or name not in class_weights:
                layer = theirs.split("/")[0]
                raise HarError(f"{report.source} does not fit: {layer} is {shapes}.{hint}")
            report.reinitialized[name] = shapes
    if strict and report.missing:
        raise HarError(
            f"{report.source} does not fit this {kind}: {len(report.missing)} weights are not in "
            f"it, the first is {names[report.missing[0]]}.{hint}"
        )
    if strict and report.unexpected:
        raise HarError(
            f"{report.source} does not fit this {kind}: the network has no place for "
            f"{_some(report.unexpected)}.{hint}"
        )
    if not taken:
        raise HarError(f"No weight in {report.source} belongs to this {kind}.{hint}")
    broken = [names[name] for name, value in taken.items() if not value.isfinite().all()]
    if broken:  # it would answer all the same, with a confidence of 1
        raise HarError(
            f"{report.source} holds weights that are not numbers, the first of {len(broken)} is "
            f"{broken[0]}: its training diverged or the file is damaged; take an earlier "
            "checkpoint, or train again with a lower learning rate."
        )
    network.load_state_dict({**targets, **taken}, strict=True)
    return report


def what_would_fit(network: PoseNetwork, arguments: Mapping[str, Any]) -> str:
    """The arguments in which a file's network differs from this one, as a sentence, or nothing."""
    other = dict(_differences(network.arguments, arguments))
    if not other:
        return ""
    wanted = ", ".join(f"{name}={theirs}" for name, (theirs, _) in other.items())
    here = ", ".join(f"{name}={ours}" for name, (_, ours) in other.items())
    return f" The file fits {type(network).__name__}({wanted}); here it is ({here})."


def _differences(
    ours: Mapping[str, Any], theirs: Mapping[str, Any], inside: str = ""
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Arguments that differ, each with the file's value and the network's; also those of a network
    inside, as ``pose_net.num_joints``."""
    for name in (name for name in theirs if name in ours):
        if isinstance(theirs[name], Mapping):
            yield from _differences(ours[name], theirs[name], f"{inside}{name}.")
        elif _plain(ours[name]) != _plain(theirs[name]):
            yield f"{inside}{name}", (_plain(theirs[name]), _plain(ours[name]))


def _plain(value: Any) -> Any:
    """The same value however it was given: a list for a tuple, one number for a square kernel."""
    if isinstance(value, (tuple, list)):
        return value[0] if len(value) == 2 and value[0] == value[1] else tuple(value)
    return value


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape))
