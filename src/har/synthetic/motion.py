"""Motion: what a body does in each of the actions, as 25 joints over time.

An action is a function that returns where hands and feet go; two-bone inverse kinematics finds
elbows and knees. A person has coordinates (left, up, forward) in meters, the floor at up = 0.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from har.synthetic.anatomy import Body

Array = NDArray[np.float64]
NUM_JOINTS = 25


@dataclass
class Pose:
    """A pose over F frames, before inverse kinematics.

    Hands are given from their shoulder in arm lengths, (outwards, up, forward) of the torso;
    feet in meters of the person's space. Index 0 is the left side, 1 the right one.
    """

    pelvis: Array  # (F, 3) meters
    lean: Array  # (F,) radians, forward
    sway: Array  # (F,) radians, to the left
    twist: Array  # (F,) radians, to the left
    nod: Array  # (F,) radians, the head forward
    hands: list[Array]  # 2 x (F, 3)
    elbows: list[Array]  # 2 x (3,): where elbows point, (outwards, up, forward)
    feet: list[Array]  # 2 x (F, 3) ankles
    fall: Array  # (F,) radians, of the whole body about the feet
    fall_axis: Array = field(default_factory=lambda: np.array([1.0, 0.0, 0.0]))  # (3,)


@dataclass
class Performance:
    """The actor, the speed and the hand: the arguments of an action function."""

    body: Body
    num_frames: int
    rng: np.random.Generator
    acting: int = 1  # side that acts

    def __post_init__(self) -> None:
        self.u = np.linspace(0, 1, self.num_frames)
        self.seconds = np.arange(self.num_frames) / 30
        self.amplitude = float(self.rng.uniform(0.88, 1.12))

    def ramp(self, start: float, end: float) -> Array:
        """From 0 to 1 between two times of [0, 1], smoothly."""
        x = np.clip((self.u - start) / (end - start), 0, 1)
        return x * x * (3 - 2 * x)

    def held(self, jitter: float = 0.05) -> Array:
        """Up early, held, down late."""
        up, down = 0.06 + jitter * self.rng.random(), 0.84 + 2 * jitter * self.rng.random()
        return self.ramp(up, up + 0.2) - self.ramp(down, down + 0.1)

    def beat(self, low_hz: float, high_hz: float) -> Array:
        """A sine of a frequency drawn between two."""
        hz, phase = self.rng.uniform(low_hz, high_hz), self.rng.uniform(0, 2 * np.pi)
        return np.sin(2 * np.pi * hz * self.seconds + phase)

    def towards(self, start: Array, goal: tuple[float, float, float], share: Array) -> Array:
        """From the positions ``start`` (F, 3) to a goal that varies a little."""
        end = np.array(goal) + self.rng.normal(0, 0.025, 3)
        return start + share[:, None] * (end - start)


def standing(p: Performance) -> Pose:
    """Standing at ease, never quite still."""
    body, frames, rng = p.body, p.num_frames, p.rng
    zero = np.zeros(frames)

    def drift(scale: float) -> Array:
        return scale * p.beat(0.15, 0.5)

    pelvis = np.stack([drift(0.012), zero + body.pelvis_height, drift(0.01)], -1)
    gap = rng.uniform(1.1, 1.8) * body.hip
    feet = [
        np.tile([side * gap, body.ankle_height, rng.uniform(-0.04, 0.04)], (frames, 1))
        for side in (1, -1)
    ]
    hands = []
    for _ in range(2):
        rest = np.array([rng.uniform(0.10, 0.22), -0.95, rng.uniform(0.02, 0.16)])
        hands.append(rest + np.stack([drift(0.02), zero, drift(0.03)], -1))
    return Pose(
        pelvis=pelvis,
        lean=rng.uniform(0.0, 0.08) + drift(0.015),
        sway=drift(0.015),
        twist=drift(0.04),
        nod=rng.uniform(-0.05, 0.15) + drift(0.05),
        hands=hands,
        elbows=[np.array([0.45, -0.3, -0.85]) for _ in range(2)],
        feet=feet,
        fall=zero,
    )


def drink(p: Performance) -> Pose:
    pose, side = standing(p), p.acting
    low = p.towards(pose.hands[side], (-0.02, -0.42, 0.52), p.ramp(-0.2, 0.08))
    up, down = p.rng.uniform(0.16, 0.24), p.rng.uniform(0.62, 0.70)
    sips = p.ramp(up, up + 0.16) - p.ramp(down, down + 0.16)
    pose.hands[side] = p.towards(low, (-0.30, 0.22, 0.36), sips)
    pose.elbows[side] = np.array([0.35, -0.95, 0.1])
    pose.nod = pose.nod - 0.28 * sips
    return pose


def salute(p: Performance) -> Pose:
    pose, side = standing(p), p.acting
    pose.hands[side] = p.towards(pose.hands[side], (0.16, 0.42, 0.22), p.held())
    pose.elbows[side] = np.array([0.95, 0.1, 0.0])
    return pose


def wave(p: Performance) -> Pose:
    pose, side = standing(p), p.acting
    up = p.held()
    hand = p.towards(pose.hands[side], (0.48, 0.62, 0.22), up)
    hand[:, 0] += up * 0.24 * p.amplitude * p.beat(1.1, 1.9)
    pose.hands[side] = hand
    pose.elbows[side] = np.array([0.8, -0.55, 0.05])
    return pose


def point(p: Performance) -> Pose:
    pose, side = standing(p), p.acting
    azimuth, height = p.rng.uniform(-0.25, 0.75), p.rng.uniform(-0.08, 0.14)
    goal = (np.sin(azimuth), height, np.cos(azimuth))
    pose.hands[side] = p.towards(pose.hands[side], goal, p.held())
    pose.elbows[side] = np.array([0.5, -0.85, 0.0])
    return pose


def clap(p: Performance) -> Pose:
    pose, up = standing(p), p.held()
    apart = 0.16 * p.amplitude * (1 + p.beat(1.6, 2.6)) * up
    inwards = -p.body.shoulder / p.body.arm
    for side in (0, 1):
        hand = p.towards(pose.hands[side], (inwards, -0.22, 0.62), up)
        hand[:, 0] += apart
        pose.hands[side] = hand
        pose.elbows[side] = np.array([0.75, -0.65, -0.1])
    return pose


def cheer(p: Performance) -> Pose:
    pose, up = standing(p), p.held()
    pump = 0.14 * p.amplitude * p.beat(1.0, 1.8) * up
    for side in (0, 1):
        hand = p.towards(pose.hands[side], (0.26, 0.84, 0.08), up)
        hand[:, 1] += pump - 0.1 * up
        pose.hands[side] = hand
        pose.elbows[side] = np.array([0.95, -0.1, 0.15])
    pose.pelvis[:, 1] += 0.012 * p.beat(1.0, 1.8) * up - 0.012
    return pose


def _seat(p: Performance, seated: Array) -> Pose:
    """Standing (0) to seated (1)."""
    pose, body = standing(p), p.body
    seat = 0.45 + 0.06 * body.height
    pose.pelvis[:, 1] += seated * (seat - body.pelvis_height)
    pose.pelvis[:, 2] -= 0.42 * seated
    pose.lean = pose.lean + 0.75 * np.sin(np.pi * seated) * p.amplitude + 0.04 * seated
    knees = p.rng.random() < 0.6
    for side in (0, 1):
        goal = (-0.02, -0.50, 0.55) if knees else (0.10, -0.68, 0.30)
        pose.hands[side] = p.towards(pose.hands[side], goal, seated)
    return pose


def sit_down(p: Performance) -> Pose:
    start = p.rng.uniform(0.14, 0.26)
    return _seat(p, p.ramp(start, p.rng.uniform(0.68, 0.82)))


def stand_up(p: Performance) -> Pose:
    start = p.rng.uniform(0.14, 0.26)
    return _seat(p, 1 - p.ramp(start, p.rng.uniform(0.68, 0.82)))


def kick(p: Performance) -> Pose:
    pose, side = standing(p), p.acting
    count = 2 if p.num_frames > 72 else 1.5
    cycle = np.sin(2 * np.pi * count * (p.u - p.rng.uniform(0.0, 0.12)))
    forward, back = np.maximum(cycle, 0) ** 1.5, np.maximum(-cycle, 0)
    leg = p.body.thigh + p.body.shank
    foot = pose.feet[side]
    foot[:, 2] += p.amplitude * leg * 0.72 * forward - 0.30 * back
    foot[:, 1] += p.amplitude * leg * 0.46 * forward + 0.16 * back
    pose.lean = pose.lean - 0.22 * forward + 0.12 * back
    for hand in pose.hands:
        hand[:, 0] += 0.22 * forward
        hand[:, 1] += 0.10 * forward
    return pose


def hop(p: Performance) -> Pose:
    pose, side = standing(p), p.acting
    height = 0.13 * p.amplitude * np.abs(p.beat(0.75, 1.05))
    up = p.ramp(0.0, 0.12)
    other = pose.feet[1 - side]
    other[:, 0] *= 0.35
    pose.pelvis[:, 1] += up * (height - 0.035)
    other[:, 1] += up * height
    lifted = pose.feet[side]
    lifted[:, 1] += up * (0.30 * p.body.height * 0.72 + height)
    lifted[:, 2] -= 0.28 * up
    for hand in pose.hands:
        hand[:, 0] += 0.30 * up
        hand[:, 1] += up * (0.22 + height)
        hand[:, 2] += 0.18 * up
    return pose


def jump(p: Performance) -> Pose:
    pose = standing(p)
    count = 2 if p.num_frames > 74 else 1.5
    phase = (count * (p.u + p.rng.uniform(-0.02, 0.05))) % 1
    crouch = np.exp(-(((phase - 0.28) / 0.13) ** 2)) + 0.7 * np.exp(-(((phase - 0.80) / 0.08) ** 2))
    air = np.maximum(0, 1 - ((phase - 0.55) / 0.17) ** 2)
    rise = 0.34 * p.amplitude * air
    pose.pelvis[:, 1] += rise - 0.24 * p.amplitude * crouch
    pose.pelvis[:, 2] -= 0.08 * crouch
    pose.lean = pose.lean + 0.42 * crouch
    for side in (0, 1):
        pose.feet[side][:, 1] += rise
        pose.hands[side][:, 2] += -0.35 * crouch + 0.45 * air
        pose.hands[side][:, 1] += 0.12 * crouch + 1.05 * air
    return pose


def fall(p: Performance) -> Pose:
    pose = standing(p)
    start, end = p.rng.uniform(0.16, 0.28), p.rng.uniform(0.60, 0.74)
    x = np.clip((p.u - start) / (end - start), 0, 1)
    down = x**1.7 * (1 + 0.3 * (1 - x))
    pose.fall = 1.42 * down
    around = p.rng.uniform(-1.9, 1.9)  # which way: 0 forward, +-pi/2 to a side
    pose.fall_axis = np.array([np.cos(around), 0.0, -np.sin(around)])
    for side in (0, 1):
        pose.hands[side] = p.towards(pose.hands[side], (0.55, 0.1, 0.45), p.ramp(start, end))
    bend = np.sin(np.pi * np.clip(down, 0, 1))
    pose.pelvis[:, 1] -= 0.10 * bend
    pose.lean = pose.lean + 0.25 * bend
    return pose


ACTIONS: dict[int, Callable[[Performance], Pose]] = {
    1: drink,
    8: sit_down,
    9: stand_up,
    10: clap,
    22: cheer,
    23: wave,
    24: kick,
    26: hop,
    27: jump,
    31: point,
    38: salute,
    43: fall,
}
"""What a person does, by the action's number in NTU RGB+D."""


# ---------------------------------------------------------------------------------- kinematics


def rotation(lean: Array, sway: Array, twist: Array) -> Array:
    """Rotations (F, 3, 3) whose columns are a body part's left, up and forward."""
    c, s = np.cos(lean), np.sin(lean)
    o, z = np.ones_like(c), np.zeros_like(c)
    about_left = np.stack([o, z, z, z, c, -s, z, s, c], -1).reshape(-1, 3, 3)
    c, s = np.cos(sway), np.sin(sway)
    about_forward = np.stack([c, s, z, -s, c, z, z, z, o], -1).reshape(-1, 3, 3)
    c, s = np.cos(twist), np.sin(twist)
    about_up = np.stack([c, z, s, z, o, z, -s, z, c], -1).reshape(-1, 3, 3)
    product: Array = about_up @ about_left @ about_forward
    return product


def two_bones(
    root: Array, target: Array, upper: float, lower: float, pole: Array
) -> tuple[Array, Array]:
    """Middle and end joint (F, 3) of two bones that reach from ``root`` for ``target``; the
    middle one bends towards ``pole``. Targets out of reach are approached."""
    way = target - root
    distance = np.linalg.norm(way, axis=-1, keepdims=True)
    direction = way / np.maximum(distance, 1e-9)
    reach = np.clip(distance, abs(upper - lower) + 1e-3, 0.995 * (upper + lower))
    cos = np.clip((upper**2 + reach**2 - lower**2) / (2 * upper * reach), -1, 1)
    aside = pole - (pole * direction).sum(-1, keepdims=True) * direction
    aside /= np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-9)
    middle = root + upper * (cos * direction + np.sqrt(1 - cos**2) * aside)
    return middle, root + reach * direction


def _about_feet(points: Array, angle: Array, axis: Array) -> Array:
    """Points (F, J, 3) turned about an axis through the origin (Rodrigues' formula)."""
    c, s = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    cross = np.cross(np.broadcast_to(axis, points.shape), points)
    return points * c + cross * s + axis * (points @ axis)[..., None] * (1 - c)


def joints_of(pose: Pose, body: Body) -> Array:
    """The 25 joints of NTU RGB+D, (F, 25, 3), in the person's space in meters."""
    torso = rotation(pose.lean, pose.sway, pose.twist)
    head_turn = rotation(pose.lean * 0.6 + pose.nod, pose.sway, pose.twist)

    def at(start: Array, turn: Array, offset: tuple[float, float, float]) -> Array:
        placed: Array = start + turn @ np.array(offset)
        return placed

    joints = np.zeros((len(pose.pelvis), NUM_JOINTS, 3))
    joints[:, 0] = pose.pelvis
    joints[:, 1] = at(pose.pelvis, torso, (0, 0.48 * body.spine, 0.01))
    joints[:, 20] = shoulders = at(pose.pelvis, torso, (0, body.spine, 0))
    joints[:, 2] = neck = at(shoulders, torso, (0, body.neck, 0))
    joints[:, 3] = at(neck, head_turn, (0, body.head, 0.02))
    pelvis_turn = rotation(0.3 * pose.lean, pose.sway, 0.5 * pose.twist)
    for side, sign in ((0, 1.0), (1, -1.0)):
        shoulder = at(shoulders, torso, (sign * body.shoulder, -0.02 * body.height, 0))
        reach = pose.hands[side] * [sign, 1, 1] * body.arm
        target = shoulder + (torso @ reach[..., None])[..., 0]
        pole = torso @ (pose.elbows[side] * [sign, 1, 1])
        elbow, wrist = two_bones(shoulder, target, body.upper_arm, body.forearm, pole)
        along = (wrist - elbow) / body.forearm
        first = 4 + 4 * side
        joints[:, first : first + 3] = np.stack([shoulder, elbow, wrist], 1)
        joints[:, first + 3] = wrist + body.hand * along
        joints[:, 21 + 2 * side] = wrist + 2.1 * body.hand * along  # finger tips
        inwards = torso @ np.array([-sign, 0, 0.4])
        joints[:, 22 + 2 * side] = wrist + body.hand * (along + 0.5 * inwards)  # thumb
        hip = at(pose.pelvis, pelvis_turn, (sign * body.hip, -0.02 * body.height, 0))
        bend = pelvis_turn @ np.array([0.18 * sign, 0, 1.0])
        knee, ankle = two_bones(hip, pose.feet[side], body.thigh, body.shank, bend)
        forward = pelvis_turn @ np.array([0.25 * sign, 0, 1.0])
        # A foot behind and above the floor hangs down, one on the floor lies flat.
        lifted = np.clip((ankle[:, 1:2] - body.ankle_height) / 0.25, 0, 1)
        toes = forward - [0, 0.55, 0] * lifted
        toes /= np.linalg.norm(toes, axis=-1, keepdims=True)
        foot = ankle + body.foot * toes - [0, 0.6 * body.ankle_height, 0]
        first = 12 + 4 * side
        joints[:, first : first + 4] = np.stack([hip, knee, ankle, foot], 1)
    if np.any(pose.fall):
        joints = _about_feet(joints, pose.fall, pose.fall_axis)
        low = joints[..., 1].min(1)
        joints[..., 1] += np.maximum(0.05 - low, 0)[:, None]  # no body sinks into the floor
    return joints


def perform(action: int, body: Body, num_frames: int, rng: np.random.Generator) -> Array:
    """An action as joints (F, 25, 3) in the person's space (left, up, forward), meters."""
    acting = 1 if body.right_handed else 0
    performance = Performance(body, num_frames, rng, acting)
    return joints_of(ACTIONS[action](performance), body)
