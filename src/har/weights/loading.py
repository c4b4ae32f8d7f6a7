"""Weights of files and of published names, put into networks."""

import fnmatch
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from har.models.base import PoseNetwork
from har.models.registry import NETWORKS, build_network
from har.weights.built_in import BUILT_IN
from har.weights.pretrained import PUBLISHED, open_weights, pretrained_file
from har.weights.report import LoadReport

log = logging.getLogger(__name__)


def load_weights(
    network: PoseNetwork,
    source: str | Path,
    strict: bool = True,
    labels: Sequence[str] | None = None,
) -> LoadReport:
    """Puts weights into a network.

    Args:
        network: the network, already built; untouched where an error is raised.
        source: a published name (:mod:`har.weights.pretrained`), or a file: ``.ckpt`` of a run,
            ``.safetensors``, or ``.h5`` / ``.hdf5`` of the original.
        strict: False takes what has the same name, as initial weights for training: poses for a
            network with actions, or another number of classes (those layers stay as they are).
            A network around a ``pose_net`` also takes the weights of such a one alone.
        labels: names of the network's classes; where the source states other ones, the layers of
            classes stay as they are (not with ``strict``). None: not known.

    Returns:
        The report; as text it is one line.

    Raises:
        HarError: no such file or name, a file that cannot be read, weights of another network.
    """
    return open_weights(source).load_into(network, strict, labels)


def load_network(source: str | Path, **arguments: Any) -> PoseNetwork:
    """The network of a weight file, built and filled, ready to predict (``eval``).

    Args:
        source: a published name, a ``.safetensors`` of this package, a ``.ckpt`` of a run, or
            ``.h5`` of the original.
        arguments: what an ``.h5`` does not show (``softargmax_alpha``, ``context_alpha``), or
            ``stop_after``, which leaves out what follows a prediction block.

    Raises:
        HarError: as :func:`load_weights`, or a file that does not state what network it is for.
    """
    return open_weights(source).load(**arguments)


def load_pretrained(name: str, mirror: str | Path | None = None) -> PoseNetwork:
    """A network with the authors' weights, ready to predict (``eval``).

    Example:
        >>> model = load_pretrained("reception_mpii_cvpr18")  # doctest: +SKIP

    Args:
        name: one of :data:`har.weights.pretrained.PUBLISHED`.
        mirror: folder or address with the original files; ``$HAR_WEIGHTS`` by default.

    Raises:
        HarError: as :func:`har.weights.pretrained.pretrained_file`.
    """
    pretrained_file(name, mirror)  # refuses a path
    return open_weights(name, mirror).load()


def create_model(name: str, weights: str | Path | None = None, **arguments: Any) -> PoseNetwork:
    """A network by its name, to train or to predict (``train`` mode).

    Example:
        >>> model = create_model("SPNet", num_actions=(12,), growth=32, num_levels=3)
        >>> model.num_action_outputs
        4

    Args:
        name: a class of networks, or published weights, whose arguments are then the defaults.
        weights: a published name or a file, see :func:`load_weights`; None: random. Where a file
            is of the same class, its arguments are the defaults. Layers of another number of
            classes stay random.
        arguments: of the class (but ``weights`` of a torchvision backbone: build the class itself).

    Raises:
        HarError: no such network, arguments that it does not take, or as :func:`load_weights`.
    """
    kind, defaults = name, {}
    if name in PUBLISHED:
        kind, defaults = PUBLISHED[name].spec.network, dict(PUBLISHED[name].spec.arguments)
    if name in BUILT_IN:
        opened = open_weights(name)
        kind, defaults = str(opened.network), dict(opened.arguments)
    if weights is None:
        return build_network(kind, {**defaults, **arguments})
    opened = open_weights(weights)
    if opened.network == kind:
        defaults |= opened.arguments
    network = build_network(kind, {**defaults, **arguments})
    report = opened.load_into(network, strict=False)
    log.info("%s", report)
    return network


def list_models(filter: str = "*") -> list[str]:
    """Names for :func:`create_model`: classes of networks, weights of the package, published ones.

    Example:
        >>> list_models("*ntu*")
        ['merge_ntu_cvpr18', 'spnet_ntu_tpami20']

    Args:
        filter: a pattern with ``*`` and ``?``; upper and lower case are the same.
    """
    names = [*NETWORKS, *BUILT_IN, *PUBLISHED]
    return [name for name in names if fnmatch.fnmatchcase(name.lower(), filter.lower())]
