"""What an annotator writes down of a synthetic photograph, with the habits of MPII's annotators.

Whole pixels that count from 1, a rough center and scale, a head box from which neck and head top
come, and persons of whom only the place is given.
"""

from dataclasses import dataclass, field

import numpy as np

from har.synthetic.mpii import Person, Scene, simulate

FOUND_BY_BOX = (8, 9)
"""Neck and head top are not clicked, so their visibility is not given."""


@dataclass
class AnnotatedPerson:
    """A person as it is annotated, in MPII's pixels, which count from 1.

    Attributes:
        joints_px: (16, 2), NaN where unlabeled; all NaN for a person without labels.
        visible: (16,) bool.
        centre_px, head_box_px, scale: as MPII has them.
    """

    joints_px: np.ndarray
    visible: np.ndarray
    centre_px: np.ndarray
    scale: float
    head_box_px: np.ndarray

    @property
    def labeled(self) -> bool:
        """Whether the joints are labeled."""
        return bool(np.isfinite(self.joints_px).any())


@dataclass
class AnnotatedImage:
    """An image with its persons; ``persons[0]`` is person 1."""

    number: int
    train: bool
    validation: tuple[int, ...]  # person numbers
    persons: list[AnnotatedPerson] = field(default_factory=list)

    @property
    def name(self) -> str:
        """File name."""
        return f"{self.number:09d}.jpg"


def simulate_image(
    number: int, seed: int = 0, validation: tuple[int, ...] = ()
) -> tuple[Scene, AnnotatedImage]:
    """An image before it is drawn, and its annotations.

    Args:
        number: of the image, from 1.
        seed: of everything random.
        validation: numbers of the persons who validate, from 1.
    """
    rng = np.random.default_rng([seed, number, 0, 3])
    train = bool(validation) or rng.random() > 0.03
    image = AnnotatedImage(number, train, validation)
    scene = simulate(number, seed, labeled=max(len(validation), 1))
    people = [_annotate(person, rng) for person in scene.people]
    # The first of the labeled ones validate. Unused numbers in between belong to people
    # in the crowd, of whom the real file gives only the place.
    people.sort(key=lambda person: not person.labeled)
    for place in range(1, max([*validation, len(people)]) + 1):
        rest = len([number for number in validation if number >= place])
        if place in validation and people:
            image.persons.append(people.pop(0))
        elif place not in validation and len(people) > rest:
            image.persons.append(people.pop())
        else:
            image.persons.append(_in_the_crowd(rng))
    return scene, image


def _annotate(person: Person, rng: np.random.Generator) -> AnnotatedPerson:
    """What an annotator writes down: whole pixels from 1, a rough center and scale."""
    joints = np.rint(person.joints_px + 0.5)
    joints[list(FOUND_BY_BOX)] = person.joints_px[list(FOUND_BY_BOX)] + 0.5
    guesses = rng.random() < 0.05  # an annotator who also labels joints outside
    labeled = person.labeled & (person.inside | guesses)
    joints[~labeled] = np.nan
    height = person.height_px
    return AnnotatedPerson(
        joints_px=joints,
        visible=person.visible & person.inside,
        centre_px=np.rint(np.maximum(person.centre_px + rng.normal(0, 0.02 * height, 2), 1)),
        scale=float(height / 200 * rng.uniform(0.95, 1.08)),
        head_box_px=np.rint(np.maximum(person.head_box_px + 0.5, 1)),
    )


def _in_the_crowd(rng: np.random.Generator) -> AnnotatedPerson:
    return AnnotatedPerson(
        joints_px=np.full((16, 2), np.nan),
        visible=np.zeros(16, bool),
        centre_px=np.rint(rng.uniform(1, 300, 2)),
        scale=float(rng.uniform(0.5, 2.0)),
        head_box_px=np.full(4, np.nan),
    )
