"""The table of joints at the end of a run."""

import pytest
import torch

from har.layouts import Layout
from har.metrics import by_part
from har.runs.report import print_table


def test_joints_that_words_do_not_tell_apart_have_rows_of_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    layout = Layout("x", ("left_hand", "hand_left", "right_hand", "left_eye", "right_eye", "x+"))
    values = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    results = {
        "pck": 35.0,
        "pck_by_joint": dict(zip(layout.joints, values, strict=True)),
        "pck_by_part": by_part(torch.tensor(values), layout),
    }
    print_table(results, {}, [], title="a test")
    lines = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines()]
    rows = {line[0]: [float(word) for word in line if word[0].isdigit()] for line in lines if line}
    assert rows["left_hand"] == [10]
    assert rows["hand_left"] == [20]
    assert rows["hand"] == [30, 30]  # right, mean: which joint is its left one is not known
    assert rows["eye"] == [40, 50, 45]
    assert rows["x"] == [60]
