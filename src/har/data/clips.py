"""Which frames of a sequence make a clip.

The rules are those of the published program of Luvizon et al. (TPAMI 2020), which stores 15 frames
a second of NTU RGB+D. Frames are chosen by time here: :func:`time_grid` returns the stored frame at
every 1/15 s (at every frame of a data set whose program counts frames, as Penn Action's does), and
the rules count positions on that grid, from 0, ``step`` of them from frame to frame.
"""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.errors import HarError

FRAMES_PER_SECOND = 15
_ROUNDING = 0.02  # of a grid step: clocks of files count milliseconds
_TOLERANCE = 0.5  # of the distance between frames of a clip


def time_grid(times_s: ArrayLike, per_second: float = FRAMES_PER_SECOND) -> NDArray[np.int64]:
    """Position of the stored frame closest to every 1/15 s of a sequence, from its first frame.

    Args:
        times_s: (F,) seconds, ascending.
        per_second: points of the grid in a second, where a data set counts in other steps.

    Returns:
        (G,) positions, ascending; of two frames at the same distance the earlier one. Half a step
        or less after the last point adds none, so that 30 frames a second give every second frame.

    Raises:
        HarError: the sequence is empty.
    """
    times = np.asarray(times_s, dtype=np.float64)
    if not len(times):
        raise HarError("A sequence without frames has no clip: leave this sample out.")
    steps = (times[-1] - times[0]) * per_second
    points = times[0] + np.arange(math.floor(steps + 0.5 - _ROUNDING) + 1) / per_second
    after = np.clip(np.searchsorted(times, points), 1, max(1, len(times) - 1))
    before = after - 1
    if len(times) == 1:
        return before.astype(np.int64)
    closer = times[after] - points < points - times[before] - 1e-9
    return np.where(closer, after, before)


def is_on_grid(times_s: ArrayLike) -> bool:
    """Whether a sequence is stored at 15 frames a second, so that its grid is itself."""
    times = np.asarray(times_s, dtype=np.float64)
    return np.array_equal(time_grid(times), np.arange(len(times)))


def clip_frames(
    num_frames: int, clip_size: int, step: int = 1, start: int | None = None
) -> list[int]:
    """Positions of the frames of one clip.

    A sequence shorter than the clip is stretched by factors of 1.5, so frames are repeated; where
    the step asks for more frames than there are, the step is made smaller.

    Args:
        num_frames: length of the sequence.
        clip_size: number of frames of the clip.
        step: distance between them.
        start: 0 to ``num_random_starts(...)`` - 1; None for the clip in the middle.

    Returns:
        ``clip_size`` positions, ascending.

    Raises:
        HarError: the sequence is empty.
    """
    stretch, stretched, step = _fit(num_frames, clip_size, step)
    if start is None:
        start = int((stretched - step * (clip_size - 1) - 1) / 2)
    return [int((start + i * step) / stretch) for i in range(clip_size)]


def num_random_starts(num_frames: int, clip_size: int, step: int = 1) -> int:
    """Number of starts from which a random clip is drawn, at least 1."""
    _, stretched, step = _fit(num_frames, clip_size, step)
    return int(stretched - step * (clip_size - 1))


def multi_clip_frames(
    num_frames: int, clip_size: int, steps: Sequence[int] = (1,)
) -> list[list[int]]:
    """All clips of a sequence, which overlap by half, for every step in turn.

    A step at which no clip fits gives none; where no step gives one, the answer is the one
    clip in the middle, stretched if need be.

    Raises:
        HarError: the sequence is empty.
    """
    clips = [
        list(range(start, start + clip_size * step, step))
        for step in steps
        for start in range(0, num_frames - step * clip_size + 1, max(1, clip_size // 2 + step - 1))
    ]
    return clips or [clip_frames(num_frames, clip_size, max(steps))]


class ClipClock:
    """Which frames of a stream make its clips, and when, by their times: in prediction, and where
    clips are stored.

    Args:
        clip_size: frames of a clip.
        pace_s: seconds between them.
        every_s: seconds from one clip to the next.
    """

    def __init__(self, clip_size: int, pace_s: float, every_s: float) -> None:
        self.clip_size, self.pace_s, self.every_s = clip_size, pace_s, every_s
        self.span_s = (clip_size - 1) * pace_s
        self.first = 0  # number of the first frame that is still needed
        self._times: deque[float] = deque()  # of it and those after it
        self._last_output_s: float | None = None

    def push(self, time_s: float) -> list[int] | None:
        """Takes the time of one more frame.

        Returns:
            Numbers of the frames of the clip that ends now, counted from the first one of the
            stream; None while the clip is not full, and between clips.
        """
        times = self._times
        times.append(time_s)
        while len(times) > 1 and times[1] <= time_s - self.span_s - self.pace_s / 2:
            times.popleft()
            self.first += 1
        if time_s - times[0] < self.span_s - _TOLERANCE * self.pace_s / 4:
            return None
        # half a frame early is in time: 0.25 s are 7.5 frames
        if self._last_output_s is not None and time_s - self._last_output_s < 0.95 * self.every_s:
            return None
        self._last_output_s = time_s
        wanted = time_s - self.pace_s * np.arange(self.clip_size - 1, -1, -1.0)
        return (self.first + np.abs(np.array(times) - wanted[:, None]).argmin(1)).tolist()

    def finish(self) -> list[int] | None:
        """The frames of the only clip of a stream that was too short for one, by the rule for short
        clips; None where there was one, or no more than one frame."""
        if self._last_output_s is not None or len(self._times) < 2:
            return None
        frame_s = (self._times[-1] - self._times[0]) / (len(self._times) - 1)
        step = max(1, round(self.pace_s / frame_s))
        frames = clip_frames(len(self._times), self.clip_size, step)
        return [self.first + frame for frame in frames]

    def is_over(self, time_s: float) -> bool:
        """Whether the last frame is so long ago that it can be part of no clip any more."""
        return time_s - self._times[-1] > self.span_s + self.pace_s


def _fit(num_frames: int, clip_size: int, step: int) -> tuple[float, float, int]:
    """Stretch factor, stretched length, and the step that fits into it."""
    if num_frames < 1:
        raise HarError("A sequence without frames has no clip: leave this sample out.")
    stretch = 1.0
    while stretch * num_frames < clip_size:
        stretch *= 1.5
    stretched = stretch * num_frames
    while step > 1 and step * clip_size > stretched:
        step -= 1
    return stretch, stretched, step
