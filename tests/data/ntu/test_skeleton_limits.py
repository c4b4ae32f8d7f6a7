"""Skeleton files: no file takes absurd memory, and the acting person by a slow computation."""

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from har.data.ntu.skeleton import SkeletonError, main_body, read_deephar_annotation, read_skeleton

JOINTS = "0 0 1 0 0 1 1 0 0 0 0 2\n" * 25


def body(identity: int) -> str:
    return f"{identity} 0 0 0 0 0 0 0 0 2\n25\n{JOINTS}"


def test_a_body_that_comes_back_within_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.skeleton"
    path.write_text("1\n3\n" + body(1) + body(2) + body(1))
    with pytest.raises(SkeletonError, match="body 1 twice in frame 0"):
        read_skeleton(path)


@pytest.mark.parametrize("kind", ["ids", "frames", "sparse", "npy", "large"])
def test_memory_follows_the_file_not_what_it_says(kind: str, tmp_path: Path) -> None:
    path = tmp_path / ("a.npy" if kind == "npy" else "a.skeleton")
    if kind == "ids":  # every frame somebody new: frames x bodies is a square
        path.write_text("1000\n" + "".join("1\n" + body(i) for i in range(1000)))
    elif kind == "frames":
        path.write_text("999999999\n1\n" + body(1))
    elif kind == "sparse":
        path.write_text("200001\n60\n" + "".join(map(body, range(60))) + "0\n" * 200_000)
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(2**40)  # takes no disk
    else:
        np.save(path, np.zeros((3, 151)))
        path.write_bytes(path.read_bytes().replace(b"(3, 151)", b"(999999999, 151)", 1))
    code = (
        "import resource, sys\n"
        "from har.data.ntu.skeleton import *\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
        "read = read_deephar_annotation if sys.argv[1].endswith('npy') else read_skeleton\n"
        "try: read(sys.argv[1])\n"
        "except SkeletonError as error: print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert result.stderr == ""
    assert path.name in result.stdout


def test_real_lengths_are_far_below_the_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.skeleton"
    path.write_text("900\n" + "".join(f"6\n{''.join(map(body, range(6)))}" for _ in range(900)))
    assert read_skeleton(path)["present"].shape == (900, 6)


@settings(max_examples=200, deadline=None)
@given(place=st.integers(0, 400), cut=st.integers(0, 300), junk=st.binary(max_size=20))
def test_annotations_raise_nothing_but_their_own_error(
    place: int, cut: int, junk: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "a.npy"
    rows = np.random.default_rng(0).uniform(0, 2000, (3, 151))
    rows[:, 0] = [1, 2, 4]
    np.save(path, rows)
    content = path.read_bytes()
    path.write_bytes(content[:place] + junk + content[place + cut :])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            numbers, track = read_deephar_annotation(path)
        except SkeletonError:
            return
        assert track.joints_px.shape == (len(numbers), 25, 2)


def chosen_slowly(xyz: np.ndarray, present: np.ndarray) -> list[int | None]:
    """Body of every frame, by the published rules, a body and a frame at a time."""
    frames, bodies = present.shape
    seen = {b: [f for f in range(frames) if present[f, b]] for b in range(bodies)}
    seen = {b: where for b, where in seen.items() if where}
    if len(seen) > 1 and any(len(where) > 11 for where in seen.values()):
        seen = {b: where for b, where in seen.items() if len(where) > 11}
    motion = {}
    for b in list(seen):
        narrow = []
        for f in seen[b]:
            x, y = xyz[f, b, :, 0], xyz[f, b, :, 1]
            if max(x) - min(x) <= 0.8 * (max(y) - min(y)):
                narrow.append(f)
        variances = []
        for where in (seen[b], narrow):
            if where:
                points = [xyz[f, b, j] for f in where for j in range(25)]
                variances.append(sum(np.var([p[axis] for p in points]) for axis in range(3)))
        motion[b] = min(variances)
        if len(seen) > 1 and len(seen[b]) - len(narrow) >= 0.69754 * len(seen[b]):
            del seen[b]
    owner: list[int | None] = [None] * frames
    for b in sorted(seen, key=lambda b: -motion[b]):
        if all(owner[f] is None for f in seen[b]):
            for f in seen[b]:
                owner[f] = b
    return owner


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_acting_person_against_a_slow_computation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames, bodies = int(rng.integers(5, 40)), int(rng.integers(1, 5))
    present = np.zeros((frames, bodies), dtype=bool)
    for b in range(bodies):
        begin, end = sorted(rng.integers(0, frames + 1, 2))
        present[begin:end, b] = True
    size = rng.uniform(0.1, 2, (frames, bodies, 1, 3)) * rng.choice([0.1, 1], (1, bodies, 1, 1))
    xyz = rng.normal(0, size, (frames, bodies, 25, 3)).astype(np.float32)
    xyz[~present] = np.nan
    pixels = np.broadcast_to(np.arange(bodies)[:, None, None], (frames, bodies, 25, 2))
    track = main_body(
        {
            "present": present,
            "xyz_m": xyz,
            "colour_px": np.where(present[..., None, None], pixels, np.nan).astype(np.float32),
            "joint_state": np.where(present[..., None], 2, 0) * np.ones((25,), np.uint8),
        }
    )
    expected = chosen_slowly(xyz.astype(np.float64), present)
    if track is None:
        assert not present.any()
        return
    found = [None if np.isnan(p) else int(p) for p in track.joints_px[:, 0, 0]]
    assert found == expected
    assert [bool(s) for s in track.state[:, 7]] == [b is not None for b in expected]


def test_joints_that_vanish_do_not_count_as_motion() -> None:
    """A leaving body's last joints have state 0 and lie in the camera, three meters away."""
    rng = np.random.default_rng(0)
    xyz = rng.normal(0, 0.3, (30, 2, 25, 3)).astype(np.float32) * [0.5, 1, 0.5] + [0, 0, 3]
    xyz[:, 1] += np.linspace(0, 0.5, 30)[:, None, None]  # the second one walks
    state = np.full((30, 2, 25), 2, np.uint8)
    xyz[25:, 0, :20], state[25:, 0, :20] = 0, 0
    color = np.broadcast_to(np.arange(2.0)[:, None, None], (30, 2, 25, 2)).astype(np.float32)
    track = main_body(
        {
            "present": np.ones((30, 2), bool),
            "xyz_m": xyz.astype(np.float32),
            "colour_px": color,
            "joint_state": state,
        }
    )
    assert track is not None
    assert (track.joints_px == 1).all()
