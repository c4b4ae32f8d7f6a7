"""Whole runs from the command line, on tiny data: what is written, killed runs, evaluation."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from har.errors import HarError
from har.runs.measuring import measure
from har.runs.training import train
from tests.helpers.commands import call
from tests.helpers.tiny import DEMO

TINY = [
    *DEMO,
    "callbacks.last.every_n_train_steps=2",
    *(f"module.phases.{phase}.steps_per_epoch=20" for phase in ("pose", "frozen", "joint")),
]


def command(module: str, data_dir: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", module, *TINY, f"paths.data_dir={data_dir}", *words]


def run(module: str, data_dir: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(module, data_dir, *words),
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    return sorted((event.step, round(event.value, 5)) for event in events.Scalars(tag))


@pytest.fixture(scope="module")
def trained(tiny_ntu: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    cwd = tmp_path_factory.mktemp("trained run")  # a path with a space
    done = run("har.train", tiny_ntu, cwd)
    (folder,) = (cwd / "outputs" / "demo").iterdir()
    return folder, done.stdout


@pytest.mark.slow
def test_what_a_run_leaves(trained: tuple[Path, str]) -> None:
    folder, output = trained
    for name in ("config.yaml", "log.txt", "metrics.json", "checkpoints/last.ckpt"):
        assert (folder / name).is_file(), name
    document = json.loads((folder / "metrics.json").read_text())
    assert document["protocol"]["split"] == "xsub60"
    assert document["protocol"]["num_test_clips"] == 4
    metrics = document["metrics"]
    assert 0 <= metrics["action_top1"] <= 100
    assert metrics["joint_error_mm"] > 0
    assert "untrained" in metrics
    assert len(document["model"]["weights_sha256"]) == 64
    assert {"torch", "python"} <= set(document["versions"])
    assert "joint error, root-relative" in output
    table = [line for line in output.splitlines() if not line.startswith("Run folder")]
    assert max(len(line) for line in table) <= 80, table
    assert "Traceback" not in output


@pytest.mark.slow
def test_the_line_of_an_epoch_says_what_its_phase_measured(trained: tuple[Path, str]) -> None:
    text = " ".join(trained[1].split())  # lines are folded at 80 characters
    lines = re.findall(r"epoch \d/3 (pose|frozen|joint) (.*?)(?=epoch|demo, xsub60|$)", text)
    shown = {phase: re.findall(r"(?<![\w/])(\w+_loss|top1) ", line) for phase, line in lines}
    assert {phase: sorted(names) for phase, names in shown.items()} == {
        "pose": ["pose_loss"],
        "frozen": ["action_loss", "top1"],
        "joint": ["action_loss", "pose_loss", "top1"],
    }
    assert "val/error_mm" in lines[-1][1]
    hits = {value for _, value in scalars(trained[0], "train/action_top1")}
    assert hits <= {0, 50, 100}  # percent of two clips
    assert hits & {50, 100}


@pytest.mark.slow
def test_what_tensorboard_shows(trained: tuple[Path, str]) -> None:
    events = EventAccumulator(str(trained[0] / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    wanted = {
        "train/pose_loss",
        "train/action_loss",
        "train/pose_loss/block_1",
        "train/learning_rate",
        "train/images_per_second",
        "val/action_top1",
        "val/joint_error_mm",
        "test/action_top1",
    }
    assert wanted <= set(tags["scalars"])
    assert {"test/poses", "test/skeleton", "test/confusion"} <= set(tags["images"])


@pytest.mark.slow
def test_a_killed_run_goes_on_as_if_nothing_happened(
    trained: tuple[Path, str], tiny_ntu: Path, tmp_path: Path
) -> None:
    whole = {tag: scalars(trained[0], tag) for tag in ("train/pose_loss", "train/action_loss")}
    process = subprocess.Popen(
        command("har.train", tiny_ntu, "report_untrained=false"),
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 600  # of a machine that is busy
    try:
        while not list(tmp_path.glob("outputs/demo/*/checkpoints/last.ckpt")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    run("har.train", tiny_ntu, tmp_path, "ckpt_path=last", "test=false")
    (folder,) = (tmp_path / "outputs" / "demo").iterdir()  # it went on in its own folder
    for tag, values in whole.items():
        found = dict(scalars(folder, tag))
        assert found.keys() == dict(values).keys()
        for step, value in values:
            assert found[step] == pytest.approx(value, rel=2e-3, abs=1e-4), (tag, step)


@pytest.mark.slow
def test_evaluation_repeats_the_figures(
    trained: tuple[Path, str], tiny_ntu: Path, tmp_path: Path
) -> None:
    checkpoint = trained[0] / "checkpoints" / "last.ckpt"
    words = [*TINY, f"paths.data_dir='{tiny_ntu}'", "data.eval_batch_size=3"]
    call("evaluate", measure, tmp_path, [*words, f"ckpt_path='{checkpoint}'"])
    path = tmp_path / "metrics.json"
    again, first = (json.loads(p.read_text()) for p in (path, trained[0] / "metrics.json"))
    assert again["model"]["weights_sha256"] == first["model"]["weights_sha256"]
    for name in ("action_top1", "joint_error_mm"):
        assert again["metrics"][name] == pytest.approx(first["metrics"][name], rel=1e-2)
    # folded batch normalization moves a joint at the threshold over it: one of some 256
    name = "pck3d_150mm"
    assert again["metrics"][name] == pytest.approx(first["metrics"][name], abs=100 / 256 + 1e-6)


@pytest.mark.slow
def test_a_checkpoint_is_enough_for_a_protocol(
    trained: tuple[Path, str], tiny_ntu: Path, tmp_path: Path
) -> None:
    checkpoint = trained[0] / "checkpoints" / "last.ckpt"
    words = [f"ckpt_path={checkpoint}", "protocol=multi", "limit=3", "trainer=cpu"]
    done = subprocess.run(
        [sys.executable, "-m", "har.evaluate", *words, "data.step=2"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (path,) = tmp_path.glob("outputs/evaluation/*/metrics.json")
    document = json.loads(path.read_text())
    protocol = document["protocol"]
    assert protocol["clips"].startswith("all, half overlapping")
    assert protocol["steps"] == [2]
    assert protocol["num_test_sequences"] == 3
    assert protocol["num_test_clips"] > 6
    assert document["config"]["data"]["clip_size"] == 4  # the checkpoint's own
    first = json.loads((trained[0] / "metrics.json").read_text())
    assert document["model"]["weights_sha256"] == first["model"]["weights_sha256"]
    assert len(document["metrics"]["action_top1_by_block"]) == 2
    for name in ("confusion.csv", "figures/test_confusion.png", "figures/test_per_class.png"):
        assert (path.parent / name).is_file(), name
    assert scalars(path.parent, "test/action_top1")
    table = [line for line in done.stdout.splitlines() if not line.startswith("Run folder")]
    assert max(map(len, table)) <= 80


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "sentence"), [("model.growth=16", "does not fit"), ("views=flip", "add mpii_dir=")]
)
def test_what_does_not_belong_together_is_refused(
    trained: tuple[Path, str], tiny_ntu: Path, tmp_path: Path, word: str, sentence: str
) -> None:
    words = [*TINY, f"ckpt_path='{trained[0]}/checkpoints/last.ckpt'", word]
    with pytest.raises(HarError, match=sentence) as error:
        call("evaluate", measure, tmp_path, [*words, f"paths.data_dir='{tiny_ntu}'"])
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.slow
def test_persons_are_measured_with_a_network_of_clips(
    trained: tuple[Path, str], tiny_ntu: Path, tiny_mpii: Path, tmp_path: Path
) -> None:
    words = [*TINY, f"paths.data_dir='{tiny_ntu}'", f"mpii_dir='{tiny_mpii}'", "limit=3"]
    words += [f"ckpt_path='{trained[0]}/checkpoints/last.ckpt'", "views=flip"]
    call("evaluate", measure, tmp_path, words)
    document = json.loads((tmp_path / "metrics.json").read_text())
    assert document["protocol"]["mpii"]["crops_per_person"] == 2
    assert document["protocol"]["mpii"]["num_test_persons"] == 3
    assert 0 <= document["metrics"]["pckh"] <= 100


@pytest.mark.slow
def test_persons_in_more_views_than_in_training(tiny_mpii: Path, tmp_path: Path) -> None:
    words = ["experiment=demo_pose", f"paths.data_dir='{tiny_mpii}'", "trainer.max_steps=1"]
    words += ["data.resolution=[64,64]", "model.growth=8", "data.batch_size=2"]
    words += ["data.val_persons=0", "data.num_workers=0"]
    folders = [tmp_path / "run", tmp_path / "evaluation"]
    call("train", train, folders[0], words)
    checkpoint = folders[0] / "checkpoints" / "last.ckpt"
    call("evaluate", measure, folders[1], [f"ckpt_path='{checkpoint}'", "views=flip"])
    documents = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    protocols = [document["protocol"] for document in documents]
    assert [protocol["crops_per_person"] for protocol in protocols] == [1, 2]


@pytest.mark.slow
def test_two_machines(tiny_ntu: Path, tmp_path: Path) -> None:
    """Two torchrun agents that meet on the loopback address train one network."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [*TINY, f"paths.data_dir={tiny_ntu}", "trainer=ddp", "trainer.num_nodes=2"]
    words += ["trainer.devices=1", "trainer.accelerator=cpu", "trainer.max_steps=4"]
    words += ["report_untrained=false", "trainer.precision=32-true"]
    agents = [
        subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "torch.distributed.run",
                    "--nnodes=2",
                    "--nproc-per-node=1",
                ),
                *(f"--node-rank={rank}", "--master-addr=127.0.0.1", f"--master-port={port}"),
                *("-m", "har.train", *words),
            ],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    outputs = [agent.communicate(timeout=300)[0] for agent in agents]
    assert [agent.returncode for agent in agents] == [0, 0], outputs[0][-3000:]
    (folder,) = (tmp_path / "outputs" / "demo").iterdir()  # one run folder, not one per process
    document = json.loads((folder / "metrics.json").read_text())
    assert document["protocol"]["num_test_clips"] == 4
    assert (folder / "checkpoints" / "last.ckpt").is_file()
