"""Which annotations lie in a folder, and reading them: three kinds of file, one record."""

import logging
from dataclasses import dataclass
from pathlib import Path

from har.data.mpii.deephar import read_deephar
from har.data.mpii.files import missing_data
from har.data.mpii.json_files import read_json
from har.data.mpii.official import read_official
from har.data.mpii.persons import Annotations, MPIIError

log = logging.getLogger(__name__)

_HEAD_BOXES = "gt_valid.mat"
_FILES = {
    "official": ("mpii_human_pose_v1*.mat",),
    "json": ("train.json", "valid.json", _HEAD_BOXES),
    "deephar": ("annotations.mat",),
}
KINDS = tuple(_FILES)


@dataclass(frozen=True)
class AnnotationFiles:
    """The files of one kind of annotations: ``official``, ``json`` (as far as they are there) or
    ``deephar``."""

    kind: str
    paths: tuple[Path, ...]


def find_annotations(root: Path, kind: str | None = None) -> AnnotationFiles:
    """The annotations in a folder or in a folder of it; of several kinds the first of ``KINDS``.

    Args:
        root: the data set's folder.
        kind: this kind only.

    Raises:
        DatasetNotFoundError: there are none.
        MPIIError: an unknown kind.
    """
    if kind is not None and kind not in KINDS:
        raise MPIIError(f"There are no {kind} annotations of MPII; choose {', '.join(KINDS)}.")
    folders = [root, *sorted(path for path in root.glob("*") if path.is_dir())]
    for wanted in KINDS if kind is None else (kind,):
        for folder in folders:
            found = [path for name in _FILES[wanted] for path in sorted(folder.glob(name))[:1]]
            if found and found[0].name != _HEAD_BOXES:
                return AnnotationFiles(wanted, tuple(found))
    what = "there are no annotations" if kind is None else f"there are no {kind} annotations"
    raise missing_data(root, what)


def read_annotations(files: AnnotationFiles) -> Annotations:
    """Persons of the files; the log names them.

    Raises:
        MPIIError: files that are damaged, or without a person that can be used.
    """
    log.info("MPII annotations: %s.", ", ".join(str(path) for path in files.paths))
    if files.kind == "json":
        by_name = {path.name: path for path in files.paths}
        annotations = read_json(*(by_name.get(name) for name in _FILES["json"]))
        if "valid.json" in by_name and _HEAD_BOXES not in by_name:
            log.warning(
                "There is no gt_valid.mat beside %s: without its head boxes PCKh cannot be "
                "measured.", by_name["valid.json"],
            )  # fmt: skip
        if (files.paths[0].parent / "test.json").is_file():
            log.info("test.json is not used: there are no head boxes to score its persons with.")
    elif files.kind == "official":
        annotations = read_official(files.paths[0])
    else:
        annotations = read_deephar(files.paths[0])
    if len(annotations.persons) == 0:
        raise MPIIError(f"No person in {files.paths[0]} has a joint, a center and a scale.")
    return annotations
