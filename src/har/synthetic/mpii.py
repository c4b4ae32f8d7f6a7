"""Synthetic photographs of people, as MPII Human Pose has them: poses of all kinds, one to three
people, near and far, cut off by the border or hidden by others.

The same number and seed always give the same picture. Unlike NTU's video, a photograph is not
mirrored: the joints called left are what the picture shows as left.
"""

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from har.synthetic.anatomy import Body, draw_body
from har.synthetic.motion import ACTIONS, Performance, Pose, joints_of
from har.synthetic.render import (
    Array,
    Camera,
    Figure,
    Image,
    draw_box,
    draw_shadow,
    project,
    room,
)

VERSION = 1  # of the generator: what is written changes with it

# MPII's joints among the 25 of a body, by the person's own left and right; 9, the top of the head,
# is none of them.
MPII_FROM_BODY = (18, 17, 16, 12, 13, 14, 0, 20, 2, 3, 10, 9, 8, 4, 5, 6)
_HEAD = 9
_HEAD_TOP = 0.118  # meters above the middle of the head, of a body 1.75 m high
_LABELLED_JOINTS = 9  # of persons with fewer in the picture no joint is labeled
_MOST_HIDDEN = 0.4  # nor of those with more joints behind another person
_FALL = 43


@dataclass
class Person:
    """Somebody in a picture, in its continuous pixels (the first one covers 0 to 1).

    Attributes:
        joints_px: (16, 2) in MPII's order.
        visible: (16,) bool, not behind another person or a thing.
        inside: (16,) bool, inside the picture.
        height_px: height of the upright body at its distance.
        centre_px: (2,) of the joints' extent.
        head_box_px: (4,) x1 y1 x2 y2.
        labeled: an annotator would label the joints.
    """

    joints_px: Array
    visible: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    height_px: float
    centre_px: Array
    head_box_px: Array
    labeled: bool


@dataclass
class Scene:
    """A picture before it is drawn.

    It is drawn larger, as a mirrored picture of the renderer's camera, and cut out after turning
    it over.

    Attributes:
        canvas: (width, height) in pixels of the large picture.
        corner: (x, y) of the photograph in the turned large picture.
        size: (width, height) of the photograph.
        bodies, joints: the persons, and joints (25, 3) in camera space, from far to near.
        people: the same persons as they are annotated.
    """

    canvas: tuple[int, int]
    corner: tuple[int, int]
    size: tuple[int, int]
    camera: Camera
    bodies: list[Body]
    joints: list[Array]
    box: tuple[Array, Array, float] | None
    people: list[Person]
    seed: tuple[int, int, int]


def simulate(number: int, seed: int = 0, labeled: int = 1, attempts: int = 40) -> Scene:
    """The scene of an image.

    Args:
        number: of the image, from 1.
        seed: of everything random.
        labeled: how many persons have to be labeled.
        attempts: how many scenes to try for that; then the last one is taken.
    """
    for attempt in range(attempts):
        scene = _scene((seed, number, attempt), labeled)
        if sum(person.labeled for person in scene.people) >= labeled:
            break
    return scene


def _scene(seed: tuple[int, int, int], at_least: int) -> Scene:
    rng = np.random.default_rng([*seed, 1])
    width = int(rng.integers(35, 50)) * 16
    canvas = width, width * 9 // 16
    camera = Camera(
        azimuth=float(rng.uniform(-np.pi, np.pi)),
        distance=float(rng.uniform(2.5, 4.2)),
        height=float(rng.uniform(0.8, 1.9)),
        aim=float(rng.uniform(0.85, 1.0)),
    )
    count = max(int(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12])), at_least)
    bodies = [draw_body(rng) for _ in range(count)]
    sides = rng.permutation([-1.0, 1.0])
    joints = []
    for number, body in enumerate(bodies):
        aside, towards = rng.normal(0, 0.1), rng.normal(0, 0.1)
        if number:
            aside += sides[number % 2] * rng.uniform(0.7, 1.3) * ((number + 1) // 2)
            towards += rng.uniform(-1.0, 0.3)
        joints.append(_place(any_pose(body, rng), camera, rng, aside, towards))
    box = _something_in_front(camera, rng) if rng.random() < 0.12 else None
    size = int(rng.integers(40, 61)) * 8, int(rng.integers(30, 46)) * 8
    size = min(size[0], canvas[0]), min(size[1], canvas[1])
    middle = _turned(project(joints[0], canvas), canvas)
    middle = (middle.min(0) + middle.max(0)) / 2
    share = np.array([rng.uniform(0.35, 0.65), rng.uniform(0.44, 0.56)])
    if rng.random() < 0.15:  # the border of the picture cuts a person off
        share[int(rng.integers(2))] = rng.choice([0.2, 0.8])
    corner = np.clip(middle - share * size, 0, np.array(canvas) - size).astype(int)
    order = np.argsort([-float(j[0, 2]) for j in joints])
    scene = Scene(
        canvas,
        (int(corner[0]), int(corner[1])),
        size,
        camera,
        [bodies[i] for i in order],
        [joints[i] for i in order],
        box,
        [],
        seed,
    )
    return replace(scene, people=_annotate(scene))


def any_pose(body: Body, rng: np.random.Generator) -> Array:
    """Joints (25, 3) in the person's space in meters: a moment of an action, limbs moved."""
    actions = [action for action in ACTIONS if action != _FALL]
    action = _FALL if rng.random() < 0.03 else int(rng.choice(actions))
    pose = ACTIONS[action](Performance(body, 70, rng, acting=int(rng.integers(2))))
    moment = int(rng.integers(70))
    for part in fields(Pose):
        value = getattr(pose, part.name)
        if part.name in ("hands", "feet"):
            setattr(pose, part.name, [limb[moment : moment + 1] for limb in value])
        elif part.name not in ("elbows", "fall_axis"):
            setattr(pose, part.name, value[moment : moment + 1])
    pose.lean = pose.lean + abs(rng.normal(0, 0.18))
    pose.sway = pose.sway + rng.normal(0, 0.12)
    pose.twist = pose.twist + rng.normal(0, 0.2)
    pose.nod = pose.nod + rng.normal(0, 0.12)
    if rng.random() < 0.25:
        pose.pelvis[:, 1] *= rng.uniform(0.6, 0.95)
    for side, sign in ((0, 1.0), (1, -1.0)):
        if rng.random() < 0.55:
            way = np.array([rng.uniform(-0.3, 1), rng.uniform(-1, 1), rng.uniform(-0.2, 0.9)])
            way *= rng.uniform(0.45, 0.97) / max(float(np.linalg.norm(way)), 0.3)
            pose.hands[side] = way[None]
            pose.elbows[side] = np.array([rng.uniform(0.3, 1), rng.uniform(-1, 0), -0.4])
        if rng.random() < 0.35:
            step = [sign * rng.uniform(0, 0.3), rng.uniform(0, 0.2), rng.uniform(-0.35, 0.35)]
            pose.feet[side] = pose.feet[side] + step
    return joints_of(pose, body)[0]


def _place(
    joints: Array, camera: Camera, rng: np.random.Generator, aside: float, towards: float
) -> Array:
    """A person in camera space, standing somewhere and looking anywhere, mostly at the camera."""
    turn = rng.uniform(-np.pi, np.pi) if rng.random() < 0.2 else rng.normal(0, 0.6)
    facing = camera.azimuth + turn
    c, s = np.cos(facing), np.sin(facing)
    world = joints @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    return camera.see(world + _on_floor(camera, aside, towards))


def _on_floor(camera: Camera, aside: float, towards: float) -> Array:
    """A place seen from the camera: meters aside, and towards it."""
    c, s = np.cos(camera.azimuth), np.sin(camera.azimuth)
    return np.array([c * aside + s * towards, 0.0, -s * aside + c * towards])


def _something_in_front(camera: Camera, rng: np.random.Generator) -> tuple[Array, Array, float]:
    """A low piece of furniture before the people: center, size, turn."""
    size = np.array([rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.5)])
    place = _on_floor(camera, rng.uniform(-0.7, 0.7), rng.uniform(0.7, 0.9))
    place[1] = size[1] / 2
    return place, size, float(camera.azimuth + rng.normal(0, 0.3))


def _turned(pixels: Array, canvas: tuple[int, int]) -> Array:
    """Pixels of the mirrored large picture in the one turned over."""
    turned = pixels.copy()
    turned[..., 0] = canvas[0] - pixels[..., 0]
    return turned


# ----------------------------------------------------------------------------------- annotating


def body_joints_3d(joints: Array, body: Body) -> Array:
    """MPII's joints (16, 3) of a body's 25 joints in camera space."""
    up = joints[3] - joints[2]
    chosen: Array = joints[list(MPII_FROM_BODY)].copy()
    chosen[_HEAD] += _HEAD_TOP * body.height / 1.75 * up / np.linalg.norm(up)
    return chosen


def _annotate(scene: Scene) -> list[Person]:
    figures = [
        Figure(joints[None], body, scene.canvas)
        for joints, body in zip(scene.joints, scene.bodies, strict=True)
    ]
    # The person at every pixel: far to near, each over those behind; 255 for the furniture.
    owner = np.zeros((scene.canvas[1], scene.canvas[0]), np.uint8)
    for number, figure in enumerate(figures, start=1):
        for shape in figure.outlines:
            cv2.fillConvexPoly(owner, cv2.convexHull(shape.rim[0]), number, cv2.LINE_8, 4)
    if scene.box is not None:
        front = np.zeros((*owner.shape, 3), np.uint8)
        draw_box(front, scene.camera, *scene.box, (255, 255, 255))
        owner[front[..., 0] > 0] = 255
    people = []
    for number, (joints, body) in enumerate(zip(scene.joints, scene.bodies, strict=True), start=1):
        points = body_joints_3d(joints, body)
        on_canvas = project(points, scene.canvas)
        pixels = _turned(on_canvas, scene.canvas) - scene.corner
        inside = ((pixels >= 0) & (pixels < scene.size)).all(-1)
        at = np.clip(on_canvas.astype(int), 0, np.array(scene.canvas) - 1)
        hidden = owner[at[:, 1], at[:, 0]] > number
        px_per_metre = 1056.0 * scene.canvas[1] / 1080 / points[6, 2]
        neck, top = pixels[8], pixels[_HEAD]
        diagonal = max(float(np.linalg.norm(top - neck)) / 0.8, 0.26 * px_per_metre)
        half = diagonal / 2 * np.array([0.6, 0.8])
        people.append(
            Person(
                joints_px=pixels,
                visible=~hidden,
                inside=np.asarray(inside),
                height_px=body.height * px_per_metre,
                centre_px=(pixels.min(0) + pixels.max(0)) / 2,
                head_box_px=np.concatenate([(neck + top) / 2 - half, (neck + top) / 2 + half]),
                labeled=bool(
                    inside.sum() >= _LABELLED_JOINTS and (hidden & inside).mean() <= _MOST_HIDDEN
                ),
            )
        )
    return people


# -------------------------------------------------------------------------------------- drawing


def draw(scene: Scene) -> Image:
    """The photograph, RGB (H, W, 3)."""
    rng = np.random.default_rng([*scene.seed, 2])
    indoors = rng.random() < 0.65
    image = room(scene.camera, scene.canvas, rng) if indoors else _outdoors(scene.canvas, rng)
    figures = [
        Figure(joints[None], body, scene.canvas, light=(float(rng.choice([-0.6, 0.6])), -0.7))
        for joints, body in zip(scene.joints, scene.bodies, strict=True)
    ]
    for figure in figures:
        draw_shadow(image, figure.shadow[0], float(figure.shadow_px[0]))
    for figure in figures:
        figure.draw(image, 0)
    if scene.box is not None:
        tone = rng.uniform(40, 200, 3)
        draw_box(image, scene.camera, *scene.box, (int(tone[0]), int(tone[1]), int(tone[2])))
    (x, y), (width, height) = scene.corner, scene.size
    return _photograph(image[:, ::-1][y : y + height, x : x + width], rng)


def _outdoors(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """A blurred landscape: sky, ground, and spots of all colors."""
    width, height = size
    horizon = int(height * rng.uniform(0.3, 0.6))
    image = np.empty((height, width, 3), np.uint8)
    image[:horizon] = rng.uniform((120, 150, 170), (210, 225, 255))
    image[horizon:] = rng.uniform((60, 70, 40), (170, 170, 130))
    for _ in range(int(rng.integers(12, 30))):
        center = int(rng.integers(width)), int(horizon + rng.normal(0, 0.2 * height))
        axes = int(rng.integers(8, width // 6)), int(rng.integers(8, height // 4))
        tone = rng.uniform(30, 220, 3)
        angle = float(rng.uniform(0, 180))
        cv2.ellipse(image, center, axes, angle, 0, 360, (0.6 * tone + 50).tolist(), -1)
    blur = 1 + 2 * int(rng.integers(2, 8))
    return cv2.blur(image, (blur, blur)).astype(np.uint8, copy=False)


def _photograph(image: Image, rng: np.random.Generator) -> Image:
    """Exposure, color cast, and grain."""
    gain = rng.uniform(0.75, 1.15) * rng.uniform(0.93, 1.07, 3)
    shift = rng.uniform(-12, 18)
    small = rng.normal(0, rng.uniform(0.5, 4.0), (image.shape[0] // 2 + 1, image.shape[1] // 2 + 1))
    grain = cv2.resize(small.astype(np.float32), (image.shape[1], image.shape[0]))
    lit = image.astype(np.float32) * gain.astype(np.float32) + np.float32(shift) + grain[..., None]
    return np.clip(lit, 0, 255).astype(np.uint8)
