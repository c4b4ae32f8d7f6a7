"""Pictures: a body's joints in a camera's space as shaded limbs, in front of a room.

All shapes are drawn with fractions of a pixel (OpenCV's ``shift``), and at any size from the same
geometry. Everything that can be computed for all frames at once is; per frame remains the drawing.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from har.synthetic.anatomy import Body, Color

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

# Color camera of the Kinect v2, pixels of 1920x1080, least squares over real files.
FULL_SIZE = (1920, 1080)
FOCAL_PX = np.array([1059.0, -1056.0])
OFFSET_PX = np.array([48.0, -30.0])  # divided by depth: the color lens sits beside the depth lens
CENTRE_PX = np.array([962.0, 575.0])

_SHIFT = 4  # fractional bits of OpenCV's coordinates
_CAP = 7  # points of a half circle


def project(points: Array, size: tuple[int, int] = FULL_SIZE) -> Array:
    """Camera space (..., 3) in meters (x right, y up, z away) to pixels (..., 2) of a picture.

    Pixel coordinates are continuous; the pixel in column i covers i to i + 1.
    """
    depth = np.maximum(points[..., 2:], 0.05)
    pixels = (FOCAL_PX * points[..., :2] + OFFSET_PX) / depth + CENTRE_PX
    scaled: Array = pixels * (np.array(size) / FULL_SIZE)
    return scaled


@dataclass(frozen=True)
class Camera:
    """Where a camera stands, looking at the actor's place.

    Attributes:
        azimuth: radians, around the actor, 0 in front.
        distance, height: meters, from the actor's place and above the floor.
        aim: height in meters of the point at the center of its view.
    """

    azimuth: float
    distance: float
    height: float
    aim: float = 0.95

    def see(self, points: Array) -> Array:
        """World (..., 3), (left, up, forward) of an actor who faces azimuth 0, to camera space.

        The camera space is the Kinect's, whose picture is mirrored: x to the right of the
        picture is the actor's right, not left, when the actor faces the camera.
        """
        c, s = np.cos(self.azimuth), np.sin(self.azimuth)
        x = c * points[..., 0] - s * points[..., 2]
        z = self.distance - (s * points[..., 0] + c * points[..., 2])
        y = points[..., 1] - self.height
        tilt = np.arctan2(self.height - self.aim, self.distance)
        c, s = np.cos(tilt), np.sin(tilt)
        return np.stack([-x, c * y + s * z, -s * y + c * z], -1)


# ------------------------------------------------------------------------------------- the body


@dataclass
class Shape:
    """Circles joined by their convex hull, over all frames.

    Attributes:
        centers: (F, K, 3) in camera space, K = 1 for a ball, 2 for a limb, more for the torso.
        radii: (K,) meters.
        color: RGB.
        nearer: meters by which the shape counts as nearer when shapes are ordered.
    """

    centers: Array
    radii: Array
    color: Color
    nearer: float = 0.0


def _shape(centers: list[Array], radii: list[float], color: Color, nearer: float = 0.0) -> Shape:
    return Shape(np.stack(centers, 1), np.array(radii), color, nearer)


def _normalize(vectors: Array) -> Array:
    scaled: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return scaled


def body_shapes(joints: Array, body: Body) -> list[Shape]:
    """The shapes of a body from its joints (F, 25, 3) in camera space."""
    j = [joints[:, i] for i in range(joints.shape[1])]
    fat = body.stoutness * body.height / 1.75
    sleeve = body.shirt
    lower_sleeve = body.shirt if body.long_sleeves else body.skin
    bright = tuple(min(255, int(1.18 * c + 14)) for c in sleeve)
    shapes = []
    for first in (4, 8):  # arms
        shoulder, elbow, wrist, tip = (
            j[first],
            j[first + 1],
            j[first + 2],
            j[21 if first == 4 else 23],
        )
        upper = (bright[0], bright[1], bright[2])
        shapes.append(_shape([shoulder, elbow], [0.052 * fat, 0.042 * fat], upper, 0.03))
        color = upper if body.long_sleeves else lower_sleeve
        shapes.append(_shape([elbow, wrist], [0.040 * fat, 0.031 * fat], color, 0.05))
        shapes.append(_shape([wrist, tip], [0.036 * fat, 0.026 * fat], body.skin, 0.07))
    for first in (12, 16):  # legs
        hip, knee, ankle, foot = j[first], j[first + 1], j[first + 2], j[first + 3]
        shapes.append(_shape([hip, knee], [0.082 * fat, 0.058 * fat], body.trousers))
        shapes.append(_shape([knee, ankle], [0.056 * fat, 0.040 * fat], body.trousers))
        shapes.append(_shape([ankle, foot], [0.044 * fat, 0.036 * fat], body.shoes, 0.02))
    corners = [j[4], j[8], j[12], j[16]]
    shapes.append(
        _shape(corners, [0.062 * fat, 0.062 * fat, 0.088 * fat, 0.088 * fat], body.shirt, -0.05)
    )
    left, up = _normalize(j[4] - j[8]), _normalize(j[3] - j[2])
    ahead = _normalize(np.cross(left, up))  # where the face looks
    size = body.height / 1.75
    shapes.append(_shape([j[20], j[3]], [0.052 * fat, 0.05 * fat], body.skin, -0.01))
    face = j[3] + 0.022 * size * ahead - 0.005 * size * up
    chin = face - 0.05 * size * up
    shapes.append(_shape([face, chin], [0.088 * size, 0.062 * size], body.skin, 0.06))
    hair = j[3] - 0.034 * size * ahead + 0.028 * size * up
    shapes.append(_shape([hair], [0.104 * size], body.hair, 0.03))
    return shapes


@dataclass
class Outline:
    """A shape on the picture: polygons of all frames in OpenCV's fixed-point numbers."""

    rim: NDArray[np.int32]  # (F, P, 2), a little larger: a dark edge sets limbs apart
    fill: NDArray[np.int32]  # (F, P, 2)
    light: NDArray[np.int32] | None  # (F, P, 2), the lit side
    depth: Array  # (F,)
    colors: tuple[Color, Color, Color]  # rim, fill, light
    convex: bool  # False: a cloud of points, of which the hull is meant


def _fixed(points: Array) -> NDArray[np.int32]:
    """Continuous pixels to OpenCV's: whole numbers at pixel centers, in 1/16 pixel."""
    return np.rint((points - 0.5) * (1 << _SHIFT)).astype(np.int32)


def _hull_points(pixels: Array, radii: Array) -> Array:
    """Points on circles (F, K, 2) and radii (F, K) whose hull is the shape, (F, P, 2)."""
    frames, circles = radii.shape
    if circles == 2:
        way = pixels[:, 1] - pixels[:, 0]
        angle = np.arctan2(way[:, 1], way[:, 0])[:, None]
        half = np.linspace(np.pi / 2, 3 * np.pi / 2, _CAP)[None]
        angles = np.stack([angle + half, angle + half + np.pi], 1)  # (F, 2, P)
    else:
        turn = np.linspace(0, 2 * np.pi, 2 * _CAP + 2, endpoint=False)
        angles = np.broadcast_to(turn, (frames, circles, len(turn)))
    rim = np.stack([np.cos(angles), np.sin(angles)], -1) * radii[..., None, None]
    return (pixels[:, :, None] + rim).reshape(frames, -1, 2)


def outline(shape: Shape, size: tuple[int, int], light: tuple[float, float]) -> Outline:
    """A shape's polygons on a picture, lit from a direction (x, y) of the picture."""
    pixels = project(shape.centers, size)
    scale = -FOCAL_PX[1] * size[1] / FULL_SIZE[1]
    radii = shape.radii * scale / np.maximum(shape.centers[..., 2], 0.05)
    edge = max(0.6, size[0] / 900)
    color = np.array(shape.color, dtype=float)
    colors = tuple(
        (int(c[0]), int(c[1]), int(c[2]))
        for c in (0.42 * color, 0.9 * color, np.minimum(1.08 * color + 12, 255))
    )
    lit = None
    if pixels.shape[1] <= 2:
        offset = np.array(light) * (0.36 * radii)[..., None]
        lit = _fixed(_hull_points(pixels + offset, 0.5 * radii))
    return Outline(
        rim=_fixed(_hull_points(pixels, radii + edge)),
        fill=_fixed(_hull_points(pixels, radii)),
        light=lit,
        depth=shape.centers[..., 2].mean(1) - shape.nearer,
        colors=(colors[0], colors[1], colors[2]),
        convex=pixels.shape[1] <= 2,
    )


def _fill(image: Image, points: NDArray[np.int32], color: Color, convex: bool) -> None:
    polygon = points if convex else cv2.convexHull(points)
    cv2.fillConvexPoly(image, polygon, color, cv2.LINE_AA, _SHIFT)


class Figure:
    """A person over all frames, ready to be drawn into pictures of one size.

    Args:
        joints: (F, 25, 3) in camera space, meters.
        body: lengths and clothes.
        size: (width, height) of the pictures.
        light: direction of the light on the picture.
        extra: further shapes, such as a cup in the hand.
    """

    def __init__(
        self,
        joints: Array,
        body: Body,
        size: tuple[int, int],
        light: tuple[float, float] = (-0.6, -0.7),
        extra: list[Shape] | None = None,
    ) -> None:
        shapes = body_shapes(joints, body) + (extra or [])
        self.outlines = [outline(shape, size, light) for shape in shapes]
        self.order = np.argsort([-o.depth for o in self.outlines], axis=0).T  # (F, shapes)
        self._details(joints, body, size)

    def _details(self, joints: Array, body: Body, size: tuple[int, int]) -> None:
        """A stripe on the chest and the eyes: what tells front from back."""
        left = _normalize(joints[:, 4] - joints[:, 8])
        spine, head = joints[:, 20] - joints[:, 0], joints[:, 3] - joints[:, 2]
        chest = _normalize(np.cross(left, _normalize(spine)))
        fat = body.stoutness * body.height / 1.75
        middle = 0.08 * fat * chest
        half = 0.022 * fat * left
        top, bottom = joints[:, 20] - 0.1 * spine + middle, joints[:, 0] + 0.15 * spine + middle
        corners = np.stack([top - half, top + half, bottom + half, bottom - half], 1)
        self.stripe = _fixed(project(corners, size))
        self.stripe_seen = (chest * -_normalize(joints[:, 20])).sum(-1) > 0.2
        pale = 0.35 * np.array(body.shirt) + 0.65 * (255 if sum(body.shirt) < 450 else 40)
        self.stripe_color = (int(pale[0]), int(pale[1]), int(pale[2]))
        self.torso = 12  # the torso's place among the shapes
        up = _normalize(head)
        look = _normalize(np.cross(left, up))
        face = body.height / 1.75
        eyes = [
            joints[:, 3] + face * (0.100 * look + side * 0.034 * left + 0.004 * up)
            for side in (-1, 1)
        ]
        self.eyes = _fixed(project(np.stack(eyes, 1), size))
        self.eyes_seen = (look * -_normalize(joints[:, 3])).sum(-1) > 0.35
        scale = -FOCAL_PX[1] * size[1] / FULL_SIZE[1]
        self.eye_px = np.maximum(0.011 * scale / joints[:, 3, 2], 0.5)
        feet = joints[:, [15, 19, 0]].copy()
        pixels = project(feet, size)
        self.shadow = pixels[:, :2].mean(1)
        self.shadow_px = scale / np.maximum(feet[:, 2, 2], 0.5)

    def draw(self, image: Image, frame: int) -> None:
        """Draws the person into an RGB picture, in place."""
        for number in self.order[frame]:
            shape = self.outlines[number]
            rim, fill, light = shape.colors
            _fill(image, shape.rim[frame], rim, shape.convex)
            _fill(image, shape.fill[frame], fill, shape.convex)
            if shape.light is not None:
                _fill(image, shape.light[frame], light, True)
            if number == self.torso and self.stripe_seen[frame]:
                _fill(image, self.stripe[frame], self.stripe_color, True)
        if self.eyes_seen[frame]:
            radius = round(self.eye_px[frame] * (1 << _SHIFT))
            for x, y in self.eyes[frame].tolist():
                cv2.circle(image, (x, y), radius, (25, 20, 20), -1, cv2.LINE_AA, _SHIFT)


# ------------------------------------------------------------------------------------- the room


def draw_box(
    image: Image, camera: Camera, center: Array, size: Array, turn: float, color: Color
) -> None:
    """A cuboid standing in the room: center, size (width, height, depth) in meters of the world,
    turned about the vertical."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * size / 2
    c, s = np.cos(turn), np.sin(turn)
    corners = corners @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) + center
    seen = camera.see(corners)
    if seen[:, 2].min() < 0.3:
        return
    pixels = _fixed(project(seen, (image.shape[1], image.shape[0])))
    faces = ((0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5))
    shades = (0.78, 0.86, 0.55, 1.12, 0.7, 0.94)
    for face in sorted(range(6), key=lambda f: -float(seen[list(faces[f]), 2].mean())):
        r, g, b = (int(min(255, shades[face] * channel)) for channel in color)
        cv2.fillConvexPoly(image, pixels[list(faces[face])], (r, g, b), cv2.LINE_AA, _SHIFT)


def draw_chair(image: Image, camera: Camera, seat: float, back: float, color: Color) -> None:
    """A chair behind the actor's place; ``back`` meters to the middle of the seat."""
    legs = [(x, -back + z) for x in (-0.19, 0.19) for z in (-0.19, 0.19)]
    for x, z in sorted(legs, key=lambda leg: leg[1]):
        part = np.array([0.04, seat, 0.04])
        draw_box(image, camera, np.array([x, seat / 2, z]), part, 0.0, color)
    back_rest = np.array([0.42, 0.45, 0.04])
    draw_box(image, camera, np.array([0, seat + 0.22, -back - 0.21]), back_rest, 0.0, color)
    part = np.array([0.44, 0.05, 0.44])
    draw_box(image, camera, np.array([0, seat - 0.03, -back]), part, 0.0, color)


def room(camera: Camera, size: tuple[int, int], rng: np.random.Generator) -> Image:
    """An indoor background: wall, floor, pictures and furniture, light from one side."""
    width, height = size
    wall = np.array(
        rng.choice([[208, 202, 190], [186, 196, 204], [214, 208, 196], [176, 182, 172]])
    )
    wall = wall * rng.uniform(0.75, 1.08)
    floor = np.array(rng.choice([[150, 116, 82], [128, 128, 130], [104, 84, 66], [164, 150, 132]]))
    floor = floor * rng.uniform(0.8, 1.1)
    behind = rng.uniform(1.6, 2.4)
    edge = project(_behind(camera, behind, 0.0), size)[1]
    image = np.empty((height, width, 3), dtype=np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None, None]
    image[:] = wall
    below = rows[:, 0, 0] > edge
    near = np.clip((rows[below] - edge) / max(height - edge, 1), 0, 1)
    image[below] = floor * (0.78 + 0.3 * near)
    picture = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(int(rng.integers(1, 4))):  # pictures, windows
        _hang_picture(picture, camera, behind, rng)
    board = round(float(edge))
    cv2.line(picture, (0, board), (width, board), (wall * 0.7).tolist(), max(1, height // 120))
    for _ in range(int(rng.integers(2, 5))):  # furniture along the wall
        box = np.array([rng.uniform(0.3, 1.0), rng.uniform(0.35, 1.7), rng.uniform(0.3, 0.6)])
        aside = rng.uniform(0.75, 2.4) * rng.choice([-1, 1])
        place = _in_room(camera, aside, -behind + 0.4 + rng.uniform(0, 0.3), box[1] / 2)
        tone = rng.uniform(50, 215, 3)
        tone = 0.5 * tone + 0.5 * tone.mean()
        color = (int(tone[0]), int(tone[1]), int(tone[2]))
        draw_box(picture, camera, place, box, camera.azimuth + rng.normal(0, 0.15), color)
    return _light(picture, rng)


def _in_room(camera: Camera, aside: float, towards: float, up: float) -> Array:
    """A place seen from the camera: meters aside, towards the camera, above the floor."""
    c, s = np.cos(camera.azimuth), np.sin(camera.azimuth)
    return np.array([c * aside + s * towards, up, -s * aside + c * towards])


def _behind(camera: Camera, distance: float, up: float) -> Array:
    """A place straight behind the actor, in camera space."""
    return camera.see(_in_room(camera, 0.0, -distance, up))


def _hang_picture(image: Image, camera: Camera, behind: float, rng: np.random.Generator) -> None:
    aside, up = rng.uniform(-2.4, 2.4), rng.uniform(1.2, 2.0)
    half_width, half_height = rng.uniform(0.15, 0.5), rng.uniform(0.15, 0.4)
    corners = np.stack(
        [
            camera.see(_in_room(camera, aside + x * half_width, -behind, up + y * half_height))
            for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
    )
    points = _fixed(project(corners, (image.shape[1], image.shape[0])))
    tone = rng.uniform(60, 235, 3)
    cv2.fillConvexPoly(image, points, tone.tolist(), cv2.LINE_AA, _SHIFT)
    frame = (0.35 * tone).tolist()
    cv2.polylines(image, [points], True, frame, max(1, image.shape[1] // 320), cv2.LINE_AA, _SHIFT)


def _light(image: Image, rng: np.random.Generator) -> Image:
    """Light that falls off across the picture, and the grain of walls and floor."""
    height, width = image.shape[:2]
    low = rng.normal(0, 2.2, (height // 4 + 1, width // 4 + 1)).astype(np.float32)
    grain = cv2.resize(low, (width, height), interpolation=cv2.INTER_LINEAR)
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    slope = rng.uniform(-0.10, 0.10, 2)
    gain = rng.uniform(0.85, 1.05) + slope[0] * x + slope[1] * y - 0.08 * (x**2 + y**2)
    lit = image.astype(np.float32) * gain[..., None].astype(np.float32) + grain[..., None]
    return np.clip(lit, 0, 255).astype(np.uint8)


def draw_shadow(image: Image, place: Array, px_per_metre: float) -> None:
    """The soft shadow under a body: a darker ellipse on the floor, in place."""
    axes = (max(1, round(0.34 * px_per_metre)), max(1, round(0.085 * px_per_metre)))
    center = (round(float(place[0])), round(float(place[1])))
    x1, x2 = max(center[0] - axes[0], 0), min(center[0] + axes[0] + 1, image.shape[1])
    y1, y2 = max(center[1] - axes[1], 0), min(center[1] + axes[1] + 1, image.shape[0])
    if x1 >= x2 or y1 >= y2:
        return
    part = image[y1:y2, x1:x2]
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.ellipse(mask, (center[0] - x1, center[1] - y1), axes, 0, 0, 360, 1, -1)
    darker = cv2.convertScaleAbs(part, alpha=0.72)
    cv2.copyTo(darker, mask, part)
