"""What ``har.prepare check`` finds of photographs of persons: LSP, and own pictures."""

from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from har.data.coco import prepare as own_poses
from har.data.lsp import reader as lsp
from har.data.lsp.files import find_joints, prepared_folder
from har.data.records import SPLITS, PersonSet
from har.errors import DatasetNotFoundError, HarError
from har.prepare.findings import OK, Findings, folder_option


def check_lsp(data_dir: Path, cfg: DictConfig) -> Findings | None:
    """Leeds Sports Pose; None where there is nothing of it."""
    try:
        root, _ = find_joints(data_dir)
    except DatasetNotFoundError:
        return None
    findings = Findings("Leeds Sports Pose", f"python -m har.prepare lsp {folder_option(data_dir)}")
    try:
        counts = lsp.read_files(data_dir).counts
    except HarError as error:
        findings.bad("joints.mat", "", str(error))
        return findings
    findings.add(OK, "LSP / extended", f"{counts.get('lsp', 0):,} / {counts.get('lspet', 0):,}")
    if not (prepared_folder(root) / lsp.PERSONS).is_file():
        return findings.not_prepared("persons")
    return _prepared(findings, "lsp_pose_small", data_dir, lambda: lsp.open_prepared(data_dir))


def check_own_poses(data_dir: Path, cfg: DictConfig) -> Findings | None:
    """Own pictures with key points; None where none are prepared."""
    if not (data_dir / own_poses.FOLDER).is_dir():
        return None
    prepare = f"python -m har.prepare persons images=... annotations=... {folder_option(data_dir)}"
    findings = Findings("own poses", prepare)
    return _prepared(findings, "own_poses", data_dir, lambda: own_poses.open_prepared(data_dir))


def _prepared(
    findings: Findings, experiment: str, data_dir: Path, read: Callable[[], PersonSet]
) -> Findings:
    try:
        persons = read()
    except HarError as error:
        findings.bad("prepared persons", "persons.h5", str(error))
        findings.following = findings.prepare
        return findings
    counts = " / ".join(f"{len(persons.of_split(split)):,}" for split in SPLITS)
    findings.add(OK, "train / val / test", counts, persons.source)
    findings.following = f"python -m har.train experiment={experiment} {folder_option(data_dir)}"
    return findings
