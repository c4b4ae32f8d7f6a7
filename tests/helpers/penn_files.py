"""Small clips in the official format of Penn Action."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.io

SIZE = (48, 36)


def joints_of(number: int, frames: int) -> np.ndarray:
    """Joints (T, 13, 2) of a clip, whole numbers inside the picture."""
    rng = np.random.default_rng(number)
    return rng.integers(4, 30, (frames, 13, 2)).astype(np.float64)


def label_fields(number: int, frames: int = 9, action: str = "bowl", train: int = 1) -> dict:
    """The fields of a label file in the types that real ones have; joint 12 is never visible and
    joint 5 hidden in frame 1, both at (1, 1)."""
    joints = joints_of(number, frames)
    visible = np.ones((frames, 13), np.uint8)
    visible[:, 12] = 0
    visible[1:2, 5] = 0
    joints[visible == 0] = 1
    return {
        "action": action,
        "pose": "front",
        "x": joints[..., 0].astype(np.uint8),
        "y": joints[..., 1],
        "visibility": visible,
        "train": np.array([[train]], dtype=np.int32),
        "bbox": np.ones((frames - 1, 4), np.uint16),
        "dimensions": np.array([[SIZE[1], SIZE[0], frames]], dtype=np.uint16),
        "nframes": np.array([[frames]], dtype=np.uint8 if frames < 256 else np.uint16),
    }


def write_label(path: Path, **fields: Any) -> None:
    """A label file; a field that is None is left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {key: value for key, value in fields.items() if value is not None})


def gray_level(number: int) -> int:
    """The gray level of the frame with a number from 1, which so tells it."""
    return 20 + 10 * number % 220


def write_frames(root: Path, number: int, frames: int, size: tuple[int, int] = SIZE) -> Path:
    """The images of a clip; returns their folder."""
    folder = root / "frames" / f"{number:04d}"
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(1, frames + 1):
        image = np.full((size[1], size[0], 3), gray_level(frame), np.uint8)
        cv2.imwrite(str(folder / f"{frame:06d}.jpg"), image)
    return folder


def write_clip(root: Path, number: int, frames: int = 9, **fields: Any) -> Path:
    """Label and images of a clip; returns the folder of its images."""
    known = label_fields(number, frames, fields.pop("action", "bowl"), fields.pop("train", 1))
    write_label(root / "labels" / f"{number:04d}.mat", **{**known, **fields})
    return write_frames(root, number, frames)


def write_annotations(path: Path, clips: list[tuple[int, int, str, str]]) -> None:
    """The original program's file: of clips (number, frames, action, split), in their order."""
    labels = sorted({action for _, _, action, _ in clips})

    def sequences(split: str) -> np.ndarray:
        found = np.empty(sum(clip[3] == split for clip in clips), dtype=object)
        chosen = [clip for clip in clips if clip[3] == split]
        for place, (number, frames, action, _) in enumerate(chosen):
            fields = label_fields(number, frames, action)
            rows = np.empty(frames, dtype=object)
            for frame in range(frames):
                rows[frame] = {
                    "f": frame + 1,
                    "w": SIZE[0],
                    "h": SIZE[1],
                    "pose": np.stack([fields["x"][frame], fields["y"][frame]]).astype(float),
                    "visible": fields["visibility"][frame],
                }
            action_id = labels.index(action) + 1
            found[place] = {"idx": number, "action_id": action_id, "frames": rows}
        return found

    scipy.io.savemat(
        path,
        {
            "action_labels": np.array(labels, dtype=object),
            "joint_labels": np.array(["head"], dtype=object),
            "sequences_te": sequences("test"),
            "sequences_tr": sequences("train"),
        },
    )
