"""What a run is made from: its config.yaml gives the same run again; what train returns; sweeps."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from har.cli import name_run, take_config
from har.errors import HarError
from har.modules import MultitaskModule
from har.runs.report import command_line
from har.runs.training import train
from tests.helpers.commands import call
from tests.helpers.tiny import DEMO

QUICK = [
    *DEMO,
    *("callbacks.progress_bar=null", "callbacks.figures=null", "report_untrained=false"),
    *(f"module.phases.{phase}.steps_per_epoch=2" for phase in ("pose", "frozen", "joint")),
]


def losses(folder: Path) -> dict[int, float]:
    with (folder / "csv" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        int(row["step"]): float(row[name])
        for row in rows
        for name in ("train/pose_loss", "train/action_loss")
        if row.get(name)
    }


@pytest.fixture(scope="module")
def run(tiny_ntu: Path, tmp_path_factory: pytest.TempPathFactory):
    """Folder of a run that leaves as much open as it can, and what train returned."""
    folder = tmp_path_factory.mktemp("run")
    words = [*QUICK, f"paths.data_dir='{tiny_ntu}'", "logger=[tensorboard,csv]"]
    words = [word for word in words if not word.startswith("model.num_actions")]
    words += ["model.num_actions=null", "callbacks=[last,best,early_stopping]"]
    return folder, call("train", train, folder, words)


def test_the_configuration_is_what_ran(run) -> None:
    folder, _ = run
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config == json.loads((folder / "metrics.json").read_text())["config"]
    assert config["model"]["num_actions"] == config["module"]["network"]["num_actions"] == [2]
    assert config["trainer"]["max_epochs"] == 3
    assert config["trainer"]["precision"] in ("32-true", "bf16-mixed")
    assert str(folder) not in (folder / "config.yaml").read_text()


def test_the_configuration_gives_the_same_run(run, tmp_path: Path) -> None:
    words = ["har.train", f"config={run[0]}", f"paths.output_dir={tmp_path}/out", "name=again"]
    subprocess.run([sys.executable, "-m", *words], cwd=tmp_path, check=True, capture_output=True)
    (again,) = (tmp_path / "out" / "again").iterdir()
    assert losses(again) == pytest.approx(losses(run[0]))
    assert len(losses(again)) == 8
    first, second = (yaml.safe_load((f / "config.yaml").read_text()) for f in (run[0], again))
    second["name"], second["paths"]["output_dir"] = first["name"], first["paths"]["output_dir"]
    assert second == first


def test_train_returns_its_metrics(run, tiny_ntu: Path, tmp_path: Path) -> None:
    folder, found = run
    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    assert found["action_top1"] == metrics["action_top1"]
    assert {"val/action_top1", "val/joint_error_mm", "train/pose_loss"} <= found.keys()
    assert all(isinstance(value, (int, float)) for value in found.values())
    words = [*QUICK, f"paths.data_dir='{tiny_ntu}'", "logger=none", "callbacks=none"]
    words += ["trainer.max_steps=1", "test=false", "trainer.check_val_every_n_epoch=1"]
    one = call("train", train, tmp_path, [*words, "optimized_metric=train/pose_loss"])
    assert isinstance(one, float)
    with pytest.raises(HarError, match=r"optimized_metric=val/pckh is not measured.*train/pose"):
        call("train", train, tmp_path, [*words, "optimized_metric=val/pckh"])


def test_a_checkpoint_loads_itself(run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    path = run[0] / "checkpoints" / "last.ckpt"
    module = MultitaskModule.load_from_checkpoint(path)
    assert module.network.num_actions == (2,)
    assert module.layout == "pa17j"
    with pytest.raises(HarError, match="no training schedule"):
        module.schedule  # noqa: B018


def test_what_a_checkpoint_states(run) -> None:
    import torch

    stated = torch.load(run[0] / "checkpoints" / "last.ckpt", weights_only=True)["har"]
    assert {"config", "labels", "action_numbers", "phase", "spec"} == stated.keys()
    spec = stated["spec"]
    assert (spec["network"], tuple(spec["resolution"])) == ("SPNet", (32, 32))
    assert tuple(spec["labels"]) == tuple(stated["labels"]) == ("cheer up", "falling")
    assert spec["clip_seconds_between_frames"] == pytest.approx(4 / 15)
    assert not spec["assumed"]


@pytest.mark.parametrize(
    ("argv", "typed", "torchrun", "expected"),
    [
        (
            ["/lib/har/train/__main__.py", "a=1", "hydra.run.dir=x"],
            ["python3", "-X", "dev", "-m", "har.train", "a=1"],
            {},
            "python -m har.train a=1",
        ),
        (
            ["/usr/bin/har-train", "a='x y'"],
            ["/usr/bin/python3", "/usr/bin/har-train", "a=x y"],
            {},
            "har-train 'a=x y'",
        ),
        (
            ["/lib/har/train/__main__.py", "a=1"],
            ["/bin/python", "-u", "-m", "har.train", "a=1"],
            {"TORCHELASTIC_RUN_ID": "none", "LOCAL_WORLD_SIZE": "2", "GROUP_WORLD_SIZE": "1"},
            "torchrun --nnodes=1 --nproc-per-node=2 -m har.train a=1",
        ),
    ],
    ids=["module", "script", "torchrun"],
)
def test_the_command_can_be_typed_again(
    argv, typed, torchrun, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", typed)
    for name, value in torchrun.items():
        monkeypatch.setenv(name, value)
    assert command_line() == expected


def test_runs_have_names() -> None:
    assert name_run(["experiment=demo", "a=1"], "train")[0] == "name=demo"
    assert name_run(["-m", "experiment=demo,demo_pose"], "train")[1] == "name=sweep"
    assert name_run([], "evaluation") == ["name=evaluation"]
    assert name_run(["name=mine", "experiment=demo"], "train") == ["name=mine", "experiment=demo"]


def test_a_configuration_that_is_not_there() -> None:
    with pytest.raises(HarError, match=r"config=nowhere: give the folder of a run"):
        take_config(["config=nowhere"])


@pytest.mark.slow
def test_a_sweep_has_one_folder(tiny_ntu: Path, tmp_path: Path) -> None:
    """Also where each job has two processes."""
    words = [*QUICK, f"paths.data_dir={tiny_ntu}", "model.growth=8,16", "trainer.max_steps=2"]
    words += ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu"]
    command = [sys.executable, "-m", "har.train", "-m", *words]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (sweep,) = (tmp_path / "outputs" / "demo").iterdir()
    assert sorted(path.name for path in sweep.iterdir() if path.is_dir()) == ["0", "1"]
    grown = [yaml.safe_load((sweep / n / "config.yaml").read_text())["model"] for n in "01"]
    assert [model["growth"] for model in grown] == [8, 16]
    assert all((sweep / n / "metrics.json").is_file() for n in "01")
