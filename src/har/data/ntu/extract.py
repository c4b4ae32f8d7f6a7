"""From the official files to frames and index, resumable at any moment.

Every sample is first written to a file of its own, which appears whole or not at all. When all of
a setup's samples are there, they are put together into the setup's shard. What a killed run had
finished is found again, in the shards or among the single files.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from har import HarError
from har.data.ntu.index import NTUIndex, write_index
from har.data.ntu.labels import SampleName, parse_sample_name
from har.data.ntu.shards import (
    StoredSample,
    joint_rows,
    merge_shards,
    shard_names,
    write_shard,
)
from har.data.ntu.skeleton import BodyTrack, main_body, read_deephar_annotation, read_skeleton
from har.data.ntu.splits import missing_skeletons
from har.data.store import FrameStore, HDF5Frames, JPEGFolders

_BLACK = 4  # mean grey level below which a video shows nothing
_BYTES_PER_PIXEL = 0.3  # of a JPEG file of quality 95, generous: for the estimate of disk space
_FRAMES_PER_VIDEO = 85


class DatasetNotFoundError(HarError):
    """Data that is not there yet, with the commands that bring it."""


class SkipSample(HarError):
    """Why a sample is left out, in a few words for the report."""


@dataclass
class PrepareReport:
    """What a preparation did.

    Attributes:
        done: samples extracted now.
        kept: samples that were there already.
        frames: frames stored now.
        seconds: how long it took.
        skipped: reason by name of every sample left out.
        warnings: remark by name of samples that are in, but odd.
    """

    done: int = 0
    kept: int = 0
    frames: int = 0
    seconds: float = 0.0
    skipped: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)

    def skipped_by_reason(self) -> dict[str, list[str]]:
        """Names of samples left out, by reason, sorted."""
        reasons: dict[str, list[str]] = {}
        for name in sorted(self.skipped):
            reasons.setdefault(self.skipped[name], []).append(name)
        return reasons


@dataclass(frozen=True)
class Settings:
    """How frames are stored; one folder holds frames of one kind."""

    stride: int = 2
    scale: float = 0.5
    jpeg_quality: int = 95


# --------------------------------------------------------------------------------- finding files


def find_dataset_root(data_dir: Path) -> Path:
    """Where NTU RGB+D lies: ``data_dir/ntu`` if there is such a folder, else ``data_dir``."""
    return data_dir / "ntu" if (data_dir / "ntu").is_dir() else data_dir


def _find(root: Path, ending: str, but: Path) -> dict[str, Path]:
    """Files below a folder by sample name, whatever folders they lie in."""
    found: dict[str, Path] = {}
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(s for s in subfolders if Path(folder, s) != but)
        for name in sorted(files):
            if name.endswith(ending) and not name.startswith("."):
                try:
                    sample = str(parse_sample_name(name))
                except HarError:
                    continue
                found.setdefault(sample, Path(folder, name))
    return found


def _wanted(
    names: Sequence[str],
    setups: Sequence[int] | None,
    actions: Sequence[int] | None,
    cameras: Sequence[int] | None,
    shard: tuple[int, int] | None,
) -> list[str]:
    """The part of the samples that is asked for, sorted."""

    def fits(sample: SampleName) -> bool:
        return (
            (setups is None or sample.setup in setups)
            and (actions is None or sample.action in actions)
            and (cameras is None or sample.camera in cameras)
        )

    chosen = sorted(name for name in names if fits(parse_sample_name(name)))
    if shard is None:
        return chosen
    # Whole setups, so that jobs of an array never write the same shard.
    part, parts = shard
    order = {setup: i for i, setup in enumerate(sorted({name[:4] for name in chosen}))}
    return [name for name in chosen if order[name[:4]] % parts == part]


# --------------------------------------------------------------------------------- one sample


def _track(skeleton: Path) -> BodyTrack:
    if skeleton.suffix == ".npy":
        return read_deephar_annotation(skeleton)[1]
    track = main_body(read_skeleton(skeleton))
    if track is None:
        raise SkipSample("no body in any frame")
    return track


def _encode_frames(video: Path, settings: Settings, most: int) -> tuple[list[Any], int, Any]:
    """JPEG files of every ``stride``-th frame, the number of frames seen, and the frame size."""
    if video.stat().st_size == 0:
        raise SkipSample("empty video file")
    capture = cv2.VideoCapture(str(video))
    width = round(capture.get(cv2.CAP_PROP_FRAME_WIDTH) * settings.scale)
    height = round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT) * settings.scale)
    jpegs, number, brightest = [], 0, 0.0
    options = [cv2.IMWRITE_JPEG_QUALITY, settings.jpeg_quality]
    while number < most and capture.grab():
        if number % settings.stride == 0:
            decoded, image = capture.retrieve()
            if not decoded:
                break
            if settings.scale != 1:
                image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
            brightest = max(brightest, float(image[::8, ::8].mean()))
            jpegs.append(cv2.imencode(".jpg", image, options)[1])
        number += 1
    capture.release()
    if not jpegs:
        raise SkipSample("unreadable video")
    if brightest < _BLACK:
        raise SkipSample("black video")
    return jpegs, number, (width, height)


def _extract(
    name: str, video: Path, skeleton: Path, staged: Path, settings: Settings
) -> tuple[int, str]:
    """Extracts one sample into its own file. Returns its stored frames and a remark."""
    track = _track(skeleton)
    length = len(track.joints_px)
    jpegs, seen, frame_size = _encode_frames(video, settings, most=length + 2)
    remark = ""
    if abs(seen - length) > 1:
        known = "at least " if seen > length else ""
        remark = f"the video has {known}{seen} frames, the skeleton {length}"
    numbers = np.arange(0, min(seen, length), settings.stride, dtype=np.int32)
    jpegs = jpegs[: len(numbers)]
    if not np.isfinite(track.joints_px[numbers]).any():
        raise SkipSample("no body in any stored frame")
    sample = StoredSample(
        name,
        frame_size,
        joint_rows(track)[numbers],
        numbers,
        np.cumsum([0, *(len(jpeg) for jpeg in jpegs)], dtype=np.int64),
        np.concatenate(jpegs),
    )
    write_shard(staged, [sample], [len(numbers)], len(sample.jpeg))
    return len(numbers), remark


def _work(name: str, *arguments: Any) -> tuple[str, int, str, str]:
    """In a worker process: name, stored frames, remark, and why the sample was left out."""
    cv2.setNumThreads(1)
    try:
        frames, remark = _extract(name, *arguments)
        return name, frames, remark, ""
    except SkipSample as reason:
        return name, 0, "", str(reason)
    except HarError as error:
        return name, 0, "", f"bad skeleton file: {error}"


# --------------------------------------------------------------------------------- shards


class _Shards:
    """The shards of an output folder, and the single samples that wait to become part of one."""

    def __init__(self, output: Path, settings: Settings) -> None:
        self.frames, self.staging = output / "frames", output / "staging"
        self.settings = settings
        for folder in (self.frames, self.staging):
            folder.mkdir(parents=True, exist_ok=True)
        for partial in [*self.staging.glob("*.partial"), *self.frames.glob("*.partial")]:
            partial.unlink(missing_ok=True)
        self._check_settings(output / "settings.json")

    def _check_settings(self, path: Path) -> None:
        ours = asdict(self.settings)
        if path.is_file() and (found := json.loads(path.read_text(encoding="utf-8"))) != ours:
            raise HarError(
                f"{path.parent} was prepared with {found}, not with {ours}: use the same settings, "
                "or remove that folder first."
            )
        path.write_text(json.dumps(ours), encoding="utf-8")

    def finished(self) -> set[str]:
        """Names of all samples that are extracted."""
        names = {path.stem for path in self.staging.glob("*.h5")}
        for path in self.all():
            names.update(shard_names(path))
        return names

    def all(self) -> list[Path]:
        """The shards, sorted."""
        return sorted(self.frames.glob("*.h5"))

    def staged(self, name: str) -> Path:
        return self.staging / f"{name}.h5"

    def assemble(self, setup: str) -> None:
        """Puts the waiting samples of a setup into its shard."""
        waiting = sorted(self.staging.glob(f"{setup}*.h5"))
        if not waiting:
            return
        shard = self.frames / f"{setup}.h5"
        merge_shards([*([shard] if shard.is_file() else []), *waiting], shard)
        for path in waiting:
            path.unlink()


# --------------------------------------------------------------------------------- all samples


def prepare_ntu(
    videos_root: Path,
    skeletons_root: Path,
    output: Path,
    *,
    stride: int = 2,
    scale: float = 0.5,
    jpeg_quality: int = 95,
    setups: Sequence[int] | None = None,
    actions: Sequence[int] | None = None,
    cameras: Sequence[int] | None = None,
    shard: tuple[int, int] | None = None,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> PrepareReport:
    """Extracts frames and annotations, and writes ``index.h5`` and ``prepare_report.json``.

    Args:
        videos_root, skeletons_root: folders, searched with all that is below them.
        output: gets ``frames/S001.h5`` ... and ``index.h5``.
        stride: keep every ``stride``-th frame.
        scale: of width and height.
        jpeg_quality: 0 to 100.
        setups, actions, cameras: numbers to take; None: all.
        shard: (part, parts), part from 0: whole setups, for the jobs of a cluster.
        workers: processes.
        progress: called as ``progress(done, total, frames=..., errors=...)``.

    Raises:
        DatasetNotFoundError: no video is there.
        HarError: the folder was prepared with other settings, or the disk is too small.
    """
    began = time.monotonic()
    videos = _find(videos_root, "_rgb.avi", output)
    skeletons = _find(skeletons_root, ".skeleton", output) or _find(skeletons_root, ".npy", output)
    if not videos and (images := _deephar_images(videos_root)) is not None and skeletons:
        return _index_deephar(images, skeletons, output, stride)
    if not videos:
        raise missing_data(videos_root, "no video *_rgb.avi lies")
    settings = Settings(stride, scale, jpeg_quality)
    shards = _Shards(output, settings)
    names = _wanted(list(videos), setups, actions, cameras, shard)
    report = PrepareReport()
    there = shards.finished()
    report.kept = len(there & set(names))
    todo = []
    for name in names:
        if name in there:
            continue
        if name in missing_skeletons():
            report.skipped[name] = "on the official list of missing skeletons"
        elif name not in skeletons:
            report.skipped[name] = "no skeleton file"
        else:
            todo.append(name)
    _check_disk(output, [videos[name] for name in todo], settings)
    _run(todo, videos, skeletons, shards, workers, report, len(names), progress)
    for setup in sorted({path.stem[:4] for path in shards.staging.glob("*.h5")}):
        shards.assemble(setup)
    if report.done or not (output / "index.h5").is_file():
        write_index(shards.all(), output / "index.h5", {**asdict(settings), "store": "hdf5"})
    report.seconds = time.monotonic() - began
    _write_report(output, report)
    return report


def _run(
    todo: list[str],
    videos: dict[str, Path],
    skeletons: dict[str, Path],
    shards: _Shards,
    workers: int,
    report: PrepareReport,
    total: int,
    progress: Callable[..., None] | None,
) -> None:
    """Extracts all samples of a list, setup by setup put together as they finish."""
    remaining: dict[str, int] = {}
    for name in todo:
        remaining[name[:4]] = remaining.get(name[:4], 0) + 1
    behind = total - len(todo)
    # A fresh interpreter: forked copies of a process with threads (OpenCV's) may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, min(workers, len(todo))), mp_context=context) as pool:
        tasks = {
            pool.submit(
                _work, name, videos[name], skeletons[name], shards.staged(name), shards.settings
            ): name
            for name in todo
        }
        for finished, task in enumerate(as_completed(tasks), start=1):
            try:
                name, frames, remark, reason = task.result()
            except BrokenProcessPool as error:
                raise HarError(
                    "A worker process died (out of memory?); start the same command again, with "
                    "workers=1 if it happens again: finished samples are kept."
                ) from error
            if reason:
                report.skipped[name] = reason
            else:
                report.done += 1
                report.frames += frames
            if remark:
                report.warnings[name] = remark
            remaining[name[:4]] -= 1
            if remaining[name[:4]] == 0:
                shards.assemble(name[:4])
            if progress is not None:
                progress(behind + finished, total, frames=report.frames, errors=len(report.skipped))


def _check_disk(output: Path, videos: list[Path], settings: Settings) -> None:
    """Refuses to begin what the disk cannot hold."""
    if not videos:
        return
    capture = cv2.VideoCapture(str(videos[0]))
    pixels = capture.get(cv2.CAP_PROP_FRAME_WIDTH) * capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    capture.release()
    per_video = pixels * settings.scale**2 * _BYTES_PER_PIXEL * _FRAMES_PER_VIDEO / settings.stride
    needed, free = per_video * len(videos), shutil.disk_usage(output).free
    if needed > free:
        raise HarError(
            f"The frames of {len(videos)} videos need about {needed / 1e9:.0f} GB in {output}, and "
            f"{free / 1e9:.0f} GB are free: make room, choose another paths.data_dir, or take part "
            "of the data (ntu.setups=[1,2])."
        )


def _write_report(output: Path, report: PrepareReport) -> None:
    path = output / "prepare_report.json"
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(report), indent=2), encoding="utf-8")
    os.replace(partial, path)


# --------------------------------------------------------------------------------- deephar's own


def _deephar_images(root: Path) -> Path | None:
    """The original program's folder of extracted frames, if it is there."""
    images = root / "images-small"
    return images if images.is_dir() else None


def _index_deephar(
    images: Path, annotations: dict[str, Path], output: Path, stride: int
) -> PrepareReport:
    """An index over the original program's extraction: frames are read where they lie."""
    began = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    report = PrepareReport()

    samples = []
    for name in sorted(annotations):
        first = images / name / "00001.jpg"
        picture = cv2.imread(str(first)) if first.is_file() else None
        if picture is None:
            report.skipped[name] = "no extracted frames"
            continue
        try:
            numbers, track = read_deephar_annotation(annotations[name])
        except HarError as error:
            report.skipped[name] = f"bad annotation file: {error}"
            continue
        rows = joint_rows(track)[::stride]
        nothing = np.zeros(len(rows) + 1, dtype=np.int64)
        size = (picture.shape[1], picture.shape[0])
        kept = (numbers[::stride] - 1).astype(np.int32)
        samples.append(StoredSample(name, size, rows, kept, nothing, np.empty(0, np.uint8)))
    report.done = len(samples)
    annotated = output / "annotations.h5"
    write_shard(annotated, samples, [len(sample.joints) for sample in samples], 0)
    settings = {"stride": stride, "scale": 0.5, "store": "jpeg", "images": str(images.resolve())}
    write_index([annotated], output / "index.h5", settings)
    annotated.unlink()
    report.seconds = time.monotonic() - began
    _write_report(output, report)
    return report


# --------------------------------------------------------------------------------- reading it


def missing_data(folder: Path, what: str) -> DatasetNotFoundError:
    """The sentence for data that is not there."""
    base = folder.parent if folder.name == "ntu" else folder
    return DatasetNotFoundError(
        f"NTU RGB+D is not ready: {what} in {folder.resolve()}. Download it from "
        "https://rose1.ntu.edu.sg/dataset/actionRecognition/ into that folder, or write synthetic "
        f"data with `python -m har.prepare synthetic paths.data_dir={base}`; then run "
        f"`python -m har.prepare ntu paths.data_dir={base}`."
    )


def open_prepared(data_dir: str | Path) -> tuple[NTUIndex, FrameStore]:
    """The index and the frames of a data folder.

    Raises:
        DatasetNotFoundError: it is not prepared.
    """
    root = find_dataset_root(Path(data_dir))
    path = root / "prepared" / "index.h5"
    if not path.is_file():
        raise missing_data(root, "there is no prepared/index.h5")
    index = NTUIndex.open(path)
    if index.settings["store"] == "jpeg":
        return index, JPEGFolders(Path(str(index.settings["images"])), index.stride)
    return index, HDF5Frames(path.parent / "frames")
