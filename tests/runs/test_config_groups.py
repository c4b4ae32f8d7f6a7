"""Groups of settings around a run: extras, the settings of one machine, the folder of data."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from har.runs.config import config_dir, print_config
from tests.helpers.commands import compose


def job(*words: str, command: str = "train", **environment: str) -> dict:  # type: ignore[type-arg]
    """The configuration that a command prints."""
    done = subprocess.run(
        [sys.executable, "-m", f"har.{command}", *words, "--cfg", "job", "--resolve"],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@pytest.mark.parametrize(("command", "words"), [("train", ["trainer=cpu"]), ("prepare", ["ntu"])])
def test_har_data_names_the_folder_of_data(
    command: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HAR_DATA", raising=False)
    name = ["name=x"] if command == "train" else []
    assert job(*words, *name, command=command)["paths"]["data_dir"] == "data"
    found = job(*words, *name, command=command, HAR_DATA=str(tmp_path))
    assert found["paths"]["data_dir"] == str(tmp_path)
    if command == "train":
        assert found["data"]["data_dir"] == str(tmp_path)


def test_the_configuration_is_printed_as_a_tree(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("har.runs.config.run_folder", lambda: Path("nowhere"))
    cfg = OmegaConf.create(
        {"seed": 3, "model": {"growth": "${seed}", "name": "[red]x"}, "extras": {}}
    )
    print_config(cfg)
    printed = capsys.readouterr().out
    assert "seed: 3" in printed
    assert "growth: 3" in printed
    assert "[red]x" in printed
    cfg = compose("train", ["extras.print_config=true", "extras.tags=[a,b]"])
    assert cfg.extras == {"print_config": True, "tags": ["a", "b"]}


def test_settings_of_one_machine_are_read_last(tmp_path: Path) -> None:
    folder = tmp_path / "configs"
    shutil.copytree(config_dir(), folder)
    (folder / "local" / "default.yaml").write_text(
        "# @package _global_\npaths:\n  data_dir: /disks/data\nseed: 12\n"
    )
    import hydra

    with hydra.initialize_config_dir(str(folder), version_base="1.3"):
        cfg = hydra.compose("train", ["experiment=demo_pose"])
        prepared = hydra.compose("prepare", ["seed=4"])
    assert (cfg.paths.data_dir, cfg.seed) == ("/disks/data", 12)
    assert (prepared.paths.data_dir, prepared.seed) == ("/disks/data", 4)
    ignored = (config_dir().parent / ".gitignore").read_text(encoding="utf-8")
    assert "/configs/local/*" in ignored
