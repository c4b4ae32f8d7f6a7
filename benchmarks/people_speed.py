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
from pathlib import Path

BEGAN = time.perf_counter()  # of the child's interpreter, packages not loaded yet
LIMBS = tuple(
    f"{side} {part}"
    for side in ("left", "right")
    for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)
OF_MEDIAPIPE = (11, 13, 15, 23, 25, 27, 12, 14, 16, 24, 26, 28)
TURNS = 3
SHOULDER, HIP = 0, 9  # left and right: the torso of PCK


def with_har(video: str) -> dict[str, list]:
    """Milliseconds a frame, and the limb joints of each."""
    from har import Predictor
    from har.video import Video

    stream = Predictor.from_pretrained().stream()
    spent: list[float] = []
    joints: list[list] = []
    first = 0.0
    for frame in Video(video):
        began = time.perf_counter()
        poses = stream(frame).poses
        ended = time.perf_counter()
        spent.append(1000 * (ended - began))
        first = first or ended - BEGAN
        if len(poses.joints_px):
            order = [poses.joint_names.index(name) for name in LIMBS]
            joints.append([frame.time_s, poses.joints_px[0, order].tolist()])
    return {"ms": spent, "joints": joints, "first_s": [first]}


def with_mediapipe(video: str) -> dict[str, list]:
    """The same of MediaPipe's solution for videos."""
    import cv2
    import mediapipe

    capture = cv2.VideoCapture(video)
    fps = capture.get(cv2.CAP_PROP_FPS)
    spent: list[float] = []
    joints: list[list] = []
    first = 0.0
    with mediapipe.solutions.pose.Pose(model_complexity=1) as pose:
        while True:
            there, image = capture.read()
            if not there:
                break
            rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            began = time.perf_counter()
            found = pose.process(rgb).pose_landmarks
            ended = time.perf_counter()
            first = first or ended - BEGAN
            if found is not None:
                height, width = image.shape[:2]
                marks = [found.landmark[number] for number in OF_MEDIAPIPE]
                place = [[mark.x * width, mark.y * height] for mark in marks]
                joints.append([len(spent) / fps, place])
            spent.append(1000 * (ended - began))
    return {"ms": spent, "joints": joints, "first_s": [first]}


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
                f"{100 * jitter(found['joints'], until_s):15.2f} %"
            )


if __name__ == "__main__":
    if sys.argv[1] in ("--har", "--mediapipe"):
        run = with_har if sys.argv[1] == "--har" else with_mediapipe
        print(json.dumps(run(sys.argv[2])))
    else:
        main(Path(sys.argv[1]), sys.argv[2], *map(float, sys.argv[3:4]))
