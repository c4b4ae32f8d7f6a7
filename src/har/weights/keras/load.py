"""Weight files of the original program (Keras ``save_weights``), read and put into networks.

The names of layers are the matter of one module per network (``spnet``, ``reception``,
``action_merge``), all with the same functions. Here: checks and the report.
"""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from har.errors import HarError
from har.models.base import PoseNetwork
from har.weights.keras import action_merge, reception, spnet
from har.weights.keras.format import Layers, Place, as_torch, read_h5, short_name
from har.weights.report import LoadReport, put_weights, what_would_fit

TABLES: dict[str, ModuleType] = {t.NETWORK: t for t in (spnet, reception, action_merge)}
"""Class of networks -> its name table; only networks of the original have one."""


def infer_config(path: str | Path) -> dict[str, Any]:
    """The arguments of the network in a weight file, as far as the file shows them.

    ``softargmax_alpha``, ``context_alpha`` and the clip length are not in a file and keep their
    defaults; without action blocks the same holds for the number of pose and visual features.
    ActionMergeNet's ``pose_net`` is given as the arguments of its ReceptionNet.

    Example:
        >>> model = SPNet(**infer_config("weights.h5"))  # doctest: +SKIP

    Raises:
        HarError: a file that cannot be read, or of a network that is not in this package.
    """
    return infer_network(path, read_h5(path))[1]


def infer_network(path: str | Path, layers: Layers) -> tuple[str, dict[str, Any]]:
    """The class of a file's network, and its arguments as :func:`infer_config` gives them.

    Raises:
        HarError: a network that is not in this package, or an incomplete one.
    """
    for table in TABLES.values():
        if layers.keys() >= table.RECOGNIZED_BY:
            try:
                return table.NETWORK, table.infer(layers)
            except (HarError, ValueError, LookupError, ArithmeticError, StopIteration) as error:
                what = f"{path} looks like an incomplete {table.NETWORK}"
                raise HarError(f"{what}: {error}.") from error
    first = [name for name, weights in layers.items() if weights][:3]
    raise HarError(
        f"{path} is a Keras weight file of a network that is not known here (its layers: "
        f"{', '.join(first) or 'none with weights'}, ...)."
    )


def load_keras_h5(model: PoseNetwork, path: str | Path, strict: bool = True) -> LoadReport:
    """Puts a weight file of the original program into a network.

    Args:
        model: an SPNet, ReceptionNet or ActionMergeNet; untouched where an error is raised.
        path: the file.
        strict: see :func:`har.weights.load_weights`.

    Raises:
        HarError: a file that cannot be read or does not fit; the sentence names the layer, the
            shapes and the network's arguments that would fit.
    """
    kind = type(model).__name__
    if kind not in TABLES:
        raise HarError(f"{kind} is not a network of the original: load .safetensors or .ckpt.")
    return load_layers(model, path, read_h5(path), strict)


def load_layers(
    model: PoseNetwork, path: str | Path, layers: Layers, strict: bool = True
) -> LoadReport:
    """As :func:`load_keras_h5`, of a file that was read; ``model`` is a network of the original."""
    kind = type(model).__name__
    table = TABLES[kind]
    network, config = infer_network(path, layers)
    if network != kind:
        raise HarError(f"{path} holds the weights of {network}, not of {kind}; build that network.")
    report = LoadReport(str(path))
    try:
        fixed = table.fixed_kernels(model, layers)
    except ValueError as error:
        why = f"a fixed layer has no known shape ({error})"
        raise HarError(f"{path} does not fit: {why}.") from error
    report.verified = _verify(path, layers, fixed)
    places = table.weight_names(model, layers)
    arrays: dict[Place, np.ndarray] = {}
    for layer, weights in layers.items():
        for number, (name, array) in enumerate(weights):
            arrays[layer, short_name(name)] = arrays[layer, number] = array
    state, used = {}, set()
    for ours, place in places.items():
        if place in arrays:
            state[ours] = as_torch(arrays[place], model.get_submodule(ours.rpartition(".")[0]))
            used.add(id(arrays[place]))
    report.unexpected = [
        f"{layer}/{short_name(name)}"
        for layer, weights in layers.items()
        for name, array in weights
        if id(array) not in used and layer not in report.verified
    ]
    names = {ours: "/".join(map(str, place)) for ours, place in places.items()}
    free, hint = table.class_weights(model), what_would_fit(model, config)
    options = {"class_weights": free, "strict": strict, "hint": hint}
    return put_weights(model, state, report, names=names, **options)


def _verify(path: str | Path, layers: Layers, fixed: dict[str, list[np.ndarray]]) -> list[str]:
    for layer, expected in fixed.items():
        stored = [array for _, array in layers[layer]]
        same = len(stored) == len(expected) and all(
            a.shape == b.shape and np.allclose(a, b, rtol=0, atol=1e-6)
            for a, b in zip(stored, expected, strict=True)
        )
        if not same:
            raise HarError(
                f"{path} does not fit: the fixed layer {layer} holds other values than this "
                "network computes there, so its outputs would differ."
            )
    return list(fixed)
