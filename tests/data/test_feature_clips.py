"""Clips of stored features: the frames that prediction classifies, and random ones to train on."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from har.data.feature_clips import (
    FeatureClips,
    all_windows,
    collate_clips,
    random_window,
    stretches,
)
from har.data.framestore.stored_features import ClipFeatures, StoredFeatures
from har.data.pose_augment import PoseAugmentation
from har.runtime.clip_buffer import TimedClips
from tests.helpers.red_person import INFO, red_engine

PACE_S, CLIP_SIZE = INFO.clip_seconds_between_frames, INFO.clip_size


def clip_of(times: np.ndarray, tracks: np.ndarray | None = None) -> ClipFeatures:
    tracks = np.zeros(len(times), np.int64) if tracks is None else tracks
    values = np.arange(len(times), dtype=np.float32)[:, None].repeat(6, 1)
    return ClipFeatures(len(times), times, tracks, values)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 90), st.sampled_from([10, 15, 25, 30, 59.94]), st.integers(0, 1000))
def test_all_windows_are_those_of_a_prediction(count: int, fps: float, seed: int) -> None:
    """The engine is asked for the same frames, clip by clip."""
    rng = np.random.default_rng(seed)
    times = np.arange(count) / fps + rng.uniform(0, 0.2 / fps, count)
    engine, asked = red_engine(), []

    def record(features: list) -> np.ndarray:
        asked.append([int(frame[0]) for frame in features])
        return np.zeros(3, np.float32)

    engine.classify_clips = record  # type: ignore[method-assign]
    stream = TimedClips(engine, every_s=0.25)
    for number, time_s in enumerate(times.tolist()):
        stream.push(time_s, (number,))
    stream.finish()
    found = all_windows(clip_of(times), CLIP_SIZE, PACE_S)
    assert [rows.tolist() for rows in found] == asked


def test_persons_and_gaps_are_not_mixed() -> None:
    times = np.arange(40) / 15
    tracks = (np.arange(40) >= 20).astype(np.int64)
    found = all_windows(clip_of(times, tracks), 8, 1 / 15)
    assert found
    assert all(len(set(tracks[rows].tolist())) == 1 for rows in found)
    times[20:] += 5
    found = all_windows(clip_of(times), 8, 1 / 15)
    assert all(np.ptp(times[rows]) < 1 for rows in found)
    assert all_windows(clip_of(times[:1]), 8, 1 / 15) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.floats(0.05, 0.15), st.integers(0, 1000))
def test_a_random_clip_has_its_pace(count: int, pace_s: float, seed: int) -> None:
    times = np.arange(count) / 15
    parts = stretches(clip_of(times), 0.8)
    rows = random_window(times, parts, 8, pace_s, np.random.default_rng(seed))
    assert rows.shape == (8,)
    assert (np.diff(rows) >= 0).all()
    if times[-1] > 7 * pace_s + 1 / 15:
        np.testing.assert_allclose(np.diff(times[rows]), pace_s, atol=1 / 15 + 1e-6)
        assert np.ptp(times[rows]) == pytest.approx(7 * pace_s, abs=1 / 15 + 1e-6)


def test_items_depend_on_the_draw_alone_and_clips_are_joined() -> None:
    rng = np.random.default_rng(0)
    clips = {
        name: ClipFeatures(
            n,
            np.arange(n) / 15,
            np.zeros(n, np.int64),
            rng.uniform(0, 100, (n, 3 * 3)).astype(np.float32),
        )
        for name, n in (("a", 20), ("b", 50), ("c", 3))
    }
    stored = StoredFeatures("key", ((3, 2), (3, 1)), clips)
    options = {"clip_size": 8, "pace_s": 1 / 15, "augmentation": PoseAugmentation()}
    data = FeatureClips(stored, "abc", np.array([0, 1, 1]), flip=(0, 2, 1), **options)
    first, again = (data["action", 1, 7]["features"] for _ in range(2))
    other = data["action", 1, 8]["features"]
    assert [part.shape for part in first] == [(8, 3, 2), (8, 3, 1)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    batch = collate_clips([data[0], data[1], data[2]])
    assert batch["num_clips"].tolist() == [
        len(all_windows(clips[name], 8, 1 / 15)) for name in "abc"
    ]
    assert batch["num_clips"][2] == 1
    assert len(batch["features"][0]) == batch["num_clips"].sum()
    assert batch["action"].tolist() == [0, 1, 1]
    turned = FeatureClips(stored, "abc", data.classes, flip=(0, 2, 1), mirror=True, **options)
    pose, mirror = data[0]["features"][0], turned[0]["features"][0]
    torch.testing.assert_close(mirror[..., 1, 0], -pose[..., 2, 0])
