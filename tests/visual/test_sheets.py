"""Contact sheets of poses: colors where the joints are, a legend that fits."""

import numpy as np
import pytest

from har.layouts import Layout, get_layout
from har.visual.draw import SIDE_COLORS, TRUE_COLOR
from har.visual.sheets import enlarged, legend, pose_sheet, pose_tile, side_colors

PAIR = Layout("pair", ("left hand", "right hand"))


def color_at(image: np.ndarray, x: float, y: float) -> tuple[int, ...]:
    return tuple(image[round(y), round(x)].tolist())


@pytest.mark.parametrize("side", [32, 300])
def test_a_tile_has_each_side_in_its_color(side: int) -> None:
    image = np.full((side, side, 3), 90, np.uint8)
    pose = np.array([[0.25, 0.5], [0.75, 0.5]])
    tile = pose_tile(image, PAIR, true=pose)
    size = tile.shape[0]
    assert size >= 200
    assert color_at(tile, 0.25 * size, 0.5 * size) == SIDE_COLORS["left"]
    assert color_at(tile, 0.75 * size, 0.5 * size) == SIDE_COLORS["right"]
    both = pose_tile(image, PAIR, predicted=pose, true=pose + np.array([0, 0.25]))
    assert color_at(both, 0.25 * size, 0.5 * size) == SIDE_COLORS["left"]
    assert color_at(both, 0.25 * size, 0.75 * size) == TRUE_COLOR
    assert (image == 90).all()


def test_joints_that_are_unknown_are_not_drawn() -> None:
    image = np.full((200, 200, 3), 90, np.uint8)
    tile = pose_tile(image, PAIR, true=[[np.nan, np.nan], [-1e9, -1e9]])
    assert (tile == 90).all()


def test_only_small_crops_are_enlarged() -> None:
    assert enlarged(np.zeros((96, 128, 3), np.uint8)).shape == (192, 256, 3)
    assert enlarged(np.zeros((256, 256, 3), np.uint8)).shape == (256, 256, 3)


def test_the_legend_lists_the_sides_that_there_are() -> None:
    assert list(side_colors(PAIR)) == ["left", "right"]
    assert list(side_colors(get_layout("lsp14"), truth=True)) == [*SIDE_COLORS, "truth"]
    assert list(side_colors(Layout("five", tuple("abcde")))) == ["middle"]
    for width in (60, 200, 1500):
        bar = legend(width, side_colors(PAIR), "a title")
        assert bar.shape[1] == width
        assert (bar == SIDE_COLORS["left"]).all(-1).any()


def test_a_sheet_ends_in_its_legend() -> None:
    tiles = [np.full((40, 60, 3), 90, np.uint8)] * 8
    sheet = pose_sheet(tiles, side_colors(PAIR), [f"number {n}" for n in range(8)], "eight")
    assert sheet.shape[1] == 6 * (60 + 6) + 6
    assert (sheet[-40:] == SIDE_COLORS["right"]).all(-1).any()
    assert not (sheet[:-60] == SIDE_COLORS["right"]).all(-1).any()
