"""Crops from stored frames: a frame is decoded once, around its crops, and warped once for each."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.data.framestore.reader import FrameStore
from har.geometry import Crop


def read_crops(
    store: FrameStore,
    sample: str,
    frames: NDArray[np.int_],
    affines: ArrayLike,
    resolution: tuple[int, int],
) -> NDArray[np.uint8]:
    """Crops from the stored frames of a sample.

    Where two pixels or more of a frame fall on one of the crop, the frame is decoded at half its
    width and height: that is faster by a third, and as close to an antialiased resize of the whole
    frame as our own averaging (0.3 to 0.6 gray levels either way, on a real video).

    Args:
        store: where the frames are.
        sample: its name.
        frames: (U,) positions in the stored sequence; a frame may occur several times.
        affines: (U, 3, 3), or (3, 3) for all crops: pixels of the stored pictures to [0, 1] of the
            crop.
        resolution: width and height of the crops in pixels.

    Returns:
        (U, height, width, 3) uint8, contiguous.

    Raises:
        StoreError: a frame is missing or damaged.
    """
    width, height = resolution
    crops = np.empty((len(frames), height, width, 3), dtype=np.uint8)
    maps = np.asarray(affines, dtype=np.float64)
    wanted = [Crop(affine, resolution) for affine in (maps if maps.ndim == 3 else maps[None])]
    wanted *= len(frames) if maps.ndim == 2 else 1
    for half in {crop.factor >= 2 for crop in wanted}:
        chosen = [number for number, crop in enumerate(wanted) if (crop.factor >= 2) == half]
        lefts, tops, rights, bottoms = zip(*(wanted[n].window for n in chosen), strict=True)
        window = min(lefts), min(tops), max(rights), max(bottoms)
        parts = store.read_window(sample, frames[chosen].tolist(), window, half)
        of_parts: dict[tuple[Crop, tuple[int, int]], Crop] = {}  # most often one for all
        for number, (image, corner) in zip(chosen, parts, strict=True):
            key = wanted[number], corner
            if key not in of_parts:
                of_parts[key] = key[0].of_part(corner, 1 + half)
            of_parts[key].make(image, out=crops[number])
    return crops
