"""The weights that the authors published with ``dluvizon/deephar``, by name.

A published file is fetched once, checked, converted to safetensors and kept in a cache folder
(``$HAR_CACHE``, else the system's). ``$HAR_WEIGHTS`` names a folder with the original files, or
the address of a mirror. Source of ``pretrained.json``: the authors' evaluation scripts (``exp/`` of
their repository); metrics: their README and the two papers.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pooch

from har.data.ntu.labels import ACTION_NAMES
from har.data.penn.labels import ACTIONS as PENN_ACTIONS
from har.errors import HarError
from har.models.registry import build_network
from har.models.spec import ModelSpec
from har.paths import check_path
from har.weights.built_in import BUILT_IN, built_in_file
from har.weights.describe import DEPTH_RANGE_MM, RESOLUTION, spec_of, stated_by
from har.weights.file import WeightsFile, save_weights

_LABELS = {"ntu60": ACTION_NAMES[:60], "penn15": PENN_ACTIONS}


@dataclass(frozen=True)
class PublishedWeights:
    """Where a weight file of the authors is, and the record of its network.

    Attributes:
        file: its name.
        url: where the authors keep it.
        md5: checksum that their scripts check; None where they give none (then the file is only
            checked for being complete).
        spec: the record, as far as it is published.
    """

    file: str
    url: str
    md5: str | None
    spec: ModelSpec


def _published(name: str, entry: Mapping[str, Any]) -> PublishedWeights:
    """An entry of ``pretrained.json``: pace as a fraction of a second, labels by the data set."""
    pose = entry["arguments"].get("pose_net", entry["arguments"])
    same = ("network", "arguments", "license", "paper", "data", "published")
    spec = ModelSpec(
        name=name,
        layout=f"pa{pose['num_joints']}j",
        num_joints=pose["num_joints"],
        dim=pose["dim"],
        resolution=RESOLUTION,
        labels=_LABELS[entry["labels"]] if entry["labels"] else (),
        clip_size=entry["frames"],
        clip_seconds_between_frames=entry["pace_s"] and entry["pace_s"][0] / entry["pace_s"][1],
        depth_range_mm=DEPTH_RANGE_MM if pose["dim"] == 3 else None,
        **{key: entry[key] for key in same},
    )
    return PublishedWeights(entry["file"], entry["url"], entry["md5"], spec)


_LIST = json.loads(resources.files("har.weights").joinpath("pretrained.json").read_text("utf-8"))
PUBLISHED: Mapping[str, PublishedWeights] = MappingProxyType(
    {name: _published(name, entry) for name, entry in _LIST.items()}
)


def pretrained_file(name: str, mirror: str | Path | None = None) -> Path:
    """The safetensors file of published weights, fetched and converted where it is not yet there.

    Args:
        name: one of :data:`PUBLISHED`.
        mirror: folder or address with the original files; ``$HAR_WEIGHTS`` by default.

    Raises:
        HarError: no such name, no connection, another checksum, or a file that was cut off. The
            cache is then as before.
    """
    if name not in PUBLISHED:
        raise HarError(f"There are no published weights {name}; choose {', '.join(PUBLISHED)}.")
    entry = PUBLISHED[name]
    cached = Path(os.environ.get("HAR_CACHE") or pooch.os_cache("har")) / f"{name}.safetensors"
    if cached.is_file():
        return cached
    with tempfile.TemporaryDirectory(prefix="har-") as folder:
        chosen = str(mirror or os.environ.get("HAR_WEIGHTS", ""))
        original = _fetch(name, entry, Path(folder), chosen)
        read = WeightsFile.open(original)
        # The authors' scripts are not always those of the published file: its shapes decide.
        network = build_network(entry.spec.network, {**entry.spec.arguments, **read.arguments})
        read.load_into(network)
    save_weights(network, cached, spec_of(network, **stated_by(entry.spec)))
    return cached


def find_weights(source: str | Path, mirror: str | Path | None = None) -> Path:
    """The file of a path or a name: one that the package holds, or a published one, downloaded
    where needed.

    Raises:
        HarError: neither, or as :func:`pretrained_file`.
    """
    if str(source) in BUILT_IN:
        return built_in_file(str(source))
    if str(source) in PUBLISHED:
        return pretrained_file(str(source), mirror)
    path = Path(source)
    check_path(path)
    if not path.is_file():
        raise HarError(
            f"There is no weights file {path}, and no weights of that name; the names are "
            f"{', '.join([*BUILT_IN, *PUBLISHED])}."
        )
    return path


def open_weights(source: str | Path, mirror: str | Path | None = None) -> WeightsFile:
    """The weights of a path or a published name, whose record holds where the file has none.

    Raises:
        HarError: as :func:`find_weights` and :meth:`har.weights.file.WeightsFile.open`.
    """
    opened = WeightsFile.open(find_weights(source, mirror))
    opened.name = BUILT_IN.get(str(source), opened.name)
    if str(source) in PUBLISHED:  # 0.1.0 wrote the cached file without a record
        opened.stated = {**stated_by(PUBLISHED[str(source)].spec), **opened.stated}
        opened.name = str(source)
    return opened


def _fetch(name: str, entry: PublishedWeights, folder: Path, mirror: str) -> Path:
    """The original file: in a local mirror, or downloaded into ``folder``."""
    if mirror.startswith("file:"):
        mirror = url2pathname(urlsplit(mirror).path)
    if mirror and "://" not in mirror:
        original = Path(mirror).expanduser() / entry.file
        if not original.is_file():
            raise HarError(
                f"{entry.file} is not in {original.parent}: put it there, or unset HAR_WEIGHTS "
                f"to download it from {entry.url}."
            )
        if entry.md5 and pooch.file_hash(str(original), alg="md5") != entry.md5:
            raise HarError(_other_checksum(entry, str(original)))
        return original
    pooch.get_logger().setLevel("WARNING")
    url = f"{mirror.rstrip('/')}/{entry.file}" if mirror else entry.url
    md5 = f"md5:{entry.md5}" if entry.md5 else None
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=30)
    try:
        return Path(pooch.retrieve(url, md5, entry.file, folder, downloader=downloader))
    except ValueError as error:
        raise HarError(_other_checksum(entry, url)) from error
    except OSError as error:  # of requests as well: no connection, refused, cut off, not found
        raise HarError(
            f"{name} cannot be downloaded from {url} ({type(error).__name__}): check the "
            f"connection, or put {entry.file} into a folder and set HAR_WEIGHTS to that folder."
        ) from error


def _other_checksum(entry: PublishedWeights, where: str) -> str:
    return (
        f"{where} is not the published {entry.file}: its MD5 checksum is not {entry.md5}, so it "
        "was cut off or changed; fetch it again."
    )
