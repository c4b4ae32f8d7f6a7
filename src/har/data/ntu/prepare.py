"""From the official files to frames and index, resumable at any moment."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from har.data.augment import CropMargin
from har.data.framestore.extraction import PrepareReport, Task, check_disk, resumable, run_tasks
from har.data.framestore.staging import PreparedFolder
from har.data.ntu import files
from har.data.ntu.sample import Settings, annotated_sample, estimate_bytes, extract_sample
from har.data.ntu.splits import missing_skeletons
from har.errors import HarError


@dataclass
class NTUReport(PrepareReport):
    """What a preparation of NTU RGB+D did.

    Attributes:
        not_looked_at: files that are of no sample, by why: how many, and the first one.
    """

    not_looked_at: dict[str, tuple[int, str]] = field(default_factory=dict)


def prepare_ntu(
    videos_root: Path,
    skeletons_root: Path,
    output: Path,
    *,
    stride: int = 2,
    scale: float = 0.5,
    jpeg_quality: int = 95,
    margin: CropMargin | None = None,
    setups: Sequence[int] | None = None,
    actions: Sequence[int] | None = None,
    cameras: Sequence[int] | None = None,
    shard: tuple[int, int] | None = None,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> NTUReport:
    """Extracts frames and annotations, and writes ``index.h5`` and ``prepare_report.json``.

    Where the original program's extraction (``images-small``) lies instead of videos, its frames
    are left where they are, and only annotations and index are written.

    Args:
        videos_root, skeletons_root: folders, searched with all that is below them.
        output: gets ``frames/S001.h5`` ... and ``index.h5``.
        stride: keep every ``stride``-th frame.
        scale: of width and height.
        jpeg_quality: 0 to 100.
        margin: store only the region of the person's track, as far as crops go; None: whole frames.
        setups, actions, cameras: numbers to take; None: all.
        shard: (part, parts), part from 0: whole setups, for the jobs of a cluster.
        workers: processes; 0: everything in this one.
        progress: called as ``progress(done, total, frames=..., errors=...)``.

    Raises:
        DatasetNotFoundError: no video or no skeleton is there.
        HarError: the folder was prepared with other settings, or the disk is too small.
    """
    settings = Settings(stride, scale, jpeg_quality, margin)
    with resumable(output):
        sources = files.find_videos(videos_root, output)
        images = None if sources else files.find_images(videos_root, output)
        if images is not None:
            sources = {path.name: path for path in images.iterdir() if path.is_dir()}
        if not sources:
            raise files.missing_data(videos_root, "no video *_rgb.avi lies")
        skeletons = files.find_skeletons(skeletons_root, output)
        if not skeletons:
            raise files.missing_data(skeletons_root, "no *.skeleton lies")
        described = settings.describe()
        if images is not None and margin is not None:
            raise HarError(
                f"{images} holds whole frames, which stay as they are: ntu.region=track needs the "
                "videos."
            )
        if images is not None:
            sources = {name: path for name, path in sources.items() if name in skeletons}
            described["images"] = os.path.relpath(images.resolve(), output.resolve())
        names = files.select_samples(list(sources), setups, actions, cameras, shard)
        mine = None if shard is None else {name[:4] for name in names}
        folder = PreparedFolder(output, described, mine)
        extract = extract_sample if images is None else annotated_sample
        there = folder.finished() & set(names)
        report = NTUReport(kept=len(there))
        report.not_looked_at = files.find_others([videos_root, skeletons_root], output)
        tasks = []
        for name in names:
            if name in there:
                continue
            if images is None and name in missing_skeletons():
                report.skipped[name] = "on the official list of missing skeletons"
            elif name not in skeletons:
                report.skipped[name] = "no skeleton file"
            else:
                paths = sources[name], skeletons[name]
                tasks.append(Task(name, name[:4], paths[0], extract, (name, *paths, settings)))
        if images is None:
            hint = "take part of the data (ntu.setups=[1,2])"
            check_disk(output, tasks, lambda task: estimate_bytes(*task.arguments[1:]), hint)
        run_tasks(tasks, folder, report, workers=workers, total=len(names), progress=progress)
        folder.write_index(store="hdf5" if images is None else "jpeg")
        report.add_remarks(output, names)
        suffix = "" if shard is None else f"_{shard[0] + 1}_of_{shard[1]}"
        report.write(output / f"prepare_report{suffix}.json")
        return report
