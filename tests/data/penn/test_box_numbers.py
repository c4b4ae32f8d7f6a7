"""The authors' boxes are numbered by the clips of a split: no clip gets the boxes of another."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from har.data.clip_boxes import ClipBoxes
from har.data.framestore.predicted_boxes import PredictedBoxes
from har.data.penn.files import PennError
from har.data.penn.prepare import prepare_penn
from har.prepare import penn as command
from tests.helpers.penn_files import write_annotations, write_clip

BY_FRAME, BY_CLIP = "pred_bboxes_penn.json", "penn_pred_bboxes_16f.json"
A, B = [10, 10, 20, 20], [20, 12, 33, 33]
BOXES = {
    BY_FRAME: [
        {f"{sequence}.{frame}": box for sequence, box in ((0, A), (1, B)) for frame in range(9)},
        {f"0.{frame}": [1, 1, 9, 9] for frame in range(9)},
        {},
    ],
    BY_CLIP: {"0000.2.000.0": A, "0001.2.000.0": B},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A clip to train with and two tested ones, of 9 frames each."""
    root = tmp_path / "penn"
    for number, train in ((1, 1), (2, -1), (3, -1)):
        write_clip(root, number, 9, train=train)
    return root


def put(root: Path, name: str, boxes: object) -> None:
    (root / name).write_text(json.dumps(boxes))


def prepare(root: Path):
    return prepare_penn(root.parent, workers=0)[0]


def test_clips_get_their_own_boxes(root: Path) -> None:
    for name, boxes in BOXES.items():
        put(root, name, boxes)
    report = prepare(root)
    assert (report.boxes, report.clip_boxes) == (3, 2)
    stored = PredictedBoxes(root / "prepared" / "boxes.h5")
    for clip, box in (("0002", A), ("0003", B)):
        np.testing.assert_array_equal(stored.of_sample(clip, 9), np.tile(box, (9, 1)))


DAMAGE: dict[str, Callable[[Path], object]] = {
    "damaged": lambda label: label.write_bytes(b"x"),
    "missing": lambda label: label.unlink(),
    "renamed": lambda label: label.rename(label.with_suffix(".MAT")),
}


@pytest.mark.parametrize("name", BOXES)
@pytest.mark.parametrize("what", DAMAGE)
def test_a_label_that_is_not_read_does_not_shift_the_numbers(
    root: Path, name: str, what: str
) -> None:
    put(root, name, BOXES[name])
    DAMAGE[what](root / "labels" / "0002.mat")
    with pytest.raises(PennError, match=r"annotations\.mat") as caught:
        prepare(root)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((root / "prepared").glob("*boxes.h5"))
    # With the original's annotation the numbers are its own, whatever is wrong with a label.
    clips = [(2, 9, "bowl", "test"), (3, 9, "bowl", "test"), (1, 9, "bowl", "train")]
    write_annotations(root / "annotations.mat", clips)
    report = prepare(root)
    if name == BY_FRAME:
        assert report.boxes == 2
        stored = PredictedBoxes(root / "prepared" / "boxes.h5")
        np.testing.assert_array_equal(stored.of_sample("0003", 9), np.tile(B, (9, 1)))
    else:
        assert report.clip_boxes == 2


@pytest.mark.parametrize("annotated", [False, True])
@pytest.mark.parametrize("key", ["7.0", "-1.0", "0.-1"])
def test_boxes_of_what_is_not_there_are_refused(root: Path, annotated: bool, key: str) -> None:
    if annotated:
        clips = [(2, 9, "bowl", "test"), (3, 9, "bowl", "test"), (1, 9, "bowl", "train")]
        write_annotations(root / "annotations.mat", clips)
    tested, *others = BOXES[BY_FRAME]
    put(root, BY_FRAME, [{**tested, key: A}, *others])
    with pytest.raises(PennError, match=r"pred_bboxes_penn\.json .*(other clips|is no frame)"):
        prepare(root)


@pytest.mark.parametrize("annotated", [False, True])
def test_a_box_behind_the_end_of_its_clip_is_left_out_and_told(root: Path, annotated: bool) -> None:
    """A film may go on behind its labels, so this is no sign of another clip."""
    if annotated:
        clips = [(2, 9, "bowl", "test"), (3, 9, "bowl", "test"), (1, 9, "bowl", "train")]
        write_annotations(root / "annotations.mat", clips)
    tested, *others = BOXES[BY_FRAME]
    put(root, BY_FRAME, [{**tested, "1.9": A}, *others])
    assert "outside the picture or the clip (1)" in prepare(root).remarks[BY_FRAME]
    stored = PredictedBoxes(root / "prepared" / "boxes.h5")
    np.testing.assert_array_equal(stored.of_sample("0003", 9), np.tile(B, (9, 1)))


BAD = {  # of a picture of 48 x 36: corners exchanged, without an area, outside of it
    "exchanged": [20, 30, 1, 2],
    "one side": [1, 30, 20, 2],
    "a point": [5, 5, 5, 5],
    "right of it": [48, 0, 60, 20],
    "above it": [0, -20, 20, 0],
    "far": [500, 500, 600, 600],
}


@pytest.mark.parametrize("what", BAD)
def test_boxes_that_are_none_are_left_out_and_told(
    root: Path, what: str, capsys: pytest.CaptureFixture
) -> None:
    tested, *others = BOXES[BY_FRAME]
    put(root, BY_FRAME, [{**tested, "0.4": BAD[what]}, *others])
    put(root, BY_CLIP, {**BOXES[BY_CLIP], "0000.2.000.0": BAD[what]})
    report, output = prepare_penn(root.parent, workers=0)
    assert (report.boxes, report.clip_boxes) == (3, 1)
    told = "boxes without an area, or outside the picture or the clip (1)"
    assert all(told in report.remarks[name] for name in BOXES)
    assert told in (output / "prepare_report.json").read_text()
    command.print_report(report, output)
    assert capsys.readouterr().out.count("boxes without an area") == len(BOXES)
    stored = PredictedBoxes(output / "boxes.h5").of_sample("0002", 9)
    assert np.isnan(stored[4]).all()
    np.testing.assert_array_equal(np.delete(stored, 4, 0), np.tile(A, (8, 1)))
    assert ClipBoxes(output / "clip_boxes.h5").boxes == {("0003", 2, 0, False): tuple(B)}


def test_a_box_that_reaches_over_the_edge_stays(root: Path) -> None:
    over = [-10, -5, 12, 50]
    tested, *others = BOXES[BY_FRAME]
    put(root, BY_FRAME, [{**tested, "0.4": over}, *others])
    assert prepare(root).remarks == {}
    stored = PredictedBoxes(root / "prepared" / "boxes.h5").of_sample("0002", 9)
    np.testing.assert_array_equal(stored[4], over)


def test_no_box_at_all_is_of_other_clips(root: Path) -> None:
    put(root, BY_CLIP, dict.fromkeys(BOXES[BY_CLIP], BAD["far"]))
    with pytest.raises(PennError, match="no box has an area inside"):
        prepare(root)
