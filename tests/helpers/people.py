"""A network of people's kind, small and random, that is sure of what it sees."""

from pathlib import Path

import torch

from har.models import PyramidPoseNet
from har.weights import save_weights, spec_of

SIZE = 64


def sure_people(**arguments) -> PyramidPoseNet:
    """A random PyramidPoseNet whose heat maps are sharp: it sees somebody everywhere."""
    torch.manual_seed(0)
    small = {"num_joints": 17, "dim": 3, "width": 8, "num_layers": 1, "action_width": 16}
    network = PyramidPoseNet(**{**small, **arguments}).eval()
    with torch.no_grad():
        maps = network.heat_maps(network_features(network))
        network.heat_maps.weight *= 12 / maps.flatten(2).std(-1).mean()
    return network


def network_features(network: PyramidPoseNet) -> torch.Tensor:
    """What the heat maps of a random picture are made of."""
    seen: list[torch.Tensor] = []
    handle = network.heat_maps.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    picture = torch.rand(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    network.forward_frames(picture)
    handle.remove()
    return seen[0]


def write_people(path: Path, **arguments) -> Path:
    """A file of such a network, with its record."""
    network = sure_people(**arguments)
    spec = spec_of(network, layout="pa17j", resolution=(SIZE, SIZE), name=path.stem)
    save_weights(network, path, spec)
    return path
