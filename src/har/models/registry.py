"""The networks by name: a new one is a file and a line here."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from har.errors import HarError

if TYPE_CHECKING:
    from har.models.base import PoseNetwork

NETWORKS: dict[str, str] = {
    "SPNet": "har.models.spnet",
    "ReceptionNet": "har.models.reception",
    "ActionMergeNet": "har.models.action_merge",
    "PyramidPoseNet": "har.models.pyramid_pose",
    "TorchvisionPoseNet": "har.models.torchvision_pose",
}
"""Class -> its module, imported when the class is used: torchvision alone takes seconds."""


def network_class(name: str) -> type[PoseNetwork]:
    """The class of that name.

    Raises:
        HarError: there is none.
    """
    if name not in NETWORKS:
        raise HarError(
            f"There is no network {name} in this version of har; choose {', '.join(NETWORKS)}."
        )
    return getattr(importlib.import_module(NETWORKS[name]), name)


def build_network(name: str, arguments: Mapping[str, Any]) -> PoseNetwork:
    """A network with random weights, from its class's name and its arguments.

    Raises:
        HarError: no network of that name, or arguments that it does not take.
    """
    cls = network_class(name)
    if "stop_after" in arguments and "stop_after" not in inspect.signature(cls).parameters:
        raise HarError(
            f"stop_after={arguments['stop_after']}: {name} has no prediction blocks to stop after; "
            "leave it out."
        )
    try:
        return cls(**arguments)
    except TypeError as error:
        raise HarError(f"These arguments do not build a {name}: {error}.") from error
