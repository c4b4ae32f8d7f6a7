"""Extraction that is killed (kill -9) at random moments and started again.

A few small videos in the test suite; as many full-HD ones, killed five times, with

    HAR_KILLED_VIDEOS=300 python -m pytest -s tests/data/test_ntu_killed.py
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from har.data.framestore.index import FrameIndex
from har.data.ntu.prepare import prepare_ntu
from har.data.ntu.splits import missing_skeletons
from tests.helpers.ntu_files import write_skeleton

VIDEOS = int(os.environ.get("HAR_KILLED_VIDEOS", "0"))
COUNT, SIZE, FRAMES, KILLS = (VIDEOS, (1920, 1080), 7, 5) if VIDEOS else (24, (64, 48), 20, 2)

SCRIPT = """
import sys
from pathlib import Path
from har.data.ntu.prepare import prepare_ntu

if __name__ == "__main__":
    root, output = map(Path, sys.argv[1:])
    prepare_ntu(root, root, output, workers=2)
"""


def write_videos(root: Path) -> list[str]:
    """Videos of noise that differ, in four setups, and their skeletons."""
    rng = np.random.default_rng(0)
    numbers = range(4 * COUNT)
    names = [f"S{1 + i % 4:03d}C001P{1 + i // 60:03d}R001A{1 + i % 60:03d}" for i in numbers]
    names = sorted(set(names) - missing_skeletons())[:: max(1, len(names) // COUNT)][:COUNT]
    for name in names:
        write_skeleton(root / "skeletons" / f"{name}.skeleton", FRAMES)
        path = root / "videos" / f"{name}_rgb.avi"
        path.parent.mkdir(exist_ok=True)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"XVID"), 30, SIZE)
        picture = rng.integers(0, 256, (9, 16, 3), dtype=np.uint8)
        picture = cv2.resize(picture, SIZE, interpolation=cv2.INTER_NEAREST)
        for frame in range(FRAMES):
            writer.write(np.ascontiguousarray(np.roll(picture, 3 * frame, axis=1)))
        writer.release()
    return names


def content(output: Path) -> dict[str, bytes]:
    """Everything that a reader of a prepared folder sees."""
    found = {}
    for path in [*sorted((output / "frames").iterdir()), output / "index.h5"]:
        with h5py.File(path) as file:
            found |= {f"{path.name}/{key}": file[key][()].tobytes() for key in file}
    return found


def progress(output: Path) -> int:
    """Samples of which a file is there, put together (a setup at a time) or not."""
    staged = len(list(output.glob("staging/*/*.h5")))
    return staged + len(list(output.glob("frames/*.h5"))) * COUNT // 4


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    names = write_videos(tmp_path / "data")
    script, output = tmp_path / "script.py", tmp_path / "killed"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tmp_path / "data"), str(output)]
    moments = random.Random()
    killed = []
    for wanted in sorted(moments.randrange(1, COUNT) for _ in range(KILLS)):
        process = subprocess.Popen(command, start_new_session=True)
        while process.poll() is None and progress(output) < wanted:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.2))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        killed.append(progress(output))
    subprocess.run(command, check=True)
    report = prepare_ntu(tmp_path / "data", tmp_path / "data", output, workers=0)
    print(f"{COUNT} videos of {SIZE[0]}x{SIZE[1]}, killed at {killed} samples", end="; ")
    assert (report.done, report.kept, report.skipped) == (0, COUNT, {})
    prepare_ntu(tmp_path / "data", tmp_path / "data", tmp_path / "calm", workers=2)
    index = FrameIndex.open(output / "index.h5")
    assert index.names.tolist() == [name.encode() for name in names]  # none lost, none doubled
    assert content(output) == content(tmp_path / "calm")
    assert [path for path in output.rglob("*") if "partial" in path.name] == []
    print(f"{len(content(output))} arrays are the same as undisturbed")
