"""Where the files of Penn Action lie, and what to do when they are missing."""

import re
from pathlib import Path

from har.data.dataset_folder import DatasetFolder
from har.errors import HarError

_FOLDER = DatasetFolder(
    "penn",
    "Penn Action",
    "Penn_Action.tar.gz from http://dreamdragon.github.io/PennAction, unpacked,",
    "dataset=penn ",
)
_ARCHIVE = "Penn_Action"  # the folder that the archive has
_LABEL = re.compile(r"[0-9]{4}\.mat")
PREDICTED_BOXES = "pred_bboxes_penn.json"  # of the original program, by frame
CLIP_BOXES = "penn_pred_bboxes_16f.json"  # likewise, by clip of 16 frames (CVPR 2018)


class PennError(HarError):
    """Files of Penn Action that cannot be used."""


def find_root(data_dir: Path) -> Path:
    """The folder with ``frames`` and ``labels``: ``data_dir/penn``, in it ``Penn_Action``, or
    ``data_dir`` itself."""
    root = _FOLDER.find(data_dir)
    return root / _ARCHIVE if (root / _ARCHIVE).is_dir() else root


def find_labels(root: Path) -> dict[str, Path]:
    """The official label files by the names of their clips, ``0001`` and so on, sorted."""
    folder = root / "labels"
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.stem: path for path in found if _LABEL.fullmatch(path.name)}


def other_labels(root: Path) -> list[str]:
    """Names of the ``.mat`` files in the folder of the labels that are not named like one."""
    folder = root / "labels"
    found = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [name for name in found if name.lower().endswith(".mat") and not _LABEL.fullmatch(name)]


def find_annotations(root: Path) -> Path | None:
    """The original program's ``annotations.mat``, if there is one."""
    path = root / "annotations.mat"
    return path if path.is_file() else None


def missing(root: Path, what: str) -> HarError:
    """The error for files that are not there."""
    return _FOLDER.missing(root.parent if root.name == _ARCHIVE else root, what)
