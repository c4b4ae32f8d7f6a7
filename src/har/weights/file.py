"""One door for weights, whatever file they come in, and the format they are kept in.

Weights are kept as safetensors, which cannot hold code. Its header says which network they belong
to, so a file can be opened without a configuration.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from har.errors import HarError
from har.weights.description import Description, from_json, from_run
from har.weights.keras.load import infer_network, load_keras_h5, name_table
from har.weights.report import LoadReport, is_counter, put_weights, what_would_fit

_KERAS = (".h5", ".hdf5")
_PREFIX = "network."  # in checkpoints of a LightningModule


def load_weights(network: nn.Module, source: str | Path, strict: bool = True) -> LoadReport:
    """Puts weights into a network.

    Args:
        network: the network, already built; untouched where an error is raised.
        source: a published name (:mod:`har.weights.pretrained`), or a file: ``.ckpt`` of a run,
            ``.safetensors``, or ``.h5`` / ``.hdf5`` of the original.
        strict: False takes what has the same name, as a beginning for training: poses for a
            network with actions, or another number of classes (those layers stay as they are).
            A network around a ``pose_net`` also takes the weights of such a one alone.

    Returns:
        The report; as text it is one line.

    Raises:
        HarError: no such file or name, a file that cannot be read, weights of another network.
    """
    path = find_weights(source)
    inner = getattr(network, "pose_net", None)
    if inner is not None and not strict and _holds(path) == type(inner).__name__:
        return load_weights(inner, path, strict)
    if path.suffix in _KERAS:
        return _load_keras(network, path, strict)
    if path.suffix == ".safetensors":
        state, kind, config = _read_safetensors(path)
    else:
        state, kind, config = _read_checkpoint_weights(path), None, {}
    if kind not in (None, type(network).__name__):
        raise HarError(f"{path} holds the weights of {kind}, not of {type(network).__name__}.")
    table = name_table(type(network).__name__)
    names = {name: name for name in network.state_dict() if not is_counter(name)}
    known = {*names, *_behind_stop(network)}
    report = LoadReport(
        str(path), unexpected=[k for k in state if k not in known and not is_counter(k)]
    )
    return put_weights(
        network,
        state,
        report,
        names=names,
        class_weights=table.class_weights(network) if table else (),
        strict=strict,
        hint=what_would_fit(network, config),
    )


def _whole_network(network: nn.Module) -> nn.Module | None:
    """Where a network stops after a block: the same one with all its blocks."""
    config = getattr(network, "config", None)
    if getattr(config, "stop_after", None) is None:
        return None
    arguments = {**dataclasses.asdict(config), "stop_after": None}  # type: ignore[arg-type]
    return build_network(type(network).__name__, arguments)


def _behind_stop(network: nn.Module) -> set[str]:
    """Weights of the whole network that one which stops early has no place for."""
    with torch.device("meta"):  # names only
        whole = _whole_network(network)
    return set() if whole is None else whole.state_dict().keys() - network.state_dict().keys()


def _load_keras(network: nn.Module, path: Path, strict: bool) -> LoadReport:
    """A file of the original; its lists of layers are those of the whole network."""
    whole = _whole_network(network)
    if whole is None:
        return load_keras_h5(network, path, strict)
    whole.load_state_dict(network.state_dict(), strict=False)
    report = load_keras_h5(whole, path, strict)
    state = whole.state_dict()
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    return report


def load_network(source: str | Path, **arguments: Any) -> nn.Module:
    """The network of a weight file, built and filled, ready to predict (``eval``).

    Args:
        source: a published name, a ``.safetensors`` of this package, a ``.ckpt`` of a run, or
            ``.h5`` of the original.
        arguments: what an ``.h5`` does not show (``softargmax_alpha``, ``context_alpha``), or
            ``stop_after``, which leaves out what lies behind a prediction block.

    Raises:
        HarError: as :func:`load_weights`, or a file that does not say what network it is for.
    """
    path = find_weights(source)
    network = empty_network(path, **arguments)
    load_weights(network, path)
    return network.eval()


def empty_network(path: Path, **arguments: Any) -> nn.Module:
    """The network that a weight file is for, with the arguments that the file shows."""
    if path.suffix in _KERAS:
        kind, config = infer_network(path)
    elif path.suffix == ".safetensors":
        _, named, config = _read_safetensors(path)
        if named is None:
            raise HarError(f"{path} does not say which network it belongs to; build it yourself.")
        kind = named
    elif path.suffix == ".ckpt":
        config = dict((read_run(path).get("config") or {}).get("model") or {})
        kind = _network_name(path, config.pop("_target_", None))
        config.pop("weights", None)  # what a backbone began with: the file has what it became
    else:
        raise HarError(
            f"{path} is not a .ckpt, .safetensors or .h5 file, so its network is not known."
        )
    return build_network(kind, {**config, **arguments})


def _holds(path: Path) -> str | None:
    """The class of the network whose weights a file holds, None where it does not say."""
    if path.suffix in _KERAS:
        return infer_network(path)[0]
    if path.suffix == ".safetensors":
        return _open_safetensors(path)[1].get("har_network")
    config = (_read_checkpoint(path).get("har") or {}).get("config") or {}
    target = (config.get("model") or {}).get("_target_")
    return None if target is None else str(target).rpartition(".")[2]


def describe_weights(path: Path) -> Description:
    """How the network of a weight file wants to be used, as far as the file says.

    Raises:
        HarError: a file that cannot be read.
    """
    if path.suffix == ".ckpt":
        found = from_run(read_run(path))
    elif path.suffix == ".safetensors":
        header = _open_safetensors(path)[1]
        found = from_json(header.get("har_description", "{}"))
    else:
        found = Description()
    return found


def _network_name(path: Path, target: Any) -> str:
    """The class of a run's network; only those of :mod:`har.models` are ever built."""
    room, _, kind = str(target).rpartition(".")
    if room != "har.models" and not room.startswith("har.models."):
        raise HarError(
            f"{path} does not say which network of har it belongs to (it says {target})."
        )
    return kind


def find_weights(source: str | Path) -> Path:
    """The file of a path or a published name, downloaded where needed."""
    from har.weights.pretrained import PUBLISHED, pretrained_file

    if str(source) in PUBLISHED:
        return pretrained_file(str(source))
    path = Path(source)
    if not path.is_file():
        raise HarError(
            f"There is no weights file {path}, and no published weights of that name; the names "
            f"are {', '.join(PUBLISHED)}."
        )
    return path


def build_network(kind: str, config: Mapping[str, Any]) -> nn.Module:
    """A network of :mod:`har.models` from its class's name and its arguments.

    Raises:
        HarError: no network of that name, or arguments that it does not have.
    """
    import har.models

    cls = getattr(har.models, kind, None) if kind in har.models.__all__ else None
    if cls is None:
        raise HarError(f"These weights are for {kind}, which this version of har does not have.")
    arguments = dict(config)
    if isinstance(arguments.get("pose_net"), Mapping):  # the network inside ActionMergeNet
        inner = {k: v for k, v in arguments["pose_net"].items() if not k.startswith("_")}
        arguments["pose_net"] = build_network("ReceptionNet", inner)
    try:
        network: nn.Module = cls(**arguments)
    except TypeError as error:
        raise HarError(f"These arguments do not build a {kind}: {error}.") from error
    return network


def save_weights(
    network: nn.Module, path: str | Path, description: Description | None = None
) -> None:
    """Writes weights as safetensors with the network's class and arguments in the header.

    Args:
        network: a network of this package; its ``config`` is a dataclass of its arguments.
        path: file to write; an older one is replaced in one step.
        description: names of joints and actions, size and pace of the clips, where known.
    """
    path = Path(path)
    config = dataclasses.asdict(getattr(network, "config"))  # noqa: B009
    header = {"har_network": type(network).__name__, "har_config": json.dumps(config)}
    if description is not None:
        header["har_description"] = description.to_json()
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(state, partial, metadata=header)
        partial.replace(path)
    except OSError as error:
        raise HarError(f"The weights cannot be written to {path}: {error.strerror}.") from error
    finally:
        partial.unlink(missing_ok=True)


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], str | None, dict[str, Any]]:
    """Weights, class name and arguments; the latter two only where this package wrote the file."""
    state, header = _open_safetensors(path)
    return state, header.get("har_network"), json.loads(header.get("har_config", "{}"))


def _open_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Weights and header, whose JSON values have been looked at."""
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            header: dict[str, str] = file.metadata() or {}
        json.loads(header.get("har_config", "{}"))
        from_json(header.get("har_description", "{}"))
    except Exception as error:  # the library raises its own, undocumented kinds
        raise HarError(
            f"{path} is not a complete safetensors file ({_first_line(error)}); delete it, "
            "then download or convert it again."
        ) from error
    return state, header


def _read_checkpoint(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise HarError(f"There is no checkpoint {path}: check the path.")
    try:
        # Never pickle: a checkpoint from elsewhere must not run code.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(checkpoint.get("state_dict"), Mapping):
            raise TypeError("it holds no weights")
    except Exception as error:
        raise HarError(
            f"The checkpoint {path} cannot be read: it is damaged, or holds more than tensors and "
            f"plain values, which is never opened ({_first_line(error)})."
        ) from error
    found: dict[str, Any] = checkpoint
    return found


def _read_checkpoint_weights(path: Path) -> dict[str, Tensor]:
    state = _read_checkpoint(path)["state_dict"]
    items = [(str(key), value) for key, value in state.items() if isinstance(value, Tensor)]
    inner = [(k.removeprefix(_PREFIX), v) for k, v in items if k.startswith(_PREFIX)]
    return dict(inner or items)


def read_run(path: Path) -> Mapping[str, Any]:
    """What a run wrote into its checkpoint about itself: ``config``, ``labels``, ``phase``, ...

    Raises:
        HarError: the checkpoint cannot be read, or is not one of har.
    """
    run = _read_checkpoint(path).get("har")
    if not isinstance(run, Mapping) or not isinstance(run.get("config"), Mapping):
        raise HarError(f"{path} is not a checkpoint of har: it does not say what it was made from.")
    return run


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines() or [type(error).__name__]
    return text[0].split(". ")[0].rstrip(".")
