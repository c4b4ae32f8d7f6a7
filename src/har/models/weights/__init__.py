"""The old path of :mod:`har.weights`."""

from har.weights import *  # noqa: F403
from har.weights import __all__ as __all__
