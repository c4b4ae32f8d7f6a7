"""Persons seen in several crops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from har.models.base import PoseNetwork
from har.transforms import normalize_images


def poses_of_views(network: PoseNetwork, batch: Mapping[str, Any]) -> list[Tensor]:
    """A network's poses in every crop of every person.

    Args:
        network: its output has ``poses``; actions, if it has them, are not used.
        batch: with ``images`` uint8 (N, V, H, W, 3) and ``gamma`` (N, 3).

    Returns:
        Of every prediction block, (N, V, J, dim + 1).
    """
    images = normalize_images(batch["images"], batch["gamma"])  # (N, V, 3, H, W)
    out = network(images.flatten(0, 1))
    return [pose.unflatten(0, images.shape[:2]) for pose in out.poses]
