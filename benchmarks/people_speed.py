"""Speed and jitter of `people` beside MediaPipe Pose 0.10.21 "full", in one run on one video.

    python -m venv teacher && teacher/bin/pip install mediapipe==0.10.21
    python benchmarks/people_speed.py <video> teacher/bin/python [seconds of the start, for jitter]

A frame of a stream: locate or follow, network, smoothing; decoding is not counted. The two take
turns, three times each, in processes of their own; the median frame of each turn is printed, how
long it took from the start of the program to the first result, and the second differences of the
joints while the person stands still, in parts of the torso.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

BEGAN = time.perf_counter()  # of the child's interpreter, packages not loaded yet
LIMBS = tuple(
    f"{side} {part}"
    for side in ("left", "right")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)
OF_MEDIAPIPE = (11, 13, 15, 23, 25, 27, 12, 14, 16, 24, 26, 28)
TURNS = 3
SHOULDER, HIP = 0, 9  # left and right: the torso of PCK


Place = list[list[float]]


def measured(
    frames: Iterable[tuple[float, Any]], predict: Callable[[Any], Place | None]
) -> dict[str, list]:
    """Milliseconds a frame, the limb joints of each, and when the first result was there."""
    spent: list[float] = []
    joints: list[tuple[float, Place]] = []
    first_s = 0.0
    for time_s, frame in frames:
        began = time.perf_counter()
        place = predict(frame)
        ended = time.perf_counter()
        spent.append(1000 * (ended - began))
        first_s = first_s or ended - BEGAN
        if place is not None:
            joints.append((time_s, place))
    return {"ms": spent, "joints": joints, "first_s": [first_s]}


def with_har(video: str) -> dict[str, list]:
    """See :func:`measured`, by the stream of a predictor."""
    from har import Predictor
    from har.video import Video

    stream = Predictor.from_pretrained().stream()

    def predict(frame: Any) -> Place | None:
        poses = stream(frame).poses
        order = [poses.joint_names.index(name) for name in LIMBS]
        return poses.joints_px[0, order].tolist() if len(poses.joints_px) else None

    return measured(((frame.time_s, frame) for frame in Video(video)), predict)


def with_mediapipe(video: str) -> dict[str, list]:
    """See :func:`measured`, by MediaPipe's solution for videos."""
    import cv2
    import mediapipe

    capture = cv2.VideoCapture(video)
    fps = capture.get(cv2.CAP_PROP_FPS)

    def frames() -> Iterator[tuple[float, Any]]:
        number, (there, image) = 0, capture.read()
        while there:
            yield number / fps, cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            number, (there, image) = number + 1, capture.read()

    with mediapipe.solutions.pose.Pose(model_complexity=1) as pose:

        def predict(image: Any) -> Place | None:
            found = pose.process(image).pose_landmarks
            if found is None:
                return None
            height, width = image.shape[:2]
            marks = [found.landmark[number] for number in OF_MEDIAPIPE]
            return [[mark.x * width, mark.y * height] for mark in marks]

        return measured(frames(), predict)


def jitter(joints: list[list], until_s: float) -> float:
    """Mean second difference of the joints, in parts of the torso."""
    import numpy as np

    still = np.array([place for time_s, place in joints if time_s < until_s])
    torso = np.linalg.norm(still[:, SHOULDER] - still[:, HIP], axis=-1).mean()
    return float(np.linalg.norm(np.diff(still, 2, axis=0), axis=-1).mean() / torso)


def main(video: Path, python_of_mediapipe: str, until_s: float = 1.0) -> None:
    """Prints a table of both."""
    import numpy as np

    programs = {"har": sys.executable, "mediapipe": python_of_mediapipe}
    print("               ms a frame   95 %   first result   frames with a person   jitter")
    for _ in range(TURNS):
        for name, python in programs.items():
            answer = subprocess.run(
                [python, __file__, f"--{name}", str(video)],
                check=True,
                capture_output=True,
                text=True,
            )
            found = json.loads(answer.stdout.splitlines()[-1])
            ms = found["ms"][5:]  # without warming up
            print(
                f"{name:14} {np.median(ms):8.1f} {np.percentile(ms, 95):8.1f} "
                f"{found['first_s'][0]:10.1f} s {len(found['joints']):12}/{len(found['ms'])} "
                f"{100 * jitter(found['joints'], until_s):15.3f} %"
            )


if __name__ == "__main__":
    if sys.argv[1] in ("--har", "--mediapipe"):
        run = with_har if sys.argv[1] == "--har" else with_mediapipe
        print(json.dumps(run(sys.argv[2])))
    else:
        main(Path(sys.argv[1]), sys.argv[2], *map(float, sys.argv[3:4]))
