"""Frames of clips against the original program."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from har.data.clips import clip_frames, multi_clip_frames, num_random_starts
from har.errors import HarError
from tests.helpers.golden import golden_path


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads(golden_path("clips.json").read_text())


def test_all_clips_of_the_original(golden):
    cases = golden["clip_frame_index"]
    assert len(cases) == 550
    starts_seen = 0
    for case in cases:
        arguments = case["size"], case["num_frames"], case["subsample"]
        assert clip_frames(*arguments) == case["fixed"], case
        assert num_random_starts(*arguments) == case["number_of_random_starts"], case
        for start, frames in enumerate(case.get("random") or []):
            assert clip_frames(*arguments, start=start) == frames, case
            starts_seen += 1
    assert starts_seen > 2000


def test_all_multi_clips_of_the_original(golden):
    cases = golden["clip_index"]
    assert len(cases) == 255
    without = 0
    for case in cases:
        length, size, steps = case["length"], case["clip_size"], case["subsamples"]
        clips = multi_clip_frames(length, size, steps)
        if case["starts_stops"]:
            assert [[c[0], c[-1], len(c)] for c in clips] == case["starts_stops"], case
        else:  # here the original has none, and evaluates nothing
            assert clips == [clip_frames(length, size, max(steps))]
            without += 1
    assert 0 < without < 255


lengths = st.integers(1, 400)
sizes = st.integers(1, 32)
steps = st.integers(1, 8)


@given(num_frames=lengths, clip_size=sizes, step=steps, data=st.data())
def test_every_clip_lies_in_its_sequence(num_frames, clip_size, step, data):
    starts = num_random_starts(num_frames, clip_size, step)
    assert starts >= 1
    start = data.draw(st.none() | st.integers(0, starts - 1))
    clips = [clip_frames(num_frames, clip_size, step, start)]
    clips += multi_clip_frames(num_frames, clip_size, [step])
    for frames in clips:
        assert len(frames) == clip_size
        assert frames == sorted(frames)
        assert frames[0] >= 0
        assert frames[-1] < num_frames


def test_an_empty_sequence_is_said():
    with pytest.raises(HarError, match="without frames"):
        clip_frames(0, 8)
    with pytest.raises(HarError, match="without frames"):
        multi_clip_frames(0, 8)
