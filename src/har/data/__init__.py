"""Data: from files of the data sets to batches of crops with their poses and actions."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from har.data.datamodules import MultitaskDataModule, NTUDataModule

__all__ = ["MultitaskDataModule", "NTUDataModule"]


def __getattr__(name: str) -> Any:
    # Preparing data must not wait for torch and Lightning, which the data modules need.
    if name in __all__:
        from har.data import datamodules

        return getattr(datamodules, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
