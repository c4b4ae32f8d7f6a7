"""The official annotations, ``mpii_human_pose_v1_u12_1.mat``.

A structure grown by hand over years: the fields of persons differ from image to image, numbers have
the smallest type that fits, and visibility is a number, a text or nothing. So every field is read
by name, every number made a float first, and what is missing is noted, not assumed.
"""

from pathlib import Path
from typing import Any

import numpy as np

from har.data.matlab import entries, field, number, numbers, read_matlab, text
from har.data.mpii.persons import NUM_JOINTS, Annotations, MPIIError, PersonList, Split
from har.data.mpii.split import tompson_validation


def read_official(path: Path) -> Annotations:
    """Persons of the training images: those that train, validate, or do neither.

    Test images have no joints given out, so their persons are not among them. Persons beside a
    validation person in an image belong to neither set, so that no image is on both sides.

    Raises:
        MPIIError: not the official file, or damaged.
    """
    (release,) = read_matlab(path, "RELEASE", error=MPIIError)
    images = entries(field(release, "annolist"))
    trains = numbers(field(release, "img_train"))
    apart = entries(field(release, "single_person"))
    if not images or len(trains) != len(images):
        raise MPIIError(
            f"{path} holds {len(images)} images in RELEASE.annolist and {len(trains)} entries in "
            "RELEASE.img_train, which should be as many: download it again."
        )
    validation = {(int(i), int(p)) for i, p in tompson_validation()}
    validation_images = {i for i, _ in validation}
    persons = PersonList("official annotations")
    for place in np.flatnonzero(trains == 1).tolist():
        image, position = images[place], place + 1
        name = text(field(field(image, "image"), "name"))
        if not name:
            persons.note("an image has no name", f"annolist({position})")
            continue
        rects = entries(field(image, "annorect"))
        if not rects:
            persons.note("an image has no person", name)
        single = numbers(apart[place]).tolist() if place < len(apart) else []
        for order, rect in enumerate(rects, start=1):
            if (position, order) in validation:
                split = Split.VALIDATION
            else:
                split = Split.NEITHER if position in validation_images else Split.TRAIN
            joints, visible = _joints(rect, persons, f"{name}, person {order}")
            center = field(rect, "objpos")
            persons.add(
                name,
                order,
                joints,
                visible=visible,
                centre_px=np.array([number(field(center, "x")), number(field(center, "y"))]),
                scale=number(field(rect, "scale")),
                head_box_px=np.array(
                    [number(field(rect, side)) for side in ("x1", "y1", "x2", "y2")]
                ),
                split=split,
                stands_apart=int(order in single),
            )
    return persons.finish()


def _joints(rect: Any, persons: PersonList, place: str) -> tuple[np.ndarray, np.ndarray]:
    """Joints (16, 2) in pixels, NaN where unlabeled, and visibility (16,): 1, 0, or -1."""
    joints = np.full((NUM_JOINTS, 2), np.nan)
    visible = np.full(NUM_JOINTS, -1, dtype=np.int8)
    for point in entries(field(field(rect, "annopoints"), "point")):
        joint = number(field(point, "id"))
        if joint not in range(NUM_JOINTS):
            persons.note("a joint has no number from 0 to 15 (kept, without that joint)", place)
            continue
        xy = [number(field(point, "x")), number(field(point, "y"))]
        # half a point is no point, and has to show as one that is broken
        joints[int(joint)] = xy if np.isfinite(xy).all() else np.inf
        seen = number(field(point, "is_visible"))
        visible[int(joint)] = int(seen) if seen in (0, 1) else -1
    return joints, visible
