"""The command line: arguments, configurations, resuming, errors for people."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import hydra
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from har.cli import (
    _REFERENCE,
    change_checkpoint,
    find_last_checkpoint,
    help_text,
    quote_argument,
    rewrite_arguments,
    sigterm_as_interrupt,
)
from har.errors import HarError
from har.runs.config import config_dir

EXPERIMENTS = sorted(path.stem for path in (config_dir() / "experiment").glob("*.yaml"))


def compose(name: str, overrides: list[str]):
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        return hydra.compose(name, overrides)


@example("\\0")
@example("a\\'b\\")
@example("[2024] dance.mp4")
@example("{x}.mp4")
@example("${env}.mp4")
@example("\\${env}")
@example("2024-01-01T12:30:00.mp4")
@example("'q'.mp4")
@example("C:\\data\\own clips\\")
@example("\\\\server\\share\\${x}")
@settings(deadline=None, max_examples=15)  # every example composes a configuration
@given(st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1))
def test_any_path_survives_the_command_line(path: str) -> None:
    quoted = len(path) > 1 and path[0] == path[-1] and path[0] in "'\""
    if quoted or path == "null" or _REFERENCE.search(path):
        return  # quoted already, or meant for Hydra
    words = rewrite_arguments([f"ckpt_path={path}"])
    assert compose("train", words).ckpt_path == path


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("weights=a=b.h5", "weights='a=b.h5'"),
        ("paths.data_dir=/tmp/a (1)", "paths.data_dir='/tmp/a (1)'"),
        ("ckpt_path=null", "ckpt_path=null"),
        ("weights='quoted'", "weights='quoted'"),
        ("data.actions=[1,2]", "data.actions=[1,2]"),
        ("trainer=cpu", "trainer=cpu"),
    ],
)
def test_quoting(given_: str, expected: str) -> None:
    assert quote_argument(given_) == expected


def test_first_word_is_the_task() -> None:
    assert rewrite_arguments(["ntu", "workers=3"], has_task=True) == ["task=ntu", "workers=3"]
    assert rewrite_arguments(["--help"], has_task=True) == ["--help"]


COMMANDS = sorted(path.stem for path in config_dir().glob("*.yaml"))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_key_and_choice(command: str) -> None:
    shown = help_text(command)
    assert shown.startswith(("python -m har.", "Figures", "Poses"))
    cfg = OmegaConf.to_container(compose(command, []), resolve=False)
    assert isinstance(cfg, dict)
    composed = {"paths", "data", "model", "module", "trainer", "callbacks", "logger", "protocol"}
    composed |= {"extras"}
    for key in cfg.keys() - composed:
        assert re.search(rf"^{key}:", shown, re.MULTILINE), key
    if command in ("train", "evaluate"):
        assert set(EXPERIMENTS) <= set(re.findall(r"\w+", shown))


def test_an_evaluation_changes_keys_that_only_the_checkpoint_has() -> None:
    """As docs/own_poses.md says: Hydra refused data.length and asked for a plus sign."""
    words = ["ckpt_path=a.ckpt", "data.length=box_side", "+data.x=1", "fast=false"]
    changed = change_checkpoint(words)
    assert changed == ["ckpt_path=a.ckpt", "++data.length=box_side", "+data.x=1", "fast=false"]
    cfg = compose("evaluate", [*changed, "++data.batch_size=3", "name=x"])
    assert (cfg.data.length, cfg.data.batch_size) == ("box_side", 3)
    of_experiment = ["experiment=own_poses", "data.length=box_side"]
    assert change_checkpoint(of_experiment) == of_experiment


def test_help_comes_at_once() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "har.predict", "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == help_text("predict")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes(name: str) -> None:
    cfg = compose("train", [f"experiment={name}"])
    assert cfg.model._target_.startswith("har.models.")


def test_newest_checkpoint_is_found(tmp_path: Path) -> None:
    with pytest.raises(HarError, match="no checkpoint"):
        find_last_checkpoint(tmp_path)
    for number, run in enumerate(["b", "a"]):
        path = tmp_path / run / "checkpoints" / "last.ckpt"
        path.parent.mkdir(parents=True)
        path.touch()
        now = time.time()
        os.utime(path, (now + number, now + number))
    assert find_last_checkpoint(tmp_path).parts[-3] == "a"


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_missing_data_is_one_sentence(tmp_path: Path) -> None:
    done = run("har.train", "experiment=ntu_multitask", cwd=tmp_path)
    assert done.returncode == 2
    message = done.stderr.strip()
    assert message.startswith("har: NTU RGB+D is not ready")
    assert len(message.splitlines()) == 1
    assert str(tmp_path / "data") in message  # where it was looked for
    assert "python -m har.prepare synthetic" in message
    assert "python -m har.prepare ntu" in message


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["har.train", "experiment=demo", "ckpt_path=last"], "there is no checkpoint"),
        (["har.prepare", "nonsense"], "there is no task nonsense"),
        (["har.prepare"], "no task is given"),
        (["har.prepare", "ntu", "ntu.shard=9/3"], "part/parts"),
        (["har.evaluate", "experiment=demo"], "Say what to evaluate"),
        (["har.evaluate", "ckpt_path=nowhere/last.ckpt"], "There is no checkpoint nowhere"),
        (["har.train", "experiment=nothing"], "nothing"),
        (["har.predict", "box=a"], "box of version 0.1.0 is called finder now"),
        (["har.prepare", "ntu", "ntu.reach.scale=1"], "is called ntu.margin.scale now"),
        (
            ["har.train", "data.augmentation.colour_powers=[1]"],
            "is called data.augmentation.gammas now",
        ),
    ],
)
def test_mistakes_are_one_sentence(words: list[str], says: str, tmp_path: Path) -> None:
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_configuration_of_a_resumed_run_is_shown(tmp_path: Path) -> None:
    checkpoint = tmp_path / "outputs" / "demo" / "then" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    done = run("har.train", "experiment=demo", "ckpt_path=last", "--cfg", "job", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ckpt_path: outputs/demo/then/checkpoints/last.ckpt" in done.stdout
    done = run("har.evaluate", f"ckpt_path={checkpoint}", "--cfg", "job", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "name: evaluation" in done.stdout


def test_an_error_in_a_loader_process_is_one_sentence(tiny_ntu: Path, tmp_path: Path) -> None:
    data_dir = shutil.copytree(tiny_ntu, tmp_path / "data")
    for shard in (data_dir / "ntu" / "prepared" / "frames").glob("*.h5"):
        with h5py.File(shard, "a") as file:
            file["jpeg"][:] = 7  # no picture any more
    words = ["experiment=demo", f"paths.data_dir={data_dir}", "data.actions=[22,43]"]
    words += ["model.num_actions=[2]", "data.resolution=[32,32]", "data.num_workers=1"]
    words += ["data.val_subjects=[]", "report_untrained=false", "model.growth=8"]
    done = run("har.train", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr[-2000:]
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("har: A frame of S0")
    assert last.endswith("prepare it again.")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_sigterm_interrupts_a_command_and_nothing_else() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    with sigterm_as_interrupt():
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
            os._exit(1)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM


def test_help_shows_the_tasks(tmp_path: Path) -> None:
    done = run("har.prepare", "--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "synthetic" in done.stdout
