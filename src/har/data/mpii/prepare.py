"""Preparing MPII: annotations read once, every image checked once, what a run needs in one file.

``prepared/persons.h5`` holds the persons, which of them can be used, and where they come from.
``prepared/checked_images.jsonl`` gets a line per image as soon as it was checked, so that a
preparation that was stopped goes on, and one that is repeated checks new files only.
"""

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import h5py
import numpy as np

from har.data.mpii.annotations import AnnotationFiles, find_annotations, read_annotations
from har.data.mpii.files import find_dataset_root, find_images, missing_data
from har.data.mpii.persons import PERSON, Annotations, MPIIError, Persons, Split, head_size_px
from har.data.stored_images import check_images, file_stamp
from har.errors import DatasetNotFoundError
from har.files import whole_file

log = logging.getLogger(__name__)

FORMAT = 1  # of persons.h5
_PERSONS = "persons.h5"


@dataclass
class PrepareReport:
    """What :func:`prepare_mpii` found; written as ``prepare_report.json``.

    Attributes:
        source: kind of the annotations; ``files``: their paths.
        persons: usable persons by split; ``without_head_size``: validation persons among them
            that cannot be scored.
        images, checked: all images with persons, and how many were checked this time.
        missing_images, unreadable_images: their names.
        persons_without_image: persons that are left out because of them.
        notes: what is wrong with annotations, and where.
    """

    source: str
    files: list[str]
    persons: dict[str, int]
    without_head_size: int
    images: int
    checked: int
    missing_images: list[str] = field(default_factory=list)
    unreadable_images: list[str] = field(default_factory=list)
    persons_without_image: int = 0
    notes: dict[str, list[str]] = field(default_factory=dict)


def prepare_mpii(
    root: Path,
    *,
    annotations: str | None = None,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> PrepareReport:
    """Reads annotations, checks every image with a person, and writes ``root/prepared``.

    Args:
        root: the data set's folder.
        annotations: ``official``, ``json`` or ``deephar``; None: the first that is there.
        workers: processes.
        progress: called as ``progress(done, total, errors=...)`` after every image.

    Raises:
        DatasetNotFoundError: no annotations, no folder of images, or none of the images.
        MPIIError: annotations that are damaged.
    """
    files = find_annotations(root, annotations)
    images_dir = find_images(root)
    output = root / "prepared"
    output.mkdir(parents=True, exist_ok=True)
    found, stamp = _read(files, output / _PERSONS)
    names = [name.decode() for name in np.unique(found.persons["image"]).tolist()]
    journal = output / "checked_images.jsonl"
    problems, checked = check_images(names, images_dir, journal, workers, progress)
    if len(problems) == len(names):
        raise missing_data(root, f"none of the {len(names)} annotated images can be read")
    usable = ~np.isin(found.persons["image"], [name.encode() for name in problems])
    with whole_file(output / _PERSONS) as path, h5py.File(path, "w") as file:
        place = str(images_dir.relative_to(root))
        file.attrs.update(format=FORMAT, source=found.source, stamp=stamp, images_dir=place)
        file["persons"], file["usable"] = found.persons, usable
        file["notes"] = json.dumps(found.notes)
    persons = found.persons[usable]
    validation = persons[persons["split"] == Split.VALIDATION]
    report = PrepareReport(
        source=found.source,
        files=[str(path) for path in files.paths],
        persons={split.name.lower(): int((persons["split"] == split).sum()) for split in Split},
        without_head_size=int((~(head_size_px(validation) > 0)).sum()),
        images=len(names),
        checked=checked,
        missing_images=[name for name, problem in problems.items() if problem == "missing"],
        unreadable_images=[name for name, problem in problems.items() if problem != "missing"],
        persons_without_image=int((~usable).sum()),
        notes=found.notes,
    )
    with whole_file(output / "prepare_report.json") as path:
        path.write_text(json.dumps(asdict(report), indent=1), encoding="utf-8")
    return report


def _read(files: AnnotationFiles, path: Path) -> tuple[Annotations, str]:
    """The annotations, from an earlier preparation if the files are the same; and their stamp."""
    stamp = json.dumps([[file.name, *(file_stamp(file) or [])] for file in files.paths])
    # none, or one that is damaged, is read again
    with suppress(OSError, KeyError, ValueError, TypeError), h5py.File(path, locking=False) as file:
        if file.attrs["stamp"] == stamp and file.attrs["format"] == FORMAT:
            notes = json.loads(file["notes"][()])
            log.info("MPII annotations: %s, read before.", file.attrs["source"])
            return Annotations(file["persons"][:], file.attrs["source"], notes), stamp
    return read_annotations(files), stamp


@dataclass(frozen=True)
class PreparedMPII:
    """Prepared persons: (N,) of ``PERSON``, those with an image that can be read; the folder of
    the images; and the kind of the annotations, for people."""

    persons: Persons
    images_dir: Path
    source: str


def open_prepared(data_dir: Path) -> PreparedMPII:
    """What ``python -m har.prepare mpii`` wrote below ``data_dir``.

    Raises:
        DatasetNotFoundError: it has not run.
        MPIIError: what it wrote is damaged, or of another version.
    """
    root = find_dataset_root(data_dir)
    path = root / "prepared" / _PERSONS
    if not path.is_file():
        find_annotations(root)  # else: what to download
        raise DatasetNotFoundError(
            f"MPII Human Pose in {root} is not prepared yet: run `python -m har.prepare mpii "
            f"paths.data_dir={data_dir}`."
        )
    try:
        with h5py.File(path, locking=False) as file:
            if file.attrs["format"] != FORMAT or file["persons"].dtype != PERSON:
                raise ValueError
            persons = file["persons"][:][file["usable"][:]]
            images_dir, source = root / str(file.attrs["images_dir"]), str(file.attrs["source"])
    except (OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise MPIIError(
            f"{path} is damaged or of another version of har: remove it and run "
            "python -m har.prepare mpii again."
        ) from error
    return PreparedMPII(persons, images_dir, source)
