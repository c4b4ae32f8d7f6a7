"""Files that version 0.1.0 wrote are read, and give the values that it computed."""

from pathlib import Path

import numpy as np
import pytest

from har.layouts import get_layout
from har.runtime.engine import Engine
from har.runtime.loading import load_engine
from tests.helpers.golden import golden_path
from tests.helpers.networks import needs_onnx

FILES = [
    *("last.ckpt", "last.safetensors"),
    pytest.param("last.onnx", marks=needs_onnx),
]


def run_file(name: str) -> Path:
    return golden_path(f"v010/ntu_run/{name}")


def engine_of(name: str) -> Engine:
    return load_engine(run_file(name), device="cpu", fast=False)


@pytest.mark.parametrize("name", FILES)
def test_poses_and_actions_of_0_1_0(name: str) -> None:
    with np.load(run_file("answers.npz")) as answers:
        expected = {key: answers[key] for key in answers.files}
    engine = engine_of(name)
    found = engine.forward_frames(expected["crops"])
    prefix = "onnx_" if name.endswith(".onnx") else ""
    np.testing.assert_allclose(found.poses, expected[f"{prefix}poses"], atol=1e-5)
    np.testing.assert_allclose(
        engine.classify_clips(found.features), expected[f"{prefix}probabilities"], atol=1e-5
    )


@pytest.mark.parametrize("name", FILES)
def test_the_record_of_0_1_0(name: str) -> None:
    """From ``config.yaml`` of the run: two actions, 32x32, 4 frames, every 4th of 15 a second."""
    spec = engine_of(name).spec
    assert (spec.layout, spec.num_joints, spec.dim) == ("pa17j", 17, 3)
    assert spec.joint_layout is get_layout("pa17j")
    assert (spec.resolution, spec.clip_size) == ((32, 32), 4)
    assert spec.labels == ("cheer up", "falling")
    assert spec.clip_seconds_between_frames == pytest.approx(4 / 15)
    assert spec.depth_range_mm == 2000
    assert (spec.network, spec.name) == ("SPNet", name)
    assert spec.arguments["growth"] == 4
    assumed = {
        "last.ckpt": {"clip_seconds_between_frames", "depth_range_mm"},
        "last.safetensors": {"depth_range_mm"},
        "last.onnx": set(),
    }
    assert set(spec.assumed) == assumed[name]


@pytest.mark.parametrize(
    ("run", "network", "layout", "clip_size"),
    [
        ("mpii_run", "SPNet", "pa16j", 1),
        ("own_run", "SPNet", "pa17j", 4),
        ("merge_run", "ActionMergeNet", "pa20j", 8),
        ("pretrain_run", "SPNet", "pa17j", 1),
    ],
)
def test_other_runs(run: str, network: str, layout: str, clip_size: int) -> None:
    engine = load_engine(golden_path(f"v010/{run}/last.ckpt"), device="cpu", fast=False)
    spec = engine.spec
    assert (spec.network, spec.layout, spec.clip_size) == (network, layout, clip_size)
    width, height = spec.resolution
    crops = np.random.default_rng(0).integers(0, 256, (clip_size, height, width, 3), np.uint8)
    found = engine.forward_frames(crops)
    assert np.isfinite(found.poses).all()
    if spec.labels:
        probabilities = engine.classify_clips(found.features)
        assert probabilities.shape == (len(spec.labels),)
        assert probabilities.sum() == pytest.approx(1, abs=1e-5)
