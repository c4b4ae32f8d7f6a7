"""Persons in videos: followed, lost and found, told apart; clips by the clock."""

from collections.abc import Sequence

import numpy as np
import pytest

from har.data.clips import clip_frames
from har.geometry import box_around, box_iou
from har.prediction import tracking
from har.prediction.following import FramePrediction, follow
from har.prediction.locating import sees_others
from har.prediction.tracking import (
    DetectedPeople,
    Finder,
    FollowedBox,
    GivenBoxes,
    OnePerson,
    around_person,
)
from har.runtime.clip_buffer import TimedClips
from har.video import Frame
from tests.helpers.red_person import INFO, joints_of, picture, red_engine, walker_box, walking

SPAN_S = 0.7


def frames_of(images: Sequence[np.ndarray], fps: float = 30.0) -> list[list[Frame]]:
    frames = [Frame(image, number, number / fps) for number, image in enumerate(images)]
    return [frames[start : start + 8] for start in range(0, len(frames), 8)]


def answers_of(
    images: Sequence[np.ndarray], finder: Finder, **arguments: float
) -> list[FramePrediction]:
    return list(follow(red_engine(), frames_of(images), finder, **arguments))


# ------------------------------------------------------------------------------------------- boxes


def test_the_box_of_a_resting_person_comes_to_rest() -> None:
    box = np.array([0.0, 0, 100, 100])
    person = FollowedBox(box + 30, 0.0, SPAN_S)
    for number in range(1, 40):
        person.move(np.array([number / 10]), box[None], np.array([0.9]))
    np.testing.assert_allclose(person.box, box, atol=0.1)


def test_a_box_moves_smoothly_and_whatever_the_frame_rate() -> None:
    def after_a_second(fps: int) -> np.ndarray:
        person = FollowedBox([0, 0, 10, 10], 0.0, 0.0)
        for number in range(1, fps + 1):
            person.move(np.array([number / fps]), np.array([[50.0, 0, 60, 10]]), np.array([0.9]))
            assert 0 < person.box[0] < 50
        return person.box

    np.testing.assert_allclose(after_a_second(15), after_a_second(60), atol=0.5)


def test_a_box_holds_where_the_person_was_during_a_clip() -> None:
    person = FollowedBox([0, 0, 100, 100], 0.0, 1.0)
    for number in range(1, 60):  # 100 px a second
        box = np.array([0.0, 0, 100, 100]) + 10 * number * np.array([1, 0, 1, 0])
        person.move(np.array([number / 10]), box[None], np.array([0.9]))
    assert 180 < person.box[2] - person.box[0] < 220
    assert person.box[3] - person.box[1] == pytest.approx(100, abs=1)


def test_unsure_poses_do_not_move_a_box() -> None:
    person = FollowedBox([0, 0, 10, 10], 0.0, 0.0)
    person.move(np.array([0.1]), np.array([[500.0, 0, 510, 10]]), np.array([0.05]))
    np.testing.assert_array_equal(person.box, [0, 0, 10, 10])


def test_rectangles_become_square_crops() -> None:
    np.testing.assert_allclose(around_person([[10, 20, 30, 60]]), [[-5, 15, 45, 65]])
    assert box_iou([0, 0, 2, 2], [1, 0, 3, 2]) == pytest.approx(1 / 3)
    assert box_iou([0, 0, 1, 1], [2, 2, 3, 3]) == 0


# ------------------------------------------------------------------------------------- one person


def test_a_person_is_found_and_followed_with_poses_in_pixels() -> None:
    answers = answers_of(walking(60), OnePerson(red_engine(), SPAN_S))
    assert len(answers) == 60
    for answer in answers:
        (person,) = answer.people
        assert person.track == 0
        wanted = joints_of(walker_box(answer.frame.number))
        assert np.abs(person.joints_px - wanted).max() < 5
        assert person.depth_mm[0] == 0  # relative to the root
        assert person.depth_mm[16] == pytest.approx(200, abs=0.1)  # 0.1 of 2000 mm


def test_a_followed_person_costs_one_crop_a_frame() -> None:
    engine = red_engine()
    list(follow(engine, frames_of(walking(80)), OnePerson(engine, SPAN_S)))
    assert engine.runtime.crops <= 80 + 3


def test_an_empty_scene_has_no_person_and_is_not_searched_in_every_frame() -> None:
    engine = red_engine()
    answers = list(follow(engine, frames_of([picture()] * 90), OnePerson(engine, SPAN_S)))
    assert all(answer.people == [] for answer in answers)
    assert engine.runtime.crops <= 3 * 27  # three searches in three seconds


def test_a_person_is_lost_and_found_again() -> None:
    images = [*walking(40), *[picture()] * 60, *walking(60)]
    answers = answers_of(images, OnePerson(red_engine(), SPAN_S))
    tracks = [[person.track for person in answer.people] for answer in answers]
    assert tracks[:40] == [[0]] * 40
    assert tracks[70:100] == [[]] * 30
    assert tracks[-20:] == [[0]] * 20  # at the same place: the same person
    for answer in answers[-20:]:
        wanted = joints_of(walker_box(answer.frame.number - 100))
        assert np.abs(answer.people[0].joints_px - wanted).max() < 5


def test_a_person_elsewhere_is_another_person() -> None:
    far = picture((10, 10, 40, 90), size=(900, 240))
    near = picture((800, 100, 860, 220), size=(900, 240))
    empty = picture(size=(900, 240))
    answers = answers_of([far] * 40 + [empty] * 40 + [near] * 60, OnePerson(red_engine(), SPAN_S))
    assert {person.track for answer in answers[:40] for person in answer.people} == {0}
    assert [person.track for person in answers[-1].people] == [1]


# ---------------------------------------------------------------------------------- several people


LEFT, RIGHT = (20, 60, 60, 180), (240, 60, 290, 200)


def test_given_boxes_are_interpolated_and_keep_their_tracks() -> None:
    numbers = {4: np.array([0, 39]), 7: np.array([8, 16])}
    boxes = {4: np.array([LEFT, LEFT], float), 7: np.array([RIGHT, RIGHT], float)}
    answers = answers_of([picture(LEFT, RIGHT)] * 40, GivenBoxes(numbers, boxes))
    for answer in answers:
        people = {person.track: person for person in answer.people}
        assert set(people) == ({4, 7} if 8 <= answer.frame.number <= 16 else {4})
        assert np.abs(people[4].joints_px - joints_of(LEFT)).max() < 4
        if 7 in people:
            assert np.abs(people[7].joints_px - joints_of(RIGHT)).max() < 4


def test_given_boxes_move_between_the_frames_that_have_one() -> None:
    finder = GivenBoxes({0: np.array([0, 10])}, {0: np.array([[0, 0, 10, 10], [20, 0, 30, 10.0]])})
    frames = [Frame(picture(), number, 0.0) for number in (0, 5, 10, 11)]
    boxes = finder.boxes(frames)[0]
    np.testing.assert_allclose(boxes[:3, [0, 2]].mean(1), [5, 15, 25])
    assert np.isnan(boxes[3]).all()


def test_detected_people_keep_their_numbers_whatever_the_detector_s_order() -> None:
    calls = []

    def detect(image: np.ndarray) -> np.ndarray:
        calls.append(1)
        boxes = np.array([LEFT, RIGHT], float)
        return boxes if len(calls) % 2 else boxes[::-1]

    answers = answers_of([picture(LEFT, RIGHT)] * 90, DetectedPeople(detect, SPAN_S))
    for answer in answers:
        people = {person.track: person.joints_px for person in answer.people}
        assert np.abs(people[0] - joints_of(LEFT)).max() < 4
        assert np.abs(people[1] - joints_of(RIGHT)).max() < 4
    assert len(calls) <= 7  # every half second


def test_who_is_not_detected_any_more_is_gone_and_a_new_one_has_a_new_number() -> None:
    def detect(image: np.ndarray) -> np.ndarray:
        calls.append(1)
        return np.array([LEFT] if len(calls) < 3 else [RIGHT], float)

    calls: list[int] = []
    images = [picture(LEFT)] * 30 + [picture(RIGHT)] * 90
    answers = answers_of(images, DetectedPeople(detect, SPAN_S))
    assert [person.track for person in answers[0].people] == [0]
    assert [person.track for person in answers[-1].people] == [1]


def test_a_detector_that_finds_no_person() -> None:
    answers = answers_of([picture()] * 20, DetectedPeople(lambda _: np.empty((0, 4)), SPAN_S))
    assert all(answer.people == [] for answer in answers)


# --------------------------------------------------------------------------------- clips by clock


class Remembers:
    """An engine that keeps which frames it was asked about."""

    spec = INFO

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def classify_clips(self, features: Sequence[int]) -> np.ndarray:
        self.asked.append(list(features))
        return np.zeros(3, np.float32)


def asked_at(times: Sequence[float], every_s: float = 0.25) -> tuple[list[list[int]], TimedClips]:
    engine = Remembers()
    clips = TimedClips(engine, every_s=every_s)  # type: ignore[arg-type]
    for number, time_s in enumerate(times):
        clips.push(time_s, number)  # type: ignore[arg-type]
    return engine.asked, clips


@pytest.mark.parametrize("fps", [10, 24, 25, 29.97, 30, 60, 120])
def test_clips_have_the_pace_of_training_at_every_frame_rate(fps: float) -> None:
    times = np.arange(int(3 * fps)) / fps
    asked, _ = asked_at(times)
    pace = INFO.clip_seconds_between_frames
    assert len(asked) == pytest.approx((3 - 7 * pace) / 0.25, abs=2)
    for frames in asked:
        spaced = times[frames]
        wanted = spaced[-1] - pace * np.arange(7, -1, -1)
        assert np.abs(spaced - wanted).max() <= max(0.5 / fps, pace / 8) + 1e-9


def test_clips_of_varying_frame_rates_go_by_time() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.choice([1, 1, 2, 3], 150) / 60)
    asked, _ = asked_at(times)
    for frames in asked:
        wanted = times[frames[-1]] - INFO.clip_seconds_between_frames * np.arange(7, -1, -1)
        for frame, moment in zip(frames, wanted, strict=True):
            assert abs(times[frame] - moment) <= np.abs(times - moment).min() + 1e-9


def test_old_frames_are_forgotten() -> None:
    _, clips = asked_at(np.arange(3000) / 30)
    assert len(clips._clock._times) == len(clips._features) < 30
    assert clips.is_over(102.0)
    assert not clips.is_over(100.0)


@pytest.mark.parametrize("frames", [2, 3, 7, 12, 20])
def test_a_short_video_is_stretched_as_in_training(frames: int) -> None:
    asked, clips = asked_at(np.arange(frames) / 30)
    assert asked == []
    assert clips.finish() is not None
    assert asked == [clip_frames(frames, 8, 3)]  # 0.1 s are three frames


def test_one_frame_has_no_action_and_a_long_video_no_second_end() -> None:
    assert asked_at([0.0])[1].finish() is None
    assert asked_at(np.arange(60) / 30)[1].finish() is None


@pytest.mark.parametrize("action", [0, 1, 2])
def test_actions_of_a_video(action: int) -> None:
    answers = answers_of(walking(60, action=action), OnePerson(red_engine(), SPAN_S))
    times = [answer.frame.time_s for answer in answers if answer.actions]
    assert times[0] == pytest.approx(0.7, abs=0.04)
    assert np.diff(times) == pytest.approx(0.25, abs=0.04)
    for answer in answers:
        for probabilities in answer.actions.values():
            assert probabilities.argmax() == action


@pytest.mark.parametrize("frames", [2, 5, 12])
def test_a_video_too_short_for_a_clip_has_one_answer(frames: int) -> None:
    answers = answers_of(walking(frames, action=1), OnePerson(red_engine(), SPAN_S))
    given = [p for answer in answers for p in answer.actions.values()]
    assert len(given) == 1
    assert given[0].argmax() == 1


def test_people_have_actions_of_their_own() -> None:
    image = picture(LEFT, action=2)
    image[picture(RIGHT)[..., 0] > 100] = (230, 20, 80)  # action 1
    boxes = {0: np.array([LEFT] * 2, float), 1: np.array([RIGHT] * 2, float)}
    numbers = {0: np.array([0, 40]), 1: np.array([0, 40])}
    answers = answers_of([image] * 40, GivenBoxes(numbers, boxes))
    last = [answer.actions for answer in answers if len(answer.actions) == 2]
    assert last
    for actions in last:
        assert (actions[0].argmax(), actions[1].argmax()) == (2, 1)


def test_the_seen_box_is_the_training_box_of_the_pose() -> None:
    engine, seen = red_engine(), []

    class Watches(GivenBoxes):
        def update(self, track, times_s, boxes, confidence):  # type: ignore[no-untyped-def]
            seen.append((times_s, boxes, confidence))

    finder = Watches({0: np.array([0, 7])}, {0: np.array([LEFT] * 2, float)})
    list(follow(engine, frames_of([picture(LEFT)] * 8), finder))
    ((times, boxes, confidence),) = seen
    assert len(times) == len(boxes) == 8
    wanted = box_around(joints_of(LEFT), enlarge=1.5)
    assert np.abs(boxes - wanted).max() < 8
    np.testing.assert_allclose(confidence, 0.9, atol=1e-6)


# ----------------------------------------------------------------------------------------- several


def test_another_person_is_noticed_and_the_same_one_is_not() -> None:
    engine, left, right = red_engine(), (10, 60, 40, 120), (250, 60, 280, 120)
    box = around_person(left)[0]
    assert not sees_others(engine, picture(left), box)
    assert sees_others(engine, picture(left, right), box)


@pytest.mark.parametrize("several", [False, True])
def test_who_follows_one_of_several_remembers_it(
    monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    finder = OnePerson(red_engine(), SPAN_S)
    monkeypatch.setattr(tracking, "sees_others", lambda *_: several)
    answers_of(walking(40), finder)
    assert finder.others is several


# -------------------------------------------------------------------------------------- in motion


def running(px_per_frame: int, count: int = 16) -> list[np.ndarray]:
    """A person who crosses the picture."""
    places = (20 + px_per_frame * number for number in range(count))
    return [picture((x, 100, x + 40, 200), size=(400, 240)) for x in places]


def test_a_box_runs_ahead_with_who_runs() -> None:
    person = FollowedBox([0, 0, 100, 100], 0.0, 0.0)
    centers = np.arange(8) * 20.0  # 300 px a second
    times = np.arange(8) / 15
    boxes = np.stack([[x - 50, 0, x + 50, 100] for x in centers])
    person.move(times, boxes, np.full(8, 0.9))
    (ahead,) = person.boxes(np.array([times[-1] + 0.2]))
    np.testing.assert_allclose(ahead[[0, 2]].mean(), centers[-1] + 60, atol=1)
    far = person.boxes(times[-1] + np.array([0.4, 5.0]))
    np.testing.assert_allclose(far[0], far[1])  # nobody is expected to run on for seconds
    resting = FollowedBox([0, 0, 100, 100], 0.0, 0.0)
    noise = np.random.default_rng(0).normal(0, 1, (8, 1))
    resting.move(times, np.array([[0.0, 0, 100, 100]]) + noise, np.full(8, 0.9))
    np.testing.assert_array_equal(resting.boxes(times + 1), np.tile(resting.box, (8, 1)))


def test_who_runs_is_not_lost() -> None:
    engine = red_engine()
    images = running(20)
    finder = OnePerson(engine, 0.0)
    frames = [Frame(image, number, number / 15) for number, image in enumerate(images)]
    batches = [frames[start : start + 4] for start in range(0, len(frames), 4)]
    found = list(follow(engine, batches, finder))
    assert all(len(each.people) == 1 for each in found)
    for number, each in enumerate(found):
        middle = each.people[0].joints_px.mean(0)
        expected = joints_of((20 + 20 * number, 100, 60 + 20 * number, 200)).mean(0)
        np.testing.assert_allclose(middle, expected, atol=6)
    assert {each.people[0].track for each in found} == {0}
