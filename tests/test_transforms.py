"""Crops become network input in one place, and no value is read from the device on the way."""

import numpy as np
import pytest
import torch

from har.transforms import normalize_images


@pytest.mark.parametrize("shape", [(2, 5, 7, 3), (2, 3, 5, 7, 3)])
def test_colors_by_hand(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    gamma = rng.uniform(0.9, 1.1, (2, 3))
    powers = gamma.reshape(2, *(1,) * (len(shape) - 2), 3)
    expected = np.moveaxis((images / 255) ** powers * 2 - 1, -1, -3)
    found = normalize_images(torch.from_numpy(images), torch.from_numpy(gamma).float())
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.movedim(-3, -1).is_contiguous()  # channels last


def test_no_change_is_exact_for_every_byte() -> None:
    """A power of 1 leaves float32 values as they are, so a batch may mix changed and unchanged."""
    images = torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1).expand(1, 16, 16, 3)
    plain = normalize_images(images)
    torch.testing.assert_close(normalize_images(images, torch.ones(1, 3)), plain, rtol=0, atol=0)
    wanted = images[0, ..., 0].float() / 255 * 2 - 1
    torch.testing.assert_close(plain[0, 1], wanted, rtol=0, atol=0)


@pytest.mark.parametrize("gamma", [torch.empty(4, 3, device="meta"), None])
def test_nothing_waits_for_the_device(gamma: torch.Tensor | None) -> None:
    """Tensors without values: asking for one raises."""
    images = torch.empty(4, 8, 8, 3, dtype=torch.uint8, device="meta")
    assert normalize_images(images, gamma).shape == (4, 3, 8, 8)
