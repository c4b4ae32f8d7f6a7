"""ReceptionNet's weights under the names of the original program.

Every part of the original is a model inside a model, stored as one flat list: first everything
learned, layer by layer, then the moving statistics in the same order. The order is that of depth in
the part's graph, counted from its output, the longest way first: branches interleave.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from har.models.reception import PredictionBlock, ReceptionNet
from har.models.soft_argmax import soft_argmax_1d
from har.weights.keras.format import Layers, Place, shape_of, short_name, stored_weights
from har.weights.keras.spnet import soft_argmax_kernels

NETWORK = "ReceptionNet"
RECOGNIZED_BY = {"Stem", "rBlock1", "RegMap1"}  # layers of every such file

# Layers in the order of depth. The two branches of the stem's middle end together, so the shorter
# one begins later.
_OLD_STEM = [
    *("conv1.conv", "conv1.bn", "conv3.conv", "conv3.bn", "down1.conv", "down1.bn"),
    *("long1.conv", "long1.bn", "long2.conv", "long2.bn", "short1.conv", "long3.conv"),
    *("short1.bn", "long3.bn", "short2.conv", "long4.conv", "short2.bn", "long4.bn"),
    *("down2.conv", "down2.bn"),
]
_RESIDUAL = ["sepconv.shortcut.conv", "sepconv.conv", "sepconv.shortcut.bn", "sepconv.bn"]
_STEM = [*_OLD_STEM[:2], "conv2.conv", "conv2.bn", *_OLD_STEM[2:], *_RESIDUAL]
_BLOCK = [
    *("reduce.conv", "reduce.bn", "l2_1.conv", "l2_1.bn", "l3_1.conv", "l3_1.bn"),
    *("l3_2.conv", "l3_2.bn", "l3_3.conv", "l2_2.conv", "l3_3.bn", "l2_2.bn"),
    *("l2_3.shortcut.conv", "l2_3.conv", "l1.conv", "l2_3.shortcut.bn", "l2_3.bn", "l1.bn"),
]
# The old stem leaves its residual unit outside, as layers with names.
_OLD_RESIDUAL = ["sepconv1_shortcut_conv", "sepconv1_conv", "sepconv1_shortcut", "sepconv1"]


def infer(layers: Layers) -> dict[str, Any]:
    """The arguments of :class:`ReceptionNet` that a file shows; ``context_alpha`` never.

    ``depth_maps`` shows in 3-D only.
    """
    kernel = shape_of(layers, "SepConv1")[:2]
    maps = shape_of(layers, "RegMap1")[-1]
    return {
        **infer_pose(layers, kernel, maps),
        "num_blocks": sum(1 for layer in layers if layer.startswith("rBlock")),
        "old_stem": "sepconv1_conv" in layers,
    }


def infer_pose(layers: Layers, kernel: Sequence[int], num_maps: int) -> dict[str, Any]:
    """The arguments that follow from the fixed layers, a kernel's size and the number of maps."""
    _, _, joints, _ = shape_of(layers, "sSAM")
    is_3d = bool(layers.get("zSAM"))
    found: dict[str, Any] = {
        "num_joints": joints,
        "dim": 3 if is_3d else 2,
        "num_context": 0 if is_3d else num_maps // joints - 1,
        "kernel_size": kernel[0] if kernel[0] == kernel[1] else tuple(kernel),
    }
    return {**found, "depth_maps": num_maps // joints} if is_3d else found


def weight_names(model: ReceptionNet, layers: Layers) -> dict[str, Place]:
    """Our name of every weight -> its layer and place in the file."""
    found = {"Stem": stem_layers(model, "stem")}
    if model.config.old_stem:
        pairs = zip(_OLD_RESIDUAL, _RESIDUAL, strict=True)
        found |= {layer: [f"stem.{path}"] for layer, path in pairs}
    for number, _ in enumerate(model.blocks):
        prefix = f"blocks.{number}"
        found[f"rBlock{number + 1}"] = block_layers(prefix)
        inner = tail_layers(model, prefix)
        found[f"SepConv{number + 1}"] = inner[:2]
        found[f"RegMap{number + 1}"] = inner[2:3]
        if inner[3:]:
            found[f"fReMap{number + 1}"] = inner[3:]
    return places(model, found, layers)


def stem_layers(model: ReceptionNet, prefix: str) -> list[str]:
    """The stem's layers in the order of a file."""
    return [f"{prefix}.{path}" for path in (_OLD_STEM if model.config.old_stem else _STEM)]


def block_layers(prefix: str) -> list[str]:
    """An hourglass's layers in the order of a file."""
    return [f"{prefix}.reception.{path}" for path in _BLOCK]


def tail_layers(model: nn.Module, prefix: str) -> list[str]:
    """What follows an hourglass, in the order of a file."""
    block = model.get_submodule(prefix)
    paths = ["sepconv.conv", "sepconv.bn", "maps"]
    if isinstance(block, PredictionBlock) and block.maps_back is not None:
        paths += ["maps_back.conv", "maps_back.bn"]
    return [f"{prefix}.{path}" for path in paths]


def places(
    model: nn.Module, file_layers: Mapping[str, Sequence[str]], layers: Layers
) -> dict[str, Place]:
    """Our name of every weight -> its place in the file, from the paths of our layers, in the
    file's order, inside each of its layers."""
    found: dict[str, Place] = {}
    for layer, paths in file_layers.items():
        # Layers that were frozen while saving may have their statistics among the rest.
        kinds = [short_name(name).startswith("moving") for name, _ in layers.get(layer, [])]
        names: tuple[list[str], list[str]] = ([], [])  # learned, moving
        for path in paths:
            for name, module in model.get_submodule(path).named_modules(prefix=path):
                for ours, theirs in stored_weights(module).items():
                    names[theirs.startswith("moving")].append(f"{name}.{ours}")
        for is_moving in (False, True):
            stored = [i for i, kind in enumerate(kinds) if kind == is_moving]
            for number, name in enumerate(names[is_moving]):
                # a place behind the list's end is one that the file does not have
                known = number < len(stored)
                found[name] = (layer, stored[number] if known else len(kinds) + number)
    return found


def class_weights(model: nn.Module) -> set[str]:
    """None: there are no actions."""
    return set()


def fixed_kernels(model: nn.Module, layers: Layers) -> dict[str, list[np.ndarray]]:
    """Layers without anything to learn, as this package computes them: soft-argmax, context."""
    fixed = {
        layer: [
            kernel
            for along in (0, 1)
            for kernel in soft_argmax_kernels(layers[layer][0][1].shape, along)
        ]
        for layer in ("sSAM", "cSAM")
        if layers.get(layer)
    }
    if layers.get("zSAM"):
        cells, joints, _ = layers["zSAM"][0][1].shape
        # so far apart that the softmax leaves a single cell
        centers = soft_argmax_1d(1e4 * torch.eye(cells)[:, None])[:, 0].numpy()
        fixed["zSAM"] = [centers[:, None, None] * np.eye(joints, dtype=np.float32)]
    if layers.get("Agg"):
        maps, joints = layers["Agg"][0][1].shape
        per_joint = np.eye(joints, dtype=np.float32)
        fixed["Agg"] = [np.repeat(per_joint, maps // joints, axis=0)]
    return fixed
