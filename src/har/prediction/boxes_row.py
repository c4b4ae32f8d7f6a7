"""A row of a ``boxes`` file."""

from typing import NamedTuple


class Row(NamedTuple):
    """A box.

    Attributes:
        number: of the row, from 1.
        image: name of the file; "": none.
        frame: number of the frame; None: of an image.
        person: its id; None: none is given.
        box: x1, y1, x2, y2 in pixels.
        share: the box is in shares of the picture, from 0 to 1, instead.
        size: width and height of the picture that the box was drawn on; None: not known.
    """

    number: int
    image: str
    frame: int | None
    person: int | None
    box: list[float]
    share: bool = False
    size: tuple[int, int] | None = None
