"""``-m``: one folder for a sweep, a job that fails ends alone, each goes on from its own file."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


def sweep(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    command = [sys.executable, "-m", "tests.helpers.sweep", "-m", "experiment=demo", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def jobs(folder: Path) -> dict[str, Any]:
    found = sorted(folder.glob("*/job.json"))
    return {path.parent.name: json.loads(path.read_text()) for path in found}


def test_a_job_that_fails_ends_alone_and_the_sweep_says_so(tmp_path: Path) -> None:
    done = sweep(tmp_path, "seed=1,2,3,4")
    (folder,) = (tmp_path / "outputs" / "demo").iterdir()
    assert {job["seed"] for job in jobs(folder).values()} == {1, 2, 3, 4}
    assert done.returncode != 0
    assert "This job of the sweep has failed: Seed 2 is not wanted." in done.stdout
    assert "har: Seed 2 is not wanted." in done.stderr
    assert "Traceback" not in done.stderr


def test_every_job_goes_on_in_its_own_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a sweep [1]"
    checkpoint = folder / "1" / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    words = [f"hydra.sweep.dir={folder}", "ckpt_path=last"]
    done = sweep(tmp_path, "seed=1,4", *words)
    assert done.returncode == 0, done.stderr
    first, second = jobs(folder).values()
    assert first["ckpt_path"] is None
    assert Path(second["ckpt_path"]) == checkpoint
    # what Lightning starts further processes of the job with
    assert "seed=4" in second["words"]
    assert not {"-m", "seed=1,4", "ckpt_path=last"} & set(second["words"])
    assert any(word.startswith("ckpt_path=") for word in second["words"])
    assert Path(second["run_dir"]) == folder / "1"
    assert not (tmp_path / "outputs").exists()
