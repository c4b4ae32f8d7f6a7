"""One record for a person of MPII Human Pose, whatever file it was read from."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError

NUM_JOINTS = 16
MAX_NAME_BYTES = 128
MAX_COORDINATE_PX = 1e5  # beyond it a number is damage, not a place
HEAD_BOX_TO_SIZE = 0.6  # of the head box's diagonal: MPII's own evaluation (SC_BIAS)
NECK_TO_HEAD_SIZE = 0.75  # for most persons the head box's diagonal is 1.25 x neck to head top

PERSON = np.dtype(
    [
        ("image", f"S{MAX_NAME_BYTES}"),
        ("number", np.int32),
        ("joints_px", np.float64, (NUM_JOINTS, 2)),
        ("visible", np.int8, (NUM_JOINTS,)),
        ("centre_px", np.float64, (2,)),
        ("scale", np.float64),
        ("head_box_px", np.float64, (4,)),
        ("split", np.int8),
        ("stands_apart", np.int8),
    ]
)
"""A person, as an element of a NumPy array, so that loader processes share one block of memory.

- ``image``: file name of the image; ``number``: of the person in it, from 1 (in the JSON files,
  which lack the official one, a running number);
- ``joints_px``: in MPII's order, NaN where unlabeled;
- ``visible``: 1 visible, 0 hidden, -1 unknown;
- ``centre_px``, ``scale``: rough center, and body height / 200 px;
- ``head_box_px``: x1 y1 x2 y2, NaN where there is none;
- ``split``: a :class:`Split`; ``stands_apart``: 1 far from other persons, 0 not, -1 unknown.

Pixels are the file's own, which count from 1 as MATLAB does; the original program (Luvizon et al.,
CVPR 2018) uses them as they are, and so does this one.
"""

Persons = NDArray[np.void]


class Split(IntEnum):
    """Which set a person belongs to."""

    TRAIN = 0
    VALIDATION = 1
    NEITHER = 2
    """In an image of a validation person, but not one of them."""


class MPIIError(HarError):
    """Annotations of MPII that cannot be used."""


@dataclass
class Annotations:
    """What an annotation file holds.

    Attributes:
        persons: (N,) of :data:`PERSON`, those that have a joint, a center and a scale.
        source: which kind of file they come from, for people.
        notes: what was found wrong, and in which persons: "no joint is labeled" -> places.
            Those persons are left out, unless the note says that they are kept.
    """

    persons: Persons
    source: str
    notes: dict[str, list[str]] = field(default_factory=dict)


class PersonList:
    """Collects persons and what is wrong with others.

    Args:
        source: which kind of file they come from, for people.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.rows: list[tuple[Any, ...]] = []
        self.notes: dict[str, list[str]] = {}

    def note(self, what: str, place: str) -> None:
        """Notes something that is wrong with a person."""
        self.notes.setdefault(what, []).append(place)

    def add(
        self,
        image: str,
        number: int,
        joints_px: NDArray[np.float64],
        *,
        centre_px: NDArray[np.float64],
        scale: float,
        split: Split,
        visible: NDArray[np.int8] | None = None,
        head_box_px: NDArray[np.float64] | None = None,
        stands_apart: int = -1,
    ) -> None:
        """Adds a person, or notes why it cannot be used. NaN stands for what is missing.

        Raises:
            MPIIError: an image name that no file can have.
        """
        name = image.encode("utf-8", "replace")
        if not name or len(name) > MAX_NAME_BYTES or b"\0" in name or b"/" in name:
            raise MPIIError(f"The {self.source} name an image {image[:40]!r}: the file is damaged.")
        place = f"{image}, person {number}"
        joints = np.array(joints_px, dtype=np.float64)
        there = (np.abs(joints) < MAX_COORDINATE_PX).all(-1)  # false for NaN
        if (~np.isnan(joints).all(-1) & ~there).any():
            self.note("a joint is not a number (kept, the joint counts as unlabeled)", place)
        joints[~there] = np.nan
        if not there.any():
            self.note("no joint is labeled", place)
            return
        center = np.asarray(centre_px, dtype=np.float64)
        if not ((np.abs(center) < MAX_COORDINATE_PX).all() and 0 < scale < MAX_COORDINATE_PX):
            self.note("no center or no scale", place)
            return
        box = np.full(4, np.nan)
        if head_box_px is not None:
            box = np.asarray(head_box_px, dtype=np.float64)
            if not (np.abs(box) < MAX_COORDINATE_PX).all() or (box[:2] == box[2:]).all():
                self.note("the head box has no size (kept, but not scored by PCKh)", place)
                box = np.full(4, np.nan)
        seen = np.full(NUM_JOINTS, -1) if visible is None else visible
        self.rows.append((name, number, joints, seen, center, scale, box, int(split), stands_apart))

    def finish(self) -> Annotations:
        """All persons as one array."""
        return Annotations(np.array(self.rows, dtype=PERSON), self.source, self.notes)


def head_size_px(persons: Persons) -> NDArray[np.float64]:
    """Head sizes (N,) in pixels, what PCKh measures in: 0.6 x the head box's diagonal, else NaN."""
    box = persons["head_box_px"]
    return np.asarray(HEAD_BOX_TO_SIZE * np.hypot(*(box[:, 2:] - box[:, :2]).T))


def estimated_head_size_px(persons: Persons) -> NDArray[np.float64]:
    """Head sizes (N,) in pixels from neck and head top where there is no head box.

    0.75 x their distance is what the head box gives for all but 1 % of the validation persons.
    Good for curves; a published value uses :func:`head_size_px`.
    """
    joints, by_box = persons["joints_px"], head_size_px(persons)
    by_joints = NECK_TO_HEAD_SIZE * np.linalg.norm(joints[:, 9] - joints[:, 8], axis=-1)
    by_joints[~(by_joints > 0)] = np.nan
    return np.where(np.isnan(by_box), by_joints, by_box)
