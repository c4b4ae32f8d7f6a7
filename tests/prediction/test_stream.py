"""A stream predicts frame by frame what the whole video gives."""

from pathlib import Path

import numpy as np
import pytest

from har import Predictor
from har.errors import HarError
from har.prediction.stream import PredictionStream
from har.video import Frame, Video
from tests.helpers.red_person import (
    joints_of,
    picture,
    red_engine,
    walker_box,
    walking,
    write_video,
)

BOXES = (60, 80, 100, 180), (220, 60, 260, 160)


def test_a_stream_gives_what_a_clip_gives() -> None:
    frames = walking(60, action=1)
    predictor = Predictor(red_engine(batch_size=1))
    whole = predictor(np.array(frames), fps=30.0)
    stream = predictor.stream(fps=30.0)
    results = [stream(frame) for frame in frames]
    poses = np.concatenate([result.poses.joints_px for result in results])
    np.testing.assert_array_equal(poses, whole.poses.joints_px)
    np.testing.assert_array_equal([r.poses.time_s[0] for r in results], whole.poses.time_s)
    assert [result.poses.frame.tolist() for result in results] == [[n] for n in range(60)]
    new = {float(result.actions.time_s[0]) for result in results if len(result.actions)}
    assert sorted(new) == whole.actions.time_s.tolist()
    full = next(n for n, result in enumerate(results) if len(result.actions))
    assert full == 21  # a clip spans 0.7 s
    # what was predicted last stays with the person
    assert all(result.actions.top(1)[0].label == "waving" for result in results[full:])
    assert results[30].plot().shape[1] == 320


def test_frames_of_a_video_bring_their_times(tmp_path: Path) -> None:
    video = write_video(tmp_path / "film.avi", walking(10), fps=12.5)
    stream = Predictor(red_engine()).stream()
    times = [float(stream(frame).poses.time_s[0]) for frame in Video(video)]
    assert times == pytest.approx(np.arange(10) / 12.5)


def test_the_clock_counts_from_the_first_frame() -> None:
    ticks = iter([100.0, 100.5, 100.5, 101.0])
    predictor = Predictor(red_engine())
    stream = PredictionStream(predictor.engine, predictor.one_person(), clock=lambda: next(ticks))
    times = [float(stream(picture(BOXES[0])).poses.time_s[0]) for _ in range(4)]
    assert times == pytest.approx([0, 0.5, 0.5, 1.0])
    assert times[1] < times[2]


def test_several_people_by_a_detector_and_nobody() -> None:
    stream = Predictor(red_engine()).stream(detector=lambda image: np.array(BOXES, float), fps=30)
    for number in range(3):
        result = stream(picture(*BOXES))
        assert result.poses.frame.tolist() == [number, number]
        for joints, box in zip(result.poses.joints_px, BOXES, strict=True):
            assert np.abs(joints - joints_of(box)).max() < 4
    alone = Predictor(red_engine()).stream(fps=30)
    empty = alone(picture())
    assert (len(empty.poses), len(empty.actions), empty.actions.top()) == (0, 0, [])
    assert len(empty.frames) == 1


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        ([[0.2, 0.3, 0.4, 0.7]], "shares of the picture"),
        ([[float("nan")] * 4], "detector"),
        ([[60, 80, 40, 100]], "x2 is x \\+ w"),
        ([[100, 80, 60, 180]], "x2 > x1"),
        ([[60, 80, 100, 180, 0.9, 0]], r"shape \(1, 6\)"),
        ([["a", "b", "c", "d"]], "not numbers"),
    ],
)
def test_boxes_of_a_detector_are_checked(boxes: list[list[float]], says: str) -> None:
    predictor = Predictor(red_engine())
    stream = predictor.stream(detector=lambda _: np.array(boxes), fps=30)
    for _ in range(2):  # the next frame is looked at too
        with pytest.raises(HarError, match=says):
            stream(picture(*BOXES))


def test_a_detector_that_finds_nobody_and_boxes_outside() -> None:
    outside = [[900, 80, 940, 180]]
    for found in (None, [], np.empty((0, 4)), outside, [*outside, BOXES[0]]):
        stream = Predictor(red_engine()).stream(detector=lambda _, found=found: found, fps=30)
        result = stream(picture(*BOXES))
        assert len(result.poses) == (found is not None and len(found) == 2)


def test_frames_that_make_no_array_are_refused() -> None:
    predictor, frames = Predictor(red_engine()), [picture(BOXES[0]), picture(BOXES[0])[:100]]
    with pytest.raises(HarError, match="of one size"):
        predictor(frames)  # type: ignore[arg-type]
    with pytest.raises(HarError, match="no array"):
        predictor.stream()(frames)


def test_actions_leave_with_their_person() -> None:
    stream = Predictor(red_engine()).stream(fps=30.0)
    for frame in walking(40, action=1):
        result = stream(frame)
    assert len(result.actions)
    assert not len(stream(picture()).actions)


@pytest.mark.parametrize(
    ("frame", "time_s", "sentence"),
    [
        (np.zeros((8, 8, 3)), None, "uint8 RGB"),
        (np.zeros((240, 320, 4), np.uint8), None, r"not \(240, 320, 4\)"),
        (picture(size=(200, 100)), None, "another stream"),
        (picture(), 0.0, "has to ascend"),
        (picture(), float("nan"), "has to ascend"),
        (Frame(picture(), 3, -1.0), None, "has to ascend"),
    ],
)
def test_frames_that_do_not_fit_are_refused_and_the_stream_goes_on(
    frame: object, time_s: float | None, sentence: str
) -> None:
    stream = Predictor(red_engine()).stream()
    stream(picture(walker_box(0)), 0.0)
    with pytest.raises(HarError, match=sentence):
        stream(frame, time_s)  # type: ignore[arg-type]
    assert stream(picture(walker_box(1)), 0.1).poses.frame.tolist() == [1]


def test_a_rate_that_is_none_is_refused() -> None:
    with pytest.raises(HarError, match="fps"):
        Predictor(red_engine()).stream(fps=0)
