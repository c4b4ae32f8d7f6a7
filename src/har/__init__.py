"""har: human poses and actions from video, with one multi-task network.

The package follows the data: a video file becomes frames (:mod:`har.data`), clips and crops; a
network (:mod:`har.models`) turns them into poses and actions; losses, metrics and pictures judge
the result (:mod:`har.losses`, :mod:`har.metrics`, :mod:`har.visual`).
"""

from typing import TYPE_CHECKING, Any

from har.errors import HarError

if TYPE_CHECKING:
    from har.prediction.predictor import Predictor

__all__ = ["HarError", "Predictor"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """``from har import Predictor`` without importing torch for everybody else."""
    if name == "Predictor":
        from har.prediction.predictor import Predictor

        return Predictor
    raise AttributeError(f"module 'har' has no attribute {name!r}")
