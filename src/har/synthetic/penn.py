"""Synthetic Penn Action: frames and label files that the readers of the real data set read.

The drawn people know twelve motions, each of which stands for one of the 15 actions
(:data:`MOTIONS`); no two clips show the same person. A clip's number and the seed always give the
same frames. Unlike NTU's video the frames are not mirrored. As in the real files, numbers have the
smallest type that holds them, coordinates count from 1, and a joint that is not visible lies at
(1, 1).
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io

from har.data.processes import run_in_processes
from har.errors import HarError
from har.files import whole_file
from har.synthetic.ntu import Scene, WriteReport, check_settings, setup_of, simulate
from har.synthetic.render import FULL_SIZE, Array

VERSION = 1  # of the generator: what is written changes with it
SIZE = (480, 270)
MOTIONS = {
    "baseball_pitch": 31,
    "baseball_swing": 38,
    "bench_press": 43,
    "bowl": 1,
    "clean_and_jerk": 22,
    "golf_swing": 24,
    "jump_rope": 26,
    "jumping_jacks": 27,
    "pullup": 23,
    "situp": 9,
    "squat": 8,
    "strum_guitar": 10,
}
"""The motion, by its number in NTU RGB+D, that stands for an action."""

# penn13's joints among the 25 of a body, by the person's own left and right.
FROM_BODY = (3, 8, 4, 9, 5, 10, 6, 16, 12, 17, 13, 18, 14)
_MOST_CLIPS = 9999  # names have four digits
_SUBJECTS = 999  # of NTU's names, by which motions are drawn
_HIDDEN = 0.03  # share of the joints
_QUALITY = 92


def action_of(number: int) -> str:
    """The action of a clip by its number from 1."""
    return list(MOTIONS)[(number - 1) % len(MOTIONS)]


def split_of(number: int) -> int:
    """1 for training, -1 for testing: every third clip of an action."""
    return -1 if (number - 1) // len(MOTIONS) % 3 == 2 else 1


def scene_of(number: int, seed: int = 0) -> Scene:
    """What a clip shows: a person and a camera of its own."""
    again, subject = divmod(number - 1, _SUBJECTS)
    subject, motion = subject + 1, MOTIONS[action_of(number)]
    name = (
        f"S{setup_of(subject):03d}C{1 + number % 3:03d}P{subject:03d}R{1 + again:03d}A{motion:03d}"
    )
    return simulate(name, seed)


def joints_of(scene: Scene) -> Array:
    """Joints (T, 13, 2) of layout ``penn13``, continuous pixels of the frames, not mirrored."""
    joints = scene.colour_px[:, FROM_BODY] * (np.array(SIZE) / FULL_SIZE)
    joints[..., 0] = SIZE[0] - joints[..., 0]
    return joints


def label_of(number: int, seed: int = 0) -> dict[str, Any]:
    """The fields of a clip's label file."""
    joints = joints_of(scene_of(number, seed)) + 0.5  # MATLAB's: the first pixel's center is 1
    rng = np.random.default_rng([seed, number, 13])
    visible = rng.random(joints.shape[:2]) >= _HIDDEN
    visible &= ((joints >= 1) & (joints <= SIZE)).all(-1)
    joints = np.where(visible[..., None], np.round(4 * joints) / 4, 1.0)
    frames, small = len(joints), np.uint8 if len(joints) < 256 else np.uint16
    return {
        "action": action_of(number),
        "pose": "front",
        "x": joints[..., 0],
        "y": joints[..., 1],
        "visibility": visible.astype(np.uint8),
        "train": np.array([[split_of(number)]], dtype=np.int32),
        "bbox": np.concatenate([joints.min(1), joints.max(1)], 1),
        "dimensions": np.array([[SIZE[1], SIZE[0], frames]], dtype=np.uint16),
        "nframes": np.array([[frames]], dtype=small),
    }


def _write_clip(number: int, root: str, seed: int) -> int:
    """Writes a clip, its label file last; returns its frames."""
    cv2.setNumThreads(1)
    folder, count = Path(root, "frames", f"{number:04d}"), 0
    for count, frame in enumerate(scene_of(number, seed).frames(SIZE), start=1):
        image = cv2.cvtColor(np.ascontiguousarray(frame[:, ::-1]), cv2.COLOR_RGB2BGR)
        options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        with whole_file(folder / f"{count:06d}.jpg") as partial_file:
            cv2.imencode(".jpg", image, options)[1].tofile(partial_file)
    with whole_file(Path(root, "labels", f"{number:04d}.mat")) as partial_file:
        scipy.io.savemat(partial_file, label_of(number, seed), do_compression=True)
    return count


def _crashed(number: int) -> int:
    raise HarError(f"Drawing clip {number} ended the process: start the same command again.")


def write_penn(
    root: Path,
    clips: int,
    seed: int = 0,
    workers: int = 2,
    progress: Callable[..., None] | None = None,
) -> WriteReport:
    """Writes frames and label files; clips that are there already stay as they are.

    Args:
        root: gets ``frames/0001/000001.jpg`` ... and ``labels/0001.mat`` ....
        clips: how many, up to 9,999; of 36 in a row 24 train and 12 test, all of 12 actions.
        seed: of everything random.
        workers: processes.
        progress: called as ``progress(done, total, frames=...)`` after every clip.

    Raises:
        HarError: other settings than the folder's, or a folder that cannot be written.
    """
    if not 1 <= clips <= _MOST_CLIPS:
        raise HarError(f"synthetic.clips={clips} has to be 1 to {_MOST_CLIPS}.")
    if root.is_dir() and any(root.iterdir()) and not (root / "synthetic.json").is_file():
        raise HarError(
            f"{root} holds something else, perhaps the real data set, which is not overwritten: "
            "write to another folder (paths.data_dir=<folder>)."
        )
    root.mkdir(parents=True, exist_ok=True)
    check_settings(root, {"dataset": "penn", "size": list(SIZE), "seed": seed, "version": VERSION})
    numbers = range(1, clips + 1)
    missing = [n for n in numbers if not (root / "labels" / f"{n:04d}.mat").is_file()]
    report = WriteReport(skipped=clips - len(missing))
    write = partial(_write_clip, root=str(root), seed=seed)
    for frames in run_in_processes(write, missing, _crashed, workers):
        report.written += 1
        report.frames += frames
        if progress is not None:
            progress(report.written + report.skipped, clips, frames=report.frames)
    return report
