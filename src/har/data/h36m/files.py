"""Where the files of Human3.6M lie, and what their names state."""

import re
from pathlib import Path
from typing import NamedTuple

from har.data.dataset_folder import DatasetFolder
from har.errors import HarError

_FOLDER = DatasetFolder(
    "h36m",
    "Human3.6M",
    "it from http://vision.imar.ro/human3.6m, with the annotations and cameras of mmpose,",
    "dataset=h36m ",
)
TRAINING, TESTING = (1, 5, 6, 7, 8), (9, 11)
ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing"),
    *("Purchases", "Sitting", "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking"),
    "WalkTogether",
)
OTHER_NAMES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog", "WalkingTogether": "WalkTogether"}
_IMAGE = re.compile(r"(?:.*/)?S(\d+)_([A-Za-z]+)(?:[_ ]\d+)?\.(\d+)_(\d{1,9})\.jpg", re.ASCII)


class H36MError(HarError):
    """Files of Human3.6M that cannot be used."""


class ImageName(NamedTuple):
    """What the name of an image states.

    Attributes:
        folder: of the image, below the folder of images: a sequence's.
        subject, camera: as in ``S1.54138969``, with which cameras are listed.
        action: one of :data:`ACTIONS`.
        number: of the frame, from 1; digits: that it is written with.
    """

    folder: str
    subject: int
    camera: str
    action: str
    number: int
    digits: int

    @property
    def split(self) -> str:
        """``train``, ``test`` or empty: subjects whose joints are not given out."""
        return "train" if self.subject in TRAINING else "test" if self.subject in TESTING else ""


def find_root(data_dir: Path) -> Path:
    """``data_dir/h36m`` if there is such a folder, else ``data_dir``."""
    return _FOLDER.find(data_dir)


def missing(root: Path, what: str) -> HarError:
    """The error for files that are not there."""
    return _FOLDER.missing(root, what)


def find_images(root: Path) -> Path:
    """The folder of images: ``images.new`` or ``images``, else the folder of the data itself."""
    return next((root / n for n in ("images.new", "images") if (root / n).is_dir()), root)


def parse_image(name: str) -> ImageName:
    """Reads ``S1/S1_Directions_1.54138969/S1_Directions_1.54138969_000001.jpg``.

    Raises:
        H36MError: it is of another form, or names an unknown action.
    """
    found = _IMAGE.fullmatch(name)
    action = OTHER_NAMES.get(found[2], found[2]) if found else ""
    if found is None or action not in ACTIONS:
        raise H36MError(
            f"{name[:200]!r} is not named like an image of Human3.6M, for example "
            "S1/S1_Directions_1.54138969/S1_Directions_1.54138969_000001.jpg: take mmpose's files."
        )
    folder, _, file = name.rpartition("/")
    if file.rpartition("_")[0] != folder.rpartition("/")[2]:
        raise H36MError(f"The image {name[:200]} does not lie in a folder of its sequence's name.")
    number, digits = int(found[4]), len(found[4])
    return ImageName(folder, int(found[1]), found[3], action, number, digits)
