"""Average precision: the values of cases 03 and 04, and what pycocotools would count wrong."""

import copy
import json
import math
import sys
from typing import Any

import numpy as np
import pytest

from har.errors import HarError
from har.metrics import average_precision
from har.metrics.average_precision import sound
from tests.helpers.cases import CASE_03, CASE_04, read_case

pytest.importorskip("pycocotools", reason="the extra coco is not installed")


def test_case_03_ids_0_and_twice_1() -> None:
    expected = read_case(CASE_03)
    truth, results = (read_case(CASE_03, f"{n}.json") for n in ("annotations", "perfect_results"))
    found = average_precision(truth, results, [0.1] * 6)
    assert found["ap"] == pytest.approx(expected["ap_of_perfect"])
    assert found["ar"] == pytest.approx(1)
    document = sound(truth)
    assert len(document["annotations"]) == expected["puppets"]
    assert [each["id"] for each in document["annotations"]] == [1, 2, 3, 4]


@pytest.mark.parametrize("file", ["annotations", "given_area_only"])
def test_case_04_perfect(file: str) -> None:
    truth = read_case(CASE_04, f"{file}.json")
    results = read_case(CASE_04, "results_perfect.json")
    found = average_precision(truth, results, [0.1] * 6)
    assert found == pytest.approx({"ap": 1, "ap50": 1, "ap75": 1, "ar": 1})
    assert len(sound(truth)["annotations"]) == read_case(CASE_04)["annotations"]["persons_used"]


@pytest.mark.parametrize("off", [8, 16])
@pytest.mark.parametrize("sigma", [0.05, 0.1])
def test_case_04_off(off: int, sigma: float) -> None:
    expected = read_case(CASE_04)["given_area_only"][f"off_by_{off}"][f"sigma_{sigma}"]["ap"]
    truth = read_case(CASE_04, "given_area_only.json")
    results = read_case(CASE_04, f"results_off_by_{off}.json")
    found = average_precision(truth, results, [sigma] * 6)
    assert found["ap"] == pytest.approx(expected)


def scene() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Three persons of a picture, one of them a crowd, one with nothing labeled, and a picture
    without anybody; and what was found: the first person, exactly."""
    rng = np.random.default_rng(0)
    points = rng.uniform(10, 90, (3, 4, 2)) + np.array([0, 200, 400])[:, None, None]

    def flat(pose: np.ndarray, third: float) -> list[float]:
        return np.column_stack([pose, np.full(4, third)]).ravel().tolist()

    annotations = [
        {
            "id": 0,
            "image_id": 0,
            "category_id": 3,
            "iscrowd": int(number == 1),
            "keypoints": flat(points[number], 2 if number < 2 else 0),
            "bbox": [*points[number].min(0), *np.ptp(points[number], axis=0)],
            "area": 5000.0,
            "num_keypoints": 4,
        }
        for number in range(3)
    ]
    truth = {
        "images": [{"id": 0}, {"id": 9}],
        "categories": [{"id": 3, "name": "kite", "keypoints": list("abcd")}],
        "annotations": annotations,
    }
    found = [
        {"image_id": 0, "category_id": 3, "keypoints": flat(pose, 1), "score": 0.5}
        for pose in points
    ]
    return truth, found


def test_crowds_and_persons_without_joints_are_ignored() -> None:
    truth, found = scene()
    assert average_precision(truth, found[:1], [0.1] * 4)["ap"] == pytest.approx(1)
    # what is found on them is no mistake either
    assert average_precision(truth, found, [0.1] * 4)["ap"] == pytest.approx(1)
    # but a person who is somewhere else is
    far = {**found[0], "keypoints": [5000.0] * 12, "score": 0.9}
    assert average_precision(truth, [far, *found], [0.1] * 4)["ap"] == pytest.approx(0.5)
    none = average_precision(truth, [], [0.1] * 4)
    assert none["ap"] == none["ar"] == 0


def test_a_result_that_is_not_a_number_is_never_right() -> None:
    """NaN was a perfect joint: its distance is not greater than anything."""
    truth, found = scene()
    for value in (math.nan, math.inf, -math.inf, None):
        gone = [{**found[0], "keypoints": [value] * 12}]
        assert average_precision(truth, gone, [0.1] * 4) == dict.fromkeys(
            ("ap", "ap50", "ap75", "ar"), 0.0
        )
        # one of four: an OKS of 3/4, which is right up to 0.75, 6 of 10 thresholds
        one = copy.deepcopy(found[:1])
        one[0]["keypoints"][3:5] = [value, value]
        assert average_precision(truth, one, [0.1] * 4)["ap"] == pytest.approx(0.6)
        half = copy.deepcopy(found[:1])
        half[0]["keypoints"][3] = value
        assert average_precision(truth, half, [0.1] * 4)["ap"] == pytest.approx(0.6)


def test_a_true_joint_that_is_not_a_number_is_not_labeled() -> None:
    truth, found = scene()
    off = copy.deepcopy(found[:1])
    off[0]["keypoints"][3:5] = [5000.0, 5000.0]  # the joint that is not labeled
    for value in (math.nan, math.inf, None):
        for places in ([3], [4], [5], [3, 4, 5]):
            odd = copy.deepcopy(truth)
            for place in places:
                odd["annotations"][0]["keypoints"][place] = value
            assert average_precision(odd, off, [0.1] * 4)["ap"] == pytest.approx(1)
            assert sound(odd)["annotations"][0]["num_keypoints"] == 3


@pytest.mark.parametrize(
    "change",
    [
        {"iscrowd": None},
        {"iscrowd": "0"},
        {"area": "5000"},
        {"area": None},
        {"area": math.nan},
        {"bbox": None},
        {"bbox": [math.nan] * 4},
        {"bbox": ["1", "2", "3", "4"]},
        {"image_id": "0"},
        {"image_id": 0.0},
        {"category_id": "3"},
    ],
)
def test_ways_of_writing_the_same(change: dict[str, Any]) -> None:
    truth, found = scene()
    truth["annotations"][0] |= change
    assert average_precision(truth, found[:1], [0.1] * 4)["ap"] == pytest.approx(1)
    truth["annotations"][0]["keypoints"] = [str(v) for v in truth["annotations"][0]["keypoints"]]
    assert average_precision(truth, found[:1], [0.1] * 4)["ap"] == pytest.approx(1)


@pytest.mark.parametrize("crowd", [1, "1", True, "true", "yes", 2])
def test_ways_of_writing_a_crowd(crowd: Any) -> None:
    truth, found = scene()
    truth["annotations"][1]["iscrowd"] = crowd
    assert average_precision(truth, found, [0.1] * 4)["ap"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"category_id": None}, "Annotation 0 is of category None, which"),
        ({"category_id": 8}, "Annotation 0 is of category 8, which"),
        ({"image_id": 5}, "Annotation 0 is of image 5, which"),
        ({"bbox": {"x": 1}}, "Annotation 0 has a bbox that is not of numbers"),
        ({"area": "large"}, "Annotation 0 has an area that is not of numbers"),
        ({"keypoints": ["a"] * 12}, "Annotation 0 has a list of keypoints that is not of numbers"),
        ({"keypoints": {"a": 1}}, "Annotation 0 has a list of keypoints that is not of numbers"),
    ],
)
def test_annotations_that_cannot_be_read_are_refused(change: dict[str, Any], says: str) -> None:
    truth, found = scene()
    truth["annotations"][0] |= change
    with pytest.raises(HarError, match=says):
        average_precision(truth, found[:1], [0.1] * 4)


def test_nobody_to_find() -> None:
    truth, found = scene()
    truth["annotations"] = truth["annotations"][1:]
    assert set(average_precision(truth, found, [0.1] * 4).values()) == {None}


def test_the_documents_of_the_caller_stay_what_they_are() -> None:
    truth, found = scene()
    before = copy.deepcopy((truth, found))
    average_precision(truth, found, [0.1] * 4)
    assert json.dumps(before) == json.dumps((truth, found))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"image_id": 77}, "image 77"),
        ({"image_id": None}, "image None"),
        ({"category_id": None}, "category None"),
        ({"score": None}, "A result of image 0 has the score None"),
        ({"score": math.nan}, "A result of image 0 has the score nan"),
        ({"keypoints": None}, "A pose of image 0 has 1 numbers"),
        ({"keypoints": ["a"] * 12}, "list of keypoints that is not of numbers"),
        ({"keypoints": [1.0] * 9}, "9 numbers; 4 joints have 12"),
    ],
)
def test_results_that_do_not_fit_are_refused(change: dict[str, Any], says: str) -> None:
    truth, found = scene()
    with pytest.raises(HarError, match=says):
        average_precision(truth, [{**found[0], **change}], [0.1] * 4)


def test_without_pycocotools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools.coco", None)
    with pytest.raises(HarError, match="pip install pycocotools"):
        average_precision(*scene(), [0.1] * 4)
