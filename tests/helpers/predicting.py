"""Runs the predict command in this process, and reads what it wrote."""

import json
from pathlib import Path
from typing import Any

import cv2
import hydra
import numpy as np

from har.cli import quote_argument
from har.predict.run import predict
from har.runs.config import config_dir

BOX = (60, 80, 100, 180)
VIDEO_FILES = {"annotated.mp4", "poses.npz", "poses.csv", "actions.csv", "summary.json"}
IMAGE_FILES = {"poses.npz", "poses.csv", "summary.json"}  # of all together


def run(tmp_path: Path, source: object, *overrides: str, out: str = "out") -> Path:
    """Runs the command's function; the folder of the results."""
    words = [f"source={source}", f"out={tmp_path / out}", "weights=red", *overrides]
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = hydra.compose("predict", [quote_argument(word) for word in words])
    predict(cfg)
    return tmp_path / out


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def save(path: Path, rgb: np.ndarray) -> Path:
    done, data = cv2.imencode(".png", rgb[..., ::-1])
    assert done
    path.write_bytes(data.tobytes())
    return path
