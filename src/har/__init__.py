"""har: human poses and actions from video, with one multi-task network.

The package follows the data: a video file becomes frames (:mod:`har.data`), clips and crops; a
network (:mod:`har.models`) turns them into poses and actions; losses, metrics and plots evaluate
the result (:mod:`har.losses`, :mod:`har.metrics`, :mod:`har.visual`).
"""

import importlib
from typing import TYPE_CHECKING, Any

from har.errors import HarError

if TYPE_CHECKING:
    from har.prediction.predictor import Predictor
    from har.weights import create_model, list_models

__all__ = ["HarError", "Predictor", "create_model", "list_models"]
__version__ = "0.2.0"

_LAZY = {
    "Predictor": "har.prediction.predictor",
    "create_model": "har.weights",
    "list_models": "har.weights",
}


def __getattr__(name: str) -> Any:
    """``from har import Predictor`` without importing torch for commands that do without."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'har' has no attribute {name!r}")
