"""A teacher's landmarks for prepared photographs of LSP: where the annotated joints are."""

import numpy as np

from har.data.people.reader import TEACHER
from har.data.people.teacher import LANDMARKS
from har.data.records import PersonSet
from har.files import read_image


def write_teacher(persons: PersonSet, depth_m: float = 0.25) -> None:
    """Writes the file that `benchmarks/teach_people.py` would; the left wrist is behind the hips.

    Its photographs count as three times as wide and high, which leaves room beside the persons.
    """
    rows = persons.rows
    xy = np.full((len(rows), 33, 2), np.nan)
    for name, number in LANDMARKS.items():
        joint = persons.layout.joints.index(name)
        xy[:, number] = np.nan_to_num(rows["joints_px"][:, joint], nan=50.0)
    world = np.zeros((len(rows), 33, 3))
    world[:, LANDMARKS["left wrist"], 2] = depth_m
    images = [persons.images_dir / name.decode() for name in rows["image"]]
    np.savez(
        persons.images_dir / TEACHER,
        names=np.char.decode(rows["image"]),
        size=[np.multiply(read_image(path).shape[1::-1], 3) for path in images],
        xy=xy,
        world=world,
        visibility=np.full((len(rows), 33), 0.9),
    )
