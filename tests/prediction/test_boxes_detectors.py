"""``boxes=`` of other detectors' outputs; the true boxes are written down by hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from har import Predictor
from har.errors import HarError
from har.prediction.boxes_file import BoxesFile
from har.prediction.images import predict_images
from tests.helpers.predicting import read_json, save
from tests.helpers.red_person import joints_of, picture, red_engine, walking

A, B = (60.0, 80.0, 100.0, 180.0), (220.0, 60.0, 260.0, 160.0)


def xywh(box: tuple[float, ...]) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def named(box: tuple[float, ...]) -> dict[str, float]:
    return dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


CATEGORIES = [{"id": 3, "name": "car"}, {"id": 7, "name": "person"}]
COCO = {
    "images": [{"id": 10, "file_name": "a.png"}, {"id": 11, "file_name": "b.png"}],
    "categories": CATEGORIES,
    "annotations": [
        {"id": 1, "image_id": 10, "category_id": 7, "bbox": xywh(A), "iscrowd": 0},
        {"id": 2, "image_id": 10, "category_id": 7, "bbox": xywh(B)},
        {"id": 3, "image_id": 10, "category_id": 3, "bbox": xywh(B)},
        {"id": 4, "image_id": 11, "category_id": 7, "bbox": xywh(B)},
        {"id": 5, "image_id": 11, "category_id": 7, "bbox": [1, 1, 300, 200], "iscrowd": 1},
    ],
}
TORCHVISION = {
    "a.png": {"boxes": [A, B, A], "labels": [1, 1, 3], "scores": [0.99, 0.8, 0.9]},
    "b.png": {"boxes": [B, A], "labels": [1, 1], "scores": [0.99, 0.2]},
}
ULTRALYTICS = {
    "a.png": [
        {"name": "person", "class": 0, "confidence": 0.9, "box": named(A)},
        {"name": "person", "class": 0, "confidence": 0.6, "box": named(B)},
        {"name": "dog", "class": 16, "confidence": 0.9, "box": named(B)},
    ],
    "b.png": [{"name": "person", "class": 0, "confidence": 0.9, "box": named(B)}],
}
RESULTS = [
    {"image_id": "a", "category_id": 1, "bbox": xywh(A), "score": 0.9},
    {"image_id": "a", "category_id": 1, "bbox": xywh(B), "score": 0.9},
    {"image_id": "b", "category_id": 1, "bbox": xywh(B), "score": 0.9},
    {"image_id": "b", "category_id": 18, "bbox": xywh(A), "score": 0.9},
    {"image_id": "b", "category_id": 1, "bbox": xywh(A), "score": 0.1},
]


@pytest.mark.parametrize(
    "document",
    [COCO, TORCHVISION, ULTRALYTICS, RESULTS],
    ids=["coco", "torchvision", "ultralytics", "coco_results"],
)
def test_persons_of_images(tmp_path: Path, document: Any) -> None:
    images = [save(tmp_path / "a.png", picture(A, B)), save(tmp_path / "b.png", picture(B))]
    boxes = BoxesFile(write(tmp_path / "boxes.json", document))
    boxes.check_sources(images, [])
    assert boxes.of_image(images[0])[0] == [0, 1]
    np.testing.assert_allclose(boxes.of_image(images[0])[1], [A, B])
    np.testing.assert_allclose(boxes.of_image(images[1])[1], [B])
    assert any("no persons" in remark for remark in boxes.remarks)
    predict_images(Predictor(red_engine()), images, tmp_path / "out", boxes)
    found = [person["joints_px"] for person in read_json(tmp_path / "out" / "a.json")["people"]]
    np.testing.assert_allclose(found, [joints_of(A), joints_of(B)], atol=4)


def test_the_score_is_a_choice(tmp_path: Path) -> None:
    path = write(tmp_path / "boxes.json", TORCHVISION)
    assert len(BoxesFile(path).of_image("b.png")[0]) == 1
    assert len(BoxesFile(path, min_score=0.1).of_image("b.png")[0]) == 2
    assert len(BoxesFile(path, min_score=0.9).of_image("a.png")[0]) == 1
    with pytest.raises(HarError, match="score below 1"):
        BoxesFile(path, min_score=1.0)
    assert any("1 boxes have a score below 0.5" in remark for remark in BoxesFile(path).remarks)


def test_numbers_of_coco_s_images_have_zeros_before_them(tmp_path: Path) -> None:
    row = {"image_id": 139, "category_id": 1, "bbox": [1, 2, 10, 20], "score": 0.9}
    boxes = BoxesFile(write(tmp_path / "r.json", [row]))
    images = [Path("000000000139.jpg"), Path("000000001390.jpg")]
    boxes.check_sources(images, [])
    np.testing.assert_allclose(boxes.of_image(images[0])[1], [[1, 2, 11, 22]])
    assert len(boxes.of_image(images[1])[0]) == 0
    assert boxes.remarks == []


def test_pycocotools_and_har_take_the_same_results_for_the_same_boxes(tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco").COCO(write(tmp_path / "truth.json", COCO))
    rows = [{"image_id": 10, "category_id": 7, "bbox": xywh(A), "score": 0.9}]
    (entry,) = coco.loadRes(rows).loadAnns([1])
    corners = np.reshape(entry["segmentation"][0], (4, 2))  # made of bbox
    (box,) = BoxesFile(tmp_path / "truth.json").of_image("a.png")[1][:1]
    np.testing.assert_allclose([*corners.min(0), *corners.max(0)], box)


def frames_of_two() -> list[list[tuple[float, ...]]]:
    """Two walkers, the second one not found in a few frames; their order changes."""
    frames = []
    for n in range(40):
        boxes = [(60.0 + n, 80.0, 100.0 + n, 180.0)]
        if n not in (10, 11, 12):
            boxes.insert(n % 2, (220.0 - n, 60.0, 260.0 - n, 160.0))
        frames.append(boxes)
    return frames


@pytest.mark.parametrize("kind", ["torchvision", "ultralytics", "coco"])
def test_persons_of_a_video_are_linked_by_overlap(tmp_path: Path, kind: str) -> None:
    document: Any
    if kind == "torchvision":
        document = [
            {"boxes": f, "labels": [1] * len(f), "scores": [0.9] * len(f)} for f in frames_of_two()
        ]
    elif kind == "ultralytics":
        document = [
            [{"name": "person", "class": 0, "confidence": 0.9, "box": named(b)} for b in f]
            for f in frames_of_two()
        ]
    else:
        document = {
            "images": [{"id": n + 1, "file_name": "x", "frame": n} for n in range(40)],
            "categories": CATEGORIES,
            "annotations": [
                {"image_id": n + 1, "category_id": 7, "bbox": xywh(b)}
                for n, f in enumerate(frames_of_two())
                for b in f
            ],
        }
    numbers, boxes = BoxesFile(write(tmp_path / "b.json", document)).of_video()
    assert sorted(len(frames) for frames in numbers.values()) == [37, 40]
    for person, frames in numbers.items():
        steps = np.diff(boxes[person][:, 0]) / np.diff(frames)
        assert len(set(np.round(steps, 6))) == 1  # each walks in one direction


def test_ids_of_a_tracker_stay(tmp_path: Path) -> None:
    frame = [{"name": "person", "class": 0, "track_id": 4, "confidence": 0.9, "box": named(A)}]
    numbers, _ = BoxesFile(write(tmp_path / "b.json", [frame, [], frame])).of_video()
    assert {person: frames.tolist() for person, frames in numbers.items()} == {4: [0, 2]}


def test_what_har_writes_as_coco_it_reads_as_boxes(tmp_path: Path) -> None:
    result = Predictor(red_engine())(np.array(walking(12)))
    result.save(tmp_path / "poses.json", format="coco")
    numbers, boxes = BoxesFile(tmp_path / "poses.json").of_video()
    assert numbers[0].tolist() == list(range(12))
    low = result.poses.joints_px.min(1)
    np.testing.assert_allclose(boxes[0][:, :2], low, atol=0.01)


def label(box: tuple[float, ...], *rest: object) -> str:
    x, y, w, h = xywh(box)
    shares = (x + w / 2) / 320, (y + h / 2) / 240, w / 320, h / 240
    return " ".join(["0", *(f"{share:.6g}" for share in shares), *map(str, rest)])


def test_label_files_of_images_and_videos(tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    (labels / "photo_2.txt").write_text(
        f"{label(A, 0.9)}\n{label(B, 0.3)}\n16 0.5 0.5 0.1 0.1 0.9\n"
    )
    (labels / "film_1.txt").write_text(f"{label(A, 0.9, 3)}\n")
    (labels / "film_5.txt").write_text(f"{label(A, 0.8, 3)}\n{label(B, 0.8, 4)}")
    for folder in (labels, tmp_path):
        boxes = BoxesFile(folder, videos={"film"})
        images, videos = [Path("photo_2.jpg")], [Path("film.mp4")]
        boxes.check_sources(images, videos)
        np.testing.assert_allclose(boxes.of_image(images[0], (320, 240))[1], [A], atol=1e-3)
        numbers, found = boxes.of_video(videos[0], (640, 240))
        assert {p: n.tolist() for p, n in numbers.items()} == {3: [0, 4], 4: [4]}
        np.testing.assert_allclose(found[3][0], np.array(A) * [2, 1, 2, 1], atol=1e-3)
        assert len(boxes.remarks) == 2
    (labels / "bare_1.txt").write_text(f"{label(A, 7)}\n{label(B, 8)}")  # tracks alone
    assert BoxesFile(labels).of_image("bare_1.jpg", (320, 240))[0] == [7, 8]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("0 60 80 40 100", "shares of the picture"),
        ("0 0.1 0.2", "are needed"),
        ("0 a b c d", "are needed"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2 0.3 0.3", "outlines"),
        ("0 0.1 0.1 0.2 0.1 nan", "are numbers"),
        ("16 0.5 0.5 0.1 0.1", "no boxes of persons"),
    ],
)
def test_label_files_that_are_none(tmp_path: Path, line: str, sentence: str) -> None:
    (tmp_path / "a.txt").write_text(line)
    with pytest.raises(HarError, match=sentence):
        BoxesFile(tmp_path)


def test_boxes_of_a_larger_picture_are_scaled(tmp_path: Path) -> None:
    images = [{"id": 10, "file_name": "a.png", "width": 640, "height": 480}]
    annotations = [{"image_id": 10, "category_id": 7, "bbox": [2 * side for side in xywh(A)]}]
    document = {"images": images, "categories": CATEGORIES, "annotations": annotations}
    file = BoxesFile(write(tmp_path / "b.json", document))
    np.testing.assert_allclose(file.of_image("a.png", (640, 480))[1], [2 * np.array(A)])
    assert file.remarks == []
    np.testing.assert_allclose(file.of_image("a.png", (320, 240))[1], [A])
    (remark,) = file.remarks
    assert "pictures of 640x480 pixels, and a.png has 320x240: scaled" in remark
    with pytest.raises(HarError, match=r"640x480 pixels, and a.png has 240x320, which is another"):
        file.of_image("a.png", (240, 320))


def test_a_file_of_coco_without_categories_has_persons_by_coco_s_number(tmp_path: Path) -> None:
    image = {"id": 10, "file_name": "a.png"}
    rows = [{"image_id": 10, "category_id": n, "bbox": xywh(b)} for n, b in ((1, A), (3, B))]
    file = BoxesFile(write(tmp_path / "b.json", {"images": [image], "annotations": rows}))
    np.testing.assert_allclose(file.of_image("a.png")[1], [A])


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([{"image_id": 1, "bbox": [1, 2, 3]}], "four numbers"),
        ([{"image_id": 1, "bbox": "1 2 3 4"}], "four numbers"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 4], "score": "high"}], "its score is one"),
        ([{"image_id": 1, "bbox": [1, 2, 0, 4]}], "area of 0"),
        ([{"image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4]}], "are no persons"),
        ({"a.png": {"boxes": [[1, 2, 3, 4]], "scores": [1, 2]}}, "1 boxes with 2 scores"),
        ({"a.png": {"boxes": 7}}, "are lists"),
        ({"a.png": [{"box": [1, 2, 3, 4]}]}, "has x1, y1, x2 and y2"),
        ({"images": [], "annotations": [{"image_id": 1, "bbox": [1, 2, 3, 4]}]}, "annotation 1"),
        ({"images": 1, "annotations": []}, "list of objects"),
        ({"images": [], "annotations": []}, "no box of a person"),
        ({"shapes": 3}, "no output of COCO"),
        ([{"image": "a.png", "bbox": [1, 2, 3, 4]}], "of a corner and a size"),
        ([[1, 2, 3, 4]], "no output of COCO"),
        ([{"image_id": 1, "bbox": [1, 2, 3, 4], "score": float("nan")}], "its score is one"),
        (
            {**COCO, "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "pedestrian"}]},
            r"no category person \(car, pedestrian\)",
        ),
        ({**COCO, "categories": [{"id": 7, "name": "car"}]}, r"no category person \(car\)"),
        (
            {**COCO, "images": [{"id": 10, "file_name": n} for n in ("a.png", "b.png")]},
            r"two images have the id 10 \(a.png and b.png\)",
        ),
    ],
)
def test_files_that_are_none(tmp_path: Path, document: Any, sentence: str) -> None:
    with pytest.raises(HarError, match=rf"b\.json.*{sentence}"):
        BoxesFile(write(tmp_path / "b.json", document))
