"""The state of one prepared folder: index, shards, what waits, boxes."""

import json
from pathlib import Path

from omegaconf import DictConfig

from har.data.framestore.folder import open_prepared
from har.data.framestore.index import FrameIndex
from har.data.framestore.predicted_boxes import PredictedBoxes
from har.data.framestore.reader import FrameStore
from har.data.framestore.staging import shard_path
from har.data.framestore.verify import check_shards, undecodable
from har.errors import HarError
from har.prepare.findings import OK, OPEN, Findings
from har.visual.terminal import progress_bar


def check_prepared(findings: Findings, data_dir: Path, cfg: DictConfig) -> FrameIndex | None:
    """Index, shards, waiting samples, boxes; the index, if it can be read."""
    try:
        index, store = open_prepared(data_dir)
    except HarError as error:
        findings.bad("index", "index.h5", str(error))
        findings.following = findings.prepare
        return None
    frames = f"{int(index.num_frames.sum()):,} frames, {_settings(index)}"
    findings.add(OK if len(index) else OPEN, "prepared samples", len(index), frames)
    whole = check_shards(index)
    if whole.num_shards:
        findings.add(OK, "shards", whole.num_shards, f"{whole.num_bytes / 1e9:.2f} GB")
    for path, problem in whole.damaged.items():
        what_to_do = f"{path} is damaged ({problem}): remove it and run {findings.prepare}."
        findings.bad("shard", f"{path.name}: {problem}", what_to_do)
    if whole.lost:
        count, first = len(whole.lost), whole.lost[0]
        what = f"{count} samples of the index have no frames ({first}, for example)"
        remark = f"{count:,} samples, {first} for example"
        findings.bad("without frames", remark, f"{what}: run {findings.prepare}.")
    if whole.unlisted:
        stopped = "stored by a preparation that was stopped"
        findings.add(OPEN, "not in the index", whole.unlisted, stopped)
    staged = sum(1 for _ in (index.path.parent / "staging").glob("*/*.h5"))
    if staged:
        findings.add(OPEN, "waiting samples", staged, "of a preparation that was stopped")
    if whole.damaged or whole.lost or whole.unlisted or staged:
        findings.following = findings.prepare
    if cfg.check.full and not whole.damaged and not whole.lost:
        _decode(findings, index, store, cfg.workers)
    _check_boxes(findings, index)
    return index


def _settings(index: FrameIndex) -> str:
    """How the frames are stored, in a few words."""
    settings = index.settings
    if settings["store"] == "jpeg":
        return "deephar's JPEG folders" if index.layout.name == "ntu25" else "JPEG files in place"
    if "longest_side_px" in settings:
        return f"about {settings['frames_per_second']:g} per second"
    kept = "every" if settings["stride"] == 1 else f"1 of {settings['stride']}"
    region = ", regions" if index.margin is not None else ""
    return f"{kept}, scale {settings['scale']:g}, quality {settings['jpeg_quality']}{region}"


def _decode(findings: Findings, index: FrameIndex, store: FrameStore, workers: int) -> None:
    """The last frame of every sample."""
    with progress_bar("last frames") as progress:
        problems = undecodable(index, store, workers=workers, progress=progress)
    if not problems:
        findings.add(OK, "last frames decoded", len(index))
        return
    shards = sorted({shard_path(Path(), index.group_of(name)).name for name in problems})
    files = ", ".join(shards[:3]) + (", ..." if shards[3:] else "")
    count, first, folder = len(problems), next(iter(problems)), index.path.parent / "frames"
    what = f"The last frames of {count} samples cannot be decoded ({first}, for example)"
    what_to_do = f"{what}: remove {files} in {folder} and run {findings.prepare}."
    findings.bad("last frames", f"{count:,} samples, {first} for example", what_to_do)


def _check_boxes(findings: Findings, index: FrameIndex) -> None:
    """Predicted boxes beside the index."""
    path = index.path.with_name("boxes.h5")
    if not path.is_file():
        return
    try:
        boxes = PredictedBoxes(path)
    except HarError as error:
        findings.bad("predicted boxes", "boxes.h5", str(error))
        return
    have = sum(name.decode() in boxes.numbers for name in index.names.tolist())
    by = f"by {boxes.settings.get('weights', '?')}"
    findings.add(OK if have == len(index) else OPEN, "predicted boxes", have, by)


def left_out_before(output: Path) -> set[str]:
    """Names that preparations have left out, by their reports."""
    found: set[str] = set()
    for path in output.glob("prepare_report*.json"):
        try:
            found.update(json.loads(path.read_text(encoding="utf-8"))["skipped"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # it is written anew by the next preparation
    return found
