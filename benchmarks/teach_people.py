"""Landmarks of MediaPipe Pose in LSP's training photographs: depth for `experiment=people`.

In an environment of its own, since it wants packages of other versions than har:

    python -m venv teacher && teacher/bin/pip install mediapipe==0.10.21
    teacher/bin/python benchmarks/teach_people.py <folder with lsp/ and lspet/>

writes <folder>/teacher.npz in about ten minutes. LSP's test half (im1001 and later) is not read.
"""

import sys
import time
from pathlib import Path

import cv2
import mediapipe
import numpy as np

LANDMARKS = 33


def main(root: Path) -> None:
    """Writes ``teacher.npz``: names, size (N, 2), xy (N, 33, 2) in pixels, world (N, 33, 3) in
    meters, visibility (N, 33); NaN where nobody was seen."""
    images = [p for p in sorted(root.glob("lsp*/images/im*.jpg"))
              if len(p.stem) > len("im1000") or p.stem <= "im1000"]  # fmt: skip
    shapes = {
        "size": (2,),
        "xy": (LANDMARKS, 2),
        "world": (LANDMARKS, 3),
        "visibility": (LANDMARKS,),
    }
    found = {
        key: np.full((len(images), *shape), np.nan, np.float32) for key, shape in shapes.items()
    }
    options = {"static_image_mode": True, "model_complexity": 1}
    began = time.perf_counter()
    with mediapipe.solutions.pose.Pose(**options) as pose:
        for number, path in enumerate(images):
            image = cv2.imread(str(path))
            size = found["size"][number] = image.shape[1], image.shape[0]
            result = pose.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            if result.pose_landmarks is not None:
                marks = result.pose_landmarks.landmark
                found["xy"][number] = np.array([[m.x, m.y] for m in marks]) * size
                found["visibility"][number] = [m.visibility for m in marks]
                world = result.pose_world_landmarks.landmark
                found["world"][number] = [[m.x, m.y, m.z] for m in world]
            if number % 500 == 499:
                print(
                    f"{number + 1}/{len(images)}, {time.perf_counter() - began:.0f} s", flush=True
                )
    names = np.array([path.relative_to(root).as_posix() for path in images])
    np.savez_compressed(root / "teacher.npz", names=names, **found)
    print(f"{root / 'teacher.npz'}: {np.isfinite(found['xy'][:, 0, 0]).mean():.1%} with a person")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
