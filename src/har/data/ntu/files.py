"""Where the official files lie, in whatever folders, and what to do when they are missing."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from har.data.dataset_folder import DatasetFolder
from har.data.ntu.labels import is_sample_name, parse_sample_name
from har.endings import VIDEO_ENDINGS, ending_of
from har.errors import HarError
from har.video import Video

log = logging.getLogger(__name__)

_IMAGES = "images-small"  # the original program's folder of extracted frames


_FOLDER = DatasetFolder(
    "ntu", "NTU RGB+D", "it from https://rose1.ntu.edu.sg/dataset/actionRecognition/"
)
find_dataset_root, missing_data = _FOLDER.find, _FOLDER.missing


def find_videos(root: Path, output: Path) -> dict[str, Path]:
    """Paths of the videos ``<sample>_rgb.avi`` below a folder, by sample name."""
    return _by_sample(root, output, "_rgb.avi")


def find_skeletons(root: Path, output: Path) -> dict[str, Path]:
    """Paths of the skeletons below a folder, by sample name.

    Where a sample has no ``.skeleton`` file, the original program's annotation (``.npy``) is taken.
    """
    return {**_by_sample(root, output, ".npy"), **_by_sample(root, output, ".skeleton")}


def find_images(root: Path, output: Path) -> Path | None:
    """The original program's folder of extracted frames below a folder, if there is one."""
    for folder, folders, _ in _walk(root, output):
        if _IMAGES in folders:
            return Path(folder, _IMAGES)
    return None


def find_others(roots: Sequence[Path], output: Path) -> dict[str, tuple[int, str]]:
    """Files below the folders that are of no sample, by why: how many, and the first one."""
    found: dict[str, tuple[int, str]] = {}
    tops = {Path(os.path.realpath(root)) for root in roots}
    for top in sorted(top for top in tops if not tops & set(top.parents)):
        for folder, _, files in _walk(top, output):
            for name in sorted(files):
                if reason := _why_other(name):
                    count, first = found.get(reason, (0, os.path.join(folder, name)))
                    found[reason] = count + 1, first
    return dict(sorted(found.items()))


def _why_other(name: str) -> str:
    """Why a file is of no sample; empty: it is of one."""
    if name.startswith("."):
        return "hidden"
    for ending in ("_rgb.avi", ".skeleton", ".npy"):
        if name.endswith(ending):
            is_sample = is_sample_name(name.removesuffix(ending))
            return "" if is_sample else f"not the name of a sample ({ending})"
    ending = ending_of(Path(name))
    if ending in VIDEO_ENDINGS:
        return f"videos are named <sample>_rgb.avi ({ending})"
    return f"neither video nor skeleton ({ending or 'no ending'})"


def _by_sample(root: Path, output: Path, ending: str) -> dict[str, Path]:
    """Files with an ending by the sample that their name begins with; of two, the first one that
    can be read, and both are named."""
    found: dict[str, list[Path]] = {}
    for folder, _, files in _walk(root, output):
        for name in sorted(files):
            if name.endswith(ending):
                sample = name.removesuffix(ending)
                if is_sample_name(sample):
                    found.setdefault(sample, []).append(Path(folder, name))
    return {sample: _readable(sample, paths) for sample, paths in found.items()}


def _readable(sample: str, paths: Sequence[Path]) -> Path:
    """The first of a sample's files that can be read, or the first of all."""
    if len(paths) == 1:
        return paths[0]
    chosen = next((path for path in paths if _can_be_read(path)), paths[0])
    others = ", ".join(str(path) for path in paths if path != chosen)
    log.warning(
        "The sample %s lies there %d times: %s is used, not %s.", sample, len(paths), chosen, others
    )
    return chosen


def _can_be_read(path: Path) -> bool:
    """Whether a video or a skeleton file is whole enough to be tried."""
    try:
        if path.suffix != ".avi":
            with path.open("rb") as file:
                return bool(file.read(1))
        with closing(Video(path, threads=1)) as video:
            return video.missing_s() == 0 and video.size[0] > 0
    except (OSError, HarError):
        return False


def _walk(root: Path, output: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """``os.walk`` in a fixed order, along links, but not into our own or millions of frames."""
    seen = {os.path.realpath(output)}
    for folder, folders, files in os.walk(root, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:  # the output, or a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        yield folder, list(folders), files
        folders[:] = [name for name in folders if name != _IMAGES]


def select_samples(
    names: Sequence[str],
    setups: Sequence[int] | None,
    actions: Sequence[int] | None,
    cameras: Sequence[int] | None,
    shard: tuple[int, int] | None,
) -> list[str]:
    """The part of the samples that is asked for, sorted; see :func:`prepare_ntu`."""
    chosen = sorted(names)
    for key, wanted in (("setup", setups), ("action", actions), ("camera", cameras)):
        if wanted is not None:
            chosen = [name for name in chosen if getattr(parse_sample_name(name), key) in wanted]
    if shard is None:
        return chosen
    # Whole setups, so that jobs of an array never write the same shard.
    part, parts = shard
    order = {setup: i for i, setup in enumerate(sorted({name[:4] for name in chosen}))}
    return [name for name in chosen if order[name[:4]] % parts == part]
