"""Crops become network input: the one place, on any device."""

from torch import Tensor


def normalize_images(images: Tensor, gamma: Tensor | None = None) -> Tensor:
    """uint8 crops (N, [T,] H, W, 3) as network input in [-1, 1], float32 (N, [T,] 3, H, W).

    The color change of the recipe, value in [0, 1] to the sampled power of its channel, is applied
    here, on the device, for the whole batch. The memory stays channels last, and nothing waits for
    the device.

    Args:
        images: uint8 RGB.
        gamma: (N, 3), 1 for no change; None: no change at all.
    """
    values = images.float().div_(255)
    if gamma is not None:
        values = values.pow(gamma.reshape(len(images), *(1,) * (images.ndim - 2), 3))
    return values.mul_(2).sub_(1).movedim(-1, -3)
