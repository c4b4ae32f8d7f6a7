"""``python -m har.prepare check``: the state of a data folder at a glance."""

from contextlib import suppress
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from har.data.framestore.index import FrameIndex
from har.data.mpii import files as mpii_files
from har.data.mpii.annotations import find_annotations
from har.data.mpii.persons import Split
from har.data.mpii.prepare import open_prepared as open_mpii
from har.data.ntu.files import find_dataset_root, find_images, find_skeletons, find_videos
from har.data.ntu.labels import is_sample_name, sample_numbers
from har.data.ntu.splits import PROTOCOLS, missing_skeletons, split_indices
from har.data.own.folder import OwnClip, find_clips
from har.data.own.reader import OwnReader
from har.data.own.record import OwnActions, is_own
from har.data.records import SPLITS
from har.errors import HarError
from har.prepare.check_clips import OTHERS, check_h36m, check_penn, stored_layout
from har.prepare.check_persons import check_lsp, check_own_poses
from har.prepare.check_prepared import check_prepared, left_out_before
from har.prepare.findings import OK, OPEN, Findings, findings_table, folder_option
from har.runs.own_clips import next_command, print_next

_PROTOCOL_NAMES = {"xsub": "X-Sub", "xview": "X-View", "xset": "X-Set"}


def check_data(cfg: DictConfig) -> None:
    """Prints what is there, what is missing and damaged, and what to run next.

    Raises:
        HarError: there is nothing, or something is damaged (after the table).
    """
    data_dir = Path(cfg.paths.data_dir)
    checks = check_ntu, check_own, check_mpii, check_penn, check_h36m, check_lsp, check_own_poses
    found = [findings for check in checks if (findings := check(data_dir, cfg)) is not None]
    if not found:
        raise HarError(
            f"There is no data in {data_dir.resolve()}: neither NTU RGB+D, nor MPII, nor a folder "
            "of clips per class; see docs/data.md, or write synthetic data with "
            f"python -m har.prepare synthetic {folder_option(data_dir)}."
        )
    Console().print(findings_table(found, data_dir))
    for findings in found:
        if findings.following:
            print_next(findings.following)
    problems = [problem for findings in found for problem in findings.problems]
    if problems:
        more = f" (and {len(problems) - 1} more, see the table)" if len(problems) > 1 else ""
        raise HarError(f"{problems[0]}{more}")


def _train(experiment: str, data_dir: Path) -> str:
    return f"python -m har.train experiment={experiment} {folder_option(data_dir)}"


def check_ntu(data_dir: Path, cfg: DictConfig) -> Findings | None:
    """NTU RGB+D: official files, prepared samples, splits; None where there is nothing of it."""
    root = find_dataset_root(data_dir)
    output = root / "prepared"
    if not root.is_dir() or is_own(output) or stored_layout(output) in OTHERS:
        return None
    videos, skeletons = find_videos(root, output), find_skeletons(root, output)
    images = find_images(root, output)
    there = (output / "index.h5").is_file()
    if not (videos or skeletons or images or there):
        return None
    synthetic = (root / "synthetic.json").is_file()
    title = "NTU RGB+D" + (" (synthetic)" if synthetic else "")
    findings = Findings(title, f"python -m har.prepare ntu {folder_option(data_dir)}")
    if videos or not images:
        without = len(videos.keys() - skeletons.keys() - missing_skeletons())
        lacking = f"{without:,} without a skeleton" if without else ""
        findings.add(OK if videos else OPEN, "videos", len(videos), lacking)
    if images is not None:
        extracted = sum(path.is_dir() for path in images.iterdir())
        findings.add(OK, "extracted by deephar", extracted, str(images.relative_to(root)))
    findings.add(OK if skeletons else OPEN, "skeletons", len(skeletons))
    if not there:
        return findings.not_prepared("samples")
    index = check_prepared(findings, data_dir, cfg)
    if index is None:
        return findings
    ntu60 = _add_splits(findings, index)
    stored = {name.decode() for name in index.names.tolist()}
    left_out = {name for name in left_out_before(output) if is_sample_name(name)} - stored
    expected = (videos.keys() & skeletons.keys()) - missing_skeletons()
    waiting = expected - stored - left_out
    if left_out:
        findings.add(OPEN, "left out", len(left_out), "why: prepared/prepare_report*.json")
    if waiting:
        findings.add(OPEN, "not prepared yet", len(waiting), f"{min(waiting)}, for example")
        findings.following = findings.prepare
    if findings.following is None and not findings.problems:
        experiment = "demo" if synthetic else "ntu_multitask"
        more = "" if ntu60 else " data.protocol=xsub120 model.num_actions=[120]"
        findings.following = _train(experiment, data_dir) + more
    return findings


def _add_splits(findings: Findings, index: FrameIndex) -> bool:
    """Counts of every protocol beside the official ones; whether all of it is of NTU-60."""
    numbers = sample_numbers(index.names)
    ntu60 = not ((numbers.setups > 17) | (numbers.actions > 60)).any()
    for protocol, official in PROTOCOLS.items():
        if ntu60 != protocol.endswith("60"):
            continue
        train, test = (len(split_indices(numbers, protocol, split)) for split in ("train", "test"))
        whole = (official.train_complete, official.test_complete)
        title = _PROTOCOL_NAMES[protocol.rstrip("0126")] + f" ({protocol})"
        mark = OK if (train, test) == whole else OPEN
        all_of_it = f"with the missing skeletons {official.train:,} / {official.test:,}"
        remark = f"official {whole[0]:,} / {whole[1]:,}; {all_of_it}"
        findings.add(mark, title, f"{train:,} / {test:,}", remark)
    return ntu60


def check_own(data_dir: Path, cfg: DictConfig) -> Findings | None:
    """Own actions; None where there are none."""
    output = data_dir / "prepared"
    known = is_own(output)
    others = (data_dir / "ntu", data_dir / "mpii", output / "index.h5")
    if not known and (any(path.exists() for path in others) or find_videos(data_dir, output)):
        return None
    clips: list[OwnClip] = []
    with suppress(HarError):
        clips = find_clips(data_dir)
    if not known and not clips:
        return None
    findings = Findings("own actions", f"python -m har.prepare actions {folder_option(data_dir)}")
    labels = sorted({clip.label for clip in clips})
    findings.add(OK, "classes", len(labels), ", ".join(labels))
    with_skeleton = sum(clip.has_skeleton for clip in clips)
    findings.add(OK, "clips", len(clips), f"{with_skeleton:,} with skeletons")
    if not known:
        return findings.not_prepared("samples")
    try:
        record = OwnActions.read(output)
    except HarError as error:
        findings.bad("record", "actions.json", str(error))
        return findings
    index = check_prepared(findings, data_dir, cfg)
    if index is None:
        return findings
    left_out = left_out_before(output)
    new = set(clips) - set(record.clips.values())
    stored = {name.decode() for name in index.names.tolist()}
    waiting = [clip for name, clip in record.clips.items() if name not in stored]
    unread = [clip for clip in waiting if clip.file not in left_out]
    splits_of = OwnReader().read(data_dir).splits
    counts = " / ".join(f"{len(splits_of[split]):,}" for split in SPLITS)
    findings.add(OK if len(splits_of["train"]) else OPEN, "train / val / test", counts)
    if left_out:
        findings.add(OPEN, "left out", len(left_out), "why: prepared/prepare_report.json")
    if new or unread:
        first = min(clip.file for clip in [*new, *unread])
        findings.add(OPEN, "new or changed", len(new) + len(unread), first)
        findings.following = findings.prepare
    if findings.following is None and not findings.problems:
        findings.following = next_command(data_dir)
    return findings


def check_mpii(data_dir: Path, cfg: DictConfig) -> Findings | None:
    """MPII Human Pose; None where there is nothing of it."""
    root = mpii_files.find_dataset_root(data_dir)
    annotations, images = "", 0
    with suppress(HarError):
        annotations = find_annotations(root).kind
    with suppress(HarError):
        images = sum(1 for _ in mpii_files.find_images(root).iterdir())
    there = (root / "prepared" / "persons.h5").is_file()
    if not (annotations or there or (images and root.name == "mpii")):
        return None
    findings = Findings("MPII Human Pose", f"python -m har.prepare mpii {folder_option(data_dir)}")
    findings.add(OK if annotations else OPEN, "annotations", annotations or "none")
    findings.add(OK if images else OPEN, "images", images)
    if not there:
        return findings.not_prepared("persons")
    try:
        prepared = open_mpii(data_dir)
    except HarError as error:
        findings.bad("prepared persons", "persons.h5", str(error))
        findings.following = findings.prepare
        return findings
    split = prepared.persons["split"]
    train, validation = (int((split == part).sum()) for part in (Split.TRAIN, Split.VALIDATION))
    findings.add(OK, "train / validation", f"{train:,} / {validation:,}", prepared.source)
    findings.following = _train("mpii_pose", data_dir)
    return findings
