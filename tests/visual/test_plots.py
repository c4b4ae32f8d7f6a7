"""Plots: which way is up, what has room, what is left out."""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from har.data.ntu.labels import ACTION_NAMES
from har.errors import HarError
from har.layouts import get_layout
from har.visual.plots import (
    figure_to_image,
    plot_confusion,
    plot_per_class,
    plot_skeleton_3d,
)

LAYOUT = get_layout("pa17j")


def joints(**places: tuple[float, float, float]) -> np.ndarray:
    pose = np.full((17, 3), np.nan)
    for name, place in places.items():
        pose[LAYOUT.joints.index(name.replace("_", " "))] = place
    return pose


def center(image: np.ndarray, view: int, color: tuple[int, int, int]) -> tuple[float, float]:
    """Mean column and row of a color in one of the three views, above the legend."""
    third = image.shape[1] // 3
    part = image[: int(0.85 * len(image)), view * third : (view + 1) * third].astype(int)
    rows, columns = np.nonzero(np.abs(part - color).max(-1) < 40)
    assert len(rows) > 20
    return columns.mean(), rows.mean()


BLUE, ORANGE = (0, 114, 178), (213, 94, 0)


def test_the_person_stands_upright() -> None:
    """y points down in a pose: the smaller y is higher in the picture."""
    pose = joints(
        left_elbow=(0.5, 0.1, 0.5),
        left_wrist=(0.5, 0.3, 0.5),
        right_knee=(0.5, 0.7, 0.5),
        right_ankle=(0.5, 0.9, 0.5),
    )
    image = figure_to_image(plot_skeleton_3d(pose, LAYOUT))
    for view in (0, 1):
        assert center(image, view, BLUE)[1] < center(image, view, ORANGE)[1] - 50


def test_right_is_right_and_depth_runs_away_from_the_camera() -> None:
    pose = joints(
        left_elbow=(0.8, 0.4, 0.2),
        left_wrist=(0.8, 0.6, 0.2),
        right_elbow=(0.2, 0.4, 0.8),
        right_wrist=(0.2, 0.6, 0.8),
    )
    image = figure_to_image(plot_skeleton_3d(pose, LAYOUT))
    assert center(image, 0, BLUE)[0] > center(image, 0, ORANGE)[0] + 50
    # seen from the picture's right, what is near the camera is on the left
    assert center(image, 1, BLUE)[0] < center(image, 1, ORANGE)[0] - 50
    # from above, what is near is below
    assert center(image, 2, BLUE)[1] > center(image, 2, ORANGE)[1] + 50


def test_the_unit_does_not_matter() -> None:
    pose = np.random.default_rng(0).uniform(0.2, 0.8, (17, 3))
    other = 1800 * pose + (-900, 40, 3000)  # crop coordinates and mm
    first = figure_to_image(plot_skeleton_3d(pose, LAYOUT, true=pose + 0.02)).astype(int)
    second = figure_to_image(plot_skeleton_3d(other, LAYOUT, true=other + 36)).astype(int)
    assert np.abs(first - second).mean() < 0.5
    assert (first < 200).any()


def test_all_axes_have_one_scale() -> None:
    """A flat pose must not be stretched into a cube."""
    pose = np.random.default_rng(0).uniform(0, 1, (17, 3)) * (100, 900, 30)
    for axes in plot_skeleton_3d(pose, LAYOUT).axes:
        spans = [np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim()), np.ptp(axes.get_zlim())]
        assert spans == pytest.approx([spans[0]] * 3)


def test_unknown_joints_of_a_3d_pose_are_left_out() -> None:
    pose = np.random.default_rng(0).uniform(0, 1, (17, 3))
    missing, marked = pose.copy(), pose.copy()
    missing[9], marked[9] = np.nan, -1e9
    without = figure_to_image(plot_skeleton_3d(missing, LAYOUT))
    assert np.array_equal(without, figure_to_image(plot_skeleton_3d(marked, LAYOUT)))
    assert not np.array_equal(without, figure_to_image(plot_skeleton_3d(pose, LAYOUT)))
    for empty in (np.full((17, 3), np.nan), np.full((17, 3), 0.5)):
        assert figure_to_image(plot_skeleton_3d(empty, LAYOUT)).shape == without.shape
    with pytest.raises(HarError, match="pa17j"):
        plot_skeleton_3d(pose[:, :2], LAYOUT)


def confusion(classes: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.poisson(0.05, (classes, classes)) + np.diag(rng.integers(5, 40, classes))


@pytest.mark.parametrize("classes", [2, 12, 30, 60, 120])
def test_a_confusion_matrix_is_readable(classes: int) -> None:
    figure = plot_confusion(confusion(classes), ACTION_NAMES[:classes])
    height, width, _ = figure_to_image(figure).shape
    assert 400 <= max(height, width) <= 2400
    axes = figure.axes[0]
    for ticks, low, high in (
        (axes.get_yticklabels(), "y0", "y1"),
        (axes.get_xticklabels(), "x0", "x1"),
    ):
        assert [tick.get_text() for tick in ticks] == list(ACTION_NAMES[:classes])
        boxes = [tick.get_window_extent() for tick in ticks]
        for one, other in pairwise(boxes):
            apart = max(
                getattr(one, low) - getattr(other, high), getattr(other, low) - getattr(one, high)
            )
            assert apart > -1  # px: names do not lie on each other
        assert min(box.x0 for box in boxes) >= 0
        assert min(box.y0 for box in boxes) >= 0
    cell = axes.get_window_extent().width / classes
    assert len(axes.texts) == (np.count_nonzero(confusion(classes)) if classes <= 30 else 0)
    assert all(text.get_window_extent().width < cell for text in axes.texts)
    title = axes.title.get_window_extent()
    assert 0 <= title.x0 < title.x1 <= width


def test_a_confusion_matrix_shows_shares_of_the_true_class() -> None:
    figure = plot_confusion([[6, 2, 0], [0, 0, 0], [1, 0, 999]], ["a", "b", "c"])
    axes = figure.axes[0]
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): "75", (1, 0): "25", (0, 2): "<1", (2, 2): "100"}
    assert np.ma.getmaskarray(axes.images[0].get_array()).tolist()[1] == [True] * 3
    # 1005 of 1008 clips, and the mean of 6/8 and 999/1000; the class without clips does not count
    assert axes.get_title() == "accuracy 99.7%, mean of classes 87.5%"
    assert plot_confusion(np.zeros((3, 3)), ["a", "b", "c"]).axes[0].get_title() == ""
    with pytest.raises(HarError, match="does not fit 2 class names"):
        plot_confusion(np.zeros((3, 3)), ["a", "b"])


def test_classes_are_sorted_and_those_without_clips_come_last() -> None:
    figure = plot_per_class([0.5, np.nan, 1.0, 0.0], ["half", "none", "all", "nothing"])
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        "all",
        "half",
        "nothing",
        "none",
    ]
    assert [text.get_text() for text in axes.texts] == ["100.0%", "50.0%", "0.0%", "no clips"]
    assert [bar.get_width() for bar in axes.patches] == [1.0, 0.5, 0.0, 0.0]
    low, high = axes.get_ylim()
    assert low > high  # the best on top
    assert "50.0%" in figure.get_suptitle()
    with pytest.raises(HarError, match="2 class names"):
        plot_per_class([0.5], ["a", "b"])


@pytest.mark.parametrize(("classes", "columns"), [(1, 1), (12, 1), (60, 2), (120, 3)])
def test_many_classes_stand_in_columns(classes: int, columns: int) -> None:
    figure = plot_per_class(np.linspace(0, 1, classes), ACTION_NAMES[:classes])
    height, width, _ = figure_to_image(figure).shape
    assert len(figure.axes) == columns
    assert height <= 1000
    assert width <= 2200
    names = [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    assert names == list(ACTION_NAMES[:classes])[::-1]
    assert all(
        tick.get_window_extent().x0 >= 0 for axes in figure.axes for tick in axes.get_yticklabels()
    )


def test_no_window_and_no_global_state() -> None:
    code = (
        "import sys, numpy as np, har.visual.draw, har.visual.plots as plots; "
        "plots.figure_to_image(plots.plot_confusion(np.eye(3), 'abc')); "
        "print([m for m in ('matplotlib.pyplot', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
