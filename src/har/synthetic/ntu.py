"""Synthetic NTU RGB+D: videos and skeletons that the readers of the real data set read.

The same sample name and seed always give the same motion, the same bytes of skeleton and the same
pixels. As in the real data set the color video is mirrored, the names of joints are anatomical,
three cameras watch each performance from -45, 0 and 45 degrees, and subjects keep their bodies.
"""

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np

from har.data.ntu.labels import SampleName, parse_sample_name
from har.data.ntu.splits import missing_skeletons
from har.errors import HarError
from har.files import whole_file
from har.synthetic.anatomy import Body, draw_body
from har.synthetic.motion import ACTIONS, perform
from har.synthetic.render import (
    FULL_SIZE,
    Array,
    Camera,
    Figure,
    Image,
    Shape,
    draw_chair,
    draw_shadow,
    project,
    room,
)

VERSION = 1  # of the generator: what is written changes with it
FRAMES_PER_SECOND = 30
_SITTING = (8, 9)
_DEPTH_FOCAL, _DEPTH_CENTRE = np.array([368.0, -367.0]), np.array([256.6, 208.5])


def _rng(seed: int, *names: object) -> np.random.Generator:
    return np.random.default_rng([seed, crc32("/".join(map(str, names)).encode())])


def setup_of(subject: int) -> int:
    """The setup (1 to 17, camera heights and distances) in which a subject is recorded."""
    return 1 + (subject - 1) % 17


def synthetic_samples(
    subjects: Sequence[int],
    actions: Sequence[int],
    cameras: Sequence[int] = (1, 2, 3),
    replications: Sequence[int] = (1, 2),
    cameras_per_sample: int | None = None,
) -> list[str]:
    """Sample names, sorted.

    Args:
        subjects, actions, cameras, replications: numbers as in the names, from 1.
        cameras_per_sample: how many of the cameras record a performance, in turn over
            performances; None: all of them.

    Raises:
        HarError: an action that the drawn people cannot perform.
    """
    unknown = sorted(set(actions) - set(ACTIONS))
    if unknown:
        raise HarError(
            f"There is no synthetic action {unknown[0]}; choose among {sorted(ACTIONS)}."
        )
    names = []
    for subject in subjects:
        for place, action in enumerate(actions):
            for replication in replications:
                first = subject + place + replication
                count = len(cameras) if cameras_per_sample is None else cameras_per_sample
                for number in range(count):
                    camera = cameras[(first + number) % len(cameras)]
                    names.append(
                        f"S{setup_of(subject):03d}C{camera:03d}P{subject:03d}"
                        f"R{replication:03d}A{action:03d}"
                    )
    # Names on the authors' list of missing skeletons are not extracted, so none is written.
    return sorted(set(names) - missing_skeletons())


@dataclass
class Scene:
    """One recording: what moves, and what is seen of it.

    Attributes:
        joints: (F, 25, 3) camera space, meters.
        body: who acts; camera: that takes the video.
        chair: seat height and distance of the chair behind the actor, if there is one.
    """

    name: str
    joints: Array
    body: Body
    camera: Camera
    facing: float
    chair: tuple[float, float] | None
    seed: int

    @property
    def colour_px(self) -> Array:
        """Joints in pixels of the 1920x1080 picture, (F, 25, 2)."""
        return project(self.joints)

    @property
    def depth_px(self) -> Array:
        """Joints in pixels of the 512x424 depth picture, (F, 25, 2)."""
        seen: Array = _DEPTH_FOCAL * self.joints[..., :2] / self.joints[..., 2:] + _DEPTH_CENTRE
        return seen

    def frames(self, size: tuple[int, int] = FULL_SIZE) -> Iterator[Image]:
        """The video's frames, RGB (H, W, 3) of the given (width, height)."""
        rng = _rng(self.seed, "room", self.name)
        background = room(self.camera, size, rng)
        # The chair stands where the actor is: seen by a camera turned by the actor's facing.
        if self.chair is not None:
            tone = rng.uniform(50, 150)
            color = (int(tone), int(0.75 * tone), int(0.55 * tone))
            turned = Camera(
                self.camera.azimuth - self.facing, self.camera.distance, self.camera.height
            )
            draw_chair(background, turned, self.chair[0], self.chair[1], color)
        figure = Figure(self.joints, self.body, size, extra=self._props(rng))
        for frame in range(len(self.joints)):
            image = background.copy()
            draw_shadow(image, figure.shadow[frame], float(figure.shadow_px[frame]))
            figure.draw(image, frame)
            yield image

    def _props(self, rng: np.random.Generator) -> list[Shape]:
        """A cup in the hand that drinks."""
        if parse_sample_name(self.name).action != 1:
            return []
        first = 8 if self.body.right_handed else 4
        wrist, hand = self.joints[:, first + 2], self.joints[:, first + 3]
        tilt = np.arctan2(self.camera.height - self.camera.aim, self.camera.distance)
        up = np.array([0, np.cos(tilt), np.sin(tilt)])
        colors = ((240, 240, 240), (210, 40, 40), (40, 90, 200), (240, 200, 40))
        red, green, blue = colors[int(rng.integers(len(colors)))]
        palm = hand + 0.25 * (hand - wrist)
        ends = np.stack([palm - 0.03 * up, palm + 0.09 * up], 1)
        return [Shape(ends, np.array([0.030, 0.036]), (red, green, blue), nearer=0.1)]


def simulate(name: str, seed: int = 0, distance_m: float | None = None) -> Scene:
    """The recording of a sample name; ``distance_m`` puts the camera that far from the actor."""
    sample = parse_sample_name(name)
    body = draw_body(_rng(seed, "body", sample.subject))
    act = _rng(
        seed, "act", sample.setup, sample.subject, sample.replication, sample.action
    )  # not the camera: all three see the same performance
    num_frames = int(act.integers(62, 88))
    facing = float(act.uniform(-0.4, 0.4))
    world = perform(sample.action, body, num_frames, act)
    c, s = np.cos(facing), np.sin(facing)
    x, z = world[..., 0].copy(), world[..., 2].copy()
    world[..., 0], world[..., 2] = c * x + s * z, -s * x + c * z
    chair = None
    if sample.action in _SITTING:
        chair = (0.45 + 0.06 * body.height - 0.09 * body.stoutness, 0.42)
    camera = _camera(sample, seed)
    if distance_m is not None:
        camera = replace(camera, distance=distance_m)
    return Scene(name, camera.see(world), body, camera, facing, chair, seed)


def _camera(sample: SampleName, seed: int) -> Camera:
    """Cameras stand as in NTU: one in front, one at 45 degrees on either side, per setup."""
    rng = _rng(seed, "camera", sample.setup, sample.camera)
    return Camera(
        azimuth=float({1: np.pi / 4, 2: 0.0, 3: -np.pi / 4}[sample.camera] + rng.normal(0, 0.03)),
        distance=float(rng.uniform(2.4, 2.8)),
        height=float(rng.uniform(1.1, 1.7)),
        aim=float(rng.uniform(0.95, 1.05)),
    )


# ------------------------------------------------------------------------------------- writing


def skeleton_text(scene: Scene) -> str:
    """The recording as the text of a ``.skeleton`` file, CRLF line ends as in the originals."""
    rng = _rng(scene.seed, "kinect", scene.name)
    frames, joints = scene.joints.shape[:2]
    columns = np.zeros((frames, joints, 12))
    columns[..., 0:3] = scene.joints
    columns[..., 3:5] = scene.depth_px
    columns[..., 5:7] = scene.colour_px
    turns = rng.normal(size=(joints, 4))
    turns /= np.linalg.norm(turns, axis=1, keepdims=True)
    turns[[3, 15, 19, 21, 22, 23, 24]] = 0  # leaves have no orientation
    columns[..., 7:11] = turns
    columns[..., 11] = np.where(rng.random((frames, joints)) < 0.1, 1, 2)
    body_id = 72057594037900000 + int(rng.integers(90000))
    clipped = (scene.colour_px < 0).any() or (scene.colour_px > FULL_SIZE).any()
    head = f"{body_id} {8 if clipped else 0} 1 1 1 1 0 {rng.normal(0, 0.1):.7g} "
    head += f"{rng.normal(0, 0.1):.7g} 2"
    line = " ".join(["%.7g"] * 11 + ["%d"]).replace("%.7g", "%.7G")
    rows = [line % tuple(row) for row in columns.reshape(-1, 12).tolist()]
    lines = [str(frames)]
    for frame in range(frames):
        lines += ["1", head, str(joints), *rows[frame * joints : (frame + 1) * joints]]
    return "\r\n".join(lines) + "\r\n"


@dataclass
class WriteReport:
    """What :func:`write_ntu` did."""

    written: int = 0
    skipped: int = 0
    frames: int = 0


def _write_sample(
    name: str, root: str, size: tuple[int, int], seed: int, distance_m: float | None
) -> int:
    """Writes one sample; each file appears whole or not at all. Returns its frames."""
    cv2.setNumThreads(1)
    scene = simulate(name, seed, distance_m)
    video = Path(root, "nturgb+d_rgb", f"{name}_rgb.avi")
    with whole_file(video) as partial:
        codec = cv2.VideoWriter.fourcc(*"XVID")
        writer = cv2.VideoWriter(str(partial), codec, FRAMES_PER_SECOND, size)
        if not writer.isOpened():
            raise HarError(f"OpenCV cannot write the video {video}: is the folder writable?")
        for frame in scene.frames(size):
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        writer.release()
        # before the video gets its name: a video that is there has its skeleton
        with whole_file(Path(root, "nturgb+d_skeletons", f"{name}.skeleton")) as text:
            text.write_text(skeleton_text(scene), encoding="ascii", newline="")
    return len(scene.joints)


def check_settings(root: Path, settings: dict[str, object]) -> None:
    """One folder, one kind of data.

    Raises:
        HarError: the folder was written with other settings.
    """
    path = root / "synthetic.json"
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != settings:
            raise HarError(
                f"{root} holds synthetic data made with {found}, not with {settings}: remove that "
                "folder, or write to another one (paths.data_dir=<folder>)."
            )
    path.write_text(json.dumps(settings), encoding="utf-8")


def write_ntu(
    root: Path,
    samples: Sequence[str],
    size: tuple[int, int] = FULL_SIZE,
    seed: int = 0,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
    distance_m: float | None = None,
) -> WriteReport:
    """Writes videos and skeletons; samples that are there already stay as they are.

    Args:
        root: gets ``nturgb+d_rgb/`` and ``nturgb+d_skeletons/``.
        samples: names, see :func:`synthetic_samples`.
        size: (width, height) of the videos in pixels, 16:9.
        seed: of everything random.
        workers: processes.
        progress: called as ``progress(done, total, frames=...)`` after every sample.
        distance_m: from the camera to the actor; None: drawn, near enough to fill the picture.

    Raises:
        HarError: other settings than the folder's, or a folder that cannot be written.
    """
    for folder in ("nturgb+d_rgb", "nturgb+d_skeletons"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    settings: dict[str, object] = {"size": list(size), "seed": seed, "version": VERSION}
    if distance_m is not None:
        settings["distance_m"] = distance_m
    check_settings(root, settings)
    missing = [n for n in samples if not (root / "nturgb+d_rgb" / f"{n}_rgb.avi").is_file()]
    report = WriteReport(skipped=len(samples) - len(missing))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max(1, workers), mp_context=context) as pool:
        tasks = [
            pool.submit(_write_sample, name, str(root), size, seed, distance_m) for name in missing
        ]
        for task in as_completed(tasks):
            report.written += 1
            report.frames += task.result()
            if progress is not None:
                progress(report.written + report.skipped, len(samples), frames=report.frames)
    return report
