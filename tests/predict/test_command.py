"""``python -m har.predict``: pipes, mistakes, and a killed run."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from har.errors import HarError
from har.runtime.engine import Engine
from tests.helpers.predicting import BOX, IMAGE_FILES, VIDEO_FILES, names, run, save
from tests.helpers.red_person import (
    picture,
    walking,
    write_video,
)


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_pipe(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    if kind == "image":
        content = save(tmp_path / "a.png", picture(BOX)).read_bytes()
    else:
        content = write_video(tmp_path / "film.avi", walking(9)).read_bytes()
    stdin = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    out = run(tmp_path, "-")
    images = {"stdin.png", "stdin.json", *IMAGE_FILES}
    assert names(out) == (images if kind == "image" else VIDEO_FILES)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["source=null"], "Give a source: source="),
        (["source="], "Give a source: source="),
        (["finder=search me"], "choose pose or detector"),
        (["source=nowhere/*.png"], "no file, folder or match"),
        (["source=97"], "There is no camera 97"),
        (["boxes=missing.csv"], "cannot be read"),
    ],
)
def test_mistakes_are_reported_before_anything_is_written(
    tmp_path: Path, engine: Engine, words: list[str], sentence: str
) -> None:
    source = save(tmp_path / "a.png", picture(BOX))
    with pytest.raises(HarError, match=sentence):
        run(tmp_path, source, *(word.replace(" ", "\\ ") for word in words))
    assert not (tmp_path / "out").exists() or names(tmp_path / "out") == set()


# -------------------------------------------------------------------------- the command as a whole

PROGRAM = """
import signal, sys, time, types
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
sys.path.insert(0, {tests!r})
from har.runtime.engine import Engine
from tests.helpers import red_person

class Slow(red_person.SeesRed):
    def forward_frames(self, images):
        time.sleep(0.05)
        return super().forward_frames(images)

loading = types.ModuleType("har.runtime.loading")  # without torch
loading.load_engine = lambda *a, **k: Engine(Slow(), red_person.INFO)
sys.modules["har.runtime.loading"] = loading
from har.predict.__main__ import main
main()
"""


def test_a_killed_run_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    video = write_video(tmp_path / "film.avi", walking(400))
    program = PROGRAM.format(tests=str(Path(__file__).parents[2]))
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", program, f"source={video}", "weights=x", f"out={out}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        env={**os.environ, "HYDRA_FULL_ERROR": "1"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:  # a line per tenth
            if b": 80/400" in line or b": 40/400" in line:
                break
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = names(out)
    assert left
    assert all(name.startswith(".") and ".partial" in name for name in left)


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "har.predict", "source=no (such) *.mp4", "weights=x.ckpt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("har: There is no file, folder or match of no (such) *.mp4")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stdout + done.stderr
