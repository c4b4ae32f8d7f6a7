"""Splits of own pictures: by files, by shares, and by groups that stay together."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from har.data.groups import assign_splits, groups_of
from har.errors import HarError


def test_groups_of_paths(caplog: pytest.LogCaptureFixture) -> None:
    images = ["anna/walk_001.png", "anna/walk_002.png", "ben/run_001.png", "odd.png"]
    assert groups_of(images, None) == images
    groups = groups_of(images, r"^([^/]+)/")
    assert groups[0] == groups[1] != groups[2]
    assert len(set(groups)) == 3
    assert "not found in 1 of 4 paths (odd.png)" in caplog.text
    for wrong, what in (
        ("(", "no regular expression"),
        ("walk", "0 groups"),
        ("(a)(b)", "2 groups"),
        ("(video)", "found in no path"),
    ):
        with pytest.raises(HarError, match=what):
            groups_of(images, wrong)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["train", "val"])), min_size=1),
    st.floats(0, 0.45),
    st.floats(0, 0.45),
)
def test_no_group_is_on_two_sides(rows: list[tuple[str, str]], val: float, test: float) -> None:
    groups = [group for group, _ in rows]
    before = np.array([split.encode() for _, split in rows], dtype="S8")
    after = assign_splits(before, groups, {"val": val, "test": test})
    for group in set(groups):
        sides = {after[n] for n, g in enumerate(groups) if g == group} - {b""}
        assert len(sides) <= 1
    # who validates by a file does so still, and is not drawn from the training rows
    assert (after[before == b"val"] == b"val").all()
    if (before == b"val").any():
        assert (after[before == b"train"] != b"val").all()
    only_train = {g for g, s in rows if s == "train"} - {g for g, s in rows if s == "val"}
    if only_train:
        assert (after == b"train").any()


def test_shares_are_met_by_whole_groups() -> None:
    groups = [f"video {number // 10}" for number in range(1000)]
    before = np.full(1000, b"train", dtype="S8")
    after = assign_splits(before, groups, {"val": 0.1, "test": 0.2})
    assert [(after == split).sum() for split in (b"val", b"test", b"train")] == [100, 200, 700]
    # the same persons again, and others do not move when some are added
    more = assign_splits(
        np.full(1010, b"train", dtype="S8"), [*groups, *["new"] * 10], {"val": 0.1, "test": 0.2}
    )
    assert (more[:1000] == after).mean() > 0.97


def test_what_shares_cannot_do(caplog: pytest.LogCaptureFixture) -> None:
    one = np.full(3, b"train", dtype="S8")
    for val, test in ((-0.1, 0), (0.6, 0.4)):
        with pytest.raises(HarError, match="together less than 1"):
            assign_splits(one, list("abc"), {"val": val, "test": test})
    with caplog.at_level(logging.WARNING):
        after = assign_splits(one, ["a"] * 3, {"val": 0.1, "test": 0})
    assert (after == b"train").all()
    assert "All samples are one group" in caplog.text


def test_shares_are_of_the_rows_that_count(caplog: pytest.LogCaptureFixture) -> None:
    """5 persons among 20 pictures of nobody: a share of the rows took pictures of nobody alone."""
    groups = [f"{number:02d}" for number in range(25)]
    counted = np.arange(25) < 5
    before = np.full(25, b"train", dtype="S8")
    for share, persons in ((0.1, 1), (0.3, 2), (0.5, 3)):  # at least one; 1.5 and 2.5 round up
        after = assign_splits(before, groups, {"val": share, "test": 0.0}, counted=counted)
        assert (after[counted] == b"val").sum() == persons
        assert (after[~counted] == b"train").all()
    # a row that does not count goes with its group
    after = assign_splits(before, [g[1] for g in groups], {"val": 0.3, "test": 0}, counted=counted)
    moved = {groups[row][1] for row in np.flatnonzero(after == b"val").tolist()}
    assert len(moved) == 2
    assert (after[[g[1] in moved for g in groups]] == b"val").all()
    with caplog.at_level(logging.WARNING):
        one = assign_splits(before, groups, {"val": 0.9, "test": 0}, counted=np.arange(25) == 3)
    assert (one == b"train").all()
    assert "none is kept out of training for val" in caplog.text
