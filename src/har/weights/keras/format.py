"""Weight files of the original program (Keras ``save_weights``): layers, names, order of axes."""

from pathlib import Path
from typing import Any, TypeAlias, cast

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from har.errors import HarError

Layers: TypeAlias = dict[str, list[tuple[str, np.ndarray]]]
# A weight in a file: its layer, and its name or its place in the layer's list.
Place: TypeAlias = tuple[str, str | int]

# Keras' own group of a saved model; the newer group of weights outside any layer is always empty.
_MODEL_GROUP, _TOP_LEVEL_GROUP = "model_weights", "top_level_model_weights"
_LARGEST_ARRAY = 2**30  # bytes; a hundred times the largest layer of these networks


def short_name(weight: str) -> str:
    """``kernel`` of ``conv1/kernel:0``."""
    return weight.rsplit("/", 1)[-1].split(":")[0]


def shape_of(layers: Layers, layer: str) -> tuple[int, ...]:
    """Shape of a layer's first weight, as stored: (kh, kw, in, out)."""
    if not layers.get(layer):
        raise HarError(f"the layer {layer} is missing")
    return cast("tuple[int, ...]", layers[layer][0][1].shape)


def stored_weights(module: nn.Module, kernel: str = "kernel") -> dict[str, str]:
    """The weights of one layer of ours, not of its parts: our name -> Keras' name."""
    if isinstance(module, nn.modules.conv._ConvNd):
        return {"weight": kernel}
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        learned = {"weight": "gamma"} if isinstance(module.weight, nn.Parameter) else {}
        statistics = {"running_mean": "moving_mean", "running_var": "moving_variance"}
        return {**learned, "bias": "beta", **statistics}
    return {}


def read_h5(path: str | Path) -> Layers:
    """All layers of a weight file in the file's order, each with its weights.

    Args:
        path: file of Keras' ``save_weights`` or ``save``, of any version that writes HDF5.

    Returns:
        Layer -> list of (weight name, array as stored); layers without weights have an empty list.

    Raises:
        HarError: no such file, not a complete HDF5 file, or not one of Keras.
    """
    path = Path(path)
    _check_kind(path)
    try:
        with h5py.File(path, "r") as file:
            group = file.get(_MODEL_GROUP, file)
            names = _texts(group, "layer_names")
            if names is None:
                what = "an HDF5 file, but not one of Keras' weights (no layer_names)"
                raise HarError(f"{path} is {what}.")
            return {
                layer: [
                    (name, _read_array(path, file, group[layer], name))
                    for name in _texts(group[layer], "weight_names") or []
                ]
                for layer in names
                if layer != _TOP_LEVEL_GROUP
            }
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).strip().strip("'\"").split("\n")[0]
        raise HarError(
            f"{path} is damaged or was cut off ({reason}); download or copy it again."
        ) from error


def _check_kind(path: Path) -> None:
    """Says what a file is that is no HDF5 file."""
    if not path.is_file():
        raise HarError(f"There is no weights file {path}.")
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        raise HarError(f"The weights file {path} is empty; download or copy it again.")
    if h5py.is_hdf5(path):
        return
    if start[:1] == b"\x80" or start[:2] == b"PK":
        what = "a pickle or a torch archive, which can run code and is never opened as .h5"
    elif start.lstrip()[:1] == b"<":
        what = "a web page (a download that asked for a confirmation?)"
    else:
        what = "no HDF5 file"
    raise HarError(f"{path} is {what}; a weights file of the original begins as HDF5.")


def _texts(group: Any, attribute: str) -> list[str] | None:
    """An attribute with names, which Keras splits into numbered pieces where it is long."""
    numbered = (f"{attribute}{piece}" for piece in range(len(group.attrs)))
    pieces = [name for name in (attribute, *numbered) if name in group.attrs]
    if not pieces:
        return None
    values = (v for piece in pieces for v in group.attrs[piece])
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


def _read_array(path: Path, file: h5py.File, group: Any, name: str) -> np.ndarray:
    dataset = group[name]
    # Links to other files and stored objects have no place in weights.
    elsewhere = dataset.file.filename != file.filename or dataset.external or dataset.is_virtual
    if elsewhere or dataset.dtype.kind != "f" or dataset.nbytes > _LARGEST_ARRAY:
        raise HarError(f"{path} holds something else than numbers in {name}; it is not used.")
    array = np.asarray(dataset[()])
    if not np.isfinite(array).all():
        raise HarError(f"{path} holds values that are not finite in {name}; it is not used.")
    return array


def as_torch(array: np.ndarray, layer: nn.Module) -> Tensor:
    """A weight in PyTorch's order of axes: from (kh, kw, in, out), transposed (kh, kw, out, in),
    depthwise (kh, kw, in, 1)."""
    if array.ndim == 4:
        depthwise = isinstance(layer, nn.Conv2d) and layer.groups > 1
        array = array.transpose((2, 3, 0, 1) if depthwise else (3, 2, 0, 1))
    return torch.from_numpy(np.ascontiguousarray(array))
