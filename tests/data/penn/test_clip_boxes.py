"""The authors' boxes of clips of 16 frames (CVPR 2018), from their file to the crops of clips."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from har.data import ClipDataModule
from har.data.clip_boxes import ClipBoxes
from har.data.penn.files import PennError
from har.data.penn.prepare import prepare_penn
from har.data.penn.reader import PennReader
from har.data.protocols import ClipProtocol, ProtocolDataset
from har.errors import HarError
from tests.helpers.penn_files import write_annotations, write_clip

LISTED = ClipProtocol("multi", (2,), True, "listed")
CLIPS = [  # as annotations.mat has them: the longer one of the tested clips is sequence 0
    (104, 70, "bowl", "test"),
    (2, 20, "baseball_pitch", "test"),
    (1, 40, "baseball_pitch", "train"),
]


def box_of(sequence: int, clip: int, mirrored: int) -> list[int]:
    return [1 + clip, 2 + sequence, 41 + clip + 2 * mirrored, 36 + sequence]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three clips; of the 70 frames the fourth clip's mirror image has no box."""
    root = tmp_path / "penn"
    for number, frames, action, split in CLIPS:
        write_clip(root, number, frames, action=action, train=1 if split == "train" else -1)
    write_annotations(root / "annotations.mat", CLIPS)
    # Clips of 16 frames, every second one, begin 16 // 2 + 1 frames apart: at 0, 9, 18, 27, 36.
    boxes = {
        f"{0:04d}.2.{clip:03d}.{mirrored}": box_of(0, clip, mirrored)
        for clip in range(5)
        for mirrored in (0, 1)
        if (clip, mirrored) != (3, 1)
    }
    (root / "penn_pred_bboxes_16f.json").write_text(json.dumps(boxes))
    return root


def samples(root: Path, protocol: ClipProtocol = LISTED, **options: Any) -> ProtocolDataset:
    settings = {"reader": PennReader(), "layout": "pa16j", "step": 2, "resolution": (32, 32)}
    settings |= {"clip_size": 16, "num_workers": 0}
    data = ClipDataModule(str(root.parent), **{**settings, **options})
    data.setup("test")
    return ProtocolDataset(data.test_clips, protocol)


def window(affine: np.ndarray) -> np.ndarray:
    """Corners of a crop in pixels of the frames: x1, y1, x2, y2."""
    places = np.linalg.inv(affine)[:2] @ np.array([[0, 1], [0, 1], [1, 1]])
    return np.concatenate([places.min(1), places.max(1)])


def expected(box: list[float]) -> np.ndarray:
    """Corners are cut to whole pixels; a window is at least 32 px wide."""
    corners = np.array(box, dtype=float)
    center, sides = (corners[:2] + corners[2:]) / 2, np.maximum(corners[2:] - corners[:2], 32)
    return np.concatenate([np.trunc(center - sides / 2), np.trunc(center + sides / 2)])


def test_every_clip_is_seen_in_its_box(root: Path) -> None:
    report, _ = prepare_penn(root.parent, workers=0)
    assert (report.boxes, report.clip_boxes) == (None, 9)
    found = samples(root)
    names = [found.samples.index.name(n) for n in found.samples.selection.tolist()]
    item = found[names.index("0104")]
    assert item["clips"].shape == (10, 16)
    size = found.samples.index.frame_size(0)
    for number, clip in enumerate(item["clips"].tolist()):
        mirrored, place = divmod(number, 5)
        assert item["mirrored"][clip].all() == bool(mirrored)
        box = [0, 0, *size] if (place, mirrored) == (3, 1) else box_of(0, place, mirrored)
        for crop in clip:
            np.testing.assert_allclose(window(item["affine"][crop].numpy()), expected(box))
    short = found[names.index("0002")]  # 20 frames: one clip, which the file does not list
    assert short["clips"].shape == (2, 16)
    np.testing.assert_allclose(window(short["affine"][0].numpy()), expected([0, 0, *size]))
    described = found.describe()
    assert described["boxes"] == "penn_pred_bboxes_16f.json; the whole image for 3 clips"
    assert described["box_per"] == "listed"


def test_what_the_boxes_do_not_fit_is_said(root: Path) -> None:
    prepare_penn(root.parent, workers=0)
    for step, clip_size in ((4, 16), (2, 8)):
        with pytest.raises(HarError, match="other clips"):
            samples(root, ClipProtocol("multi", (step,), True, "listed"), clip_size=clip_size)
    for clips, steps in (("single", (2,)), ("multi", (1, 2))):
        with pytest.raises(HarError, match="one step"):
            ClipProtocol(clips, steps, True, "listed")
    path = root / "prepared" / "clip_boxes.h5"
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = 7
    with pytest.raises(HarError, match="another format"):
        ClipBoxes(path)
    path.write_bytes(b"junk")
    with pytest.raises(HarError, match="cannot be read"):
        samples(root)
    path.unlink()
    with pytest.raises(HarError, match="penn_pred_bboxes_16f"):
        samples(root)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "{",
        '{"0000.2.000": [1, 2, 3, 4]}',
        '{"0000.2.000.2": [1, 2, 3, 4]}',
        '{"0000.0.000.0": [1, 2, 3, 4]}',
        '{"0000.2.000.0": [1, 2, 3]}',
        '{"0000.2.000.0": [1, 2, 3, NaN]}',
        '{"0000.2.000.0": 5}',
    ],
)
def test_damage_is_one_sentence(root: Path, text: str) -> None:
    (root / "penn_pred_bboxes_16f.json").write_text(text)
    with pytest.raises(PennError, match=r"16f\.json is not the boxes"):
        prepare_penn(root.parent, workers=0)


def test_boxes_of_another_order_are_refused(root: Path) -> None:
    (root / "penn_pred_bboxes_16f.json").write_text('{"0002.2.000.0": [1, 2, 3, 4]}')
    with pytest.raises(PennError, match="test clip 3, and there are 2"):
        prepare_penn(root.parent, workers=0)
