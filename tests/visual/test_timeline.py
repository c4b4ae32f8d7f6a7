"""The strip of actions under a video."""

import numpy as np
import pytest

from har.visual.draw import TRACK_COLOR
from har.visual.timeline import Timeline

LABELS = ("drink water", "sitting", "standing", "clapping", "cheer up", "waving", "salute")


def one(number: int, probability: float = 0.9) -> np.ndarray:
    values = np.full(len(LABELS), (1 - probability) / (len(LABELS) - 1))
    values[number] = probability
    return values


def area(strip: np.ndarray) -> np.ndarray:
    """(5,) share of every row that is filled."""
    rows = np.array_split(strip.astype(int), 5)
    return np.array([(row[..., 2] > row[..., 0] + 40).mean() for row in rows])


def test_the_strip_has_one_size_and_five_rows() -> None:
    timeline = Timeline(640, LABELS, 10.0)
    empty = timeline.draw(0.0)
    timeline.add(1.0, one(2))
    assert empty.shape == timeline.draw(1.0).shape == (timeline.height, 640, 3)
    assert timeline.rows == 5
    assert Timeline(640, LABELS[:2], 10.0).rows == 2


def test_the_likeliest_action_fills_its_row() -> None:
    timeline = Timeline(640, LABELS, 10.0)
    for second in range(10):
        timeline.add(float(second), one(3))
    filled = area(timeline.draw(9.0))
    assert filled[0] > 0.3
    assert filled[1:].max() < 0.1


@pytest.mark.parametrize("duration_s", [10.0, None])
def test_the_mark_moves_with_time(duration_s: float | None) -> None:
    timeline = Timeline(640, LABELS, duration_s)
    timeline.add(0.0, one(1))
    marks = []
    for time_s in (2.0, 6.0):
        bright = (timeline.draw(time_s)[6] > 200).all(-1)
        marks.append(np.flatnonzero(bright[200:560]).mean())
    assert marks[1] > marks[0] + 20


def test_rows_keep_their_places() -> None:
    timeline = Timeline(640, LABELS, 10.0)
    timeline.add(0.0, one(0, 0.6))
    first = list(timeline._shown)
    for second in range(1, 6):
        timeline.add(float(second), one(first[3]))
    assert timeline._shown == first  # the same five, whatever their order now
    newcomer = next(number for number in range(len(LABELS)) if number not in first)
    for second in range(6, 10):
        timeline.add(float(second), one(newcomer))
    assert newcomer in timeline._shown
    assert sum(a == b for a, b in zip(timeline._shown, first, strict=True)) == 4


def test_a_stream_without_end_forgets() -> None:
    timeline = Timeline(640, LABELS, None)
    for second in range(1000):
        timeline.add(float(second), one(1))
    assert len(timeline._times) <= 22
    assert (timeline.draw(999.0) != TRACK_COLOR).any()


def test_the_first_answer_speaks_of_its_clip() -> None:
    timeline = Timeline(640, LABELS, 10.0, clip_s=4.0)
    timeline.add(5.0, one(1))
    assert area(timeline.draw(0.0))[0] > 0.1


@pytest.mark.parametrize("width", [40, 120, 340, 3840])
def test_any_width_and_any_values(width: int) -> None:
    timeline = Timeline(width, LABELS, 1.0)
    timeline.add(5.0, np.full(len(LABELS), 7.0))  # later than said, more than 1
    assert timeline.draw(6.0).shape == (timeline.height, width, 3)
