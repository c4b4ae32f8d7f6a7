"""What is there of Penn Action and Human3.6M: annotations, prepared clips, split."""

from pathlib import Path

from omegaconf import DictConfig

from har.data.framestore.index import FrameIndex
from har.data.h36m import files as h36m
from har.data.h36m.mmpose import LAYOUT as H36M_LAYOUT
from har.data.h36m.mmpose import find_annotations
from har.data.penn import files as penn
from har.data.penn.labels import LAYOUT as PENN_LAYOUT
from har.errors import HarError
from har.prepare.check_prepared import check_prepared, left_out_before
from har.prepare.findings import OK, OPEN, Findings, folder_option

OTHERS = (PENN_LAYOUT.name, H36M_LAYOUT.name)


def stored_layout(output: Path) -> str:
    """Name of the joint layout of a prepared folder; empty where there is none to read."""
    try:
        return FrameIndex.open(output / "index.h5").layout.name
    except HarError:
        return ""


def check_penn(data_dir: Path, cfg: DictConfig) -> Findings | None:
    """Penn Action; None where there is nothing of it."""
    root = penn.find_root(data_dir)
    labels, whole = penn.find_labels(root), penn.find_annotations(root)
    if not labels and not (whole and (root / "frames").is_dir()):
        return None
    findings = Findings("Penn Action", f"python -m har.prepare penn {folder_option(data_dir)}")
    source = f"{len(labels):,} label files" if labels else "annotations.mat"
    findings.add(OK, "annotations", source)
    return _prepared(findings, root, data_dir, cfg, "penn_multitask", "official 1,258 / 1,068")


def check_h36m(data_dir: Path, cfg: DictConfig) -> Findings | None:
    """Human3.6M; None where there is nothing of it."""
    root = h36m.find_root(data_dir)
    found = find_annotations(root) if (root / "annotation_body3d").is_dir() else []
    if not found:
        return None
    findings = Findings("Human3.6M", f"python -m har.prepare h36m {folder_option(data_dir)}")
    findings.add(OK, "annotations", len(found))
    return _prepared(findings, root, data_dir, cfg, "h36m_pose", "sequences")


def _prepared(
    findings: Findings, root: Path, data_dir: Path, cfg: DictConfig, experiment: str, remark: str
) -> Findings:
    """Adds what is prepared, and what to run next."""
    if not (root / "prepared" / "index.h5").is_file():
        return findings.not_prepared("clips")
    index = check_prepared(findings, root, cfg)
    if index is None:
        return findings
    splits = index.splits.tolist()
    train, test = splits.count(b"train"), splits.count(b"test")
    findings.add(OK if train and test else OPEN, "train / test", f"{train:,} / {test:,}", remark)
    if left_out := left_out_before(root / "prepared"):
        findings.add(OPEN, "left out", len(left_out), "why: prepared/prepare_report.json")
    if findings.following is None and not findings.problems:
        command = f"python -m har.train experiment={experiment}"
        findings.following = f"{command} {folder_option(data_dir)}"
    return findings
