"""Which frames of a sequence make a clip.

The rules are those of the published program of Luvizon et al. (TPAMI 2020). Positions are counted
from 0 in the stored sequence; ``step`` is the distance between neighboring frames of a clip.
"""

from collections.abc import Sequence

from har.errors import HarError


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
