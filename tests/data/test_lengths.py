"""Lengths and areas that metrics measure in, against plain arithmetic."""

from pathlib import Path

import numpy as np
import pytest

from har.data.lengths import areas, length_text, measured_in
from har.data.records import Person, PersonSet
from har.errors import HarError
from har.layouts import Layout, get_layout

LSP = get_layout("lsp14")


def persons() -> PersonSet:
    joints = np.full((5, 14, 2), np.nan)
    joints[:, 9], joints[:, 2], joints[:, 0] = (10, 20), (40, 60), (22, 90)
    joints[1, 2] = np.nan  # no right hip
    joints[2, 2] = joints[2, 9]  # a torso of 0
    joints[3] = np.nan
    boxes = [(0, 10, 60, 90), None, (5, 5, 5, 5), None, (0, 0, 30, 40)]
    sizes = [np.nan, np.nan, 0, np.nan, 777]
    found = [
        Person(str(n), "x.png", joints[n], (0, 0), 10, box_px=boxes[n], area_px2=sizes[n])
        for n in range(5)
    ]
    return PersonSet.of(found, Path(), LSP)


def test_lengths() -> None:
    nan = pytest.approx(np.nan, nan_ok=True)
    assert measured_in("torso", persons()).tolist() == [50, nan, 0, nan, 50]
    # boxes that are missing or empty become those of the joints
    assert measured_in("box_diagonal", persons()) == pytest.approx(
        [100, np.hypot(12, 70), np.hypot(12, 70), np.nan, 50], nan_ok=True
    )
    assert measured_in("box_side", persons()).tolist() == [80, 70, 70, nan, 40]


def test_areas() -> None:
    expected = [60 * 80, 12 * 70, 12 * 70, np.nan, 777]
    assert areas(persons()) == pytest.approx(expected, nan_ok=True)
    single = np.full((14, 2), np.nan)
    single[3] = 5
    one = PersonSet.of([Person("a", "x.png", single, (0, 0), 10)], Path(), LSP)
    assert areas(one) == [1]


@pytest.mark.parametrize(
    "names",
    [
        ("Right_Hip", "nose", "left-shoulder"),
        ("Rhip", "Nose", "Lshoulder"),
        ("rhip", "nose", "lshoulder"),
        ("RHIP", "NOSE", "LSHOULDER"),
        ("righthip", "nose", "leftshoulder"),
    ],
)
def test_joints_are_found_by_their_names(names: tuple[str, ...]) -> None:
    layout = Layout("own", names)
    joints = np.array([[3, 0], [99, 99], [0, 4]])
    found = PersonSet.of([Person("a", "x.png", joints, (0, 0), 10)], Path(), layout)
    assert measured_in("torso", found) == [5]


def test_what_cannot_be_measured_is_refused() -> None:
    kite = Layout("kite", ("top", "tail"))
    none = PersonSet.of([], Path(), kite)
    with pytest.raises(HarError, match=r"the layout kite lacks them: choose data\.length=box_diag"):
        measured_in("torso", none)
    with pytest.raises(HarError, match=r"data\.length=arm: choose torso, box_diagonal, box_side"):
        length_text("arm")
