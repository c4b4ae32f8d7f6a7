"""The photographs of LSP and LSP extended as records: who trains, who is tested, what PCK measures.

The official split of LSP: 1 to 1000 train, 1001 to 2000 test. Two test photographs are in the
training half as well (im1436 is im0492, im1366 is im0550), which are left out of training.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from har.data.lsp.files import LSPError, find_images, find_joints, prepared_folder
from har.data.lsp.matlab import read_joints
from har.data.person_file import read_persons
from har.data.records import Person, PersonSet
from har.errors import DatasetNotFoundError
from har.layouts import get_layout

WHOLE, HALF = 2000, 1000
ALSO_TESTED = (492, 550)
PERSONS = "persons.h5"
_TORSO = (9, 2)  # left shoulder, right hip


@dataclass
class LSPFiles:
    """What the official files hold.

    Attributes:
        root: folder of the data.
        persons: all of them, images relative to ``root``.
        counts: persons by set, ``lsp`` and ``lspet``.
        notes: what was found odd, and where.
    """

    root: Path
    persons: PersonSet
    counts: dict[str, int] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)


def read_files(data_dir: Path) -> LSPFiles:
    """Reads ``joints.mat`` of LSP, LSP extended or both.

    Raises:
        DatasetNotFoundError: there is no ``joints.mat``.
        LSPError: one that cannot be used, two of the same set, or as many persons as no images.
    """
    root, paths = find_joints(data_dir)
    counts: dict[str, int] = {}
    notes: dict[str, list[str]] = {}
    persons: list[Person] = []
    for path in paths:
        joints = read_joints(path)
        name = "lspet" if joints.extended else "lsp"
        if name in counts:
            raise LSPError(f"{root} has two joints.mat of {name.upper()}: remove {path.parent}.")
        images, count = find_images(path.parent), len(joints.joints_px)
        if max(images) != count:
            raise LSPError(
                f"{path} has joints of {count} persons and the images beside it go up to number "
                f"{max(images)}: they do not belong together."
            )
        if name == "lsp" and count != WHOLE:
            text = f"has {count} photographs, not {WHOLE}: no test half, all are for training"
            notes.setdefault(text, []).append(str(path))
        counts[name] = count
        for number in range(1, count + 1):
            if number not in images:
                notes.setdefault("left out: no such image", []).append(f"{name} {number}")
                continue
            place = images[number].relative_to(root).as_posix()
            person = _person(
                f"{name}/{images[number].stem}",
                place,
                joints.joints_px[number - 1],
                joints.visible[number - 1],
                split_of(number, count, extended=joints.extended),
            )
            if person is None:
                notes.setdefault("left out: no joint is labeled", []).append(f"{name} {number}")
            else:
                persons.append(person)
    source = " and ".join({"lsp": "LSP", "lspet": "LSP extended"}[name] for name in counts)
    found = PersonSet.of(persons, root, get_layout("lsp14"), source)
    return LSPFiles(root, found, counts, notes)


def split_of(number: int, count: int, *, extended: bool) -> str:
    """The split of a photograph by its number from 1; empty: not used."""
    if extended or count != WHOLE:
        return "train"
    if number > HALF:
        return "test"
    return "" if number in ALSO_TESTED else "train"


def _person(
    name: str,
    image: str,
    joints_px: NDArray[np.float64],
    visible: NDArray[np.int8],
    split: str,
) -> Person | None:
    labeled = joints_px[np.isfinite(joints_px).all(-1)]
    if not len(labeled):
        return None
    box = np.concatenate([labeled.min(0), labeled.max(0)])
    center, window = Person.around(box)
    shoulder, hip = joints_px[list(_TORSO)]
    torso = float(np.hypot(*(shoulder - hip)))
    return Person(name, image, joints_px, center, window, torso or np.nan, split, visible)


def open_prepared(data_dir: Path, *, extended: bool = True) -> PersonSet:
    """What ``python -m har.prepare lsp`` wrote.

    Args:
        data_dir: folder of the data.
        extended: with the persons of LSP extended, which all train.

    Raises:
        DatasetNotFoundError: it has not run.
        HarError: what it wrote is damaged.
    """
    root, _ = find_joints(data_dir)
    path = prepared_folder(root) / PERSONS
    if not path.is_file():
        raise DatasetNotFoundError(
            f"Leeds Sports Pose in {root} is not prepared yet: run `python -m har.prepare lsp "
            f"paths.data_dir={data_dir}`."
        )
    persons = read_persons(path, root)
    if extended:
        return persons
    return persons[~np.char.startswith(persons.rows["id"], b"lspet/")]
