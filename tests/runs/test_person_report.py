"""What an evaluation of persons leaves: COCO's files with the printed AP, pictures, sentences."""

import contextlib
import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from har.data import PersonDataModule
from har.data.coco.prepare import prepare_persons
from har.data.records import Person, PersonSet
from har.layouts import Layout
from har.metrics import PersonMetrics, average_precision
from har.metrics.found_persons import FoundPersons
from har.metrics.keypoint_similarity import COCO as COCO17
from har.runs.coco_files import coco_files, write_coco_files
from har.runs.measuring import measure
from har.runs.person_report import write_person_sheets
from har.runs.training import train
from tests.helpers.cases import CASE_03, CASE_04, read_case
from tests.helpers.commands import call
from tests.runs.test_version_010 import FILES, PLAIN

FIVE = Layout("kite", ("top", "left_wing", "right_wing", "middle", "tail"), ((0, 3), (3, 4)))
SHUFFLED = Layout("coco in another order", COCO17.joints[::-1], ((0, 1), (15, 16)))


def make_data(folder: Path, layout: Layout) -> PersonDataModule:
    """Six pictures of two persons, some joints of which are not annotated or hidden."""
    rng = np.random.default_rng(3)
    persons = []
    for number in range(12):
        name = f"{number // 2}.png"
        cv2.imwrite(str(folder / name), np.full((120, 240, 3), 90, np.uint8))
        joints = rng.uniform(10, 100, (layout.num_joints, 2)) + np.array([120 * (number % 2), 0])
        center, window = Person.around(np.concatenate([joints.min(0), joints.max(0)]))
        visible = rng.integers(0, 2, layout.num_joints)
        joints[0 if number % 3 == 0 else slice(0)] = np.nan
        if number == 11:
            joints[:] = np.nan  # a scene without anybody: no box either
        persons.append(
            Person(str(number), name, joints, center, window, split="test", visible=visible)
        )

    def read(_: Path) -> PersonSet:
        return PersonSet.of(persons, folder, layout, "drawn")

    data = PersonDataModule(
        str(folder), read, resolution=(32, 32), length="box_diagonal", oks=True, num_workers=0
    )
    data.setup("test")
    return data


def measured(data: PersonDataModule, noise: float) -> tuple[PersonMetrics, dict[str, Any]]:
    """The metrics of true joints with noise, in crops; persons in batches of five."""
    rng = np.random.default_rng(0)
    metric, threshold, sigmas = data.person_metric
    scores = PersonMetrics(data.layout, 1, metric, threshold, sigmas)
    for first in (5, 10, 0):
        items = [data.test_samples[n] for n in range(first, min(first + 5, 12))]
        batch = torch.utils.data.default_collate(items)
        found = torch.from_numpy(rng.normal(0, noise, (len(items), 1, data.layout.num_joints, 3)))
        pose = batch["joints_px"].nan_to_num()[:, None] @ batch["affine"][..., :2, :2].mT
        found[..., :2] += pose + batch["affine"][..., None, :2, 2]
        scores.update([found], batch)
    return scores, scores.compute()


def cocos_own(folder: Path, sigmas: list[float] | None) -> float:
    """AP of the two files by pycocotools alone."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(folder / "coco_ground_truth.json"))
        found = truth.loadRes(str(folder / "coco_results.json"))
        evaluation = COCOeval(truth, found, "keypoints")
        if sigmas is not None:
            evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


@pytest.mark.parametrize("layout", [FIVE, SHUFFLED])
@pytest.mark.parametrize("noise", [0, 0.03])
def test_pycocotools_alone_finds_the_same(layout: Layout, noise: float, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="the extra coco is not installed")
    data = make_data(tmp_path, layout)
    scores, results = measured(data, noise)
    truth, found = coco_files(data.test_samples.persons, data.layout, scores.sigmas, scores.found)
    write_coco_files(tmp_path, truth, found)
    sigmas = truth["categories"][0]["sigmas"]
    ap = average_precision(truth, found, sigmas)["ap"]
    # COCO's joints come in COCO's order: its own sigmas are those of the program
    assert cocos_own(tmp_path, sigmas if layout is FIVE else None) == ap
    assert ap == pytest.approx(1) if noise == 0 else 0.05 < ap < 0.95
    assert results["oks"] == pytest.approx(1) if noise == 0 else 0.3 < results["oks"] < 0.95

    assert [each["id"] for each in truth["annotations"]] == list(range(1, 12))
    assert len(truth["images"]) == 6
    assert len(found) == 11  # nobody is looked for in the empty scene
    rows = data.test_samples.persons.rows
    names = [name.replace(" ", "_") for name in layout.joints]
    for annotation in truth["annotations"]:
        row = rows[int(annotation["name"])]
        points = np.reshape(annotation["keypoints"], (-1, 3))
        for name, (x, y, flag) in zip(truth["categories"][0]["keypoints"], points, strict=True):
            joint = names.index(name)
            known = np.isfinite(row["joints_px"][joint]).all()
            assert flag == (0 if not known else 1 if row["visible"][joint] == 0 else 2)
            assert not known or [x, y] == row["joints_px"][joint].tolist()
        assert annotation["num_keypoints"] == (points[:, 2] > 0).sum()
    links = {frozenset(layout.joints[i] for i in link) for link in layout.links}
    category = truth["categories"][0]
    assert links == {
        frozenset(category["keypoints"][i - 1] for i in link) for link in category["skeleton"]
    }


def test_found_persons_are_those_of_their_numbers(tmp_path: Path) -> None:
    """Whatever the order of the batches; and OKS is that of the definition."""
    data = make_data(tmp_path, FIVE)
    scores, _ = measured(data, 0)
    found, rows = scores.found, data.test_samples.persons.rows
    assert found.numbers.tolist() == list(range(12))
    known = np.isfinite(rows["joints_px"])
    np.testing.assert_allclose(found.joints_px[known], rows["joints_px"][known], atol=1e-3)
    assert np.isnan(found.errors[11])
    assert found.errors[:11].max() < 1e-5


def test_pictures_of_the_worst_and_the_median(tmp_path: Path) -> None:
    data = make_data(tmp_path, FIVE)
    scores, _ = measured(data, 0.05)
    write_person_sheets(tmp_path / "figures", data.test_samples, scores.found, "the box")
    for name in ("worst", "median"):
        picture = cv2.imread(str(tmp_path / "figures" / f"test_{name}.png"))
        assert picture.shape[1] > 6 * 200
        # prediction in the colors of the sides, truth in white
        for color in ((70, 180, 255), (255, 110, 20), (255, 255, 255)):
            assert (picture[..., ::-1] == color).all(-1).sum() > 50


def evaluate(folder: Path, *words: str) -> dict[str, float]:
    run = [f"ckpt_path='{FILES}/mpii_run/last.ckpt'", f"paths.data_dir='{FILES}/mpii_run/data'"]
    return call("evaluate", measure, folder, [*PLAIN, *run, "+data.oks=true", *words])


def test_the_command_writes_and_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pycocotools", reason="the extra coco is not installed")
    results = evaluate(tmp_path, "+data.oks_sigma=0.2")
    printed = capsys.readouterr().out
    truth = json.loads((tmp_path / "coco_ground_truth.json").read_text())
    assert cocos_own(tmp_path, truth["categories"][0]["sigmas"]) == pytest.approx(results["ap"])
    assert f"{results['ap']:.3f}" in printed
    assert "AP over OKS" in printed
    assert "0.2 for all joints" in printed
    assert (tmp_path / "figures" / "test_worst.png").is_file()
    document = json.loads((tmp_path / "metrics.json").read_text())
    assert document["metrics"]["ap"] == results["ap"]
    assert "PCKh at 0.5 of the head size" in document["protocol"]["metric"]


def test_a_training_run_ends_with_the_same(tiny_mpii: Path, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools", reason="the extra coco is not installed")
    words = [
        *("experiment=mpii_spnet", f"paths.data_dir='{tiny_mpii}'", "+data.oks=true", "name=tiny"),
        *("data.resolution=[32,32]", "model.num_levels=2", "model.growth=4", "data.batch_size=2"),
        *("data.val_persons=2", "data.num_workers=0", "trainer=cpu", "callbacks=none"),
        *("module.phases.pose.epochs=1", "++module.phases.pose.steps_per_epoch=1", "logger=none"),
        *("callbacks.progress_bar=null", "+trainer.enable_progress_bar=false"),
    ]
    found = call("train", train, tmp_path, words)
    assert {"ap", "ar", "oks", "pckh", "val/oks"} <= found.keys()
    assert (tmp_path / "figures" / "test_median.png").is_file()
    assert (tmp_path / "coco_results.json").is_file()


def test_without_pycocotools_the_rest_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with caplog.at_level(logging.WARNING):
        results = evaluate(tmp_path)
    assert "pip install pycocotools" in caplog.text
    assert "ap" not in results
    assert {"pckh", "oks"} <= results.keys()
    assert (tmp_path / "coco_results.json").is_file()


def test_persons_without_a_length_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        make_data(tmp_path, FIVE)
    text = "1 of 12 test persons have no head box (or other length): not scored: 11."
    assert text in caplog.text


def results_of(case: Path, name: str, persons: PersonSet) -> FoundPersons:
    """COCO results of a case as an evaluation's, matched by their pictures."""
    document = read_case(case, "annotations.json")
    files = {image["id"]: image["file_name"] for image in document["images"]}
    results = {files[each["image_id"]]: each for each in read_case(case, name)}
    ordered = [results[image.decode()] for image in persons.rows["image"].tolist()]
    poses = np.array([each["keypoints"] for each in ordered], dtype=np.float32)
    poses = poses.reshape(len(poses), -1, 3)
    unknown = np.full(len(poses), np.nan, dtype=np.float32)
    # the score of a result is the mean confidence of its joints
    confidence = np.repeat([[each["score"]] for each in ordered], poses.shape[1], 1)
    return FoundPersons(np.arange(len(poses)), unknown, unknown, poses[..., :2], confidence)


@pytest.mark.parametrize(
    ("case", "file", "results", "sigma", "expected"),
    [
        (CASE_03, "annotations", "perfect_results", 0.1, 1.0),
        (CASE_04, "annotations", "results_perfect", 0.1, 1.0),
        (CASE_04, "given_area_only", "results_perfect", 0.05, 1.0),
        (CASE_04, "given_area_only", "results_off_by_8", 0.05, 0.3),
        (CASE_04, "given_area_only", "results_off_by_16", 0.05, 0.0),
        (CASE_04, "given_area_only", "results_off_by_8", 0.1, 0.8),
        (CASE_04, "given_area_only", "results_off_by_16", 0.1, 0.3),
    ],
)
def test_cases_through_the_reader(
    case: Path, file: str, results: str, sigma: float, expected: float, tmp_path: Path
) -> None:
    """Annotations as they were read, not as pycocotools would read them."""
    pytest.importorskip("pycocotools", reason="the extra coco is not installed")
    (tmp_path / "a.json").write_text(json.dumps(read_case(case, f"{file}.json")))
    files = {"train": tmp_path / "a.json"}
    _, persons = prepare_persons(case / "images", files, tmp_path / "out", workers=0)
    sigmas = [sigma] * 6
    found = results_of(case, f"{results}.json", persons)
    truth, poses = coco_files(persons, persons.layout, sigmas, found)
    assert average_precision(truth, poses, sigmas)["ap"] == pytest.approx(expected)
    ids = [annotation["id"] for annotation in truth["annotations"]]
    assert ids == list(range(1, len(persons) + 1))
