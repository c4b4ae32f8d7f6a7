"""Soft-argmax against sums written out, and its promise of float32 in any precision."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from har.models.soft_argmax import (
    around_peak,
    channel_softmax_2d,
    joint_confidence,
    soft_argmax_1d,
    soft_argmax_2d,
    window_maximum,
)


def random_maps(*shape: int, seed: int = 0, spread: float = 3.0) -> Tensor:
    return spread * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 9), st.integers(2, 9), st.integers(0, 99), st.sampled_from([0.5, 1.0, 2.0, 30.0])
)
def test_place_and_confidence_written_out(height: int, width: int, seed: int, alpha: float) -> None:
    maps = random_maps(1, 2, height, width, seed=seed)
    probability = channel_softmax_2d(maps, alpha)
    place, confidence = soft_argmax_2d(probability), joint_confidence(probability)
    for joint in range(2):
        values = np.exp(alpha * maps[0, joint].double().numpy())
        p = values / values.sum()
        np.testing.assert_allclose(probability[0, joint], p, atol=1e-5)
        x = sum(p[i, j] * j / (width - 1) for i in range(height) for j in range(width))
        y = sum(p[i, j] * i / (height - 1) for i in range(height) for j in range(width))
        np.testing.assert_allclose(place[0, joint], [x, y], atol=1e-5)
        windows = [
            p[i : i + 2, j : j + 2].sum() for i in range(height - 1) for j in range(width - 1)
        ]
        np.testing.assert_allclose(confidence[0, joint], max(windows), atol=1e-5)


def test_large_heat_maps_do_not_overflow() -> None:
    maps = torch.zeros(1, 1, 4, 5)
    maps[0, 0, 3, 0] = 1e4
    place = soft_argmax_2d(channel_softmax_2d(maps))
    torch.testing.assert_close(place, torch.tensor([[[0.0, 1.0]]]))


@pytest.mark.parametrize("cells", [1, 4, 16])
def test_depth_cells_stand_for_their_centers(cells: int) -> None:
    depths = soft_argmax_1d(1e4 * torch.eye(cells)[None])
    expected = (torch.arange(cells) + 0.5) / cells
    torch.testing.assert_close(depths[0], expected)
    torch.testing.assert_close(soft_argmax_1d(torch.zeros(2, 3, cells)), torch.full((2, 3), 0.5))


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "channel_softmax_2d": channel_softmax_2d,
    "soft_argmax_2d": lambda x: soft_argmax_2d(channel_softmax_2d(x)),
    "joint_confidence": lambda x: joint_confidence(channel_softmax_2d(x)),
    "window_maximum": window_maximum,
    "soft_argmax_1d": lambda x: soft_argmax_1d(x.flatten(2)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_low_precision_around_it_changes_nothing(name: str) -> None:
    """A matrix product under autocast would be off by half a pixel of 256 and more."""
    maps = random_maps(4, 17, 32, 32).bfloat16()  # as a convolution gives them
    expected = FUNCTIONS[name](maps.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = FUNCTIONS[name](maps)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_double_precision_stays(name: str) -> None:
    maps = random_maps(2, 3, 8, 6).double()
    found = FUNCTIONS[name](maps)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.float(), FUNCTIONS[name](maps.float()), rtol=1e-5, atol=1e-5)


def test_a_probability_of_low_precision_is_summed_in_float32() -> None:
    probability = channel_softmax_2d(random_maps(2, 3, 32, 32)).bfloat16()
    torch.testing.assert_close(
        soft_argmax_2d(probability), soft_argmax_2d(probability.float()), rtol=0, atol=0
    )
    assert joint_confidence(probability).dtype == torch.float32


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(2, 9),
    width=st.integers(2, 9),
    radius=st.integers(0, 9),
    seed=st.integers(0, 99),
)
def test_what_lies_around_a_peak(height: int, width: int, radius: int, seed: int) -> None:
    maps = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(seed))
    probability = channel_softmax_2d(maps, alpha=8.0)
    found = around_peak(probability, radius)
    for one, kept in zip(probability.flatten(0, 1), found.flatten(0, 1), strict=True):
        row, column = divmod(int(one.argmax()), width)
        expected = torch.zeros_like(one)
        for y in range(max(0, row - radius), min(height, row + radius + 1)):
            for x in range(max(0, column - radius), min(width, column + radius + 1)):
                expected[y, x] = one[y, x]
        torch.testing.assert_close(kept, expected / expected.sum())


def test_two_legs_that_are_taken_for_each_other_are_not_averaged() -> None:
    maps = torch.full((1, 1, 8, 32), -20.0)
    maps[0, 0, 4, 4], maps[0, 0, 4, 28] = 1.0, 0.9
    probability = channel_softmax_2d(maps)
    assert 0.4 < float(soft_argmax_2d(probability)[0, 0, 0]) < 0.6
    place = soft_argmax_2d(around_peak(probability, 5))[0, 0]
    torch.testing.assert_close(place, torch.tensor([4 / 31, 4 / 7]))
