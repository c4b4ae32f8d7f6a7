"""Penn Action from its official files to samples; the frames stay where they are."""

import json
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from har.data import ClipDataModule
from har.data.framestore.folder import open_prepared
from har.data.framestore.predicted_boxes import PredictedBoxes
from har.data.framestore.reader import JPEGFolders
from har.data.penn.files import PennError
from har.data.penn.labels import ACTIONS
from har.data.penn.prepare import prepare_penn
from har.data.penn.reader import PennReader
from har.errors import DatasetNotFoundError, HarError
from har.prepare import penn as command
from tests.helpers.penn_files import (
    gray_level,
    joints_of,
    label_fields,
    write_annotations,
    write_clip,
    write_frames,
    write_label,
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four clips, two of them for testing."""
    root = tmp_path / "penn"
    write_clip(root, 1, 60, action="baseball_pitch")
    write_clip(root, 2, 47, action="baseball_pitch", train=-1)
    write_clip(root, 103, 9, action="bowl")
    write_clip(root, 104, 70, action="bowl", train=-1)
    return root


def prepare(root: Path, **options):
    return prepare_penn(root.parent, workers=0, **options)[0]


def data_of(root: Path, **options) -> ClipDataModule:
    settings = {"reader": PennReader(), "layout": "pa16j", "step": 6, "resolution": (32, 32)}
    data = ClipDataModule(str(root.parent), num_workers=0, **{**settings, **options})
    data.setup("test")
    return data


def test_frames_stay_and_joints_are_stored(root: Path) -> None:
    report = prepare(root)
    assert (report.done, report.skipped, report.warnings) == (4, {}, {})
    assert (report.clips, report.boxes, report.frames) == ((2, 2), None, 186)
    assert prepare(root).kept == 4
    index, store = open_prepared(root)
    assert isinstance(store, JPEGFolders)
    assert [name.decode() for name in index.names] == ["0001", "0002", "0103", "0104"]
    means = [image.mean() for image in store.read("0104", [0, 9, 69])]
    np.testing.assert_allclose(means, [gray_level(n) for n in (1, 10, 70)], atol=2)
    annotation = index.annotation(3)
    expected = joints_of(104, 70)
    expected[:, 12] = expected[1, 5] = np.nan
    np.testing.assert_array_equal(annotation.joints_px, expected)
    assert annotation.depth_mm is None
    np.testing.assert_allclose(np.diff(index.times(3)), 1 / 30)


def test_classes_and_official_split(root: Path) -> None:
    prepare(root)
    data = data_of(root)
    assert tuple(data.labels) == ACTIONS
    assert data.clip_seconds_between_frames == pytest.approx(6 / 30)
    clips = data.clips
    assert [clips.index.name(n) for n in clips.splits["train"].tolist()] == ["0001", "0103"]
    assert clips.classes[clips.splits["test"]].tolist() == [0, ACTIONS.index("bowl")]
    chosen = PennReader(["bowl"]).read(root.parent)
    assert len(chosen.splits["test"]) == 1
    with pytest.raises(HarError, match="jogging"):
        PennReader(["jogging"]).read(root.parent)


def test_damage_leaves_out_what_it_touches(root: Path, capsys: pytest.CaptureFixture) -> None:
    (root / "labels" / "0001.mat").write_bytes(b"junk")
    folder = root / "frames" / "0002"
    (folder / "000003.jpg").write_bytes((folder / "000003.jpg").read_bytes()[:-20])
    (folder / "000004.jpg").unlink()
    write_clip(root, 105, 9)
    for path in list((root / "frames" / "0105").iterdir())[:5]:
        path.unlink()
    write_label(root / "labels" / "0106.mat", **label_fields(106))
    hidden = np.zeros((9, 13), np.uint8)
    write_clip(root, 107, 9, visibility=hidden)
    write_clip(root, 108, 9)
    write_frames(root, 108, 9, size=(40, 36))
    configuration = {"paths": {"data_dir": str(root.parent)}, "workers": 0}
    command.prepare_penn(OmegaConf.create({**configuration, "penn": {"annotations": None}}))
    report = json.loads((root / "prepared" / "prepare_report.json").read_text())
    assert report["skipped"] == {
        "0001": "bad label file",
        "0105": "too few frames",
        "0106": "no frames",
        "0107": "no visible joint in any frame",
    }
    assert "0001.mat is damaged" in report["details"]["0001"]
    assert "5 of 9 frames missing" in report["details"]["0105"]
    assert report["warnings"]["0002"] == "1 of 47 frames damaged, 1 of 47 frames missing"
    assert "40 x 36" in report["warnings"]["0108"]
    index, store = open_prepared(root)
    kept = [number for number in range(47) if number not in (2, 3)]
    assert index.frame_numbers("0002").tolist() == kept
    assert store.read("0002", [2])[0].mean() == pytest.approx(gray_level(5), abs=2)
    out = " ".join(capsys.readouterr().out.split())
    assert "left out: bad label file" in out
    assert "2 / 2" in out


def test_what_is_missing_is_said(tmp_path: Path, root: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"har\.prepare penn"):
        prepare_penn(tmp_path / "nothing", workers=0)
    with pytest.raises(DatasetNotFoundError, match="dataset=penn"):
        PennReader().read(root.parent)
    with pytest.raises(PennError, match="official or deephar"):
        prepare(root, annotations="json")
    with pytest.raises(DatasetNotFoundError, match=r"annotations\.mat"):
        prepare(root, annotations="deephar")
    for path in (root / "frames").iterdir():
        for image in path.iterdir():
            image.unlink()
        path.rmdir()
    (root / "frames").rmdir()
    with pytest.raises(DatasetNotFoundError, match="no folder frames"):
        prepare(root)


CLIPS = [
    (104, 70, "bowl", "test"),
    (2, 47, "baseball_pitch", "test"),
    (1, 60, "baseball_pitch", "train"),
    (103, 9, "bowl", "train"),
]


def test_the_original_programs_annotation_gives_the_same(root: Path) -> None:
    prepare(root)
    official, _ = open_prepared(root)
    expected = [official.joints(n) for n in range(4)], official.splits.tolist()
    for path in (root / "labels").iterdir():
        path.unlink()
    for path in sorted((root / "prepared").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    write_annotations(root / "annotations.mat", CLIPS)
    report = prepare(root)
    assert "annotations.mat" in report.source
    index, _ = open_prepared(root)
    assert index.splits.tolist() == expected[1]
    for number, joints in enumerate(expected[0]):
        np.testing.assert_array_equal(index.joints(number), joints)
    for content in (b"junk", b""):
        (root / "annotations.mat").write_bytes(content)
        with pytest.raises(PennError, match=r"annotations\.mat"):
            prepare(root)


def write_boxes(root: Path, order: list[tuple[int, int, str, str]]) -> dict[int, np.ndarray]:
    """The authors' file of boxes; boxes (T, 4) by clip number."""
    rng, boxes = np.random.default_rng(0), {}
    found: list[dict[str, list[int]]] = [{}, {}, {}]
    for place, split in enumerate(("test", "train")):
        for sequence, (number, frames, *_) in enumerate(c for c in order if c[3] == split):
            low = rng.integers(0, 15, (frames, 2))
            boxes[number] = np.concatenate([low, low + rng.integers(10, 20, (frames, 2))], 1)
            for frame, box in enumerate(boxes[number].tolist()):
                found[place][f"{sequence}.{frame}"] = box
    (root / "pred_bboxes_penn.json").write_text(json.dumps(found))
    return boxes


@pytest.mark.parametrize("annotated", [False, True])
def test_the_boxes_of_the_paper(root: Path, annotated: bool) -> None:
    order = CLIPS if annotated else sorted(CLIPS)
    if annotated:  # their order is that of its sequences
        write_annotations(root / "annotations.mat", CLIPS)
    boxes = write_boxes(root, order)
    assert prepare(root).boxes == 4
    stored = PredictedBoxes(root / "prepared" / "boxes.h5")
    for number, expected in boxes.items():
        np.testing.assert_array_equal(stored.of_sample(f"{number:04d}", len(expected)), expected)
    data = data_of(root, boxes="predicted")
    item = data.test_clips[1]  # 0104: 8 frames of 70, every sixth
    start = (70 - 43) // 2
    frames = boxes[104][start : start + 43 : 6]
    corners = np.array([*frames[:, :2].min(0), *frames[:, 2:].max(0)], float)
    x1, y1 = np.linalg.inv(item["affine"].numpy())[:2] @ [0, 0, 1]
    x2, y2 = np.linalg.inv(item["affine"].numpy())[:2] @ [1, 1, 1]
    # A window is at least 32 px wide, and corners are cut to whole pixels.
    center, sides = (corners[:2] + corners[2:]) / 2, np.maximum(corners[2:] - corners[:2], 32)
    expected = np.concatenate([np.trunc(center - sides / 2), np.trunc(center + sides / 2)])
    np.testing.assert_allclose([x1, y1, x2, y2], expected, atol=1e-6)


def test_boxes_of_other_networks_stay_and_bad_ones_are_refused(root: Path) -> None:
    path = root / "pred_bboxes_penn.json"
    for text in (
        "[]",
        "{}",
        '[{"0": [1, 2, 3, 4]}, {}]',
        '[{"0.0": [1, 2, 3]}, {}]',
        "[{",
        "[1, 2]",
    ):
        path.write_text(text)
        with pytest.raises(PennError, match="pred_bboxes_penn"):
            prepare(root)
    path.write_text('[{"0.0": [1, 2, 3, NaN]}, {}]')
    with pytest.raises(PennError, match="not the boxes"):
        prepare(root)
    path.write_text('[{"77.0": [1, 2, 3, 4]}, {}]')
    with pytest.raises(PennError, match="other clips"):
        prepare(root)
    write_boxes(root, sorted(CLIPS))
    assert prepare(root).boxes == 4
    write_boxes(root, CLIPS)
    assert prepare(root).boxes is None  # those of another file stay
    write_annotations(root / "annotations.mat", CLIPS)  # whose order they have
    (root / "prepared" / "boxes.h5").write_bytes(b"junk")
    assert prepare(root).boxes == 4
