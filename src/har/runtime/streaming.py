"""A video as it comes: each frame passes through the network once, clips are made of the last ones.

The pose part takes single frames, the action part their features (TPAMI 2020, section 3). So a
window of T frames that moves by one frame costs one frame, not T. The probabilities are those of
the network on the whole clip.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError
from har.runtime.engine import Engine, FeaturesOfFrame


class ClipStream:
    """The actions of the last T frames of a stream.

    Example:
        >>> stream = ClipStream(engine)  # doctest: +SKIP
        >>> for features in engine.forward_frames(crops).features:  # doctest: +SKIP
        ...     probabilities = stream.push(features)

    Args:
        engine: whose :meth:`Engine.forward_frames` gives the features.
        clip_size: frames of a clip, T; None: as trained.
        step: distance of a clip's frames in the stream, 1 for neighboring ones.
        every: frames from one output to the next.

    Raises:
        HarError: a network without actions, or a number below 1.
    """

    def __init__(
        self, engine: Engine, *, clip_size: int | None = None, step: int = 1, every: int = 1
    ) -> None:
        self.engine = engine
        self.clip_size = engine.spec.clip_size if clip_size is None else clip_size
        self.step, self.every = step, every
        if not engine.spec.labels:
            raise HarError(f"{engine.spec.name} computes poses only, no actions.")
        if min(self.clip_size, step, every) < 1:
            raise HarError(
                "A stream needs clip_size, step and every of at least 1, not "
                f"{self.clip_size}, {step} and {every}."
            )
        # a ring: frames that leave the window are dropped
        self._window: deque[FeaturesOfFrame] = deque(maxlen=(self.clip_size - 1) * step + 1)
        self._seen = 0

    def push(self, features: FeaturesOfFrame) -> NDArray[np.float32] | None:
        """Takes one more frame.

        Args:
            features: of the frame, from :meth:`Engine.forward_frames`.

        Returns:
            float32 (C,), the actions of the clip that ends with this frame; None until the window
            is full, and between outputs.
        """
        self._window.append(features)
        self._seen += 1
        since_full = self._seen - self._window.maxlen  # type: ignore[operator]
        if since_full < 0 or since_full % self.every:
            return None
        return self.engine.classify_clips(list(self._window)[:: self.step])

    def restart(self) -> None:
        """Drops all frames: another video, or the person was lost."""
        self._window.clear()
        self._seen = 0
