"""Runs of version 0.1.0 are evaluated and predicted with the values that it recorded."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from har import Predictor
from har.cli import refuse_old_keys
from har.errors import HarError
from har.runs.legacy import translate
from har.runs.measuring import measure
from har.runs.training import train
from tests.helpers.commands import call

FILES = Path(__file__).parents[1] / "golden" / "v010"
PLAIN = ["trainer=cpu", "trainer.precision=32-true", "fast=false", "callbacks.figures=null"]
# run, its recorded metrics, the folder of its data, words of the command line
RECORDED = [
    ("ntu_run", "metrics_single.json", "ntu_run/data", ["protocol=single"]),
    ("ntu_run", "metrics_multi.json", "ntu_run/data", ["protocol=multi"]),
    ("ntu_run", "metrics_boxes.json", "ntu_run/data", ["data.boxes=predicted"]),
    ("mpii_run", "metrics.json", "mpii_run/data", []),
    ("mpii_run", "metrics_flip.json", "mpii_run/data", ["views=flip"]),
    ("own_run", "metrics.json", "own_run/data", []),
    ("merge_run", "metrics.json", "ntu_run/data", []),
    ("pretrain_run", "metrics.json", "both", []),
]


def numbers(value: Any, name: str = "") -> dict[str, Any]:
    """All values of nested dicts and lists, under the names that lead to them."""
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, item in items for k, v in numbers(item, f"{name}.{key}").items()}
    return {name: value}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The folders of data, and one with those of NTU and MPII together."""
    for run in ("ntu_run", "mpii_run", "own_run"):
        (tmp_path / run).symlink_to(FILES / run)
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "ntu").symlink_to(FILES / "ntu_run" / "data" / "ntu")
    (tmp_path / "both" / "mpii").symlink_to(FILES / "mpii_run" / "data" / "mpii")
    return tmp_path


@pytest.mark.parametrize(
    ("run", "recorded", "folder", "words"),
    RECORDED,
    ids=lambda value: value if isinstance(value, str) and "/" not in value else "",
)
def test_metrics_of_0_1_0(
    run: str, recorded: str, folder: str, words: list[str], data: Path, tmp_path: Path
) -> None:
    words = [*words, f"ckpt_path='{FILES}/{run}/last.ckpt'", f"paths.data_dir='{data / folder}'"]
    call("evaluate", measure, tmp_path / "run", [*PLAIN, *words])
    then = json.loads((FILES / run / recorded).read_text())
    now = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert now["model"]["weights_sha256"] == then["model"]["weights_sha256"]
    expected, found = numbers(then["metrics"]), numbers(now["metrics"])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == (pytest.approx(value, rel=1e-3) if _is_real(value) else value), name
    for name in ("num_test_sequences", "num_test_clips", "num_crops", "num_test_persons"):
        assert now["protocol"].get(name) == then["protocol"].get(name)


def _is_real(value: Any) -> bool:
    return isinstance(value, float)


def test_classes_are_matched_by_name(data: Path, tmp_path: Path) -> None:
    """In another order they give the same metrics; other classes are refused."""
    words = [*PLAIN, f"ckpt_path='{FILES}/ntu_run/last.ckpt'"]
    words.append(f"paths.data_dir='{data}/ntu_run/data'")
    found = call("evaluate", measure, tmp_path / "run", [*words, "data.actions=[43,22]"])
    then = json.loads((FILES / "ntu_run" / "metrics_single.json").read_text())["metrics"]
    assert found["action_top1"] == pytest.approx(then["action_top1"], rel=1e-3)
    assert found["joint_error_mm"] == pytest.approx(then["joint_error_mm"], rel=1e-3)
    with pytest.raises(HarError, match=r"only the network has cheer up, only the data has drink"):
        call("evaluate", measure, tmp_path / "other", [*words, "data.actions=[1,43]"])


def test_prediction_of_0_1_0() -> None:
    run = FILES / "ntu_run"
    predictor = Predictor.from_pretrained(run / "last.ckpt", device="cpu", fast=False)
    predictor.smooth = False  # joints are smoothed over time since 0.2.0
    result = predictor(run / "clip.avi")
    with np.load(run / "poses.npz") as then:
        assert np.array_equal(result.poses.frame, then["frame"])
        np.testing.assert_allclose(result.poses.joints_px, then["joints_px"], atol=0.5)
        np.testing.assert_allclose(result.poses.time_s, then["time_s"], atol=1e-3)
    lines = (run / "actions.csv").read_text().splitlines()[1:]
    best = [result.actions.labels[row.argmax()] for row in result.actions.probabilities]
    assert [line.split(",")[2] for line in lines] == best


def test_a_run_of_0_1_0_is_not_continued(tmp_path: Path) -> None:
    words = [f"ckpt_path='{FILES}/ntu_run/last.ckpt'", f"paths.data_dir='{FILES}/ntu_run/data'"]
    words += ["experiment=demo", "data.actions=[22,43]", "model.num_actions=[2]"]
    words += ["data.val_subjects=[]", "data.num_workers=0"]
    with pytest.raises(HarError, match=r"is of version 0\.1\.0, .* weights="):
        call("train", train, tmp_path, words)


@pytest.mark.parametrize(
    ("word", "now"),
    [
        ("callbacks.checkpoint.every_n_steps=50", "callbacks.last.every_n_train_steps"),
        ("callbacks.checkpoint=null", "callbacks.last"),
        ("data.augmentation.colour_powers=[1]", "data.augmentation.gammas"),
    ],
)
def test_old_keys_name_the_new_ones(word: str, now: str) -> None:
    with pytest.raises(HarError, match=rf"of version 0\.1\.0 is called {now} now"):
        refuse_old_keys("train", [word])


def test_a_checkpoint_runs_no_code_of_others() -> None:
    with pytest.raises(HarError, match=r"os\.system, which is none of har"):
        translate({"data": {"augmentation": {"_target_": "os.system", "command": "true"}}})
