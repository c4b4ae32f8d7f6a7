"""Figures of matplotlib: no pyplot, no global state, no window."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import PercentFormatter
from mpl_toolkits.mplot3d import Axes3D
from numpy.typing import ArrayLike, NDArray

from har.errors import HarError
from har.geometry import FloatArray, is_valid
from har.layouts import Layout
from har.visual.draw import drawn_links, link_side

# Okabe and Ito's palette, in its shades that show on white.
_SIDE_COLORS = {"left": "#0072B2", "right": "#D55E00", "middle": "#4A4A4A"}
_TRUE_COLOR = "#B4B4B4"
_CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4A4A4A")
_GREY = "#6A6A6A"
_LARGEST_NUMBERED = 30  # classes up to which the cells of a confusion matrix have numbers
_LARGEST_COLUMN = 40  # bars in a column


def figure_to_image(figure: Figure) -> NDArray[np.uint8]:
    """Renders a figure as uint8 RGB (H, W, 3)."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)  # a class may be called $100
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def plot_skeleton_3d(
    joints: ArrayLike, layout: Layout, true: ArrayLike | None = None, title: str = ""
) -> Figure:
    """Plots a 3-D pose from three sides: of the camera, from the person's side, from above.

    Args:
        joints: (J, 3), x to the right, y down, z away from the camera, in mm or in crop
            coordinates; joints that are NaN or -1e9 are not drawn.
        layout: of the joints.
        true: (J, 3) of the same kind, drawn in gray.
        title: above the plot.

    Raises:
        HarError: a pose has not the layout's number of joints.
    """
    pose = _pose(joints, layout)
    truth = None if true is None else _pose(true, layout)
    low, high = _extent(pose if truth is None else np.concatenate([truth, pose]))
    center, half = (low + high) / 2, float((high - low).max()) / 2
    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    # rotated a little: in an exact front view a limb towards the camera would be a point
    views = (("camera", 10, -80), ("side", 10, -5), ("above", 80, -90))
    for number, (name, elevation, azimuth) in enumerate(views, start=1):
        axes: Axes3D = figure.add_subplot(1, len(views), number, projection="3d")
        axes.set_axis_off()
        axes.set_proj_type("ortho")
        _draw_floor(axes, center, half, height=-high[1])
        if truth is not None:
            _draw_pose(axes, truth, layout, gray=True)
        _draw_pose(axes, pose, layout, gray=False)
        # matplotlib's z points up: x, depth, height; one scale for all
        axes.set_xlim(center[0] - half, center[0] + half)
        axes.set_ylim(center[2] - half, center[2] + half)
        axes.set_zlim(-center[1] - half, -center[1] + half)
        axes.set_box_aspect((1, 1, 1), zoom=1.5)
        axes.view_init(elev=elevation, azim=azimuth)
        axes.set_title(name, fontsize=9, color=_GREY)
    entries = {"left": _SIDE_COLORS["left"], "right": _SIDE_COLORS["right"]}
    if truth is not None:
        entries["true"] = _TRUE_COLOR
    lines = [figure.axes[0].plot([], [], color=color, lw=3)[0] for color in entries.values()]
    figure.legend(
        lines, list(entries), loc="outside lower center", ncols=3, frameon=False, fontsize=9
    )
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _pose(joints: ArrayLike, layout: Layout) -> FloatArray:
    """Returns a copy in which missing joints are NaN."""
    pose = np.array(joints, dtype=np.float64)
    if pose.shape != (layout.num_joints, 3):
        raise HarError(
            f"A 3-D pose of the layout {layout.name} is ({layout.num_joints}, 3); this one is "
            f"{pose.shape}."
        )
    pose[~is_valid(pose)] = np.nan
    return pose


def _extent(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Returns the lowest and highest coordinates of valid points; a unit cube without extent."""
    known = points[is_valid(points)]
    if not len(known):
        return np.zeros(3), np.ones(3)
    low, high = known.min(0), known.max(0)
    return (low, high) if (high > low).any() else (low - 0.5, high + 0.5)


def _draw_floor(axes: Axes3D, center: FloatArray, half: float, height: float) -> None:
    """Draws a grid under the pose, which shows the vertical and the depth."""
    x, depth, margin = center[0], center[2], 0.8 * half
    for step in np.linspace(-margin, margin, 7):
        for line in (
            ([x - margin, x + margin], [depth + step, depth + step]),
            ([x + step, x + step], [depth - margin, depth + margin]),
        ):
            axes.plot(*line, [height, height], color="#DCDCDC", linewidth=0.8)


def _draw_pose(axes: Axes3D, pose: FloatArray, layout: Layout, gray: bool) -> None:
    for link in drawn_links(layout):
        x, y, z = pose[list(link)].T
        color = _TRUE_COLOR if gray else _SIDE_COLORS[link_side(layout, link)]
        axes.plot(x, z, -y, color=color, linewidth=2.0 if gray else 2.6, solid_capstyle="round")
    known = is_valid(pose)
    x, y, z = pose[known].T
    sides = [side for side, there in zip(layout.sides, known, strict=True) if there]
    colors = [_TRUE_COLOR if gray else _SIDE_COLORS[side] for side in sides]
    axes.scatter(x, z, -y, c=colors, s=8 if gray else 14, depthshade=False)


def plot_pck_curve(curve: ArrayLike, area: float) -> Figure:
    """Plots the share of correct joints over the threshold.

    Args:
        curve: (51,) percent at thresholds 0, 0.01, ..., 0.5 lengths.
        area: their mean in percent.
    """
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(np.arange(51) / 100, np.asarray(curve, dtype=np.float64), color=_CYCLE[0], lw=2)
    axes.set_xlim(0, 0.5)
    axes.set_ylim(0, 100)
    axes.set_xlabel("threshold, lengths")
    axes.set_ylabel("correct joints")
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.grid(alpha=0.3)
    axes.set_title(f"area under the curve {area:.1f} %", fontsize=10, color=_GREY)
    return figure


def plot_confusion(matrix: ArrayLike, names: Sequence[str]) -> Figure:
    """Plots a confusion matrix; every row is a true class and sums to 100 %.

    The color scale is steep near 0, to show classes that are mistaken for others in a few percent
    of their clips. Rows without clips are gray. Up to 30 classes the cells have numbers.

    Args:
        matrix: (C, C) counts, or weights, rows the true classes.
        names: of the C classes.

    Raises:
        HarError: the matrix is not C by C.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    classes = len(names)
    if counts.shape != (classes, classes):
        raise HarError(f"A confusion matrix {counts.shape} does not fit {classes} class names.")
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    cell = float(np.interp(classes, (5, 12, 30, 60, 120), (0.6, 0.48, 0.3, 0.2, 0.15)))  # inches
    font = float(np.interp(cell, (0.15, 0.48), (7.0, 10.0)))
    names_room = 0.6 + max(map(len, names)) * font * 0.55 / 72
    side = cell * classes + names_room
    figure = Figure(figsize=(max(side + 0.7, 5.0), max(side + 0.3, 4.4)), layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("#E4E4E4")
    picture = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1))
    axes.set_xticks(range(classes), names, rotation=90, fontsize=font)
    axes.set_yticks(range(classes), names, fontsize=font)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#E8EBEF", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("recognized as", fontsize=font + 2)
    axes.set_ylabel("true action", fontsize=font + 2)
    if totals.any():
        accuracy, mean = np.trace(counts) / totals.sum(), np.nanmean(np.diag(shares))
        text = f"accuracy {accuracy:.1%}, mean of classes {mean:.1%}"
        axes.set_title(text, fontsize=font + 2)
    bar = figure.colorbar(picture, ax=axes, fraction=0.03, pad=0.01, ticks=[0, 0.05, 0.2, 0.5, 1])
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    bar.ax.tick_params(labelsize=font)
    bar.outline.set_visible(False)
    filled = np.argwhere(np.nan_to_num(shares) > 0)
    for row, column in filled if classes <= _LARGEST_NUMBERED else ():
        share = shares[row, column]
        text = "<1" if share < 0.005 else f"{100 * share:.0f}"
        color, font = "white" if share > 0.3 else "#303030", min(10.0, 22 * cell)
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=font)
    return figure


def plot_per_class(accuracy: ArrayLike, names: Sequence[str]) -> Figure:
    """Plots the accuracy of every class as bars, the best first, with the mean as a line.

    Args:
        accuracy: (C,) in [0, 1], NaN for classes without clips, which come last.
        names: of the C classes.

    Raises:
        HarError: there are not as many names as accuracies.
    """
    values = np.asarray(accuracy, dtype=np.float64)
    if values.shape != (len(names),):
        raise HarError(f"{len(names)} class names do not fit accuracies of {values.shape}.")
    order = np.argsort(-values, kind="stable")  # NaN last
    columns = max(1, -(-len(order) // _LARGEST_COLUMN))
    rows = max(1, -(-len(order) // columns))
    width = 3.0 + max(map(len, names), default=0) * 0.07
    figure = Figure(figsize=(width * columns, 0.21 * rows + 1.0), layout="constrained")
    mean = float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
    all_axes = figure.subplots(1, columns, squeeze=False)[0]
    for axes, part in zip(all_axes, np.array_split(order, columns), strict=True):
        place, shown = np.arange(len(part)), np.nan_to_num(values[part])
        axes.barh(place, shown, height=0.72, color=_CYCLE[0])
        for y, value in zip(place, values[part], strict=True):
            text = "no clips" if np.isnan(value) else f"{value:.1%}"
            x = 0.0 if np.isnan(value) else value
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # over the line
            axes.text(x + 0.012, y, text, va="center", fontsize=7, color=_GREY, bbox=paper)
        axes.axvline(mean, color=_CYCLE[1], linewidth=1, linestyle="--")
        axes.set_yticks(place, [names[number] for number in part], fontsize=8)
        axes.set(xlim=(0, 1.12), ylim=(rows - 0.4, -0.6), xticks=np.arange(0, 1.01, 0.25))
        _quiet(axes, grid="x")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    figure.suptitle(f"Accuracy per action, mean {mean:.1%}", fontsize=10)
    return figure


def plot_speed(
    names: Sequence[str],
    multiply_adds: ArrayLike,
    milliseconds: ArrayLike,
    accuracy: Sequence[float | None],
    joint_error_mm: Sequence[float | None],
    pck_box: Sequence[float | None] = (),
    title: str = "",
) -> Figure:
    """Plots the cost of every prediction block and, where measured, its accuracy.

    Args:
        names: of the blocks, B, in the order of the network.
        multiply_adds: (B,) per frame, in thousands of millions.
        milliseconds: (B,) per frame.
        accuracy: B, top-1 in percent; None where a block has no actions or was not measured.
        joint_error_mm: B, likewise; pck_box: B, likewise, in percent, of 2-D poses.
        title: above the plot.
    """
    work, times = np.asarray(multiply_adds, np.float64), np.asarray(milliseconds, np.float64)
    metrics = [  # None becomes NaN
        ("top-1 accuracy, %", np.array(accuracy, dtype=np.float64)),
        ("joint error, mm", np.array(joint_error_mm, dtype=np.float64)),
        ("PCK at 0.2 of the joints' box, %", np.array(pck_box, dtype=np.float64)),
    ]
    shown = [(label, values) for label, values in metrics if np.isfinite(values).any()]
    figure = Figure(figsize=(4.6 * (1 + len(shown)), 3.6), layout="constrained")
    panels = figure.subplots(1, 1 + len(shown), squeeze=False)[0]
    slope = float((work * times).sum() / (work**2).sum())  # time in proportion to the work
    ends = np.array([0, work.max() * 1.05])
    panels[0].plot(ends, slope * ends, color=_TRUE_COLOR, linewidth=1.2, label="in proportion")
    panels[0].plot(work, times, "o-", color=_CYCLE[0], linewidth=1.8, markersize=5)
    panels[0].set(xlabel="G multiply-adds per frame", ylabel="ms per frame", xlim=0, ylim=0)
    panels[0].legend(fontsize=8, frameon=False, loc="upper left")
    _name_points(panels[0], names, work, times)
    for number, (axes, (label, values)) in enumerate(zip(panels[1:], shown, strict=True), 1):
        speed = 1000 / times
        known = np.isfinite(values)
        axes.plot(speed[known], values[known], "o-", color=_CYCLE[number], markersize=5)
        axes.set(xlabel="frames/s", ylabel=label)
        axes.margins(0.15)
        _name_points(axes, np.asarray(names)[known].tolist(), speed[known], values[known])
    for axes in panels:
        _quiet(axes, grid="both")
    figure.suptitle(title, fontsize=11)
    return figure


def _name_points(axes: Axes, names: Sequence[str], x: FloatArray, y: FloatArray) -> None:
    """Writes names below the points, stacked where points are close together."""
    # In points, which the labels are placed in; the layout is not final yet.
    width, height = np.asarray(axes.bbox.size) * 72 / axes.figure.dpi
    across = x * width / np.ptp(axes.get_xlim())
    up = y * height / np.ptp(axes.get_ylim())
    placed: list[tuple[float, float]] = []
    for place in np.argsort(-up):
        low = up[place] - 9
        while any(abs(across[place] - a) < 36 and abs(low - b) < 8 for a, b in placed):
            low -= 1
        placed.append((across[place], low))
        xy, offset = (x[place], y[place]), (4, low - up[place])
        axes.annotate(names[place], xy, offset, textcoords="offset points", fontsize=7, color=_GREY)


def _quiet(axes: Axes, grid: str) -> None:
    """Removes the box around the plot and draws pale grid lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    axes.tick_params(length=0, labelsize=8)
    axes.grid(axis=grid, color="#E2E2E2", linewidth=0.7)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
