"""Actions of a stream by its clock: clips of the pace at which the network was trained.

A network was trained on clips of T frames so many seconds apart. Videos have 25, 30 or 60 frames a
second, or varying ones; so the frames of a clip are picked by their time stamps
(:class:`har.data.clips.ClipClock`). As in :class:`har.runtime.streaming.ClipStream` each frame
passes through the network once.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from har.data.clips import ClipClock
from har.runtime.engine import Engine, FeaturesOfFrame


class TimedClips:
    """The actions of one person in a stream.

    Args:
        engine: a network with actions.
        every_s: seconds from one output to the next.
    """

    def __init__(self, engine: Engine, *, every_s: float) -> None:
        self.engine = engine
        pace_s = engine.spec.clip_seconds_between_frames or 0.0
        self._clock = ClipClock(engine.spec.clip_size, pace_s, every_s)
        self._features: deque[FeaturesOfFrame] = deque()

    def push(self, time_s: float, features: FeaturesOfFrame) -> NDArray[np.float32] | None:
        """Takes one more frame.

        Returns:
            float32 (C,), the actions of the clip that ends now; None while the clip is not full,
            and between outputs.
        """
        first = self._clock.first
        self._features.append(features)
        frames = self._clock.push(time_s)
        for _ in range(self._clock.first - first):
            self._features.popleft()
        return None if frames is None else self._classify(frames)

    def finish(self) -> NDArray[np.float32] | None:
        """The actions of a stream that was too short for an output, by the rule for short clips.

        Returns:
            float32 (C,); None where there was an output, or no more than one frame.
        """
        frames = self._clock.finish()
        return None if frames is None else self._classify(frames)

    def is_over(self, time_s: float) -> bool:
        """Whether the last frame is so long ago that it can be part of no clip any more."""
        return self._clock.is_over(time_s)

    def _classify(self, frames: list[int]) -> NDArray[np.float32]:
        features = list(self._features)
        return self.engine.classify_clips([features[n - self._clock.first] for n in frames])
