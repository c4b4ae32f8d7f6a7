"""Prepared persons in one file: what a run reads of a data set of images."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from har.data.records import PersonSet
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
            unlabeled=persons.unlabeled,
        )
        file["persons"] = persons.rows


def read_persons(path: Path, images_dir: Path | None = None) -> PersonSet:
    """What :func:`write_persons` wrote.

    Args:
        path: the file.
        images_dir: where the images lie now; None: where they were.

    Raises:
        HarError: no such file, or a damaged one, or one of another version.
    """
    try:
        with h5py.File(path, locking=False) as file:
            if file.attrs["format"] != FORMAT:
                raise ValueError
            layout = get_layout(json.loads(file.attrs["layout"]))
            rows = np.asarray(file["persons"][:])
            columns = {name: rows[name] for name in rows.dtype.names or ()}
            folder = images_dir or Path(str(file.attrs["images_dir"]))
            found = PersonSet.from_columns(folder, layout, str(file.attrs["source"]), **columns)
            return replace(found, unlabeled=str(file.attrs.get("unlabeled", found.unlabeled)))
    except (OSError, KeyError, ValueError, TypeError, HarError) as error:
        raise HarError(
            f"{path} is missing, damaged or of another version of har: prepare the data again."
        ) from error
