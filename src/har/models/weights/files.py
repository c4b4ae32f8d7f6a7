"""One door for weights, whatever file they come in."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from har import HarError


def load_weights(network: nn.Module, source: str) -> str:
    """Puts weights into a network.

    Args:
        network: the network, already built.
        source: a ``.ckpt`` of a run, ``.safetensors``, or a ``.h5`` / ``.hdf5`` of the original.

    Returns:
        One line about what was loaded.

    Raises:
        HarError: no such file, a file that cannot be read, or weights of another network.
    """
    path = Path(source)
    if not path.is_file():
        raise HarError(f"There is no weights file {path}; check weights= or ckpt_path=.")
    if path.suffix in (".h5", ".hdf5"):
        from har.models.weights.keras_h5 import load_keras_h5

        return f"{path}: {len(load_keras_h5(network, path).loaded)} weights loaded"
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            # Never pickle: a checkpoint from elsewhere must not run code.
            state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    except Exception as error:
        raise HarError(f"The weights file {path} cannot be read: {error}") from error
    prefix = "network."
    state = {key.removeprefix(prefix): value for key, value in state.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).strip().splitlines()
        raise HarError(
            f"The weights in {path} belong to another network than this "
            f"{type(network).__name__}: {' '.join(line.strip() for line in first[1:3])}"
        ) from error
    return f"{path}: {len(state)} weights loaded"
