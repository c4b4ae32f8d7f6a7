"""A file of weights, opened once: the network's class, its arguments, its record, its weights.

Weights are kept as safetensors, which cannot hold code. The header holds the network's record
(:class:`har.models.spec.ModelSpec`), so a file can be opened without a configuration.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from har.errors import HarError
from har.files import file_checksum, whole_file
from har.models.base import PoseNetwork
from har.models.registry import build_network
from har.models.spec import ModelSpec
from har.weights.describe import spec_of, stated_by, stated_by_run
from har.weights.keras.format import Layers, read_h5
from har.weights.keras.load import TABLES, infer_network, load_layers
from har.weights.report import LoadReport, is_counter, put_weights, what_would_fit

KERAS_ENDINGS = (".h5", ".hdf5")
ENDINGS = (".ckpt", ".safetensors", *KERAS_ENDINGS)
_PREFIX = "network."  # in checkpoints of a LightningModule
_HEADER = "har_spec"


@dataclass
class WeightsFile:
    """The content of a file of weights.

    Attributes:
        path: the file.
        network: class of its network; None where the file does not state it.
        arguments: of that class, as far as the file shows them.
        state: weights by this package's names; empty for a file of the original.
        layers: of a file of the original (Keras), else None.
        stated: values of :class:`ModelSpec` that the file states.
        run: what a run wrote into its checkpoint (``config``, ``labels``, ``phase``, ...); else {}.
        name: what to call the network; the file's name by default.
    """

    path: Path
    network: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    state: Mapping[str, Tensor] = field(default_factory=dict)
    layers: Layers | None = None
    stated: Mapping[str, Any] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    @classmethod
    def open(cls, path: str | Path) -> WeightsFile:
        """Reads a ``.safetensors`` of this package, a ``.ckpt`` of a run, or an ``.h5`` of the
        original; any other ending is read as a checkpoint.

        Raises:
            HarError: no such file, or one that is damaged or of another kind.
        """
        path = Path(path)
        if path.suffix in KERAS_ENDINGS:
            layers = read_h5(path)
            return cls(path, *infer_network(path, layers), layers=layers)
        if path.suffix == ".safetensors":
            return _open_safetensors(path)
        return _open_checkpoint(path)

    def build(self, **arguments: Any) -> PoseNetwork:
        """The file's network with random weights; ``arguments`` go before those of the file.

        Raises:
            HarError: the file does not state its network, or no network takes the arguments.
        """
        if self.network is not None:
            return build_network(self.network, {**self.arguments, **arguments})
        if self.path.suffix not in ENDINGS:
            what = f"{self.path} is not a .ckpt, .safetensors or .h5 file"
            raise HarError(f"{what}, so its network is not known.")
        if self.path.suffix == ".ckpt" and not self.run:
            raise _not_of_har(self.path)
        target = ((self.run.get("config") or {}).get("model") or {}).get("_target_")
        what = f"{self.path} does not state which network of har it belongs to"
        raise HarError(f"{what} (it names {target}).")

    def load(self, **arguments: Any) -> PoseNetwork:
        """The file's network with its weights, ready to predict (``eval``).

        Raises:
            HarError: as :meth:`build` and :meth:`load_into`.
        """
        network = self.build(**arguments)
        self.load_into(network)
        return network.eval()

    def load_into(
        self, network: PoseNetwork, strict: bool = True, labels: Sequence[str] | None = None
    ) -> LoadReport:
        """Puts the weights into a network, see :func:`har.weights.load_weights`."""
        kind, inner = type(network).__name__, network.pose_network
        if self.network == type(inner).__name__ != kind and not strict:
            network, kind = inner, type(inner).__name__
        if self.layers is not None and kind in TABLES:
            return self._load_layers(network, self.layers, strict)
        if self.network not in (None, kind):
            raise HarError(f"{self.path} holds the weights of {self.network}, not of {kind}.")
        names = {name: name for name in network.state_dict() if not is_counter(name)}
        with torch.device("meta"):  # names only, of blocks that a network that stops early lacks
            whole = network.whole()
        known = {*names, *(whole.state_dict() if whole is not None else ())}
        unexpected = [key for key in self.state if key not in known and not is_counter(key)]
        report = LoadReport(str(self.path), unexpected=unexpected)
        table = TABLES.get(kind)
        free = network.class_weights() if table is None else table.class_weights(network)
        stated = list(self.run.get("labels") or self.stated.get("labels") or ())
        others = not strict and bool(labels) and bool(stated) and stated != list(labels or ())
        options: Any = {"strict": strict, "hint": what_would_fit(network, self.arguments)}
        options["other_classes"] = others
        return put_weights(network, self.state, report, names=names, class_weights=free, **options)

    def _load_layers(self, network: PoseNetwork, layers: Layers, strict: bool) -> LoadReport:
        """From a file of the original, whose lists of layers are those of the whole network."""
        whole = network.whole()
        if whole is None:
            return load_layers(network, self.path, layers, strict)
        whole.load_state_dict(network.state_dict(), strict=False)
        report = load_layers(whole, self.path, layers, strict)
        state = whole.state_dict()
        network.load_state_dict({name: state[name] for name in network.state_dict()})
        return report

    def spec(self, network: PoseNetwork) -> ModelSpec:
        """The record of a network from :meth:`build` or :meth:`load`."""
        own = {"name": self.name or self.path.name, "weights_sha256": file_checksum(self.path)}
        return spec_of(network, **{**self.stated, **own})


def save_weights(
    network: PoseNetwork, path: str | Path, spec: ModelSpec | None = None, *, half: bool = False
) -> None:
    """Writes weights as safetensors with the network's record in the header.

    Args:
        network: a network of this package.
        path: file to write; an older one is replaced in one step.
        spec: the record; None: that of the network alone, the rest assumed.
        half: as float16, half the size; networks compute with float32 all the same.

    Raises:
        HarError: the file cannot be written, or its ending is one that no command reads.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise HarError(f"{path}: weights are written as .safetensors, which every command reads.")
    spec = spec or spec_of(network, name=path.name)
    header = {_HEADER: json.dumps(spec.to_dict())}
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    if half:
        state = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    with whole_file(path) as partial:
        # the library's own way to a file ignores the umask, and raises kinds of its own
        partial.write_bytes(save(state, metadata=header))


def read_run(path: str | Path) -> Mapping[str, Any]:
    """What a run wrote into its checkpoint: ``config``, ``labels``, ``phase``, ...

    Raises:
        HarError: the checkpoint cannot be read, or is not one of har.
    """
    run = _open_checkpoint(Path(path)).run
    if not run:
        raise _not_of_har(Path(path))
    return run


def _not_of_har(path: Path) -> HarError:
    return HarError(f"{path} is not a checkpoint of har: it does not state what it was made from.")


def _from_spec(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a file with a record."""
    spec = ModelSpec.from_dict(stored)
    return {"network": spec.network, "arguments": spec.arguments, "stated": stated_by(spec)}


def _open_safetensors(path: Path) -> WeightsFile:
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            header: dict[str, str] = file.metadata() or {}
        if _HEADER in header:
            fields = _from_spec(json.loads(header[_HEADER]))
        else:  # of 0.1.0, or of another program
            fields = {
                "network": header.get("har_network"),
                "arguments": json.loads(header.get("har_config", "{}")),
                "stated": json.loads(header.get("har_description", "{}")),
            }
            if not isinstance(fields["arguments"], dict) or not isinstance(fields["stated"], dict):
                raise TypeError("its header is not one of har")
            known = {f.name for f in dataclasses.fields(ModelSpec)}
            fields["stated"] = {k: v for k, v in fields["stated"].items() if k in known}
    except Exception as error:  # the library raises its own, undocumented kinds
        raise HarError(
            f"{path} is not a complete safetensors file ({_first_line(error)}); delete it, "
            "then download or convert it again."
        ) from error
    return WeightsFile(path, state=state, **fields)


def _open_checkpoint(path: Path) -> WeightsFile:
    if not path.is_file():
        raise HarError(f"There is no checkpoint {path}: check the path.")
    try:
        # Never pickle: a checkpoint from elsewhere must not run code.
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(checkpoint.get("state_dict"), Mapping):
            raise TypeError("it holds no weights")
        run = checkpoint.get("har")
        run = run if isinstance(run, Mapping) and isinstance(run.get("config"), Mapping) else {}
        fields = _from_spec(run["spec"]) if "spec" in run else _of_run(run)
    except Exception as error:  # torch raises whatever a damaged file leads it to
        raise HarError(
            f"The checkpoint {path} cannot be read: it is damaged, or holds more than tensors and "
            f"plain values, which is never opened ({_first_line(error)})."
        ) from error
    items = [(str(k), v) for k, v in checkpoint["state_dict"].items() if isinstance(v, Tensor)]
    inner = [(k.removeprefix(_PREFIX), v) for k, v in items if k.startswith(_PREFIX)]
    return WeightsFile(path, state=dict(inner or items), run=run, **fields)


def _of_run(run: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration in a checkpoint of 0.1.0 states; only networks of har count."""
    config = dict((run.get("config") or {}).get("model") or {})
    room, _, kind = str(config.pop("_target_", None)).rpartition(".")
    if room != "har.models" and not room.startswith("har.models."):
        return {"stated": stated_by_run(run)}
    config.pop("weights", None)  # the backbone's initial weights: the file has what became of them
    if isinstance(config.get("pose_net"), Mapping):
        config["pose_net"] = {k: v for k, v in config["pose_net"].items() if not k.startswith("_")}
    return {"network": kind, "arguments": config, "stated": stated_by_run(run)}


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines() or [type(error).__name__]
    return text[0].split(". ")[0].rstrip(".")
