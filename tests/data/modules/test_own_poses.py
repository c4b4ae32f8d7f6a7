"""Own pictures from annotations to batches: splits, nobody, unlabeled joints, mirroring."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from har.data import OwnPosesDataModule
from har.data.augment import Augmentation
from har.data.coco.prepare import FOLDER, prepare_persons
from har.errors import HarError
from har.losses import pose_loss
from tests.helpers.coco_files import FIVE, TWENTY_ONE, changed, write_dots

CASES = Path(__file__).parents[1] / "coco"


def make_data(images: Path, json_file: Path, out: Path, **options: Any) -> OwnPosesDataModule:
    prepare_persons(images, {"train": json_file}, out / FOLDER, workers=0)
    data = OwnPosesDataModule(str(out), resolution=(64, 64), num_workers=0, **options)
    data.setup("fit")
    return data


def names(samples: Any) -> set[str]:
    return {name.decode() for name in samples.persons.rows["image"].tolist()}


def test_neighbors_are_on_one_side(tmp_path: Path) -> None:
    path = write_dots(tmp_path, FIVE, pictures=12)
    data = make_data(
        tmp_path / "images", path, tmp_path, group_by=r"(video\d+)_", val_share=0.3, test_share=0.2
    )
    sides = [data.datasets["pose"], data.val_samples, data.test_samples]
    videos = [{name.split("_")[0] for name in names(side)} for side in sides]
    assert [len(side) for side in videos] == [3, 2, 1]
    assert len(set.union(*videos)) == 6
    assert data.describe_protocol()["split"] == "test"


def test_without_test_persons_the_validation_persons_are_measured(tmp_path: Path) -> None:
    path = write_dots(tmp_path, FIVE, pictures=6)
    data = make_data(tmp_path / "images", path, tmp_path)
    assert names(data.val_samples) == names(data.test_samples)
    assert names(data.val_samples).isdisjoint(names(data.datasets["pose"]))
    assert data.describe_protocol()["split"] == "validation (no test persons)"
    item = data.test_samples[0]
    low, high = item["box_px"][:2], item["box_px"][2:]
    assert item["length_px"] == pytest.approx(float(torch.hypot(*(high - low))))
    side = OwnPosesDataModule(str(tmp_path), length="box_side", resolution=(64, 64))
    side.setup("fit")
    assert side.test_samples[0]["length_px"] == float((high - low).max())


def test_a_share_is_of_persons_not_of_pictures_of_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_dots(tmp_path, FIVE, pictures=25, people=1)
    some = changed(path, tmp_path / "5.json", lambda c: c["annotations"].__delitem__(slice(5, 25)))
    prepare_persons(tmp_path / "images", {"train": some}, tmp_path / FOLDER, workers=0)
    for options, persons in (
        ({"val_share": 0.1}, 1),
        ({"val_share": 0.3}, 2),
        ({"val_share": 0.0, "val_persons": 2}, 2),
    ):
        data = OwnPosesDataModule(str(tmp_path), num_workers=0, **options)
        data.setup("fit")
        assert len(data.val_samples) == persons
        assert len(data.datasets["pose"]) == 25 - persons

    one = changed(path, tmp_path / "1.json", lambda c: c["annotations"].__delitem__(slice(1, 25)))
    data = make_data(tmp_path / "images", one, tmp_path, val_share=0.9)
    assert len(data.datasets["pose"]) == 25
    assert "none is kept out of training for val" in caplog.text


def test_training_without_a_person_is_refused(tmp_path: Path) -> None:
    """The only video with persons is in the file of validation: pictures of nobody are left."""
    path = write_dots(tmp_path, FIVE, pictures=4, people=1)

    def keep(images: list[int]) -> Any:
        def change(content: Any) -> None:
            content["images"] = [content["images"][number] for number in images]
            content["annotations"] = [content["annotations"][images[0]]]

        return change

    train = changed(path, tmp_path / "train.json", keep([0, 2, 3]))
    val = changed(path, tmp_path / "val.json", keep([1]))
    files = {"train": train, "val": val}
    prepare_persons(tmp_path / "images", files, tmp_path / FOLDER, workers=0)
    data = OwnPosesDataModule(str(tmp_path), num_workers=0, group_by=r"(video\d+)_")
    with pytest.raises(HarError, match="No training person is in"):
        data.setup("fit")


def test_a_picture_of_nobody_teaches_that_and_an_unlabeled_joint_nothing(tmp_path: Path) -> None:
    folder = CASES / "case_05"
    data = make_data(folder / "images", folder / "annotations.json", tmp_path, val_share=0)
    training = data.datasets["pose"]
    (nobody,) = np.flatnonzero(training.persons.rows["image"] == b"empty_room.png")
    pose = training["pose", int(nobody), 0]["pose"]
    assert (pose[:, -1] == 0).all()
    assert (pose[:, :2] == -1e9).all()
    without = OwnPosesDataModule(str(tmp_path), negatives=False, val_share=0)
    without.setup("fit")
    assert len(without.datasets["pose"]) == len(training) - 1

    folder = CASES / "case_01"
    data = make_data(folder / "images", folder / "annotations.json", tmp_path, val_share=0)
    training = data.datasets["pose"]
    (some,) = np.flatnonzero(training.persons.rows["image"] == b"unlabelled_with_places.png")
    pose = training["pose", int(some), 0]["pose"]
    unlabeled = ~np.isfinite(training.persons.rows["joints_px"][some]).all(-1)
    assert pose[:, -1].isnan().tolist() == unlabeled.tolist()
    predicted = torch.rand(1, 6, 3, requires_grad=True)
    pose_loss(predicted, pose[None]).sum().backward()
    assert (predicted.grad[0].abs().sum(-1) == 0).tolist() == unlabeled.tolist()


def test_mirrored_persons_exchange_left_and_right(tmp_path: Path) -> None:
    path = write_dots(tmp_path, FIVE, pictures=4)
    flips = Augmentation(flip=True)
    data = make_data(tmp_path / "images", path, tmp_path, augmentation=flips, views="flip")
    plain, mirrored = data.test_samples[0]["pose"]
    for joint, other in enumerate([0, 2, 1, 4, 3]):
        assert float(mirrored[other, 0] + plain[joint, 0]) == pytest.approx(1, abs=1e-6)
    assert data.datasets["pose"].augmentation.flip


def test_nothing_is_mirrored_without_left_and_right(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_dots(tmp_path, TWENTY_ONE, pictures=4)
    flips = Augmentation(flip=True)
    data = make_data(tmp_path / "images", path, tmp_path, augmentation=flips)
    assert not data.datasets["pose"].augmentation.flip
    assert caplog.text.count("no picture is mirrored") == 1
    with pytest.raises(HarError, match=r"data\.views=flip mirrors pictures.*flip_pairs"):
        make_data(tmp_path / "images", path, tmp_path, views="flip")
    one_sided = changed(
        write_dots(tmp_path, FIVE, pictures=4),
        tmp_path / "lone.json",
        lambda c: c["categories"][0].update(
            keypoints=["head", "left_a", "right_a", "left_b", "tail"]
        ),
    )
    caplog.clear()
    make_data(tmp_path / "images", one_sided, tmp_path, augmentation=flips)
    assert "left_b has no counterpart" in caplog.text


def test_the_pictures_are_read_as_the_annotations_mean_them(tmp_path: Path) -> None:
    """Every joint's color lies in the crop where the pose says, for all training persons."""
    path = write_dots(tmp_path, FIVE, pictures=3)
    data = make_data(tmp_path / "images", path, tmp_path, val_share=0)
    training = data.datasets["pose"]
    for number in range(len(training)):
        item = training["pose", number, 0]
        seen = item["pose"][:, -1] == 1
        assert seen.sum() == 5
        for x, y in (64 * item["pose"][:, :2]).int().tolist():
            assert item["images"][min(y, 63), min(x, 63)].max() > 50


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"length": "head"}, "choose torso, box_diagonal, box_side"),
        ({"enlarge": 0}, r"data\.enlarge=0"),
        ({"enlarge": "x"}, r"data\.enlarge=x has to be a number"),
        ({"threshold": -1}, r"data\.threshold=-1 has to be a number above 0"),
        ({"threshold": "abc"}, r"data\.threshold=abc has to be a number"),
        ({"val_share": "0.1"}, r"data\.val_share=0.1 has to be"),
        ({"test_share": math.nan}, r"data\.test_share=nan has to be"),
        ({"oks": True, "oks_sigma": "x"}, r"data\.oks_sigma=x: give one number"),
        ({"oks": "off"}, r"data\.oks=off: give true or false\."),
        ({"negatives": "no"}, r"data\.negatives=no: give true or false\."),
        ({"group_by": "("}, "no regular expression"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], what: str) -> None:
    path = write_dots(tmp_path, FIVE, pictures=2)
    with pytest.raises(HarError, match=what):
        make_data(tmp_path / "images", path, tmp_path, **options)


def test_what_is_not_prepared(tmp_path: Path) -> None:
    with pytest.raises(HarError, match=r"har\.prepare persons images="):
        OwnPosesDataModule(str(tmp_path)).setup("fit")
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "persons.h5").write_text(json.dumps({}))
    with pytest.raises(HarError, match=r"persons\.h5 is missing, damaged"):
        OwnPosesDataModule(str(tmp_path)).setup("fit")
