"""Where the files of LSP lie, and what to do when they are missing."""

import re
from pathlib import Path

from har.data.dataset_folder import DatasetFolder
from har.errors import HarError

_FOLDER = DatasetFolder(
    "lsp",
    "Leeds Sports Pose",
    "lsp_dataset.zip and, to train with, lspet_dataset.zip (Johnson and Everingham), unpacked,",
)
_IMAGE = re.compile(r"im(\d+)\.jpg", re.IGNORECASE)


class LSPError(HarError):
    """Files of LSP that cannot be used."""


def find_joints(data_dir: Path) -> tuple[Path, list[Path]]:
    """The folder of the data and every ``joints.mat`` in it.

    They lie in the folder itself, or in folders whose names begin with ``lsp``, also in a folder
    ``lsp`` that has both sets.

    Raises:
        DatasetNotFoundError: there is none.
    """
    places = ("joints.mat", "lsp*/joints.mat", "lsp/*/joints.mat")
    found = [path for place in places for path in sorted(data_dir.glob(place))]
    root = data_dir / "lsp"
    if not found or not all(path.is_relative_to(root) for path in found):
        root = data_dir
    if not found:
        raise _FOLDER.missing(_FOLDER.find(data_dir), "there is no joints.mat")
    return root, found


def prepared_folder(root: Path) -> Path:
    """Where ``har.prepare lsp`` writes; other data sets may lie in the same folder."""
    return root / ("prepared" if root.name == "lsp" else "prepared_lsp")


def find_images(folder: Path) -> dict[int, Path]:
    """The images beside a ``joints.mat`` by their numbers, in ``images/`` or right there.

    Raises:
        LSPError: there are none.
    """
    images_dir = folder / "images" if (folder / "images").is_dir() else folder
    found = ((_IMAGE.fullmatch(path.name), path) for path in images_dir.iterdir())
    numbered = {int(match[1]): path for match, path in found if match}
    if not numbered:
        raise LSPError(f"There are no images im0001.jpg, im0002.jpg, ... in {images_dir}.")
    return dict(sorted(numbered.items()))
