"""What the frozen pose part of a network gives for every frame of own clips, computed once."""

import hashlib
import logging
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from har.data.framestore.folder import open_prepared
from har.data.framestore.index import FrameIndex
from har.data.framestore.reader import FrameStore
from har.data.framestore.staging import file_stem
from har.data.framestore.stored_features import ClipFeatures, Shapes, StoredFeatures
from har.errors import HarError
from har.files import Image
from har.models.base import PoseNetwork
from har.models.spec import ModelSpec
from har.prediction.background import prefetch
from har.prediction.following import Follower
from har.prediction.tracking import OnePerson
from har.runtime.engine import Engine
from har.runtime.loading import engine_of
from har.video import Frame
from har.visual.terminal import progress_bar

log = logging.getLogger(__name__)

_ROWS_PER_PART = 1000  # what a killed run loses at most
_VERSION = 2  # of the way from a frame to what is stored
_FRAMES_AT_ONCE = 4  # share a box: about a quarter of a second


def pose_part_key(network: PoseNetwork, spec: ModelSpec) -> str:
    """SHA-256 over the pose part's weights and what else decides what it gives for a frame."""
    found = spec.nobody_below, spec.doubtful_below, round(spec.crop_span_s, 6)
    how = _VERSION, spec.resolution, *found, type(network).__name__
    digest = hashlib.sha256(repr(how).encode())
    for number, module in enumerate(network.pose_modules()):
        for name, tensor in sorted(module.state_dict().items()):
            if not name.endswith("num_batches_tracked"):
                digest.update(f"{number} {name}".encode())
                digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def features_file(key: str) -> str:
    """Name of the file of a pose part's features."""
    return f"features_{key[:12]}.h5"


def prepare_features(
    data_dir: Path, network: PoseNetwork, spec: ModelSpec, *, device: str = "auto"
) -> str:
    """Computes the features of all prepared clips that have none of this pose part.

    A run that was killed goes on where it was: finished clips wait in parts beside the index.
    Clips whose frames cannot be read are reported and skipped.

    Args:
        data_dir: folder of the clips, prepared.
        network: with an action part, whose weights do not count.
        spec: of it.
        device: that computes.

    Returns:
        The name of the file in ``prepared/``.

    Raises:
        HarError: the data is not prepared, or no such device.
    """
    index, store = open_prepared(data_dir)
    key = pose_part_key(network, spec)
    path = index.path.with_name(features_file(key))
    parts = path.with_suffix("")
    names = [name.decode() for name in index.names.tolist()]
    numbers = {name: number for number, name in enumerate(names)}
    found: dict[str, ClipFeatures] = {}
    shapes = feature_shapes(network, spec)
    for file in [path, *sorted(parts.glob("*.h5"))]:
        found |= _finished(file, key, shapes)
    found = {name: clip for name, clip in found.items() if _fits(clip, index, numbers.get(name))}
    missing = [name for name in names if name not in found]
    if missing:
        engine = engine_of(network, spec, device=device, batch_size=_FRAMES_AT_ONCE)
        parts.mkdir(exist_ok=True)
        _compute(engine, index, store, missing, found, StoredFeatures(key, shapes, {}), parts)
    if missing or not path.is_file() or len(found) < len(names):
        kept = {name: clip for name, clip in found.items() if name in numbers}
        StoredFeatures(key, shapes, kept).write(path)
    shutil.rmtree(parts, ignore_errors=True)
    return path.name


def _compute(
    engine: Engine,
    index: FrameIndex,
    store: FrameStore,
    missing: list[str],
    found: dict[str, ClipFeatures],
    empty: StoredFeatures,
    parts: Path,
) -> None:
    """Adds the features of clips to those found, and writes them part by part."""
    waiting: dict[str, ClipFeatures] = {}
    done = failed = frames = 0
    with progress_bar("poses") as progress:
        for name, read in prefetch(_reads(index, store, missing), 1):
            done += 1
            if isinstance(read, HarError):
                log.warning("Left out: %s", read)
                failed += 1
            else:
                times = index.times(index.number_of(name))
                waiting[name] = features_of_clip(engine, read, times, empty.shapes)
                frames += len(read)
            progress(len(found) + done, len(found) + len(missing), frames, failed)
            rows = sum(len(clip.times_s) for clip in waiting.values())
            if waiting and (rows >= _ROWS_PER_PART or done == len(missing)):
                part = StoredFeatures(empty.key, empty.shapes, waiting)
                part.write(parts / f"{file_stem(name)}.h5")
                found |= waiting
                done, missing, waiting = 0, missing[done:], {}


def _reads(
    index: FrameIndex, store: FrameStore, names: list[str]
) -> Iterator[tuple[str, list[Image] | HarError]]:
    """The frames of clips, or why they cannot be read."""
    for name in names:
        try:
            yield name, store.read(name, range(int(index.num_frames[index.number_of(name)])))
        except HarError as error:
            yield name, error


def features_of_clip(
    engine: Engine, images: list[Image], times_s: NDArray[np.float64], shapes: Shapes
) -> ClipFeatures:
    """What ``python -m har.predict`` would classify: the person is found, followed and cropped by
    the same code.

    Args:
        engine: a network with actions.
        images: F frames (H, W, 3) uint8 RGB.
        times_s: (F,) of them.
        shapes: of the arrays of a frame.
    """
    finder = OnePerson(engine, engine.spec.crop_span_s)
    follower = Follower(engine, finder, action_every_s=math.inf)
    rows = []
    for start in range(0, len(images), _FRAMES_AT_ONCE):
        numbers = range(start, min(start + _FRAMES_AT_ONCE, len(images)))
        frames = [Frame(images[n], n, float(times_s[n] - times_s[0])) for n in numbers]
        for prediction in follower.predict(frames):
            for track, features in (prediction.features or {}).items():
                rows.append((prediction.frame.time_s, track, engine.arrays(features)))
    width = sum(math.prod(shape) for shape in shapes)
    return ClipFeatures.of(len(images), rows, width)


def feature_shapes(network: PoseNetwork, spec: ModelSpec) -> Shapes:
    """Shapes of what the action part of a network takes from a frame, block by block."""
    width, height = spec.resolution
    with torch.inference_mode():
        found = network.eval().forward_frames(torch.zeros(1, 3, height, width))
    return tuple(tuple(part.shape[1:]) for block in found.features for part in block)


def _finished(path: Path, key: str, shapes: Shapes) -> dict[str, ClipFeatures]:
    """What is there already of this pose part."""
    try:
        stored = StoredFeatures.read(path)
    except HarError:  # not there, or the machine went down before the disk had all of it
        return {}
    return dict(stored.clips) if stored.key == key and stored.shapes == shapes else {}


def _fits(clip: ClipFeatures, index: FrameIndex, number: int | None) -> bool:
    return number is not None and clip.num_frames == int(index.num_frames[number])
