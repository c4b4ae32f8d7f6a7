"""Which frames of a sequence make a clip.

The rules are those of the published program of Luvizon et al. (TPAMI 2020), which stores 15 frames
a second of NTU RGB+D. Frames are chosen by time here: :func:`time_grid` returns the stored frame at
every 1/15 s (at every frame of a data set whose program counts frames, as Penn Action's does), and
the rules count positions on that grid, from 0, ``step`` of them from frame to frame.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.errors import HarError

FRAMES_PER_SECOND = 15
_ROUNDING = 0.02  # of a grid step: clocks of files count milliseconds


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
