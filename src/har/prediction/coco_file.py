"""Poses as a COCO key-point file (https://cocodataset.org/#format-data)."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from har.files import whole_file
from har.layouts import Layout
from har.prediction.results import Frames, Poses

_VISIBLE = 2
_PX_DECIMALS, _DECIMALS = 3, 4


def write_coco(path: Path, poses: Poses, frames: Frames, layout: Layout) -> None:
    """Writes poses as COCO key points; the joints are those of the network, named in the category.

    An annotation has beside COCO's keys ``score`` (mean confidence of the joints),
    ``keypoint_scores`` (J,), ``track_id`` and, of a 3-D network, ``depth_mm`` (J,). Its ``bbox``
    holds the joints, as pycocotools makes it of key points. Ids count from 1.

    Args:
        path: of the file.
        poses: of all frames.
        frames: of the video, or the images.
        layout: of the joints.

    Raises:
        HarError: the file cannot be written.
    """
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": list(poses.joint_names),
        "skeleton": [[i + 1, j + 1] for i, j in layout.links],
    }
    with whole_file(path) as partial, partial.open("w", encoding="utf-8") as file:
        file.write('{"info": {"description": "predicted by har"}, "licenses": [],\n')
        file.write(f'"categories": [{json.dumps(category, ensure_ascii=False)}],\n')
        _write_list(file, "images", _images(frames))
        file.write(",\n")
        _write_list(file, "annotations", _annotations(poses))
        file.write("}\n")


def frame_name(frames: Frames, place: int) -> str:
    """Name of an image, or of a video's frame as programs that extract frames number them."""
    if frames.names:
        return frames.names[place]
    stem = Path(frames.source).stem or "frame"
    return f"{stem}_{int(frames.number[place]):012d}.jpg"


def _write_list(file: TextIO, key: str, items: Iterable[dict[str, Any]]) -> None:
    """Item by item: those of an hour of video take too much memory."""
    file.write(f'"{key}": [')
    for number, item in enumerate(items):
        text = json.dumps(item, ensure_ascii=False, allow_nan=False)
        file.write(f"{',' if number else ''}\n{text}")
    file.write("]")


def _images(frames: Frames) -> Iterator[dict[str, Any]]:
    for place, number in enumerate(frames.number.tolist()):
        image: dict[str, Any] = {
            "id": number + 1,
            "file_name": frame_name(frames, place),
            "width": int(frames.size[place, 0]),
            "height": int(frames.size[place, 1]),
        }
        if not frames.names:
            time_s = round(float(frames.time_s[place]), _DECIMALS)
            image |= {"video": frames.source, "frame": number, "time_s": time_s}
        yield image


def _annotations(poses: Poses) -> Iterator[dict[str, Any]]:
    for row in range(len(poses)):
        joints = np.round(poses.joints_px[row].astype(np.float64), _PX_DECIMALS)
        confidence = poses.confidence[row].astype(np.float64)
        low, size = joints.min(0), np.ptp(joints, axis=0)
        depth = poses.depth_mm[row].astype(np.float64)
        three = {} if np.isnan(depth).any() else {"depth_mm": np.round(depth, 1).tolist()}
        yield {
            "id": row + 1,
            "image_id": int(poses.frame[row]) + 1,
            "category_id": 1,
            "track_id": int(poses.track[row]),
            "keypoints": [value for x, y in joints.tolist() for value in (x, y, _VISIBLE)],
            "num_keypoints": len(joints),
            "keypoint_scores": np.round(confidence, _DECIMALS).tolist(),
            "score": round(float(confidence.mean()), _DECIMALS),
            "bbox": np.round([*low, *size], _PX_DECIMALS).tolist(),
            "area": round(float(size.prod()), 1),
            "iscrowd": 0,
            **three,
        }
