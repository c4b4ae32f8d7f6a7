"""Crops become network input: the one place, on any device."""

from __future__ import annotations

from torch import Tensor


def normalize_images(images: Tensor, gamma: Tensor) -> Tensor:
    """uint8 crops (N, [T,] H, W, 3) as network input in [-1, 1], (N, [T,] 3, H, W).

    The color change of the recipe, value in [0, 1] to the drawn power of its channel, happens
    here, on the device, for the whole batch. The memory stays channels last.

    Args:
        images: uint8 RGB.
        gamma: (N, 3), 1 for no change.
    """
    shape = (len(images), *(1,) * (images.ndim - 2), 3)
    values = images.float().div_(255)
    if not bool((gamma == 1).all()):
        values = values.pow(gamma.reshape(shape))
    return values.mul_(2).sub_(1).movedim(-1, -3)
