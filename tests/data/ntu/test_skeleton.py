"""The skeleton parser: values, every irregularity of real files, and nothing but its own error."""

import math
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from har.data.ntu.skeleton import (
    SkeletonError,
    main_body,
    read_deephar_annotation,
    read_skeleton,
)
from tests.helpers.golden import golden_arrays, real_path

A, B = 72057594037931101, 72057594037931368  # ids that a double cannot hold


def body(identity: int, offset: float = 0.0, wide: bool = False) -> str:
    """One body of one frame as text; joints differ, so that an exchange would show."""
    lines = [f"{identity} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
    for joint in range(25):
        x, y = (joint, 0.1 * joint) if wide else (0.01 * joint, 0.1 * joint)
        numbers = [x + offset, y, 3 + 0.01 * joint, 200 + joint, 150, 900 + joint, 500, 1, 0, 0, 0]
        lines.append(" ".join(f"{n:.7g}" for n in numbers) + " 2")
    return "\n".join(lines)


def text(frames: list[list[str]]) -> str:
    return "\n".join([str(len(frames)), *("\n".join([str(len(f)), *f]) for f in frames)]) + "\n"


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "S001C001P001R001A001.skeleton"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def slowly(path: Path) -> list[dict[int, list[list[float]]]]:
    """Line by line: per frame, the joints of every body id."""
    lines = iter(path.read_text().split("\n"))
    frames = []
    for _ in range(int(next(lines))):
        bodies = {}
        for _ in range(int(next(lines))):
            identity = int(next(lines).split()[0])
            bodies[identity] = [
                [float(n) for n in next(lines).split()] for _ in range(int(next(lines)))
            ]
        frames.append(bodies)
    return frames


@pytest.mark.parametrize(
    "name",
    [
        "S001C001P001R001A001",
        "S001C003P008R002A058",
        "S018C001P008R002A116",
        "S018C001P045R001A116",
        "S032C003P106R001A116",
    ],
)
def test_real_files_against_a_slow_reader(name: str) -> None:
    path = real_path(f"ntu/skeletons/{name}.skeleton")
    found, expected = read_skeleton(path), slowly(path)
    ids = found["body_ids"].tolist()
    assert found["present"].shape == (len(expected), len(ids))
    for frame, bodies in enumerate(expected):
        assert {ids[b] for b in np.flatnonzero(found["present"][frame])} == set(bodies)
        for identity, joints in bodies.items():
            b = ids.index(identity)
            rows = np.array(joints, dtype=np.float32)
            for key, columns in {
                "xyz_m": slice(0, 3),
                "depth_px": slice(3, 5),
                "colour_px": slice(5, 7),
                "orientation": slice(7, 11),
            }.items():
                np.testing.assert_array_equal(found[key][frame, b], rows[:, columns])
            np.testing.assert_array_equal(found["joint_state"][frame, b], rows[:, 11])


def test_line_ends_do_not_matter(tmp_path: Path) -> None:
    content = text([[body(A)], [body(A, 0.1)]])
    unix = read_skeleton(write(tmp_path, content))
    dos = read_skeleton(write(tmp_path, content.replace("\n", "\r\n")))
    for key in unix:
        np.testing.assert_array_equal(unix[key], dos[key])
    assert unix["body_ids"].tolist() == [A]


def test_bodies_are_followed_by_id_when_their_order_changes(tmp_path: Path) -> None:
    content = text([[body(A), body(B, 5)], [body(B, 5), body(A)], [], [body(B, 5)]])
    found = read_skeleton(write(tmp_path, content))
    assert found["body_ids"].tolist() == [A, B]
    np.testing.assert_array_equal(
        found["present"], [[True, True], [True, True], [False, False], [False, True]]
    )
    np.testing.assert_allclose(found["xyz_m"][[0, 1, 3], 1, 0, 0], 5)
    assert np.isnan(found["xyz_m"][2]).all()


def test_numbers_that_are_none(tmp_path: Path) -> None:
    content = text([[body(A)]]).replace("900 500", "NaN NaN").replace("901 500", "inf -inf")
    found = read_skeleton(write(tmp_path, content.replace("0.01 0.1", "-4.100487E-05 0.1")))
    assert np.isnan(found["colour_px"][0, 0, :2]).all()
    assert math.isclose(found["xyz_m"][0, 0, 1, 0], -4.100487e-05, rel_tol=1e-6)


def test_no_body_and_seven_bodies(tmp_path: Path) -> None:
    empty = read_skeleton(write(tmp_path, text([[], []])))
    assert empty["present"].shape == (2, 0)
    assert main_body(empty) is None
    seven = read_skeleton(write(tmp_path, text([[body(A + i, i) for i in range(7)]])))
    assert seven["present"].shape == (1, 7)


GOOD = text([[body(A)], [body(A, 0.1), body(B)]])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        GOOD[: len(GOOD) // 2].encode(),
        GOOD[: GOOD.rindex("\n", 0, -1)].encode(),
        GOOD.replace("\n25\n", "\n24\n", 1).encode(),
        GOOD.replace("2\n1\n", "999999999999\n1\n", 1).encode(),
        GOOD.replace("2\n1\n", "2\n888888888\n", 1).encode(),
        GOOD.replace(str(A), "9" * 40).encode(),
        (GOOD + "7 8 9\n").encode(),
        "skeleton of ä".encode("latin-1"),
        b"\x00\xff\x13 RIFF",
        b"-1\n",
        text([[body(A), body(A)]]).encode(),
    ],
    ids=lambda c: repr(c[:12]),
)
def test_bad_files_are_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, content)
    with pytest.raises(SkeletonError, match=r"S001C001P001R001A001\.skeleton"):
        read_skeleton(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SkeletonError, match="nothing"):
        read_skeleton(tmp_path / "nothing.skeleton")


@settings(max_examples=150, deadline=None)
@given(
    place=st.integers(0, len(GOOD)),
    cut=st.integers(0, 40),
    junk=st.one_of(
        st.binary(max_size=12), st.sampled_from([b" 1e400 ", b" NaN ", b" -3 ", b"1_0"])
    ),
)
def test_nothing_but_its_own_error(
    place: int, cut: int, junk: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = GOOD.encode()
    path = write(tmp_path_factory.mktemp("fuzz"), content[:place] + junk + content[place + cut :])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            track = main_body(read_skeleton(path))
        except SkeletonError:
            return
        assert track is None or track.joints_px.shape[1:] == (25, 2)


def test_furniture_tracked_as_a_person_does_not_act() -> None:
    skeleton = read_skeleton(real_path("ntu/skeletons/S001C001P003R002A005.skeleton"))
    track = main_body(skeleton)
    assert track is not None
    extent = np.ptp(skeleton["xyz_m"], axis=2)  # (F, B, 3)
    person = int(np.argmin((extent[..., 0] / extent[..., 1]).mean(0)))
    np.testing.assert_array_equal(track.joints_px, skeleton["colour_px"][:, person])


def test_a_person_with_a_new_id_goes_on(tmp_path: Path) -> None:
    frames = [[body(A, 0.01 * i)] for i in range(20)] + [[]]
    frames += [[body(B, 0.01 * i)] for i in range(20)]
    track = main_body(read_skeleton(write(tmp_path, text(frames))))
    assert track is not None
    known = np.isfinite(track.joints_px).all((1, 2))
    assert known.sum() == 40
    assert not known[20]
    assert (track.state[20] == 0).all()


def test_short_visitors_and_wide_bodies_are_left_out(tmp_path: Path) -> None:
    frames = [[body(A)] for _ in range(30)]
    for i in range(5):
        frames[i] = [body(B, 3.0 * i), body(A)]  # moves a lot, but for 5 frames only
    for i in range(30):
        frames[i].append(body(7, 2.0 * i, wide=True))  # moves more than anybody, but lies flat
    skeleton = read_skeleton(write(tmp_path, text(frames)))
    track = main_body(skeleton)
    assert track is not None
    person = skeleton["body_ids"].tolist().index(A)
    np.testing.assert_array_equal(track.joints_px, skeleton["colour_px"][:, person])


def test_annotations_of_the_original(tmp_path: Path) -> None:
    rows = golden_arrays("clips.npz")["ntu/sequence_0"]
    np.save(tmp_path / "a.npy", rows)
    numbers, track = read_deephar_annotation(tmp_path / "a.npy")
    np.testing.assert_array_equal(numbers, rows[:, 0])
    np.testing.assert_allclose(track.joints_px[..., 1], rows[:, 101:126].astype(np.float32))
    np.save(tmp_path / "b.npy", rows[:, :100])
    np.save(tmp_path / "c.npy", np.array([{}], dtype=object))
    (tmp_path / "d.npy").write_bytes(b"junk")
    for name in "bcd":
        with pytest.raises(SkeletonError, match=rf"{name}\.npy"):
            read_deephar_annotation(tmp_path / f"{name}.npy")


numbers = st.integers(-3, 40).map(str)
words = st.one_of(numbers, st.sampled_from(["25", "NaN", "-inf", "1e400", "x"]))
texts = st.lists(words).map(lambda found: " ".join(found).encode())


@settings(max_examples=150, deadline=None)
@given(content=st.one_of(st.binary(max_size=300), texts))
def test_anything_at_all_is_read_or_refused(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write(tmp_path_factory.mktemp("junk"), content)
    with suppress(SkeletonError):
        read_skeleton(path)
