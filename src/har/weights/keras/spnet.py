"""SPNet's weights under the names of the original program.

The original names every layer after its place, with two exceptions: action blocks are counted over
the whole process (``act1``, ``act2``, ... need not begin at 1), and an action block does not name
its prediction block. Both follow from the order of the blocks.
"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from har.models.soft_argmax import soft_argmax_2d
from har.models.spnet import SPNet
from har.models.spnet_blocks import UpConvolution
from har.models.spnet_config import Step, plan_steps
from har.weights.keras.format import Layers, Place, shape_of, stored_weights

NETWORK = "SPNet"
RECOGNIZED_BY = {"conv1", "res0_conv2", "dp1_pb1_heatmaps_conv1"}  # layers of every such file
# Inside a prediction block: our name -> the original's.
_MAPS = {
    "heatmaps": "heatmaps_conv1",
    "heatmaps_replica": "heatmaps_conv1_replica",
    "forward_maps": "heatmaps_fw_maps",
    "heatmaps_back": "heatmaps_conv2",
    "depthmaps": "depthmaps_conv1",
    "depthmaps_replica": "depthmaps_conv1_replica",
    "depthmaps_back": "depthmaps_conv2",
}
_IMAGE_DIV = {3: 4, 5: 8, 7: 16}  # by the number of the stem's residual units
_FIXED = re.compile(r"_xy2?_([xy])$")


def _action_numbers(layers: Iterable[str]) -> list[int]:
    """The numbers of the action blocks in a file, in the order of building."""
    found = (re.match(r"act(\d+)_action_p_conv0a$", layer) for layer in layers)
    return sorted(int(match.group(1)) for match in found if match)


def infer(layers: Layers) -> dict[str, Any]:
    """The arguments of :class:`SPNet` that a file shows.

    The numbers of pose and visual features show only with actions; ``softargmax_alpha`` never.
    """
    blocks = [re.match(r"([du])p(\d+)_pb(\d+)_conv1$", layer) for layer in layers]
    pyramids = {int(match.group(2)) for match in blocks if match}
    levels = 1 + max(int(match.group(3)) for match in blocks if match and match.group(1) == "d")
    kernel = shape_of(layers, "dp1_pb1_conv1")[:2]
    units = sum(1 for layer in layers if re.match(r"res\d+_conv2$", layer))
    found: dict[str, Any] = {
        "num_joints": shape_of(layers, "dp1_pb1_heatmaps_conv1")[-1],
        "dim": 3 if "dp1_pb1_depthmaps_conv1" in layers else 2,
        "num_actions": (),
        "num_pyramids": max(pyramids),
        "action_pyramids": (),
        "num_levels": levels,
        "kernel_size": kernel[0] if kernel[0] == kernel[1] else tuple(kernel),
        "growth": shape_of(layers, "res0_conv2")[-1],
        "image_div": _IMAGE_DIV.get(units, 2 ** ((units + 1) // 2)),
        "downsampling": _downsampling(layers),
        "pose_replica": any(layer.endswith("_heatmaps_conv1_replica") for layer in layers),
    }
    numbers = _action_numbers(layers)
    if numbers:
        first = f"act{numbers[0]}_action"
        heads = sum(1 for layer in layers if layer.startswith(f"{first}_pred_conv2h"))
        counts = (shape_of(layers, f"{first}_pred_conv2h{i}")[-1] for i in range(heads))
        found |= {
            "num_actions": tuple(counts),
            "action_pyramids": _action_pyramids(layers, len(numbers), max(pyramids), levels),
            "num_pose_features": shape_of(layers, f"{first}_r1_conv2")[-1],
            "num_visual_features": shape_of(layers, f"{first}_v_conv0")[-1],
        }
    return found


def _downsampling(layers: Layers) -> str:
    if any(layer.endswith("_convtrans1") for layer in layers):
        return "conv"
    if any(re.match(r"up\d+_uu", layer) for layer in layers):
        return "maxpooling"
    # A single pyramid has no way up. Besides the stem's 3x3 pooling and two in every action block,
    # only the network without strided convolutions has poolings (wrapped ones, over frames).
    pooling = re.compile(r"(max_pooling2d|time_distributed)(_\d+)?$")
    poolings = sum(1 for layer in layers if pooling.match(layer))
    return "conv" if poolings == 1 + 2 * len(_action_numbers(layers)) else "maxpooling"


def _action_pyramids(layers: Layers, blocks: int, pyramids: int, levels: int) -> tuple[int, ...]:
    """Which pyramids have actions. Every action block but the first has a unit named after its
    place; with two levels, a pyramid is one block, and the first is the last one that can be."""
    found = (re.match(r"[du]p(\d+)_[du]u\d+_action_r0_", layer) for layer in layers)
    named = {int(match.group(1)) for match in found if match}
    if len(named) * (levels - 1) < blocks:
        numbers = _action_numbers(layers)
        stem = max(layer for layer in layers if re.match(r"res\d_conv2$", layer))
        # the appearance that the first block reads has the width of its level: 0 goes up, 1 down
        seen = shape_of(layers, f"act{numbers[0]}_action_v_conv0")[2]
        parity = 0 if seen == shape_of(layers, stem)[-1] else 1
        before = min(named) if named else pyramids + 1
        named.add(next(p for p in range(before - 1, 0, -1) if p % 2 == parity))
    return tuple(sorted(named))


def _file_blocks(model: SPNet, layers: Layers) -> dict[str, str]:
    """Prediction block -> prefix of the action block that belongs to it, ``act3_action``."""
    numbers = _action_numbers(layers)
    steps = [step for step in model.steps if step.has_action]
    if len(numbers) not in (0, len(steps)):
        config = infer(layers)
        plan = plan_steps(config["num_pyramids"], config["num_levels"], config["action_pyramids"])
        steps = [step for step in plan if step.has_action]
    elif not numbers:
        numbers = list(range(1, len(steps) + 1))
    pairs = zip(steps, numbers, strict=False)
    return {step.block: f"act{number}_action" for step, number in pairs}


def weight_names(model: SPNet, layers: Layers) -> dict[str, Place]:
    """Our name of every weight -> its layer and name in the file."""
    actions = _file_blocks(model, layers)
    units = {step.block: step for step in model.steps}
    names: dict[str, Place] = {}
    for path, module in model.named_modules():
        inner = path.split(".")
        kind = f"{inner.pop()}_kernel" if inner[-1] in ("depthwise", "pointwise") else "kernel"
        for ours, theirs in stored_weights(module, kind).items():
            layer = _layer_name(model, inner, actions, units)
            names[f"{path}.{ours}"] = (layer, theirs)
    return names


def _layer_name(
    model: SPNet, path: list[str], actions: dict[str, str], units: dict[str, Step]
) -> str:
    part, group, *rest = path
    if group == "stem":
        return "_".join(rest).replace("res_", "res", 1)
    if group == "units":
        is_enlargement = isinstance(model.get_submodule(".".join(path[:4])), UpConvolution)
        return "_".join([rest[0], *rest[2:]] if is_enlargement else rest)
    block, *inside = rest
    if part == "pose":
        return "_".join([block, *(_MAPS.get(name, name) for name in inside)])
    if inside[0] == "r0":
        return "_".join([units[block].unit, "action", *inside])
    prefix = actions.get(block, f"{block}_action")
    return f"{prefix}_{'_'.join(inside)}".replace("_heads_", "_pred_conv2h")


def class_weights(model: nn.Module) -> set[str]:
    """The weights whose shape depends on the number of action classes."""
    pattern = re.compile(r"action\.blocks\.\w+\.(heads\.\d+|pred_conv3)\.weight$")
    return {name for name in model.state_dict() if pattern.match(name)}


def fixed_kernels(model: nn.Module, layers: Layers) -> dict[str, list[np.ndarray]]:
    """Layers without anything to learn, as this package computes them: the soft-argmax."""
    fixed = {}
    for layer, weights in layers.items():
        axis = _FIXED.search(layer)
        if axis is not None and weights:
            fixed[layer] = soft_argmax_kernels(weights[0][1].shape, "xy".index(axis.group(1)))
    return fixed


def soft_argmax_kernels(shape: tuple[int, ...], along: int) -> list[np.ndarray]:
    """The original's two kernels for one coordinate of a soft-argmax.

    The first holds :func:`soft_argmax_2d` of maps with a single cell, channel by channel.

    Args:
        shape: of the first kernel, (H, W, joints, 1).
        along: 0 for x, 1 for y.
    """
    height, width, joints, _ = shape
    cells = torch.zeros(1, height if along else width, height, width)
    for i in range(cells.shape[1]):
        # a column has the same x, a row the same y
        cells[0, i, i if along else 0, 0 if along else i] = 1
    places = soft_argmax_2d(cells)[0, :, along]
    places = places.view(-1, 1) if along else places.view(1, -1)
    kernel = places.expand(height, width)[..., None, None].expand(height, width, joints, 1)
    return [kernel.numpy(), np.eye(joints, dtype=np.float32)[None, None]]
