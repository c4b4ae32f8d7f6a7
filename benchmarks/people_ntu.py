"""Mean error of the twelve limb joints of an NTU clip in mm, as a user gets its poses.

    python benchmarks/people_ntu.py <S..._rgb.avi> <S....skeleton> [weights]

Z is the pelvis' depth in the skeleton file plus `depth_mm`, X and Y follow by the color camera; no
scaling, no rotation; both poses are taken from the middle of their hips. The video is mirrored: its
right is the person's left. Prints the error, and in how many frames a person was found.
"""

import sys
from pathlib import Path

import numpy as np

from har import Predictor
from har.data.ntu.skeleton import read_skeleton
from har.data.ntu.targets import COLOR_CAMERA

# limb joint -> number among NTU's 25 of the other side's
LIMBS = {
    "left shoulder": 8, "right shoulder": 4, "left elbow": 9, "right elbow": 5,
    "left wrist": 10, "right wrist": 6, "left hip": 16, "right hip": 12,
    "left knee": 17, "right knee": 13, "left ankle": 18, "right ankle": 14,
}  # fmt: skip
FIRST_S = 1.0


def main(video: Path, skeleton: Path, weights: str | None = None) -> None:
    """Prints error, frames with a person, and the jitter of the first second."""
    xyz_mm = 1000.0 * read_skeleton(skeleton)["xyz_m"][:, 0] * [1, -1, 1]  # y down
    true_mm, pelvis_mm = xyz_mm[:, list(LIMBS.values())], xyz_mm[:, 0, 2]
    poses = Predictor.from_pretrained(weights)(video).poses
    order = [poses.joint_names.index(name) for name in LIMBS]
    hips = [list(LIMBS).index(f"{side} hip") for side in ("left", "right")]
    errors = []
    for row, frame in enumerate(poses.frame.tolist()):
        z = pelvis_mm[frame] + poses.depth_mm[row, order]
        away = poses.joints_px[row, order] - np.array(COLOR_CAMERA.principal_px)
        found = np.column_stack([away * z[:, None] / np.array(COLOR_CAMERA.focal_px), z])
        difference = found - found[hips].mean(0) - true_mm[frame] + true_mm[frame, hips].mean(0)
        errors.append(np.linalg.norm(difference, axis=-1))
    print(f"mean error of 12 limb joints: {np.mean(errors):.1f} mm")
    for name, value in zip(LIMBS, np.mean(errors, axis=0), strict=True):
        print(f"  {name:15} {value:6.1f}")
    print(f"a person in {len(errors)} of {len(true_mm)} frames")
    still = poses.joints_px[poses.time_s < FIRST_S][:, order]
    torso = np.hypot(*(still[:, 0] - still[:, 7]).T).mean()
    jitter = np.linalg.norm(np.diff(still, 2, axis=0), axis=-1).mean() / torso
    print(f"jitter of the first second: {100 * jitter:.2f} % of the torso (second differences)")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
