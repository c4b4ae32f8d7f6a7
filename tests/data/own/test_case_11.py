"""Odd clips of people who train on their own actions: the shared case 11 gives its right values."""

import json
import shutil
from pathlib import Path

import pytest

from har.data.framestore.folder import open_prepared
from har.data.own.prepare import OwnReport
from har.data.own.record import OwnActions
from tests.helpers.own_clips import prepare

CASE = Path(__file__).parents[4] / "shared" / "cases" / "people" / "11_action_clips"
pytestmark = pytest.mark.skipif(not CASE.is_dir(), reason="../shared/cases is not here")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, OwnReport]:
    root = tmp_path_factory.mktemp("case") / "own"
    shutil.copytree(CASE, root)
    return root, prepare(root)


def test_classes_and_clips(case: tuple[Path, OwnReport]) -> None:
    root, report = case
    used = {
        label: sum(count for column, count in counts.items() if column != "left out")
        for label, counts in report.clips.items()
    }
    used["wave"] -= 1  # nobody.avi is told when the poses are computed
    assert used == {"Kniebeuge groß": 1, "jumping jack": 2, "squat": 6, "wave": 1, "手を振る": 1}
    assert list(used) == sorted(used)
    assert prepare(root).kept == report.done == 12


def test_what_is_left_out_has_a_reason(case: tuple[Path, OwnReport]) -> None:
    _, report = case
    expected = json.loads((CASE / "expected.json").read_text(encoding="utf-8"))
    told = {**report.skipped, **report.no_clips}
    assert set(expected["left_out"]) <= set(told)
    assert told["stray.avi"] == expected["left_out"]["stray.avi"]
    assert told["no clips yet"] == expected["left_out"]["no clips yet"]
    assert "black" in told["wave/black.avi"]
    assert not set(expected["not_even_mentioned"]) & set(told)


def test_clips_are_sampled_by_the_clock(case: tuple[Path, OwnReport]) -> None:
    root, _ = case
    index, _ = open_prepared(root)
    record = OwnActions.read(root / "prepared")
    number_of = {
        record.clips[name.decode()].file: number for number, name in enumerate(index.names.tolist())
    }
    expected = json.loads((CASE / "expected.json").read_text(encoding="utf-8"))["seconds"]
    for file, seconds in expected.items():
        times = index.times(number_of[file])
        step = (times[-1] - times[0]) / (len(times) - 1)
        assert times[-1] - times[0] + step == pytest.approx(seconds, abs=step), file
    portrait = index.frame_size(number_of["squat/portrait_10fps.mp4"])
    assert portrait[0] < portrait[1]
