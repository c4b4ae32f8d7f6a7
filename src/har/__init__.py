"""har: human poses and actions from video, with one multi-task network.

The package follows the data: a video file becomes frames (:mod:`har.data`), clips and crops; a
network (:mod:`har.models`) turns them into poses and actions; losses, metrics and pictures judge
the result (:mod:`har.losses`, :mod:`har.metrics`, :mod:`har.visual`).
"""

__version__ = "0.1.0"


class HarError(Exception):
    """What went wrong, where, and what to do, in one sentence for the person at the terminal."""
