"""The weights that the authors published with ``dluvizon/deephar``, by name.

A published file is fetched once, checked, converted to safetensors and kept in a cache folder
(``$HAR_CACHE``, else the system's). ``$HAR_WEIGHTS`` names a folder with the original files, or
the address of a mirror, and is asked instead of the authors' servers.

Source of names, addresses, checksums and arguments: the authors' evaluation scripts (``exp/`` of
their repository); figures: their README and the two papers.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pooch

from har.data.ntu.labels import ACTION_NAMES
from har.errors import HarError
from har.models.registry import build_network
from har.models.spec import ModelSpec
from har.weights.describe import (
    DEPTH_RANGE_MM,
    NTU_PACE_S,
    PENN_PACE_S,
    RESOLUTION,
    spec_of,
    stated_by,
)
from har.weights.file import WeightsFile, save_weights

_RELEASES = "https://github.com/dluvizon/deephar/releases/download"
_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
_LICENSE = "published beside a program under the MIT license, without terms of their own; "


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


_PAPERS = {
    "cvpr18": "Luvizon, Picard, Tabia, CVPR 2018 (arXiv 1802.09232)",
    "tpami20": "Luvizon, Picard, Tabia, TPAMI 2020 (arXiv 1912.08077)",
}
_MPII = {"num_joints": 16, "dim": 2, "kernel_size": 5, "num_context": 2}
_NTU_POSE = {"num_joints": 20, "dim": 3, "num_blocks": 4, "depth_maps": 8, "kernel_size": 5}
_NTU_LABELS = ACTION_NAMES[:60]


def _published(
    name: str,
    url: str,
    md5: str | None,
    network: str,
    arguments: Mapping[str, Any],
    *,
    license: str,
    file: str | None = None,
    clip_size: int = 1,
    pace_s: float | None = None,
    labels: Sequence[str] = (),
    data: str,
    published: str,
) -> PublishedWeights:
    """An entry of the list below."""
    pose = arguments.get("pose_net", arguments)
    spec = ModelSpec(
        name=name,
        network=network,
        arguments=arguments,
        layout=f"pa{pose['num_joints']}j",
        num_joints=pose["num_joints"],
        dim=pose["dim"],
        resolution=RESOLUTION,
        labels=tuple(labels),
        clip_size=clip_size,
        clip_seconds_between_frames=pace_s,
        depth_range_mm=DEPTH_RANGE_MM if pose["dim"] == 3 else None,
        license=_LICENSE + license,
        paper=_PAPERS[name.rpartition("_")[2]],
        data=data,
        published=published,
    )
    return PublishedWeights(file or url.rpartition("/")[2], url, md5, spec)


_ENTRIES = (
    _published(
        "reception_mpii_cvpr18",
        f"{_RELEASES}/v0.1/weights_PE_MPII_cvpr18_19-09-2017.h5",
        "d6b85ba4b8a3fc9d05c8ad73f763d999",
        "ReceptionNet",
        {**_MPII, "num_blocks": 8},
        data="MPII Human Pose",
        published="PCKh@0.5 89.1 % on MPII validation, one crop; 91.2 % on the test set with "
        "several crops and flips (README)",
        license="see also the terms of MPII Human Pose",
    ),
    _published(
        "reception_h36m_cvpr18",
        f"{_RELEASES}/v0.2/weights_3DPE_H36M_cvpr18_Nov-2017.h5",
        "af79f83ad939117d4ccc2cf1d4bd37d2",
        "ReceptionNet",
        {"num_joints": 17, "dim": 3, "num_blocks": 8, "kernel_size": 5},
        data="MPII Human Pose and Human3.6M",
        published="mean joint error 55.1 mm on Human3.6M, one crop, every 64th frame (README)",
        license="Human3.6M allows academic use only",
    ),
    _published(
        "merge_penn_cvpr18",
        f"{_RELEASES}/v0.3/weights_AR_merge_ep074_26-10-17.h5",
        "f53f89257077616a79a6c1cd1702d50f",
        "ActionMergeNet",
        {
            "pose_net": {**_MPII, "num_blocks": 4},
            "num_actions": 15,
            "num_frames": 16,
            "version": "v1",
        },
        clip_size=16,
        pace_s=PENN_PACE_S,
        data="poses: MPII Human Pose and Penn Action; actions: Penn Action",
        published="accuracy 98.6 % on Penn Action with true boxes (paper)",
        license="see also the terms of MPII Human Pose and Penn Action",
    ),
    _published(
        "merge_ntu_cvpr18",
        f"{_RELEASES}/v0.4/weights_AR_merge_NTU_v2.h5",
        "ff98d70a7f6bc5976cc11c7a5760e8b7",
        "ActionMergeNet",
        {
            "pose_net": _NTU_POSE,
            "num_actions": 60,
            "num_frames": 20,
            "version": "v2",
        },
        clip_size=20,
        pace_s=NTU_PACE_S,
        labels=_NTU_LABELS,
        data="poses: MPII Human Pose, Human3.6M and NTU RGB+D; actions: NTU RGB+D",
        published="accuracy 85.5 % on NTU RGB+D, X-Sub (paper)",
        license="Human3.6M and NTU RGB+D allow academic use only",
    ),
    _published(
        "spnet_penn_tpami20",
        f"{_DRIVE}106yIhqNN-TrI34SX81q2xbU-NczcQj6I",
        None,
        "SPNet",
        {
            "num_joints": 16,
            "dim": 2,
            "num_actions": (15,),
            "num_pyramids": 6,
            "action_pyramids": (5, 6),
            "num_levels": 4,
            "pose_replica": True,
            "num_pose_features": 160,
            "num_visual_features": 160,
        },
        file="weights_mpii+penn_ar_028.hdf5",
        clip_size=8,
        pace_s=PENN_PACE_S,
        data="MPII Human Pose and Penn Action",
        published="none for this file; the paper's best on Penn Action is 98.7 %",
        license="see also the terms of MPII Human Pose and Penn Action",
    ),
    _published(
        "spnet_ntu_tpami20",
        f"{_DRIVE}1I6GftXEkL5nohLA60Vi6faW0rvTZg6Kx",
        None,
        "SPNet",
        {
            "num_joints": 17,
            "dim": 3,
            "num_actions": (60,),
            "num_pyramids": 2,
            "action_pyramids": (1, 2),
            "num_levels": 4,
            "num_pose_features": 192,
            "num_visual_features": 192,
        },
        file="weights_3dp+ntu_ar_062.hdf5",
        clip_size=8,
        pace_s=NTU_PACE_S,
        labels=_NTU_LABELS,
        data="MPII Human Pose, Human3.6M and NTU RGB+D",
        published="none for this file; the paper's best on NTU RGB+D, X-Sub, is 89.9 %",
        license="Human3.6M and NTU RGB+D allow academic use only",
    ),
)
PUBLISHED: Mapping[str, PublishedWeights] = MappingProxyType(
    {entry.spec.name: entry for entry in _ENTRIES}
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
    cached = cache_dir() / f"{name}.safetensors"
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
    """The file of a path or a published name, downloaded where needed.

    Raises:
        HarError: neither, or as :func:`pretrained_file`.
    """
    if str(source) in PUBLISHED:
        return pretrained_file(str(source), mirror)
    path = Path(source)
    if not path.is_file():
        raise HarError(
            f"There is no weights file {path}, and no published weights of that name; the names "
            f"are {', '.join(PUBLISHED)}."
        )
    return path


def open_weights(source: str | Path, mirror: str | Path | None = None) -> WeightsFile:
    """The weights of a path or a published name, whose record holds where the file has none.

    Raises:
        HarError: as :func:`find_weights` and :meth:`har.weights.file.WeightsFile.open`.
    """
    opened = WeightsFile.open(find_weights(source, mirror))
    if str(source) in PUBLISHED:  # 0.1.0 wrote the cached file without a record
        opened.stated = {**stated_by(PUBLISHED[str(source)].spec), **opened.stated}
        opened.name = str(source)
    return opened


def cache_dir() -> Path:
    """Where converted weights are kept: ``$HAR_CACHE``, else the system's folder for caches."""
    chosen = os.environ.get("HAR_CACHE")
    return Path(chosen) if chosen else Path(pooch.os_cache("har"))


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
    try:
        return Path(
            pooch.retrieve(
                url,
                known_hash=f"md5:{entry.md5}" if entry.md5 else None,
                fname=entry.file,
                path=folder,
                downloader=pooch.HTTPDownloader(progressbar=True, timeout=30),
            )
        )
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
