"""Prepared persons in one file: what a run reads of a data set of images."""

import json
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np

from har.data.records import Person, PersonSet
from har.errors import HarError
from har.files import whole_file
from har.layouts import get_layout, plain_layout

FORMAT = 1


def write_persons(path: Path, persons: PersonSet) -> None:
    """Writes persons; their images stay where they are, below the folder of the data set."""
    with whole_file(path) as partial, h5py.File(partial, "w") as file:
        file.attrs.update(
            format=FORMAT,
            source=persons.source,
            layout=json.dumps(plain_layout(persons.layout)),
            images_dir=str(persons.images_dir.resolve()),
        )
        file["persons"] = persons.rows


def read_persons(path: Path, images_dir: Path) -> PersonSet:
    """What :func:`write_persons` wrote.

    Args:
        path: the file.
        images_dir: where the images lie now.

    Raises:
        HarError: no such file, or a damaged one, or one of another version.
    """
    try:
        with h5py.File(path, locking=False) as file:
            if file.attrs["format"] != FORMAT:
                raise ValueError
            layout = get_layout(json.loads(file.attrs["layout"]))
            rows = np.asarray(file["persons"][:])
            if not {f.name for f in fields(Person)} <= set(rows.dtype.names or ()):
                raise ValueError
            return PersonSet(rows, images_dir, layout, str(file.attrs["source"]))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise HarError(
            f"{path} is missing, damaged or of another version of har: prepare the data again."
        ) from error
