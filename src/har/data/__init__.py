"""Data: from files of the data sets to batches of crops with their poses and actions."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from har.data.datamodules import MultitaskDataModule, NTUDataModule
    from har.data.mixed import MixedPoseDataModule
    from har.data.mpii.data_module import MPIIDataModule

__all__ = ["MPIIDataModule", "MixedPoseDataModule", "MultitaskDataModule", "NTUDataModule"]

_MODULES = {
    "MPIIDataModule": "har.data.mpii.data_module",
    "MixedPoseDataModule": "har.data.mixed",
}


def __getattr__(name: str) -> Any:
    # Preparing data must not wait for torch and Lightning, which the data modules need.
    if name in __all__:
        return getattr(importlib.import_module(_MODULES.get(name, "har.data.datamodules")), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
