"""Data: from files of the data sets to batches of crops with their poses and actions."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from har.data.modules.clips import (
        ClipDataModule,
        MultitaskDataModule,
        NTUDataModule,
        OwnActionsDataModule,
    )
    from har.data.modules.mixed import ClipsAndPersonsDataModule, MixedPoseDataModule
    from har.data.modules.own_features import OwnFeaturesDataModule
    from har.data.modules.own_poses import OwnPosesDataModule
    from har.data.modules.persons import MPIIDataModule, PersonDataModule

__all__ = [
    "ClipDataModule",
    "ClipsAndPersonsDataModule",
    "MPIIDataModule",
    "MixedPoseDataModule",
    "MultitaskDataModule",
    "NTUDataModule",
    "OwnActionsDataModule",
    "OwnFeaturesDataModule",
    "OwnPosesDataModule",
    "PersonDataModule",
]

_MODULES = {
    "MPIIDataModule": "har.data.modules.persons",
    "PersonDataModule": "har.data.modules.persons",
    "ClipsAndPersonsDataModule": "har.data.modules.mixed",
    "MixedPoseDataModule": "har.data.modules.mixed",
    "OwnFeaturesDataModule": "har.data.modules.own_features",
    "OwnPosesDataModule": "har.data.modules.own_poses",
}


def __getattr__(name: str) -> Any:
    # Preparing data must not wait for torch and Lightning, which the data modules need.
    if name in __all__:
        return getattr(importlib.import_module(_MODULES.get(name, "har.data.modules.clips")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
