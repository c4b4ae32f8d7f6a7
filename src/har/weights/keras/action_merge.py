"""ActionMergeNet's weights under the names of the original program.

The pose network is stored in three parts, each one flat list (see ``reception``): the stem,
the first hourglass, whose features the visual stream reads, and all that follows. Each stream is
one part as well. The two weighting layers have automatic names, the pose stream's comes first.
"""

import re
from typing import Any

import numpy as np
from torch import nn

from har.errors import HarError
from har.models.action_merge import ActionHead, ActionMergeNet
from har.weights.keras import reception
from har.weights.keras.format import Layers, Place, short_name
from har.weights.keras.reception import block_layers, places, stem_layers, tail_layers

NETWORK = "ActionMergeNet"
RECOGNIZED_BY = {"td_Stem", "PoseAR", "GuidedVisAR"}  # layers of every such file
# The pose stream up to its heads in the order of depth: three branches, then a short and a long one
# that end together.
_POSE_STREAM = [
    *("branch_a.conv", "branch_b.conv", "branch_c.conv"),
    *("branch_a.bn", "branch_b.bn", "branch_c.bn", "long1.conv", "long1.bn"),
    *("short.conv", "long2.conv", "short.bn", "long2.bn"),
]
_VISUAL_STREAM = ["reduce.conv", "reduce.bn"]
_HEAD = ["reduce.conv", "reduce.bn", "expand.conv", "expand.bn", "conv.conv", "conv.bn", "maps"]
_HEAD_BACK = ["maps_back.conv", "maps_back.bn"]
_VERSIONS = {8: "v1", 12: "v2"}  # by the channels of the first branch
# Learned arrays of the part behind the first hourglass: of the last block's tail, and of every
# other block (its tail and the hourglass that follows).
_LAST_TAIL, _PER_BLOCK = 4, 31
_WEIGHTING = re.compile(r"separable_conv2d(?:_(\d+))?$")


def _learned(layers: Layers, layer: str) -> list[np.ndarray]:
    if not layers.get(layer):
        raise HarError(f"the layer {layer} is missing")
    return [a for name, a in layers[layer] if not short_name(name).startswith("moving")]


def infer(layers: Layers) -> dict[str, Any]:
    """The arguments of :class:`ActionMergeNet` that a file shows; ``num_frames`` never."""
    behind = _learned(layers, "td_Model1")  # depthwise, pointwise, beta, heat maps, ...
    blocks = 1 + (len(behind) - _LAST_TAIL) // _PER_BLOCK
    pose_net = reception.infer_pose(layers, behind[0].shape[:2], behind[3].shape[-1])
    branch = _learned(layers, "PoseAR")[0].shape
    if branch[-1] not in _VERSIONS:
        raise ValueError(f"the first branch of PoseAR has {branch[-1]} channels")
    actions = _learned(layers, "GuidedVisAR")[-1].shape[-1]
    return {
        "pose_net": {**pose_net, "num_blocks": blocks, "old_stem": False},
        "num_actions": actions,
        "version": _VERSIONS[branch[-1]],
        "weighted_merge": bool(_weighting_layers(layers)),
    }


def _weighting_layers(layers: Layers) -> list[str]:
    """The weighting layers in the order of building."""
    found = (_WEIGHTING.match(layer) for layer in layers)
    numbers = sorted((int(match.group(1) or 0), match.group()) for match in found if match)
    return [layer for _, layer in numbers]


def weight_names(model: ActionMergeNet, layers: Layers) -> dict[str, Place]:
    """Our name of every weight -> its layer and place in the file."""
    prefixes = [f"pose_net.blocks.{i}" for i in range(model.config.pose_net.num_blocks)]
    behind = tail_layers(model, prefixes[0])
    for prefix in prefixes[1:]:
        behind += [*block_layers(prefix), *tail_layers(model, prefix)]
    found = {
        "td_Stem": stem_layers(model.pose_net, "pose_net.stem"),
        "td_rBlock1": block_layers(prefixes[0]),
        "td_Model1": behind,
        "PoseAR": _stream_layers(model, "pose_stream", _POSE_STREAM),
        "GuidedVisAR": _stream_layers(model, "visual_stream", _VISUAL_STREAM),
    }
    if model.config.weighted_merge:
        missing = ["separable_conv2d of poses", "separable_conv2d of appearance"]
        stored = [*_weighting_layers(layers), *missing]
        found[stored[0]] = ["pose_weighting"]
        found[stored[1]] = ["visual_weighting"]
    return places(model, found, layers)


def _stream_layers(model: ActionMergeNet, stream: str, first: list[str]) -> list[str]:
    paths = [f"{stream}.{path}" for path in first]
    heads: Any = model.get_submodule(f"{stream}.heads")
    for number, head in enumerate(heads):
        inner = [*_HEAD, *(_HEAD_BACK if head.maps_back is not None else [])]
        paths += [f"{stream}.heads.{number}.{path}" for path in inner]
    return paths


def class_weights(model: nn.Module) -> set[str]:
    """The weights whose shape depends on the number of action classes."""
    found = set()
    for path, module in model.named_modules():
        if isinstance(module, ActionHead):
            found |= {f"{path}.maps.weight", f"{path}.maps_back.conv.weight"}
    found |= {name for name in model.state_dict() if "_weighting." in name}
    return found & model.state_dict().keys()


fixed_kernels = reception.fixed_kernels  # of the pose network, under the same names
