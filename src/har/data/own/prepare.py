"""From own clips to frames and index, resumable at any moment."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from har.data.framestore import extraction
from har.data.framestore.encoding import EncodedFrames, Size, encode_frames
from har.data.framestore.shards import one_sample
from har.data.framestore.staging import PreparedFolder
from har.data.ntu import sample as ntu_sample
from har.data.own.folder import (
    OwnClip,
    find_clips,
    read_lists,
    same_clips,
    split_by_lists,
    split_by_shares,
)
from har.data.own.record import OwnActions, is_own
from har.data.records import SPLITS, Clip
from har.numbers import check_number

_COLUMNS = (*SPLITS, "none", "left out")
_FAR_FROM_RATE = 1.25  # times fewer frames are stored than was asked for: worth a remark


@dataclass(frozen=True)
class OwnSettings:
    """How frames of own clips are stored; one folder holds frames of one kind.

    Attributes:
        frames_per_second: about so many are kept: those closest to so many points in time.
        longest_side_px: larger frames are shrunk to it, smaller ones stay as they are.
        jpeg_quality: 0 to 100.
        max_seconds: of a clip; what comes later is left out.
    """

    frames_per_second: float = 15.0
    longest_side_px: int = 960
    jpeg_quality: int = 95
    max_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            check_number(name, value)

    def size_of(self, size: Size) -> Size:
        """Width and height of the frames that are kept, in pixels."""
        scale = min(1.0, self.longest_side_px / max(size))
        width, height = size
        return max(1, round(width * scale)), max(1, round(height * scale))


@dataclass
class OwnReport(extraction.PrepareReport):
    """What a preparation of own actions did; ``skipped`` and its like go by file here.

    Attributes:
        clips: number of clips by class and by ``train``, ``val``, ``test``, ``none`` (in no list)
            and ``left out``.
        with_poses: how many of them have skeletons.
        not_found: lines of the lists that name no clip, by split.
        replaced: samples in the folder that no clip there belongs to any more.
        no_clips: files and folders that are no clips, and why.
        repeated: clips whose bytes are those of a clip of another class or split, and that one.
    """

    clips: dict[str, dict[str, int]] = field(default_factory=dict)
    with_poses: int = 0
    not_found: dict[str, list[str]] = field(default_factory=dict)
    replaced: int = 0
    no_clips: dict[str, str] = field(default_factory=dict)
    repeated: dict[str, str] = field(default_factory=dict)


def prepare_own(
    root: Path,
    output: Path,
    settings: OwnSettings | None = None,
    *,
    test_share: float = 0.2,
    val_share: float = 0.0,
    seed: int = 0,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> OwnReport:
    """Extracts frames of own clips; writes shards, index, ``actions.json`` and the report.

    Args:
        root: has a folder of clips per class, see :mod:`har.data.own.folder`.
        output: gets ``frames/<class>.h5``, ``index.h5`` and ``actions.json``.
        settings: how frames are stored.
        test_share, val_share: parts of every class, where there are no lists of clips.
        seed: of that draw.
        workers: processes; 0: everything in this one.
        progress: called as ``progress(done, total, frames=..., errors=...)``.

    Raises:
        HarError: no clips, lists that do not fit them, a folder prepared with other settings, or
            one that cannot be written.
    """
    settings = settings or OwnSettings()
    with extraction.resumable(output):
        report = OwnReport()
        clips, lists = find_clips(root, report.no_clips), read_lists(root)
        files = [clip.file for clip in clips]
        if lists:
            splits, report.not_found = split_by_lists(files, lists)
        else:
            splits = split_by_shares(files, test_share, val_share, seed)
        folder = PreparedFolder(output, {**asdict(settings), **ntu_sample.SKELETON_JOINTS})
        stored = folder.finished()
        known = OwnActions.read(output) if stored or is_own(output) else OwnActions()
        record = known.updated(clips, splits, stored)
        record.write(output)  # first: no sample is ever stored whose clip is not known

        there = stored & set(record.clips)
        report.kept, report.replaced = len(there), len(stored - there)
        tasks = [
            extraction.Task(name, c.label, c.video(root), own_sample, (name, c, root, settings))
            for name, c in sorted(record.clips.items())
            if name not in there
        ]
        extraction.run_tasks(
            tasks, folder, report, workers=workers, total=len(clips), progress=progress
        )
        folder.write_index()
        report.add_remarks(output, list(record.clips))
        _use_files(report, record)
        report.repeated = _repeated(root, clips, splits)
        report.write(output / "prepare_report.json")
        return report


def _repeated(root: Path, clips: list[OwnClip], splits: Mapping[str, str]) -> dict[str, str]:
    """Clips that are in another class or split too, by file, and the file of that other one."""
    found: dict[str, str] = {}
    for group in same_clips(root, clips):
        places = {clip.file: (clip.label, splits.get(clip.file)) for clip in group}
        for file, place in places.items():
            others = [other for other in places if places[other] != place]
            if others:
                found[file] = others[0]
    return found


def _use_files(report: OwnReport, record: OwnActions) -> None:
    """Puts files in the place of ids, and counts clips."""
    for name, clip in record.clips.items():
        counts = report.clips.setdefault(clip.label, dict.fromkeys(_COLUMNS, 0))
        if name in report.skipped:
            counts["left out"] += 1
        else:
            counts[record.splits.get(name, "none")] += 1
            report.with_poses += clip.has_skeleton
    for texts in (report.skipped, report.details, report.warnings):
        by_file = {record.clips[name].file: text for name, text in texts.items()}
        texts.clear()
        texts.update(by_file)


def own_sample(name: str, clip: OwnClip, root: Path, settings: OwnSettings) -> extraction.Extracted:
    """Frames of a clip, with the acting person where there are skeletons.

    Times are those of the file: neither its frame rate nor its number of frames counts.

    Args:
        name: its id.
        clip: as it lies in the folder.
        root: the folder.
        settings: how frames are stored.

    Raises:
        SkipSample: why it cannot be used.
    """
    video, skeleton = clip.video(root), clip.skeleton(root)
    track = None if skeleton is None else ntu_sample.read_track(skeleton)
    length = None if track is None else int(track.numbers[-1]) + 1
    frames = encode_frames(
        video,
        settings.size_of,
        settings.jpeg_quality,
        every_s=1 / settings.frames_per_second,
        until_s=settings.max_seconds,
        limit=None if length is None else length + 2,
    )
    remarks = _oddities(video, frames, settings, length)
    kept = slice(None)
    joints = np.full((len(frames.jpegs), 1, 25, 4), (np.nan, np.nan, np.nan, 0), np.float32)
    if track is not None and length is not None:
        kept = slice(int(np.searchsorted(frames.numbers, length)))
        joints = ntu_sample.joints_at(frames.numbers[kept], track)
        ntu_sample.check_tracked(joints)
        remarks += [track.remark] if track.remark else []
    times_s, numbers = frames.times_s[kept], frames.numbers[kept]
    record = Clip(name, times_s, joints, group=clip.label, label=clip.label, numbers=numbers)
    sample = one_sample(record, frames.size, frames.jpegs[kept])
    return extraction.Extracted(sample, "; ".join(remarks))


def _oddities(
    video: Path, frames: EncodedFrames, settings: OwnSettings, length: int | None
) -> list[str]:
    """What is unusual about a clip's frames; SkipSample where too few of them can be read."""
    seconds, count = float(frames.times_s[-1]), len(frames.times_s)
    remarks = []
    if count > 1 and seconds * settings.frames_per_second > _FAR_FROM_RATE * (count - 1):
        remarks.append(f"it has {(count - 1) / seconds:.3g} frames per second")
    if frames.longer:
        remarks.append(f"longer than {settings.max_seconds:g} s, the rest is left out")
    if length is not None:
        if not frames.longer:
            remarks.append(ntu_sample.compare_lengths(video, frames.num_read, length))
    elif frames.missing_s:
        whole = frames.last_s + frames.missing_s
        read = f"{frames.last_s:.3g} of {whole:.3g} s can be read"
        if 2 * frames.last_s < whole:
            raise extraction.SkipSample("video cut off", f"{video}: {read}.")
        remarks.append(f"only {read}")
    return [remark for remark in remarks if remark]
