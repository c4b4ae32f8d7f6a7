"""``annotations.mat`` of the original program (Luvizon et al., CVPR 2018)."""

from pathlib import Path
from typing import Any

import numpy as np

from har.data.matlab import entries, field, number, numbers, read_matlab, text
from har.data.mpii.persons import NUM_JOINTS, Annotations, MPIIError, PersonList, Split


def read_deephar(path: Path) -> Annotations:
    """Persons of ``annot_tr`` and ``annot_val``.

    Each of the two has an entry per image: which of its persons count (from 1), the image's name,
    and the persons, with head box, center, scale and pose (2 x 16, NaN where unlabeled).

    Raises:
        MPIIError: not such a file, or damaged.
    """
    persons = PersonList("annotations of the original program")
    for variable, split in (("annot_tr", Split.TRAIN), ("annot_val", Split.VALIDATION)):
        (table,) = read_matlab(path, variable, error=MPIIError)
        table = np.asarray(table)
        if table.dtype != object or table.ndim != 2 or table.shape[0] != 3:
            raise MPIIError(
                f"{variable} in {path} has to be a cell array of 3 rows: person numbers, images, "
                "persons."
            )
        for chosen, name, annotated in table.T:
            image, rects = text(name), entries(annotated)
            if not image:
                persons.note("an image has no name", f"{variable} in {path.name}")
                continue
            for order in numbers(chosen).tolist():
                if order not in range(1, len(rects) + 1):
                    persons.note("a person is counted but not there", f"{image}, person {order:g}")
                    continue
                rect = rects[int(order) - 1]
                persons.add(
                    image,
                    int(order),
                    _values(rect, "pose", 2 * NUM_JOINTS).reshape(2, NUM_JOINTS).T,
                    centre_px=_values(rect, "objpos", 2),
                    scale=number(field(rect, "scale")),
                    head_box_px=_values(rect, "head", 4),
                    split=split,
                )
    return persons.finish()


def _values(rect: Any, name: str, count: int) -> np.ndarray:
    found = numbers(field(rect, name))
    return found if found.size == count else np.full(count, np.nan)
