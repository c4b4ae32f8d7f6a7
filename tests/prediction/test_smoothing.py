"""Smoothing over time: properties, and a slow direct computation for one joint."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from har.prediction import smoothing
from har.prediction.smoothing import JointSmoother


def smoothed(times: np.ndarray, xy: np.ndarray, side: float = 200.0) -> np.ndarray:
    """One joint over time, (F, 2)."""
    smoother = JointSmoother()
    nothing = np.full(1, np.nan)
    pairs = zip(times, xy, strict=True)
    return np.stack([smoother(float(t), p[None], nothing, side)[0][0] for t, p in pairs])


def slow(times: np.ndarray, x: np.ndarray, side: float) -> list[float]:
    """The filter of the paper for one coordinate, number by number."""

    def share(cutoff: float, passed: float) -> float:
        return 1 / (1 + 1 / (2 * math.pi * cutoff * passed))

    found, speed = [float(x[0])], 0.0
    for k in range(1, len(x)):
        passed = times[k] - times[k - 1]
        new = (x[k] - found[-1]) / side / passed
        speed += share(smoothing._SPEED_CUTOFF_HZ, passed) * (new - speed)
        cutoff = smoothing._CUTOFF_HZ + smoothing._HZ_PER_SPEED * abs(speed)
        found.append(found[-1] + share(cutoff, passed) * (x[k] - found[-1]))
    return found


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), side=st.floats(20, 2000))
def test_as_the_paper_computes_it(seed: int, side: float) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.01, 0.1, 20))
    x = rng.normal(0, 0.05 * side, 20).cumsum()
    found = smoothed(times, np.stack([x, np.zeros(20)], 1), side)
    np.testing.assert_allclose(found[:, 0], slow(times, x, side), rtol=1e-9, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.floats(0.1, 10))
def test_a_person_of_another_size_is_smoothed_alike(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    times, xy = np.arange(15) / 30, rng.normal(0, 5, (15, 2)).cumsum(0)
    once = smoothed(times, xy)
    np.testing.assert_allclose(smoothed(times, factor * xy, factor * 200), factor * once, atol=1e-6)


def test_rest_is_smoothed_and_a_movement_is_followed() -> None:
    rng, times = np.random.default_rng(0), np.arange(120) / 30
    noise = rng.normal(0, 1.5, (120, 2))
    rest = smoothed(times, noise)
    jitter = [np.abs(np.diff(v, axis=0)).mean() for v in (noise, rest)]
    assert jitter[1] < 0.4 * jitter[0]
    step = np.where(times < 2, 0.0, 60.0)[:, None] * np.ones(2)
    assert (smoothed(times, step)[64] > 54).all()  # a seventh of a second later


def test_after_a_gap_a_person_begins_anew() -> None:
    times = np.array([0.0, 0.03, 2.0])
    xy = np.array([[0.0, 0.0], [0.0, 0.0], [90.0, 90.0]])
    np.testing.assert_array_equal(smoothed(times, xy)[2], xy[2])


def test_unknown_depth_stays_unknown_and_joints_are_known() -> None:
    smoother = JointSmoother()
    for k in range(5):
        joints, depth = smoother(k / 30, np.full((3, 2), float(k)), np.full(3, np.nan), 100.0)
    assert np.isfinite(joints).all()
    assert np.isnan(depth).all()
