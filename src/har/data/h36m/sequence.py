"""What both annotations of Human3.6M become."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sequence:
    """The annotated frames of a subject, an action and a camera.

    Attributes:
        name: its folder below the folder of images.
        camera, action, split: see :class:`har.data.h36m.files.ImageName`.
        numbers: int32 (F,) of the frames, from 0, ascending.
        joints: float32 (F, 18, 4): pixels, depth in mm, and 1 where annotated.
        digits: of the numbers in the images' names.
        prefixed: these begin with the name of their folder.
    """

    name: str
    camera: str
    action: str
    split: str
    numbers: NDArray[np.int32]
    joints: NDArray[np.float32]
    digits: int
    prefixed: bool = True

    def image(self, number: int) -> str:
        """Path of a frame's image, by its number from 0, below the folder of images."""
        prefix = f"{self.name.rpartition('/')[2]}_" if self.prefixed else ""
        return f"{self.name}/{prefix}{number + 1:0{self.digits}d}.jpg"
