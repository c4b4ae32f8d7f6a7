"""The command with real trainings: what it prints, what it never reads, and being killed."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

optuna = pytest.importorskip("optuna", reason="the extra `sweep` is not installed")

from tests.helpers.tiny import DEMO

ROOT = Path(__file__).parents[2]
SEARCH = """# @package _global_
sweep:
  study: tiny
  metric: val/joint_error_mm
  mode: min
  trials: 2
  space:
    module.phases.pose.scheduler.max_lr: {low: 0.001, high: 0.01, log: true}
    model.num_pose_features: {choices: [16, 32]}
"""
WORDS = [
    *DEMO,
    "trainer.precision=32-true",
    "trainer.check_val_every_n_epoch=1",
    "callbacks.last.every_n_train_steps=1",
    *(f"module.phases.{phase}.steps_per_epoch=4" for phase in ("pose", "frozen", "joint")),
]
TEST_SUBJECTS = "P003", "P006"


def start(command: str, cwd: Path, *words: str) -> "subprocess.Popen[str]":
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.sweep_command", command, *words],
        cwd=cwd,
        env={**environment, "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sweep(cwd: Path, data_dir: Path, *words: str) -> "subprocess.Popen[str]":
    folder = cwd / "searches" / "hparams_search"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tiny.yaml").write_text(SEARCH)
    place = ["--config-dir", str(folder.parent), f"paths.data_dir={data_dir}"]
    return start("sweep", cwd, *place, *WORDS, "hparams_search=tiny", *words)


def values(folder: Path) -> list[float]:
    study = optuna.load_study(
        study_name="tiny", storage=f"sqlite:///{folder}/outputs/demo/sweep_tiny/study.db"
    )
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "COMPLETE"]
    return [trial.value for trial in study.trials]


@pytest.fixture(scope="module")
def undisturbed(tiny_ntu: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    cwd = tmp_path_factory.mktemp("undisturbed")
    output, errors = (process := sweep(cwd, tiny_ntu)).communicate(timeout=500)
    assert process.returncode == 0, errors
    return cwd, output


@pytest.mark.slow
def test_the_best_of_the_table_equals_its_run_once_more(undisturbed: tuple[Path, str]) -> None:
    cwd, output = undisturbed
    assert "Sweep tiny" in output
    found = re.search(r"The best is trial (\d), val/joint_error_mm ([\d.]+)\. Once more:", output)
    assert found
    best = values(cwd)[int(found[1])]
    assert best == min(values(cwd))
    assert float(found[2]) == pytest.approx(best, rel=1e-3)
    command = shlex.split(output[found.end() :].strip().splitlines()[0])
    assert command[:3] == ["python", "-m", "har.train"]
    metric = "optimized_metric=val/joint_error_mm"
    process = start("train", cwd, *command[3:], "test=false", "report_untrained=false", metric)
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    (run,) = [path for path in (cwd / "outputs" / "demo").iterdir() if path.name[0] == "2"]
    logged = run_values(run)
    assert logged == run_values(cwd / "outputs" / "demo" / "sweep_tiny" / found[1])
    assert logged[-1] == pytest.approx(best, rel=1e-6)


def run_values(run: Path) -> list[float]:
    """The metric of every validation of a run, as its logger has it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return [event.value for event in events.Scalars("val/joint_error_mm")]


@pytest.mark.slow
def test_the_test_split_is_never_read(undisturbed: tuple[Path, str]) -> None:
    cwd, _ = undisturbed
    names = set((cwd / "read.txt").read_text().split())
    assert any("P004" in name for name in names)  # of validation
    assert any("P001" in name for name in names)
    assert not [name for name in names if any(subject in name for subject in TEST_SUBJECTS)]
    for number in "01":
        folder = cwd / "outputs" / "demo" / "sweep_tiny" / number
        metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
        assert metrics == {}


@pytest.mark.slow
def test_a_killed_sweep_goes_on_as_if_undisturbed(
    undisturbed: tuple[Path, str], tiny_ntu: Path, tmp_path: Path
) -> None:
    process = sweep(tmp_path, tiny_ntu)
    checkpoint = tmp_path / "outputs" / "demo" / "sweep_tiny" / "1" / "checkpoints" / "last.ckpt"
    while not checkpoint.is_file():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    process = sweep(tmp_path, tiny_ntu)
    output, errors = process.communicate(timeout=500)
    assert process.returncode == 0, errors
    assert "Going on with" in output
    assert values(tmp_path) == pytest.approx(values(undisturbed[0]), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data.val_subjects=[]"], "This data has no validation samples, and a sweep does not"),
        (["data.validate_on_training=true"], "data.validate_on_training=true validates on the"),
        (["test=true"], "test=true: a sweep never reads the test split;"),
        (["sweep.metric=test/action_top1"], "A sweep chooses by a validation metric, and test/"),
        (["trainer=ddp"], "A run of a sweep is one process: leave out trainer=ddp"),
    ],
)
def test_what_would_choose_on_the_test_is_refused(
    words: list[str], sentence: str, tiny_ntu: Path, tmp_path: Path
) -> None:
    process = sweep(tmp_path, tiny_ntu, *words)
    _, errors = process.communicate(timeout=500)
    assert process.returncode == 2
    assert errors.strip().splitlines()[-1].startswith(f"har: {sentence}")
    assert "Traceback" not in errors
    assert not list(tmp_path.rglob("study.db"))
