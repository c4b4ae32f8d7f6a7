"""What many tests share: one thread each, and a tiny prepared data set."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch

from har.data.mpii.prepare import prepare_mpii
from har.data.ntu.prepare import prepare_ntu
from har.synthetic.mpii_files import write_mpii
from har.synthetic.ntu import synthetic_samples, write_ntu

torch.set_num_threads(1)
# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """Which signal ended a process of pytest-xdist, which itself only says that it is gone."""
    if error:
        process = node.gateway._io.popen
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        code = process.returncode
        how = "it lives" if code is None else f"signal {-code}" if code < 0 else f"exit code {code}"
        print(f"\n{node.gateway.id}, process {process.pid}: {how}", file=sys.stderr)


@pytest.fixture(scope="session")
def tiny_ntu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 2 actions of 3 training and 2 test subjects, prepared."""
    data_dir = tmp_path_factory.mktemp("tiny")
    samples = synthetic_samples([1, 2, 4, 3, 6], [22, 43], [1, 2], [1], cameras_per_sample=1)
    write_ntu(data_dir / "ntu", samples, size=(192, 108), workers=1)
    report = prepare_ntu(
        data_dir / "ntu", data_dir / "ntu", data_dir / "ntu" / "prepared", workers=1
    )
    assert report.done == 10
    return data_dir


@pytest.fixture(scope="session")
def tiny_mpii(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 40 pictures of people, 8 of whom validate, prepared."""
    data_dir = tmp_path_factory.mktemp("tiny_mpii")
    write_mpii(data_dir / "mpii", images=40, workers=0)
    report = prepare_mpii(data_dir / "mpii", workers=0)
    assert report.persons["validation"] == 6
    return data_dir
