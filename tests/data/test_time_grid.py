"""Clips by time: the golden frames at 15 a second, those of every 1/15 s at other rates."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from har.data import NTUDataModule
from har.data.clips import (
    clip_frames,
    is_on_grid,
    multi_clip_frames,
    num_random_starts,
    time_grid,
)
from har.data.framestore.folder import open_prepared
from har.data.ntu.prepare import prepare_ntu
from har.data.own.prepare import prepare_own
from har.data.protocols import ClipProtocol, ProtocolDataset
from har.errors import HarError
from tests.helpers.golden import golden_path
from tests.helpers.own_clips import write_clip


def slow_grid(times: list[float]) -> list[int]:
    """Frame by frame: the closest to every 1/15 s, the earlier of two."""
    found, point = [], 0
    while point / 15 <= times[-1] - times[0] + (0.5 - 0.02) / 15 + 1e-12:
        distance = [abs(time - times[0] - point / 15) for time in times]
        closest = min(distance)
        found.append(next(n for n, d in enumerate(distance) if d <= closest + 1e-9))
        point += 1
    return found


@pytest.mark.parametrize("clock_s", [0.0, 0.001], ids=["exact", "milliseconds"])
def test_at_15_frames_a_second_all_clips_of_the_original(clock_s: float) -> None:
    golden = json.loads(golden_path("clips.json").read_text())
    cases = golden["clip_frame_index"]
    assert len(cases) == 550
    for case in cases:
        length, clip_size, step = case["size"], case["num_frames"], case["subsample"]
        times = np.arange(length) / 15
        if clock_s:
            times = np.round(times / clock_s) * clock_s
        grid = time_grid(7.3 + times)
        assert is_on_grid(times)
        assert grid[clip_frames(len(grid), clip_size, step)].tolist() == case["fixed"]
        assert num_random_starts(len(grid), clip_size, step) == case["number_of_random_starts"]
        for start, frames in enumerate(case.get("random") or []):
            assert grid[clip_frames(len(grid), clip_size, step, start)].tolist() == frames


RATES = st.sampled_from([7.5, 10, 12.5, 15, 23.976, 24, 25, 29.97, 30, 48, 50, 59.94, 60])


@given(rate=RATES, count=st.integers(1, 200), begin=st.floats(0, 100))
def test_at_a_constant_rate_as_directly(rate: float, count: int, begin: float) -> None:
    times = (begin + np.arange(count) / rate).tolist()
    assert time_grid(times).tolist() == slow_grid(times)


@given(st.lists(st.floats(0.002, 0.5), max_size=80))
def test_at_a_varying_rate_as_directly(gaps: list[float]) -> None:
    times = np.cumsum([0.0, *gaps]).tolist()
    grid = time_grid(times).tolist()
    assert grid == slow_grid(times)
    assert grid == sorted(grid)


@given(count=st.integers(1, 300))
def test_30_frames_a_second_are_every_second_one(count: int) -> None:
    for times in (np.arange(count) / 30, np.round(np.arange(count) / 30, 3)):
        assert time_grid(times).tolist() == list(range(0, count, 2))


def test_an_empty_sequence_is_refused() -> None:
    with pytest.raises(HarError, match="without frames"):
        time_grid([])


# -------------------------------------------------------------------------------- in a data set


def ntu(data_dir: Path, **options):
    data = NTUDataModule(
        str(data_dir), actions=[22, 43], clip_size=4, resolution=(32, 32), step=3, **options
    )
    data.setup()
    return data


def test_all_frames_stored_make_the_same_clips_as_every_second(
    tiny_ntu: Path, tmp_path: Path
) -> None:
    prepare_ntu(tiny_ntu, tiny_ntu, tmp_path / "ntu" / "prepared", stride=1, workers=0)
    half, every = ntu(tiny_ntu), ntu(tmp_path)
    assert half.clip_seconds_between_frames == every.clip_seconds_between_frames == 3 / 15
    assert half.clips.index.on_grid.all()
    assert not every.clips.index.on_grid.any()
    for number in range(len(half.test_clips)):
        one, two = half.test_clips[number], every.test_clips[number]
        for key in ("images", "pose", "affine"):
            np.testing.assert_array_equal(one[key], two[key])
    for protocol in (ClipProtocol(), ClipProtocol("multi", (1, 3), True), ClipProtocol("multi")):
        a, b = (ProtocolDataset(data.test_clips, protocol) for data in (half, every))
        np.testing.assert_array_equal(a.num_clips(), b.num_clips())
        np.testing.assert_array_equal(a.num_crops(), b.num_crops())
        counts = b.num_clips()[0], b.num_crops()[0]
        assert (len(b[0]["clips"]), len(b[0]["crops"])) == counts


def test_protocols_count_clips_by_time(tmp_path: Path) -> None:
    """12.5 frames a second: a grid of 1/15 s repeats some."""
    write_clip(tmp_path / "a" / "clip.mp4", 26, fps=12.5)
    prepare_own(tmp_path, tmp_path / "prepared", workers=0)
    index, _ = open_prepared(tmp_path)
    times = index.times(0)
    np.testing.assert_allclose(times, np.arange(26) / 12.5, atol=2e-3)
    grid = index.grid(0)
    assert grid.tolist() == slow_grid(times.tolist())
    assert len(grid) == 31 > 26 == index.num_frames[0]
    clips = ClipProtocol("multi", (2,)).clips_of(grid, 8)
    expected = multi_clip_frames(31, 8, [2])
    assert clips.tolist() == [[grid[place] for place in clip] for clip in expected]
