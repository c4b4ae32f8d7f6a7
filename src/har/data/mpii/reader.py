"""MPII's persons as records of any data set: the crop, the length that PCKh measures in, the split.

Rules of the published program of Luvizon et al. (CVPR 2018), which are those of Stacked Hourglass
and HRNet: the center moves down by 15 px per unit of scale, the window is 250 px per unit of scale.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from har.data.mpii.persons import Persons, Split, estimated_head_size_px, head_size_px
from har.data.records import PersonSet
from har.layouts import get_layout

ENLARGEMENT = 1.25  # of the annotated scale
WINDOW_PX = 200.0  # per unit of the enlarged scale: a scale is a body height / 200 px
DOWN_PX = 12.0  # the same for the center, which is annotated above the middle of the body

_SPLITS = {Split.TRAIN: b"train", Split.VALIDATION: b"test", Split.NEITHER: b""}


def person_crop(persons: Persons) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centers (N, 2) and sides (N,) of the persons' crops, in pixels."""
    enlarged = ENLARGEMENT * persons["scale"]
    center = persons["centre_px"].copy()
    center[:, 1] += DOWN_PX * enlarged
    return center, WINDOW_PX * enlarged


def person_set(persons: Persons, images_dir: Path, source: str = "") -> PersonSet:
    """MPII's persons as records, in the same order.

    The validation persons are the test split. They are scored by their head boxes only; lengths of
    training persons, which only curves use, may be estimates.

    Args:
        persons: (N,) of :data:`har.data.mpii.persons.PERSON`.
        images_dir: folder of the images.
        source: kind of the annotations, for people.
    """
    center, window = person_crop(persons)
    tests = persons["split"] == Split.VALIDATION
    return PersonSet.from_columns(
        images_dir,
        get_layout("mpii"),
        source,
        id=[
            f"{image.decode()}, person {number}".encode()
            for image, number in zip(persons["image"], persons["number"], strict=True)
        ],
        image=persons["image"],
        joints_px=persons["joints_px"],
        visible=persons["visible"],
        center_px=center,
        window_px=window,
        length_px=np.where(tests, head_size_px(persons), estimated_head_size_px(persons)),
        split=[_SPLITS[Split(split)] for split in persons["split"]],
    )
