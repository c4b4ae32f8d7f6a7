"""Synthetic Human3.6M in mmpose's layout: images, ``annotation_body3d`` and ``cameras.json``.

Every fifth frame of a sequence is written, numbered as in the videos, so the test subjects are
prepared with ``h36m.test_every=5``. The pictures are not mirrored, and the lens does not distort.
"""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from har.data.h36m.files import ACTIONS, TESTING, TRAINING
from har.data.processes import run_in_processes
from har.errors import HarError
from har.files import whole_file
from har.synthetic.motion import ACTIONS as MOTIONS
from har.synthetic.ntu import Scene, WriteReport, check_settings, setup_of, simulate
from har.synthetic.render import CENTRE_PX, FOCAL_PX, FULL_SIZE, OFFSET_PX, Array

VERSION = 1  # of the generator: what is written changes with it
SIZE = (1024, 576)  # the crops of the recipe are made for pictures about 1000 px wide
CAMERA = "54138969"
EVERY = 5
# mmpose's 17 joints among the 25 of a body: the right hip comes second; the face is the neck's.
FROM_BODY = (0, 16, 17, 18, 12, 13, 14, 1, 20, 2, 3, 4, 5, 6, 8, 9, 10)


def sequence_name(number: int) -> str:
    """The folder of a sequence by its number from 1: subjects in turn, then actions."""
    subjects = (*TRAINING, *TESTING)
    subject = subjects[(number - 1) % len(subjects)]
    take, action = divmod((number - 1) // len(subjects), len(MOTIONS))
    return f"S{subject}/S{subject}_{ACTIONS[action]}_{take + 1}.{CAMERA}"


def scene_of(number: int, seed: int = 0) -> Scene:
    """What a sequence shows."""
    action = list(MOTIONS)[(number - 1) // len((*TRAINING, *TESTING)) % len(MOTIONS)]
    again, subject = divmod(number - 1, 999)
    name = f"S{setup_of(subject + 1):03d}C002P{subject + 1:03d}R{again + 1:03d}A{action:03d}"
    return simulate(name, seed)


def joints_m(scene: Scene) -> Array:
    """Joints (F, 17, 3) in meters of a camera whose picture is not mirrored, y down."""
    x, y, z = np.moveaxis(scene.joints[:, FROM_BODY], -1, 0)
    # The Kinect's color lens sits beside the depth lens.
    return np.stack([-(x + OFFSET_PX[0] / FOCAL_PX[0]), -(y + OFFSET_PX[1] / FOCAL_PX[1]), z], -1)


def camera() -> dict[str, list[float]]:
    """The one camera, of pictures of :data:`SIZE`."""
    scale = SIZE[0] / FULL_SIZE[0]
    f = [scale * FOCAL_PX[0], -scale * FOCAL_PX[1]]
    c = [SIZE[0] - scale * CENTRE_PX[0], scale * CENTRE_PX[1]]
    return {"f": f, "c": c, "k": [0.0, 0.0, 0.0], "p": [0.0, 0.0]}


def _write_sequence(number: int, root: str, seed: int) -> int:
    """Writes the images of a sequence; returns how many."""
    cv2.setNumThreads(1)
    name = sequence_name(number)
    folder, count = Path(root, "images", name), 0
    for frame, image in enumerate(scene_of(number, seed).frames(SIZE)):
        if frame % EVERY == 0:
            bgr = cv2.cvtColor(np.ascontiguousarray(image[:, ::-1]), cv2.COLOR_RGB2BGR)
            with whole_file(folder / f"{folder.name}_{frame + 1:06d}.jpg") as path:
                cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tofile(path)
            count += 1
    return count


def _crashed(number: int) -> int:
    raise HarError(f"Drawing sequence {number} ended the process: start the same command again.")


def write_h36m(
    root: Path,
    sequences: int,
    seed: int = 0,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> WriteReport:
    """Writes images, annotations and cameras.

    Args:
        root: gets ``images/``, ``annotation_body3d/`` and ``cameras.json``.
        sequences: how many; of seven in a row five are of subjects that train.
        seed: of everything random.
        workers: processes.
        progress: called as ``progress(done, total, frames=...)`` after every sequence.

    Raises:
        HarError: something else lies in the folder, or it cannot be written.
    """
    if sequences < 1:
        raise HarError(f"synthetic.clips={sequences} has to be 1 or more.")
    if root.is_dir() and any(root.iterdir()) and not (root / "synthetic.json").is_file():
        raise HarError(
            f"{root} holds something else, perhaps the real data set, which is not overwritten: "
            "write to another folder (paths.data_dir=<folder>)."
        )
    root.mkdir(parents=True, exist_ok=True)
    settings = {"dataset": "h36m", "sequences": sequences, "seed": seed, "version": VERSION}
    check_settings(root, settings)
    report, numbers = WriteReport(), list(range(1, sequences + 1))
    write = partial(_write_sequence, root=str(root), seed=seed)
    for frames in run_in_processes(write, numbers, _crashed, workers):
        report.written += 1
        report.frames += frames
        if progress is not None:
            progress(report.written, sequences, frames=report.frames)
    lens, names, places, joints = camera(), [], [], []
    for number in numbers:
        name, meters = sequence_name(number), joints_m(scene_of(number, seed))[::EVERY]
        stem = name.rpartition("/")[2]
        names += [f"{name}/{stem}_{EVERY * row + 1:06d}.jpg" for row in range(len(meters))]
        places.append(meters[..., :2] / meters[..., 2:] * lens["f"] + lens["c"])
        joints.append(meters)
    ones = np.ones((len(names), len(FROM_BODY), 1))
    with whole_file(root / "annotation_body3d" / "synthetic.npz") as path:
        np.savez(
            path,
            imgname=np.array(names),
            part=np.concatenate([np.concatenate(places), ones], -1),
            S=np.concatenate([np.concatenate(joints), ones], -1),
        )
    with whole_file(root / "cameras.json") as path:
        listed = {f"S{subject}.{CAMERA}": lens for subject in (*TRAINING, *TESTING)}
        path.write_text(json.dumps(listed), encoding="utf-8")
    return report
