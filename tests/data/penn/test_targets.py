"""Clips, boxes and targets of Penn Action against the original's rules, computed joint by joint."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from har.data import ClipDataModule
from har.data.augment import AugmentParams
from har.data.clips import clip_frames, multi_clip_frames, num_random_starts, time_grid
from har.data.penn.labels import LAYOUT, read_label
from har.data.penn.prepare import prepare_penn
from har.data.penn.reader import PennReader
from har.data.targets import clip_target, joint_order
from har.layouts import get_layout
from tests.helpers.golden import golden_path, real_path
from tests.helpers.penn_files import write_clip

INVALID = -1e9
PA16J = get_layout("pa16j")
# Where the original puts the 13 joints, and which ones change places in a mirrored picture.
MAP_TO_PA13J = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]
MAP_HFLIP = [0, 1, 2, 3, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14]


def slow_box(poses, size, scale=1.0):
    """The box of a clip: poses are lists of joints, None where not visible."""
    squares = []
    for number in (0, min(int(len(poses) / 2 + 0.5), len(poses) - 1), len(poses) - 1):
        known = [joint for joint in poses[number] if joint]
        if not known:
            squares.append((0, 0, *size))
            continue
        xs, ys = [x for x, _ in known], [y for _, y in known]
        half = 1.5 * scale * max(max(xs) - min(xs), max(ys) - min(ys)) / 2
        x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
        squares.append((x - half, y - half, x + half, y + half))
    lefts, tops, rights, bottoms = zip(*squares, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def slow_target(joints, size, scale=1.0, shift=(0.0, 0.0), angle=0.0, flip=False):
    """Target (T, 16, 3) and corners of the crop by the documented rules, in plain numbers.

    Args:
        joints: (T, 13, 2), NaN where not visible.
    """
    width, height = size
    poses = [[None] * 16 for _ in joints]
    for pose, frame in zip(poses, joints.tolist(), strict=True):
        for place, (x, y) in zip(MAP_TO_PA13J, frame, strict=True):
            if not math.isnan(x):
                pose[place] = (x, y)
    box = slow_box(poses, size, scale)
    x, y = (box[0] + box[2]) / 2 + scale * shift[0], (box[1] + box[3]) / 2 + scale * shift[1]
    half_x, half_y = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    if min(half_x, half_y) < 16:
        half_x = half_y = 16
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def turned(px, py):  # about the picture's center, on a canvas that holds all of it
        px, py = px - width / 2, py - height / 2
        canvas = abs(width * cos) + abs(height * sin), abs(width * sin) + abs(height * cos)
        return cos * px + sin * py + canvas[0] / 2, -sin * px + cos * py + canvas[1] / 2

    x, y = turned(x, y)
    left, top = int(x - half_x), int(y - half_y)
    right, bottom = int(x + half_x), int(y + half_y)
    target = []
    for pose in poses:
        row = []
        for joint in pose:
            if joint is None:
                row.append((INVALID, INVALID, 0.0))
                continue
            u, v = turned(*joint)
            u, v = (u - left) / (right - left), (v - top) / (bottom - top)
            u = 1 - u if flip else u
            row.append((u, v, 1.0) if 0 < u < 1 and 0 < v < 1 else (INVALID, INVALID, 0.0))
        target.append([row[MAP_HFLIP[i]] for i in range(16)] if flip else row)
    return np.array(target), (left, top, right, bottom)


def fast_target(joints, size, **params):
    target = clip_target(
        joints,
        None,
        np.isfinite(joints).all(-1),
        layout=PA16J,
        order=joint_order(PA16J, LAYOUT),
        frame_size=size,
        params=AugmentParams(**params),
        recipe_width_px=None,
    )
    return np.delete(target.pose, 2, -1), target.affine


CHANGES = [
    {},
    {"flip": True},
    {"scale": 1.3, "shift_px": (-40.0, 10.0)},
    {"angle_deg": -30.0, "scale": 0.7, "shift_px": (15.0, -5.0), "flip": True},
    {"angle_deg": 10.0},
]


@pytest.mark.parametrize("params", CHANGES)
def test_targets_of_real_labels(params: dict) -> None:
    paths = sorted(real_path("penn/labels").glob("*.mat"))[:: 2326 // 40]
    for path in [*paths, real_path("penn/labels/0979.mat"), real_path("penn/labels/0188.mat")]:
        clip = read_label(path)
        length = len(clip.joints_px)
        joints = clip.joints_px[clip_frames(length, 8, 6)]
        scale = params.get("scale", 1.0)
        shift = params.get("shift_px", (0.0, 0.0))
        slow, corners = slow_target(
            joints,
            clip.size,
            scale,
            shift,
            params.get("angle_deg", 0.0),
            params.get("flip", False),
        )
        drawn = {**params, "shift_px": (scale * shift[0], scale * shift[1])}
        fast, affine = fast_target(joints, clip.size, **drawn)
        np.testing.assert_allclose(fast, slow, atol=2e-6, err_msg=path.name)
        if not params:
            found = np.linalg.inv(affine)
            low, high = found[:2, 2], found[:2] @ [1, 1, 1]
            np.testing.assert_allclose([*low, *high], corners, atol=1e-6)


def test_the_slow_box_is_the_golden_one() -> None:
    golden = json.loads(golden_path("clips.json").read_text())["gt_bbox"]
    with np.load(golden_path("clips.npz")) as arrays:
        poses, visible = arrays["gt_bbox/pose"], arrays["gt_bbox/visible"]
        boxes = {
            number: arrays[f"gt_bbox/{int(number):02d}/bbox"]
            for number, case in golden["cases"].items()
            if case["error"] is None
        }
    assert len(boxes) > 20
    for number, expected in boxes.items():
        case = golden["cases"][number]
        clip = [
            [
                (x, y) if seen else None
                for (x, y), seen in zip(poses[f, :, :2], visible[f], strict=True)
            ]
            for f in case["frames"]
        ]
        box = slow_box(clip, golden["image_size"], case["scale"])
        np.testing.assert_allclose(box, expected, rtol=1e-5)


def test_clips_are_counted_in_frames_by_the_golden_rule() -> None:
    golden = json.loads(golden_path("clips.json").read_text())
    cases = [case for case in golden["clip_frame_index"] if case["size"] > 0]
    for case in cases:
        grid = time_grid(np.arange(case["size"]) / 30, 30)
        assert grid.tolist() == list(range(case["size"]))
        chosen = len(grid), case["num_frames"], case["subsample"]
        assert grid[clip_frames(*chosen)].tolist() == case["fixed"]
        assert num_random_starts(*chosen) == case["number_of_random_starts"]
    for path in sorted(real_path("penn/labels").glob("*.mat"))[::97]:
        length = len(read_label(path).joints_px)
        expected = []
        start = 0
        while start + 8 * 6 <= length:  # the original's get_clip_index
            expected.append(list(range(start, start + 48, 6)))
            start += 4 + 5
        found = multi_clip_frames(length, 8, (6,))
        assert found == (expected or [clip_frames(length, 8, 6)])


def test_a_data_module_of_the_recipe_has_these_targets(tmp_path: Path) -> None:
    root = tmp_path / "penn"
    write_clip(root, 1, 60, action="bowl", train=1)
    write_clip(root, 2, 70, action="bowl", train=-1)
    prepare_penn(tmp_path, workers=0)
    data = ClipDataModule(
        str(tmp_path),
        reader=PennReader(),
        layout="pa16j",
        step=6,
        resolution=(64, 64),
        num_workers=0,
    )
    data.setup("test")
    clip = read_label(root / "labels" / "0002.mat")
    frames = list(range(13, 13 + 48, 6))  # (70 - 43) // 2
    slow, _ = slow_target(clip.joints_px[frames], clip.size)
    item = data.test_clips[0]
    np.testing.assert_allclose(np.delete(item["pose"].numpy(), 2, -1), slow, atol=1e-6)
    assert (item["pose"][..., 2] == INVALID).all()
    gray = [20 + 10 * (number + 1) % 220 for number in frames]
    inside = item["images"][:, 28:36, 28:36].float().mean((1, 2, 3))
    np.testing.assert_allclose(inside, gray, atol=2)
