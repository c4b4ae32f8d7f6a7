"""Locates persons by a network's own poses, without a detector.

The pose in a box that shows a person with some margin gives a better box: that of the training
crops, a square of 1.5 times the joints' extent (Luvizon et al., TPAMI 2020, section 6).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har import geometry
from har.data.targets import BOX_ENLARGEMENT
from har.errors import HarError
from har.geometry import FloatArray
from har.runtime.engine import Engine

_SMALLEST_WINDOW = 1 / 30  # of the image's longer side, as in the recipe (32 of 960 px)
_FEWEST_PX = 2  # of a crop's side: less may hold no pixel
SMALLEST_SIDE = 16  # pixels of an image in which a person can be found
_LARGEST_WINDOW = 1.5
_SAME_PLACE = 0.05  # of a crop's side
_LEAST = 1e-6
_APART = 0.1  # intersection over union of the boxes of two persons, at most


class Located(NamedTuple):
    """A person in each of N images.

    Attributes:
        boxes: (N, 4) x1, y1, x2, y2 in pixels of the images.
        confidence: (N,) mean confidence of the joints in the last crop.
    """

    boxes: FloatArray
    confidence: FloatArray


def check_size(name: str, size: tuple[int, int]) -> None:
    """Refuses an image or video in which no person can be found.

    Args:
        name: of the file.
        size: width and height of the image in pixels.

    Raises:
        HarError: it is too small.
    """
    if min(size) < SMALLEST_SIDE:
        raise HarError(
            f"{name} has {size[0]}x{size[1]} pixels, too few to find a person in: give one of "
            f"{SMALLEST_SIDE}x{SMALLEST_SIDE} or more."
        )


def cut_crops(
    engine: Engine, images: Sequence[NDArray[np.uint8]], boxes: ArrayLike
) -> tuple[NDArray[np.uint8], FloatArray]:
    """Cuts a crop of the network's resolution out of every image.

    Args:
        engine: the network.
        images: N images (H, W, 3) uint8 RGB, all of one size.
        boxes: (N, 4) in pixels of the images; size and center are limited to those of the image.

    Returns:
        uint8 (N, height, width, 3), and (N, 3, 3) affine maps, pixels of the image to [0, 1].
    """
    height, width = images[0].shape[:2]
    size = np.array([width, height], dtype=np.float64)
    center, window = geometry.center_and_window(boxes)
    longer = size.max()
    smallest = max(_FEWEST_PX, _SMALLEST_WINDOW * longer)
    window = np.clip(window, smallest, max(smallest, _LARGEST_WINDOW * longer))
    center = np.clip(center, 0, size)
    places = zip(center, window, strict=True)
    affines = np.stack([geometry.crop_affine(c, w, (width, height)) for c, w in places])
    pairs = zip(images, affines, strict=True)
    crops = [geometry.warp(image, affine, engine.spec.resolution) for image, affine in pairs]
    return np.stack(crops), affines


def poses_both_ways(engine: Engine, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Poses of crops from them and their mirror images, which takes twice as long as from them.

    Where both see a joint in one place it is there, between the two; else the surer one is right.
    A joint is as sure as both are on average, less where they are apart: what depends on the side
    is a leg that may be the other one, or no leg.

    Args:
        engine: the network; of joints whose left and right are not known, the crops alone are used.
        crops: uint8 (N, height, width, 3).

    Returns:
        (N, J, D + 1) as :attr:`har.runtime.engine.EngineOutput.poses`.
    """
    layout = engine.spec.joint_layout
    if not layout.can_mirror:
        return engine.forward_frames(crops).poses
    both = np.concatenate([crops, crops[:, :, ::-1]])
    poses, mirrored = np.split(engine.forward_frames(both).poses, 2)
    mirrored = mirrored[:, list(layout.flip)]
    mirrored[..., 0] = 1 - mirrored[..., 0]
    sure = np.stack([poses[..., -1], mirrored[..., -1]])  # (2, N, J)
    apart = np.linalg.norm(poses[..., :2] - mirrored[..., :2], axis=-1) / _SAME_PLACE
    share = np.where(apart < 1, sure[0] / np.maximum(sure.sum(0), _LEAST), sure[0] >= sure[1])
    share = share[..., None]
    found = share * poses[..., :-1] + (1 - share) * mirrored[..., :-1]
    confidence = sure.mean(0) * np.exp(-(apart**2))
    return np.concatenate([found, confidence[..., None]], -1).astype(np.float32)


def refine(
    engine: Engine, images: Sequence[NDArray[np.uint8]], boxes: ArrayLike, rounds: int = 2
) -> Located:
    """Refines boxes ``rounds`` times (at least once), each time to that of the pose in the last.

    Args:
        engine, images: see :func:`cut_crops`.
        boxes: (N, 4) in pixels of the images.
        rounds: poses that are predicted.
    """
    for _ in range(rounds):
        crops, affines = cut_crops(engine, images, boxes)
        poses = engine.forward_frames(crops).poses
        joints = geometry.transform_points(geometry.invert_affine(affines), poses[..., :2])
        boxes = geometry.box_around(joints, enlarge=BOX_ENLARGEMENT)
    return Located(np.asarray(boxes, dtype=np.float64), poses[..., -1].mean(-1))


def locate_person(engine: Engine, images: Sequence[NDArray[np.uint8]], rounds: int = 2) -> Located:
    """Locates the likeliest person in each image, without a box to start from.

    The whole image is the first box; it is refined ``rounds`` times. Where that pose is doubtful,
    because the person is small in the image, a grid of boxes is refined in the same way, and the
    pose of the highest confidence is taken.

    Args:
        engine, images: see :func:`cut_crops`.
        rounds: of refinement after the first pose.
    """
    height, width = images[0].shape[:2]
    places = geometry.grid_boxes((width, height))  # (P, 4), the whole image first
    best = refine(engine, images, np.tile(places[0], (len(images), 1)), 1 + rounds)
    doubtful = np.flatnonzero(best.confidence < engine.spec.doubtful_below)
    if len(doubtful):
        others = [images[number] for number in doubtful.tolist() for _ in places[1:]]
        found = refine(engine, others, np.tile(places[1:], (len(doubtful), 1)), 1 + rounds)
        confidence = found.confidence.reshape(len(doubtful), -1)
        place = confidence.argmax(1)
        row = np.arange(len(doubtful))
        better = confidence[row, place] > best.confidence[doubtful]
        boxes = found.boxes.reshape(len(doubtful), -1, 4)[row, place]
        best.boxes[doubtful[better]] = boxes[better]
        best.confidence[doubtful[better]] = confidence[row, place][better]
    return best


def sees_others(engine: Engine, image: NDArray[np.uint8], box: ArrayLike) -> bool:
    """Whether an image seems to show another person than the one in a box.

    Args:
        engine: see :func:`cut_crops`.
        image: (H, W, 3) uint8 RGB.
        box: (4,) of the person, in pixels.
    """
    places = geometry.grid_boxes((image.shape[1], image.shape[0]))[1:]
    found = refine(engine, [image] * len(places), places, rounds=1)
    apart = geometry.box_iou(found.boxes, box) < _APART
    return bool((apart & (found.confidence >= engine.spec.doubtful_below)).any())
