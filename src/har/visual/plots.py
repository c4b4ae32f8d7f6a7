"""Plots with matplotlib, as figures of their own: no global state, no window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from har.layouts import Layout
from har.visual.draw import SIDE_COLOURS


def figure_to_image(figure: Figure) -> NDArray[np.uint8]:
    """A figure as RGB uint8 (H, W, 3)."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _side_colour(layout: Layout, a: int, b: int) -> tuple[float, float, float]:
    sides = {layout.sides[a], layout.sides[b]} - {"middle"}
    red, green, blue = SIDE_COLOURS[sides.pop() if len(sides) == 1 else "middle"]
    return 0.85 * red / 255, 0.85 * green / 255, 0.85 * blue / 255


def plot_skeleton_3d(
    joints: ArrayLike, layout: Layout, true: ArrayLike | None = None, title: str = ""
) -> Figure:
    """A 3-D pose from two sides: as the camera sees it and from the person's side.

    Args:
        joints: (J, 3) with y downwards and z away from the camera, such as crop coordinates;
            NaN for joints that are not known.
        layout: of the joints.
        true: (J, 3), drawn in grey.
        title: above the plot.
    """
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    poses = [(np.asarray(joints, dtype=float), False)]
    if true is not None:
        poses.insert(0, (np.asarray(true, dtype=float), True))
    known = np.concatenate([pose[np.isfinite(pose).all(-1)] for pose, _ in poses])
    centre = (known.min(0) + known.max(0)) / 2 if len(known) else np.zeros(3)
    half = max(float(np.ptp(known, axis=0).max()) / 2, 1e-6) if len(known) else 1.0
    for place, (azimuth, name) in enumerate(((-80, "camera"), (-10, "side")), start=1):
        axes = figure.add_subplot(1, 2, place, projection="3d")
        for pose, grey in poses:
            for a, b in layout.links:
                x, y, z = pose[[a, b]].T
                colour = (0.6, 0.6, 0.6) if grey else _side_colour(layout, a, b)
                axes.plot(x, z, -y, color=colour, linewidth=1.5 if grey else 2.5)
        axes.set_xlim(centre[0] - half, centre[0] + half)
        axes.set_ylim(centre[2] - half, centre[2] + half)  # depth runs into the plot
        axes.set_zlim(-centre[1] - half, -centre[1] + half)
        axes.set_box_aspect((1, 1, 1))
        axes.view_init(elev=8, azim=azimuth)
        axes.set(xticklabels=[], yticklabels=[], zticklabels=[], title=f"{title} {name}".strip())
    return figure


def plot_confusion(matrix: ArrayLike, names: Sequence[str]) -> Figure:
    """A confusion matrix, every true class (row) as shares of its clips.

    Args:
        matrix: (C, C) counts, rows the true classes.
        names: of the classes.
    """
    counts = np.asarray(matrix, dtype=float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    classes = len(counts)
    side = float(np.clip(0.38 * classes + 2.2, 5, 16))
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    size = float(np.clip(0.62 * 72 * (side - 2) / classes, 4, 9))
    axes.set_xticks(range(classes), names, rotation=90, fontsize=size)
    axes.set_yticks(range(classes), names, fontsize=size)
    axes.set_xlabel("recognised")
    axes.set_ylabel("true")
    if classes <= 20:
        for row, column in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[row, column] > 0.5 else "black"
            text = f"{100 * shares[row, column]:.0f}"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8)
    return figure


def plot_curves(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike]], xlabel: str, ylabel: str, title: str = ""
) -> Figure:
    """Curves in one plot.

    Args:
        curves: x and y values by name.
        xlabel, ylabel, title: what stands beside them.
    """
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for name, (x, y) in curves.items():
        axes.plot(np.asarray(x), np.asarray(y), label=name)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend(fontsize=8)
    return figure
