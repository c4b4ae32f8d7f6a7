"""Draws skeletons, captions, bars and contact sheets on images, uint8 RGB (H, W, 3).

No function changes its input. Pixel coordinates are continuous, as everywhere in har: the pixel in
column i covers i to i + 1.
"""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike

from har.errors import HarError
from har.files import Image, whole_file
from har.geometry import FloatArray, is_valid
from har.layouts import Layout

Color = tuple[int, int, int]

# After Okabe and Ito's palette. Blue and orange stay apart for people who confuse red and green.
SIDE_COLORS: dict[str, Color] = {
    "left": (70, 180, 255),
    "right": (255, 110, 20),
    "middle": (255, 243, 130),
}
TRUE_COLOR: Color = (255, 255, 255)
_RIM: Color = (16, 16, 20)
BAR_COLOR: Color = (30, 32, 36)
TRACK_COLOR: Color = (52, 55, 61)
TEXT_COLOR: Color = (240, 240, 240)
_GUESS: Color = (40, 98, 152)
_RIGHT_GUESS: Color = (0, 120, 88)
_PAPER = 250

_FAINTEST = 0.2  # opacity of a joint of confidence 0: still visible
_THINNEST = 1.5  # px
_FAR = 1e6  # px; squares of coordinates stay finite
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SMALLEST_TEXT = 9  # px of height, below which a caption is cut instead of shrunk


def limb_width(image: Image) -> float:
    """Returns the width of a limb in pixels: about 2.5 on an image of 256 px, 6 in full HD."""
    return max(_THINNEST, 0.13 * float(np.hypot(*image.shape[:2])) ** 0.5)


def drawn_links(layout: Layout) -> tuple[tuple[int, int], ...]:
    """Returns the links of a layout, and those from thorax to shoulders and from pelvis to hips.

    The network layouts lack these, as the original does; arms and legs would be detached.
    """
    girdles = [
        (layout.joints.index(middle), joint)
        for middle, part in (("thorax", "shoulder"), ("pelvis", "hip"))
        if middle in layout.joints
        for joint, name in enumerate(layout.joints)
        if name in (f"left {part}", f"right {part}")
    ]
    return (*girdles, *layout.links)


def link_side(layout: Layout, link: tuple[int, int]) -> str:
    """Returns the side of a limb, "left", "right" or "middle": that of its joints with a side."""
    sides = {layout.sides[joint] for joint in link} - {"middle"}
    return sides.pop() if len(sides) == 1 else "middle"


def draw_skeleton(
    image: Image,
    joints: ArrayLike,
    layout: Layout,
    confidence: ArrayLike | None = None,
    valid: ArrayLike | None = None,
    color: Color | None = None,
    width: float | None = None,
) -> Image:
    """Returns a copy of an image with a skeleton on it: left blue, right orange, middle yellow.

    Every limb has a dark rim, so that it is visible on any background.

    Args:
        image: uint8 RGB (H, W, 3).
        joints: (J, 2) in pixels; joints that are NaN or -1e9 are not drawn, joints outside the
            image are no error.
        layout: of the joints.
        confidence: (J,) in [0, 1], drawn as opacity.
        valid: (J,) bool, which joints to draw; None for all.
        color: one color for all limbs, instead of those of the sides.
        width: of a limb in pixels; None: that of :func:`limb_width`.

    Raises:
        HarError: the image or the joints have another shape.
    """
    result = _copy(image)
    points = np.asarray(joints, dtype=np.float64)
    if points.shape != (layout.num_joints, 2):
        raise HarError(
            f"A pose of the layout {layout.name} is ({layout.num_joints}, 2) pixels; this one is "
            f"{points.shape}."
        )
    there = is_valid(points) if valid is None else is_valid(points) & np.asarray(valid, dtype=bool)
    points = np.clip(np.nan_to_num(points), -_FAR, _FAR)
    if confidence is None:
        sure = np.ones(layout.num_joints)
    else:
        sure = np.clip(np.nan_to_num(np.asarray(confidence, dtype=np.float64)), 0.0, 1.0)
        if sure.shape != (layout.num_joints,):
            raise HarError(f"The layout {layout.name} has {layout.num_joints} confidences.")
    opacity = _FAINTEST + (1 - _FAINTEST) * sure
    width = limb_width(result) if width is None else width
    links = [link for link in drawn_links(layout) if there[link[0]] and there[link[1]]]
    # the least confident first, so that confident limbs cover them
    for a, b in sorted(links, key=lambda link: min(sure[link[0]], sure[link[1]])):
        paint = color or SIDE_COLORS[link_side(layout, (a, b))]
        _stroke(result, points[a], points[b], paint, width, min(opacity[a], opacity[b]))
    for joint in sorted(np.flatnonzero(there), key=lambda joint: sure[joint]):
        paint = color or SIDE_COLORS[layout.sides[joint]]
        _stroke(result, points[joint], points[joint], paint, 1.7 * width, opacity[joint])
    return result


def draw_pair(
    image: Image,
    predicted: ArrayLike,
    true: ArrayLike,
    layout: Layout,
    confidence: ArrayLike | None = None,
) -> Image:
    """Returns a copy of an image with the true pose in thin white and the predicted one over it.

    Both are poses (J, 2) in pixels; see :func:`draw_skeleton`, also for what it raises.
    """
    thin = max(_THINNEST, limb_width(image) / 2)
    truth = draw_skeleton(image, true, layout, color=TRUE_COLOR, width=thin)
    return draw_skeleton(truth, predicted, layout, confidence)


def _copy(image: Image) -> Image:
    """Returns a writable, contiguous copy, as OpenCV needs it."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise HarError(
            f"A picture to draw on is uint8 RGB (height, width, 3); this one is {image.dtype} "
            f"{image.shape}."
        )
    return np.array(image, order="C")


def _stroke(
    image: Image, a: FloatArray, b: FloatArray, color: Color, width: float, opacity: float
) -> None:
    """Draws a line with round ends and a dark rim, in place; a disc where both ends are equal.

    Painted by the distance of every pixel from the line, for smooth edges at any width: OpenCV's
    circles of a few pixels come out as diamonds, and its lines have whole widths.
    """
    height, wide = image.shape[:2]
    rim = width / 2 + max(1.0, width / 4)
    x1, y1 = np.clip(np.floor(np.minimum(a, b) - rim - 1), 0, (wide, height)).astype(int)
    x2, y2 = np.clip(np.ceil(np.maximum(a, b) + rim + 1), 0, (wide, height)).astype(int)
    if x1 >= x2 or y1 >= y2:
        return
    # pixel centers from the middle of the line, along it and across
    length = float(np.hypot(b[0] - a[0], b[1] - a[1]))
    dx, dy = ((b - a) / length).tolist() if length > 0 else (1.0, 0.0)
    x = (np.arange(x1, x2) + 0.5 - (a[0] + b[0]) / 2).astype(np.float32)[None, :]
    y = (np.arange(y1, y2) + 0.5 - (a[1] + b[1]) / 2).astype(np.float32)[:, None]
    beyond = np.maximum(np.abs(x * dx + y * dy) - length / 2, 0.0)
    distance = np.hypot(beyond, x * dy - y * dx)
    rows, columns = np.nonzero(distance < rim + 0.5)
    distance = distance[rows, columns, None]  # (n, 1), of the pixels that change
    cover = opacity * np.clip(rim + 0.5 - distance, 0.0, 1.0)
    bright = np.clip(width / 2 + 0.5 - distance, 0.0, 1.0)
    ink = np.array(_RIM) + bright * (np.array(color) - np.array(_RIM))
    part = image[y1:y2, x1:x2]
    before = part[rows, columns]
    part[rows, columns] = np.rint(before + cover * (ink - before))


def label(image: Image, text: str) -> Image:
    """Returns the image with text in a dark bar below it.

    Text too long for the image is shrunk, and cut when it would be too small to read. The font has
    ASCII only: accents are dropped, other letters become "?".

    Args:
        image: uint8 RGB (H, W, 3).
        text: one line, or several with line breaks between them.
    """
    image = _copy(image)
    height = text_height(image.shape[1])
    step = round(1.9 * height)
    lines = text.splitlines() or [""]
    bar = np.full((step * len(lines) + height // 2, image.shape[1], 3), BAR_COLOR, np.uint8)
    for number, line in enumerate(lines):
        y = number * step + height // 4
        write_text(bar[y : y + step], line, height, left=height // 2, right=height // 2)
    return np.vstack([image, bar])


def probability_bars(
    image_width: int,
    names: Sequence[str],
    probabilities: ArrayLike,
    top: int = 5,
    true: int | None = None,
) -> Image:
    """Draws the likeliest classes as bars, the likeliest first, to be put under an image.

    Args:
        image_width: of the result, in pixels.
        names: of the C classes.
        probabilities: (C,) in [0, 1].
        top: how many classes to show.
        true: number of the true class, whose bar is green.

    Raises:
        HarError: there are not as many names as probabilities.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if values.shape != (len(names),):
        raise HarError(f"{len(names)} class names do not fit probabilities of {values.shape}.")
    best = np.argsort(-values, kind="stable")[:top]
    height = text_height(image_width)
    step, margin = round(2.1 * height), max(2, height // 4)
    bars = np.full((step * len(best) + margin, image_width, 3), BAR_COLOR, np.uint8)
    for row, number in enumerate(best):
        track = bars[row * step + margin : (row + 1) * step, margin : image_width - margin]
        track[:] = TRACK_COLOR
        share = float(np.clip(np.nan_to_num(values[number]), 0.0, 1.0))
        ink = _RIGHT_GUESS if number == true else _GUESS
        track[:, : round(share * track.shape[1])] = ink
        percent = f"{100 * share:.0f}%"
        room = text_width("100%", height) + height  # the same for all rows
        write_text(track, names[number], height, left=height // 2, right=room)
        write_text(track, percent, height, left=None, right=height // 2)
    return bars


def text_height(image_width: int) -> int:
    """Returns the height of capitals in pixels for an image."""
    return int(np.clip(image_width // 28, _SMALLEST_TEXT, 40))


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("–", "-"))
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return kept.encode("ascii", "replace").decode()


def _scale(height: float) -> float:
    (_, unit), _ = cv2.getTextSize("H", _FONT, 4.0, 1)
    return 4.0 * height / unit


def text_width(text: str, height: float) -> int:
    """Returns the width in pixels of text whose capitals have a height in pixels."""
    (width, _), _ = cv2.getTextSize(text, _FONT, _scale(height), 1)
    return int(width)


def write_text(bar: Image, text: str, height: int, left: int | None, right: int) -> None:
    """Draws text on a bar, in place: from ``left``, or ending at ``right`` where that is None."""
    room = bar.shape[1] - (left or 0) - right
    text = _ascii(text)
    while height > _SMALLEST_TEXT and text_width(text, height) > room:
        height -= 1
    if text_width(text, height) > room:
        while text and text_width(text + "...", height) > room:
            text = text[:-1]
        text += "..."
    x = left if left is not None else bar.shape[1] - right - text_width(text, height)
    y = (bar.shape[0] + height) // 2
    thickness = max(1, height // 10)
    part = np.ascontiguousarray(bar)
    cv2.putText(part, text, (x, y), _FONT, _scale(height), TEXT_COLOR, thickness, cv2.LINE_AA)
    bar[:] = part


def contact_sheet(
    images: Sequence[Image], columns: int, captions: Sequence[str] | None = None, margin: int = 6
) -> Image:
    """Arranges images in a grid on white; those smaller than the largest are centered.

    Args:
        images: uint8 RGB, at least one.
        columns: number of images in a row.
        captions: one for every image, in a bar below it.
        margin: around every image, in pixels.

    Raises:
        HarError: there is no image, or not one caption for each.
    """
    if not images:
        raise HarError("A contact sheet needs one image at least.")
    if captions is not None and len(captions) != len(images):
        raise HarError(f"{len(captions)} captions do not fit {len(images)} images.")
    tiles = list(images) if captions is None else list(map(label, images, captions))
    height = max(tile.shape[0] for tile in tiles)
    width = max(tile.shape[1] for tile in tiles)
    columns = max(1, min(columns, len(tiles)))
    rows = -(-len(tiles) // columns)
    size = (rows * (height + margin) + margin, columns * (width + margin) + margin, 3)
    sheet = np.full(size, _PAPER, np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        y = margin + row * (height + margin) + (height - tile.shape[0]) // 2
        x = margin + column * (width + margin) + (width - tile.shape[1]) // 2
        sheet[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return sheet


def write_image(path: str | Path, image: Image) -> None:
    """Writes an image, whole or not at all, in the format of its name's ending; makes the folder.

    Args:
        path: ending in .png, .jpg or another format that OpenCV writes.
        image: uint8 RGB (H, W, 3).

    Raises:
        HarError: OpenCV does not write this format, or the file cannot be written.
    """
    path = Path(path)
    try:
        done, data = cv2.imencode(path.suffix, cv2.cvtColor(_copy(image), cv2.COLOR_RGB2BGR))
    except cv2.error:
        done = False
    if not done:
        raise HarError(f"The image {path} cannot be written: use the ending .png or .jpg.")
    with whole_file(path) as partial:
        partial.write_bytes(data.tobytes())  # cv2.imwrite loses some letters on some systems
