"""An importer of its own for the tests: the reference weights, put into an SPNet by name."""

import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from har.models import SPNet

ARGUMENTS = {"downsampling_type": "downsampling", "sam_alpha": "softargmax_alpha"}
IN_POSE_BLOCK = {
    "heatmaps_replica": "heatmaps_conv1_replica",
    "depthmaps_replica": "depthmaps_conv1_replica",
    "forward_maps": "heatmaps_fw_maps",
    "heatmaps_back": "heatmaps_conv2",
    "depthmaps_back": "depthmaps_conv2",
    "heatmaps": "heatmaps_conv1",
    "depthmaps": "depthmaps_conv1",
}
KINDS = {
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
    "bias": "beta",
    "weight": "kernel",
}


def spnet_of(config: dict[str, Any]) -> SPNet:
    """The network that a reference configuration describes."""
    known = {
        ARGUMENTS.get(k, k): v for k, v in config.items() if k not in ("input_shape", "layout")
    }
    return SPNet(**known)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a Keras weight file, ``layer/weight`` -> array."""

    def text(value: bytes | str) -> str:
        return value.decode() if isinstance(value, bytes) else value

    arrays = {}
    with h5py.File(path) as file:
        for layer in map(text, file.attrs["layer_names"]):
            for weight in map(text, file[layer].attrs["weight_names"]):
                short = weight.split("/")[-1].split(":")[0]
                arrays[f"{layer}/{short}"] = file[layer][weight][()]
    return arrays


def keras_name(model: SPNet, name: str) -> str:
    """What the original calls a parameter of ours."""
    parts = name.split(".")
    kind = KINDS[parts.pop()]
    if parts[-1] in ("depthwise", "pointwise"):
        kind = f"{parts.pop()}_kernel"
    if "bn" in parts[-1] and kind == "kernel":
        kind = "gamma"
    part, group, *rest = parts
    if group == "stem":
        return re.sub(r"res_(\d+)", r"res\1", "_".join(rest)) + f"/{kind}"
    if group == "units":
        strided_up = model.config.downsampling == "conv" and "_uu" in rest[0]
        return "_".join(p for p in rest if not (strided_up and p == "r0")) + f"/{kind}"
    if part == "pose":
        return "_".join(IN_POSE_BLOCK.get(p, p) for p in rest) + f"/{kind}"
    block, *rest = rest
    if rest[0] == "r0":
        unit = next(step.unit for step in model.steps if step.block == block)
        return f"{unit}_action_{'_'.join(rest)}/{kind}"
    number = 1 + list(model.action.blocks).index(block)
    inner = re.sub(r"heads_(\d+)", r"pred_conv2h\1", "_".join(rest))
    return f"act{number}_action_{inner}/{kind}"


def as_torch(array: np.ndarray, name: str) -> torch.Tensor:
    """A Keras array in PyTorch's order of axes."""
    if array.ndim == 4:
        array = array.transpose(2, 3, 0, 1) if "depthwise" in name else array.transpose(3, 2, 0, 1)
    return torch.from_numpy(array.copy())


def weight_names(model: SPNet) -> dict[str, str]:
    """Our name -> the original's, for all parameters and statistics."""
    return {
        name: keras_name(model, name)
        for name in model.state_dict()
        if not name.endswith("num_batches_tracked")
    }


def set_weights(model: SPNet, arrays: dict[str, np.ndarray]) -> set[str]:
    """Fills the network; returns the names of arrays that it did not take."""
    names = weight_names(model)
    state = model.state_dict()
    for ours, theirs in names.items():
        value = as_torch(arrays[theirs], theirs)
        assert value.shape == state[ours].shape, (ours, theirs)
        state[ours] = value.to(state[ours].dtype)
    model.load_state_dict(state)
    return set(arrays) - set(names.values())
