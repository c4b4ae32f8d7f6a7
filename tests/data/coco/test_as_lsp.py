"""Leeds Sports Pose as COCO JSON: the same batches, whatever the file's format and joint order."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from har.data.augment import Augmentation
from har.data.coco.prepare import FOLDER, prepare_persons
from har.data.lsp.reader import read_files
from har.data.modules.own_poses import OwnPosesDataModule
from har.data.modules.persons import PersonDataModule
from har.data.records import PersonSet
from har.files import read_stored_image
from tests.helpers.coco_files import write_json
from tests.helpers.golden import real_path

CASE = Path(__file__).parents[1] / "lsp" / "case_09"
NAMES = {"head": "Kopf", "neck": "Hals", "shoulder": "Schulter", "elbow": "Ellbogen",
         "wrist": "Handgelenk", "hip": "Huefte", "knee": "Knie", "ankle": "Knoechel"}  # fmt: skip
SIDES = {"left": "links", "right": "rechts"}


def as_coco(persons: PersonSet, path: Path, order: list[int]) -> Path:
    """The persons as a file of annotations, joints renamed and in another order."""
    names = []
    for joint in persons.layout.joints:
        *side, part = joint.split()
        names.append("_".join([NAMES[part], *(SIDES[word] for word in side)]))
    images, annotations = [], []
    for number, row in enumerate(persons.rows):
        height, width = read_stored_image(persons.images_dir / row["image"].decode()).shape[:2]
        name = row["image"].decode()
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        flags = 1 + (row["visible"] != 0)
        points = np.column_stack([row["joints_px"], flags])[order].ravel().tolist()
        box = [0, 0, width, height]
        annotations.append(
            {"id": number, "image_id": number, "category_id": 1, "bbox": box, "keypoints": points}
        )
    category = {"id": 1, "name": "athlete", "keypoints": [names[joint] for joint in order]}
    return write_json(path, images, annotations, [category])


def compare(persons: PersonSet, tmp_path: Path, samples: int) -> None:
    order = np.random.default_rng(1).permutation(persons.layout.num_joints).tolist()
    path = as_coco(persons, tmp_path / "lsp.json", order)
    prepare_persons(persons.images_dir, {"train": path}, tmp_path / FOLDER, workers=0)
    options: dict[str, Any] = {
        "resolution": (64, 64),
        "boxes": "image",
        "train_boxes": "image",
        "augmentation": Augmentation((-30, 0, 30), (0.8, 1.0, 1.2), flip=True, gammas=(0.9, 1.1)),
        "num_workers": 0,
    }
    one = PersonDataModule("", lambda _: persons, layout="lsp14", **options)
    other = OwnPosesDataModule(str(tmp_path), val_share=0, **options)
    for data in (one, other):
        data.setup("fit")
    assert len(one.datasets["pose"]) == len(other.datasets["pose"]) == len(persons)
    for number in np.linspace(0, len(persons) - 1, samples).astype(int).tolist():
        a, b = (data.datasets["pose"]["pose", number, 7 * number] for data in (one, other))
        np.testing.assert_array_equal(a["images"], b["images"])
        np.testing.assert_array_equal(a["gamma"], b["gamma"])
        np.testing.assert_array_equal(a["pose"][order], b["pose"])


def test_drawn_photographs(tmp_path: Path) -> None:
    persons = read_files(CASE / "lsp_dataset").persons
    compare(persons, tmp_path, len(persons))


@pytest.mark.slow
def test_the_998_photographs(tmp_path: Path) -> None:
    real_path("lsp/joints.mat")
    persons = read_files(real_path("lsp")).persons.of_split("train")
    assert len(persons) == 998
    compare(persons, tmp_path, 60)
    assert len(json.loads((tmp_path / "lsp.json").read_text())["annotations"]) == 998
