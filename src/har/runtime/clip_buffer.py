"""Actions of a stream by its clock: clips of the pace at which the network was trained.

A network was trained on clips of T frames so many seconds apart. Videos have 25, 30 or 60 frames a
second, or varying ones; so the frames of a clip are picked by their time stamps. As in
:class:`har.runtime.streaming.ClipStream` each frame passes through the network once.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from har.data.clips import clip_frames
from har.runtime.engine import Engine, FeaturesOfFrame

_TOLERANCE = 0.5  # of the distance between frames of a clip


class TimedClips:
    """The actions of one person in a stream.

    Args:
        engine: a network with actions.
        every_s: seconds from one output to the next.
    """

    def __init__(self, engine: Engine, *, every_s: float) -> None:
        self.engine, self.every_s = engine, every_s
        self.pace_s = engine.spec.clip_seconds_between_frames or 0.0
        self.span_s = engine.spec.clip_span_s
        self._times: deque[float] = deque()
        self._features: deque[FeaturesOfFrame] = deque()
        self._last_output_s: float | None = None

    def push(self, time_s: float, features: FeaturesOfFrame) -> NDArray[np.float32] | None:
        """Takes one more frame.

        Returns:
            float32 (C,), the actions of the clip that ends now; None while the clip is not full,
            and between outputs.
        """
        self._times.append(time_s)
        self._features.append(features)
        while len(self._times) > 1 and self._times[1] <= time_s - self.span_s - self.pace_s / 2:
            self._times.popleft()
            self._features.popleft()
        if time_s - self._times[0] < self.span_s - _TOLERANCE * self.pace_s / 4:
            return None
        # half a frame early is in time: 0.25 s are 7.5 frames
        if self._last_output_s is not None and time_s - self._last_output_s < 0.95 * self.every_s:
            return None
        self._last_output_s = time_s
        times = np.array(self._times)
        wanted = time_s - self.pace_s * np.arange(self.engine.spec.clip_size - 1, -1, -1.0)
        return self._classify(np.abs(times - wanted[:, None]).argmin(1).tolist())

    def finish(self) -> NDArray[np.float32] | None:
        """The actions of a stream that was too short for an output, by the rule for short clips.

        Returns:
            float32 (C,); None where there was an output, or no more than one frame.
        """
        if self._last_output_s is not None or len(self._times) < 2:
            return None
        frame_s = (self._times[-1] - self._times[0]) / (len(self._times) - 1)
        step = max(1, round(self.pace_s / frame_s))
        return self._classify(clip_frames(len(self._times), self.engine.spec.clip_size, step))

    def is_over(self, time_s: float) -> bool:
        """Whether the last frame is so long ago that it can be part of no clip any more."""
        return time_s - self._times[-1] > self.span_s + self.pace_s

    def _classify(self, positions: list[int]) -> NDArray[np.float32]:
        features = list(self._features)
        return self.engine.classify_clips([features[position] for position in positions])
