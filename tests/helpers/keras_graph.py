"""A writer of its own for the tests: nested models of the original, in Keras' order of layers.

Keras sorts the layers of a model by depth, the longest way to the output first, and layers of the
same depth in the order in which a walk from the output meets them. The parts of the networks are
drawn here as graphs, layer by layer as the original calls them, and sorted by that rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import nn

from har.models import ActionMergeNet, ReceptionNet

Weights = list[tuple[str, np.ndarray]]


@dataclass(eq=False)
class Node:
    """A layer in a graph; ``path`` is ours where it has weights."""

    inputs: tuple[Node, ...] = ()
    path: str = ""


def op(*inputs: Node) -> Node:
    """A layer without weights: ReLU, addition, pooling, ..."""
    return Node(inputs)


def conv_bn(x: Node, path: str, relu_first: bool = False, relu_last: bool = False) -> Node:
    x = op(x) if relu_first else x
    x = Node((Node((x,), f"{path}.conv"),), f"{path}.bn")
    return op(x) if relu_last else x


def residual(x: Node, path: str, shortcut: bool = False) -> Node:
    ident = conv_bn(x, f"{path}.shortcut", relu_first=True) if shortcut else x
    return op(ident, conv_bn(x, path, relu_first=True))


def stem(old: bool) -> Node:
    x = conv_bn(Node(), "conv1", relu_last=True)
    for name in ("conv3",) if old else ("conv2", "conv3"):
        x = conv_bn(x, name, relu_last=True)
    x = op(conv_bn(x, "down1", relu_last=True), op(x))
    a = conv_bn(conv_bn(x, "short1", relu_last=True), "short2")
    b = x
    for name in ("long1", "long2", "long3"):
        b = conv_bn(b, name, relu_last=True)
    x = op(a, conv_bn(b, "long4"))
    x = op(conv_bn(x, "down2", relu_first=True), op(x))
    return x if old else residual(x, "sepconv", shortcut=True)


def hourglass() -> Node:
    x = Node()
    a = residual(x, "l1")
    low = residual(conv_bn(op(x), "reduce", relu_first=True), "l2_1")
    b = residual(low, "l2_2")
    c = op(low)
    for name in ("l3_1", "l3_2", "l3_3"):
        c = residual(c, name)
    b = residual(op(b, op(c)), "l2_3", shortcut=True)
    return op(a, op(b))


def stream(first: Node) -> list[Node]:
    x, outputs = first, []
    for number in range(4):
        path = f"heads.{number}"
        y = conv_bn(x, f"{path}.reduce", relu_first=True)
        x = op(x, conv_bn(y, f"{path}.expand", relu_first=True))
        x1 = conv_bn(x, f"{path}.conv", relu_first=True)
        pooled = op(op(x1), op(op(op(x1))))  # maximum, and the negative one of the negative
        maps = Node((op(op(pooled)),), f"{path}.maps")
        outputs.append(maps)
        if number < 3:
            x = op(x, x1, conv_bn(op(maps), f"{path}.maps_back", relu_first=True))
    return outputs


def pose_stream() -> list[Node]:
    x = op(Node())
    x = op(*(conv_bn(x, f"branch_{name}", relu_last=True) for name in "abc"))
    x = op(conv_bn(x, "short"), conv_bn(conv_bn(x, "long1"), "long2"))
    return stream(op(op(x), op(x)))


def visual_stream() -> list[Node]:
    return stream(op(conv_bn(Node(), "reduce")))


def sorted_paths(outputs: list[Node]) -> list[str]:
    """Our layers in Keras' order."""
    met: list[Node] = []
    finished: list[Node] = []

    def walk(node: Node) -> None:
        if node in met:
            return
        met.append(node)
        for before in node.inputs:
            walk(before)
        finished.append(node)

    for output in outputs:
        walk(output)
    depth = dict.fromkeys(met, 0)
    for node in reversed(finished):
        for before in node.inputs:
            depth[before] = max(depth[before], depth[node] + 1)
    return [n.path for n in sorted(met, key=lambda n: (-depth[n], met.index(n))) if n.path]


def layer_weights(model: nn.Module, path: str) -> Weights:
    """The weights of one of our layers as Keras stores them."""

    def kernel(conv: nn.Module, depthwise: bool = False) -> np.ndarray:
        weight = conv.weight.detach().numpy()
        return weight.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))

    layer = model.get_submodule(path)
    if isinstance(layer, nn.BatchNorm2d):
        return [
            ("beta", layer.bias.detach().numpy()),
            ("moving_mean", layer.running_mean.numpy()),
            ("moving_variance", layer.running_var.numpy()),
        ]
    if isinstance(layer, nn.Conv2d):
        return [("kernel", kernel(layer))]
    return [
        ("depthwise_kernel", kernel(layer.depthwise, depthwise=True)),
        ("pointwise_kernel", kernel(layer.pointwise)),
    ]


def nested(model: nn.Module, paths: list[str], frozen: bool) -> Weights:
    """The flat list of a nested model; today's Keras leaves it unsorted where it is frozen."""
    weights = [w for path in paths for w in layer_weights(model, path)]
    return weights if frozen else sorted(weights, key=lambda w: w[0].startswith("moving"))


def soft_argmax(height: int, width: int, maps: int) -> Weights:
    x = np.broadcast_to(np.linspace(0, 1, width)[None, :, None, None], (height, width, maps, 1))
    y = np.broadcast_to(np.linspace(0, 1, height)[:, None, None, None], (height, width, maps, 1))
    one = np.eye(maps)[None, None]
    names = ("depthwise_kernel", "pointwise_kernel") * 2
    arrays = (a.astype(np.float32) for a in (x, one, y, one))
    return list(zip(names, arrays, strict=True))


def fixed(model: ReceptionNet, plane: tuple[int, int]) -> dict[str, Weights]:
    config = model.config
    joints, context = config.num_joints, config.num_context
    layers = {"sSAM": soft_argmax(*plane, joints)}
    if config.dim == 3:
        cells = config.depth_maps
        kernel = np.zeros((cells, joints, joints), np.float32)
        for cell in range(cells):
            np.fill_diagonal(kernel[cell], (cell + 0.5) / cells)
        layers["zSAM"] = [("kernel", kernel)]
    elif context:
        layers["cSAM"] = soft_argmax(*plane, joints * context)
        kernel = np.zeros((joints * context, joints), np.float32)
        for i in range(joints * context):
            kernel[i, i // context] = 1
        layers["Agg"] = [("kernel", kernel)]
    return layers


def tail(block: str, last: bool) -> dict[str, list[str]]:
    parts = {"SepConv": [f"{block}.sepconv.conv", f"{block}.sepconv.bn"]}
    parts["RegMap"] = [f"{block}.maps"]
    if not last:
        parts["fReMap"] = [f"{block}.maps_back.conv", f"{block}.maps_back.bn"]
    return parts


def reception_layers(model: ReceptionNet, plane: tuple[int, int], frozen: bool) -> dict:
    config, layers = model.config, {}
    inner = [f"stem.{p}" for p in sorted_paths([stem(config.old_stem)])]
    layers["Stem"] = nested(model, inner, frozen)
    if config.old_stem:
        unit = "stem.sepconv"
        layers["sepconv1_shortcut_conv"] = layer_weights(model, f"{unit}.shortcut.conv")
        layers["sepconv1_conv"] = layer_weights(model, f"{unit}.conv")
        layers["sepconv1_shortcut"] = layer_weights(model, f"{unit}.shortcut.bn")
        layers["sepconv1"] = layer_weights(model, f"{unit}.bn")
    for i in range(config.num_blocks):
        block = f"blocks.{i}"
        inner = [f"{block}.reception.{p}" for p in sorted_paths([hourglass()])]
        layers[f"rBlock{i + 1}"] = nested(model, inner, frozen)
        for name, paths in tail(block, i == config.num_blocks - 1).items():
            layers[f"{name}{i + 1}"] = nested(model, paths, frozen)
    return layers | fixed(model, plane)


def merge_layers(
    model: ActionMergeNet, plane: tuple[int, int], frozen: bool, first_number: int
) -> dict:
    layers, blocks = {}, model.config.pose_net.num_blocks
    inner = [f"pose_net.stem.{p}" for p in sorted_paths([stem(old=False)])]
    layers["td_Stem"] = nested(model, inner, frozen)
    behind: list[str] = []
    for i in range(blocks):
        block = f"pose_net.blocks.{i}"
        inner = [f"{block}.reception.{p}" for p in sorted_paths([hourglass()])]
        if i:
            behind += inner
        else:
            layers["td_rBlock1"] = nested(model, inner, frozen)
        behind += [p for paths in tail(block, i == blocks - 1).values() for p in paths]
    layers["td_Model1"] = nested(model, behind, frozen)
    layers |= fixed(model.pose_net, plane)
    for name, ours, outputs in (
        ("PoseAR", "pose_stream", pose_stream()),
        ("GuidedVisAR", "visual_stream", visual_stream()),
    ):
        layers[name] = nested(model, [f"{ours}.{p}" for p in sorted_paths(outputs)], frozen=False)
    if model.config.weighted_merge:
        for number, ours in enumerate(("pose_weighting", "visual_weighting"), first_number):
            name = f"separable_conv2d_{number}" if number else "separable_conv2d"
            layers[name] = layer_weights(model, ours)
    return layers


def write_layers(path: Path, layers: dict[str, Weights], seed: int) -> None:
    """Writes a weight file, its layers in an order of no meaning."""
    order = np.random.default_rng(seed).permutation(sorted(layers))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [str(layer) for layer in order]
        for layer in order:
            group = file.create_group(str(layer))
            names = [f"inner_{i}/{name}:0" for i, (name, _) in enumerate(layers[layer])]
            group.attrs["weight_names"] = names
            for name, (_, array) in zip(names, layers[layer], strict=True):
                group[name] = array


def randomize(model: nn.Module, seed: int) -> nn.Module:
    """Other values in every weight and statistic, so that none can be mistaken for another."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.1, 1, generator=generator)
    return model.eval()
