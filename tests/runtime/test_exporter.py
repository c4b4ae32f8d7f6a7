"""Exported networks answer as the network does, in any batch, and are used like a checkpoint."""

import dataclasses
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import har
from har.errors import HarError
from har.models import SPNet
from har.models.registry import NETWORKS
from har.runtime import exporter as export
from har.runtime.exporter import METADATA_KEY, export_network, require_onnx
from har.runtime.loading import load_engine, load_for_inference
from har.runtime.parts import WholeNetwork
from har.weights import WeightsFile, create_model, load_network, save_weights, spec_of
from tests.helpers.golden import GOLDEN, HIDDEN, golden_answers, golden_arrays, golden_path
from tests.helpers.networks import CASES, needs_onnx


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = SPNet(
        num_joints=16,
        dim=2,
        num_actions=(3,),
        num_pyramids=1,
        action_pyramids=(1,),
        num_levels=2,
        growth=8,
        kernel_size=3,
        num_pose_features=16,
        num_visual_features=16,
    )
    path = tmp_path_factory.mktemp("export") / "small.safetensors"
    spec = spec_of(
        network,
        layout="pa16j",
        resolution=(32, 32),
        labels=("a", "b", "c"),
        clip_size=4,
        clip_seconds_between_frames=0.2,
    )
    save_weights(network, path, spec)
    return path


@pytest.fixture(scope="module")
def exported(weights: Path) -> Path:
    """Written by the command itself."""
    out = weights.with_name("größe 1.onnx")
    command = [sys.executable, "-m", "har.export", f"weights={weights}", f"out={out}"]
    done = subprocess.run(
        [*command, f"paths.output_dir={weights.parent / 'out'}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "batch x frames x 3 x 32 x 32" in done.stdout
    assert not [p for p in out.parent.iterdir() if "partial" in p.name]
    return out


@pytest.fixture(scope="module")
def traced(weights: Path) -> Any:
    """The graph, which takes a while."""
    network, info = load_for_inference(weights)
    return export._trace(WholeNetwork(network), info)


@needs_onnx
def test_any_batch_and_length_from_one_file(weights: Path, exported: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    network, _ = load_for_inference(weights)
    names = [output.name for output in session.get_outputs()]
    for batch, frames in ((1, 4), (7, 4), (2, 9), (1, 1)):
        clip = torch.rand(batch, frames, 3, 32, 32) * 2 - 1
        found = dict(zip(names, session.run(None, {"images": clip.numpy()}), strict=True))
        with torch.inference_mode():
            expected = network(clip)
        np.testing.assert_allclose(found["pose"], expected.poses[-1].numpy(), atol=1e-5)
        np.testing.assert_allclose(found["action"], expected.actions[-1].numpy(), atol=1e-5)


@needs_onnx
def test_the_file_says_what_its_numbers_mean(exported: Path) -> None:
    import onnx

    model = onnx.load(exported)
    onnx.checker.check_model(model)
    stored = json.loads({entry.key: entry.value for entry in model.metadata_props}[METADATA_KEY])
    assert stored["spec"]["labels"] == ["a", "b", "c"]
    joints = stored["spec"]["joint_names"]
    assert (joints[0], len(joints)) == ("pelvis", 16)
    assert "[-1, 1]" in stored["normalization"]
    assert stored["version"] == har.__version__
    assert (stored["spec"]["network"], stored["spec"]["resolution"]) == ("SPNet", [32, 32])
    assert stored["frames"] == [2, 15]  # from 16 on SPNet pools frames as well


@needs_onnx
def test_an_onnx_file_is_used_like_a_checkpoint(weights: Path, exported: Path) -> None:
    first = load_engine(weights, device="cpu", runtime="torch", fast=False)
    second = load_engine(exported, device="cpu", runtime="onnx")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (11, 32, 32, 3), dtype=np.uint8)
    expected, found = first.forward_frames(images), second.forward_frames(images)
    np.testing.assert_allclose(found.poses, expected.poses, atol=1e-5)
    for frames in (4, 7):
        np.testing.assert_allclose(
            second.classify_clips([found.features[:frames], found.features[-frames:]]),
            first.classify_clips([expected.features[:frames], expected.features[-frames:]]),
            atol=1e-5,
        )
    with pytest.raises(HarError, match="2 to 15 frames, not of 16"):
        second.classify_clips([found.features[0]] * 16)
    assert first.spec.labels == second.spec.labels
    assert second.spec.name == exported.name
    with pytest.raises(HarError, match=r"har\.export"):
        load_engine(exported, stop_after=1)


@needs_onnx
@pytest.mark.parametrize("content", [b"", b"nothing", None])
def test_damaged_onnx_files_are_one_sentence(
    exported: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "damaged.onnx"
    path.write_bytes(exported.read_bytes()[:3000] if content is None else content)
    with pytest.raises(HarError, match=r"damaged\.onnx is not an ONNX file of har"):
        load_engine(path)


def test_torch_export_is_written_with_its_facts(
    weights: Path, traced: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_trace", lambda *_: traced)
    network, info = load_for_inference(weights)
    export_network(network, info, tmp_path / "small.pt2", "torch_export")
    facts = {METADATA_KEY: ""}
    program = torch.export.load(tmp_path / "small.pt2", extra_files=facts)
    assert json.loads(facts[METADATA_KEY])["spec"]["layout"] == "pa16j"
    clip = torch.rand(5, 6, 3, 32, 32) * 2 - 1
    with torch.inference_mode():
        found, expected = program.module()(clip), network(clip)
    torch.testing.assert_close(found[0], expected.poses[-1], rtol=0, atol=1e-5)


def test_a_file_that_answers_differently_is_not_kept(
    weights: Path, traced: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_trace", lambda *_: traced)
    real = export._run_program
    monkeypatch.setattr(
        export, "_run_program", lambda path: lambda x: [v + 0.01 for v in real(path)(x)]
    )
    network, info = load_for_inference(weights)
    with pytest.raises(HarError, match="has other outputs than the network"):
        export_network(network, info, tmp_path / "small.pt2", "torch_export")
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(HarError, match=r"pip install onnx onnxscript onnxruntime\."):
        require_onnx("format=onnx")


def test_other_formats_are_refused(weights: Path, tmp_path: Path) -> None:
    network, info = load_for_inference(weights)
    with pytest.raises(HarError, match="choose onnx or torch_export"):
        export_network(network, info, tmp_path / "x", "tflite")


# ------------------------------------------------------------------------------ golden networks

# An export takes 5 to 20 s, so every option of a network is exported once: here, or where
# tests/models/test_matrix.py exports every class. The others differ by sizes and by how often a
# block is repeated; tests/weights/test_golden.py compares all of them in PyTorch.
EXPORTED = [
    *("spnet_conv", "spnet_div16", "spnet_div4", "spnet_clip16", "spnet_clip5"),
    *("reception_3d", "reception_old", "merge_3d_v2"),
]
OPTIONS: dict[str, Callable[[dict], Any]] = {
    "dimensions": lambda a: a.get("dim"),
    "clips": lambda a: len(a.get("num_actions") or ()) if "growth" in a else None,
    "first size": lambda a: a.get("image_div"),
    "downsampling": lambda a: a.get("downsampling"),
    "replica": lambda a: a.get("pose_replica"),
    "context": lambda a: bool(a.get("num_context")),
    "stem": lambda a: a.get("old_stem"),
    "merging": lambda a: (a.get("version"), a.get("weighted_merge")),
    "sharpness": lambda a: a.get("softargmax_alpha"),
}


def test_every_option_is_exported() -> None:
    def arguments(name: str) -> dict[str, Any]:
        opened = WeightsFile.open(golden_path(f"{name}.h5"))
        return {**opened.arguments, **HIDDEN.get(name, {})}

    stated = {name: arguments(name) for name in GOLDEN}
    exported = [stated[name] for name in EXPORTED]
    exported += [create_model(name, **CASES[name][1]).arguments for name in NETWORKS]
    for option, value in OPTIONS.items():
        there = {value(each) for each in exported}
        missing = {name for name in GOLDEN if value(stated[name]) not in there}
        assert not missing, option


@needs_onnx
@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTED)
def test_golden_networks_in_onnxruntime(name: str, tmp_path: Path) -> None:
    """Outputs of the original program, batch 1 and 7 from the same file."""
    import onnxruntime

    arrays = golden_arrays(f"{name}.npz")
    images = np.ascontiguousarray(np.moveaxis(arrays["x"], -1, -3))
    path, out = golden_path(f"{name}.h5"), tmp_path / "golden.onnx"
    network = load_network(path, **HIDDEN.get(name, {}))
    info = WeightsFile.open(path).spec(network)
    info = dataclasses.replace(info, resolution=(images.shape[-1], images.shape[-2]))
    if info.labels:
        info = dataclasses.replace(info, clip_size=images.shape[1])
    export_network(network, info, out, "onnx")
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs() if o.name.startswith(("pose_", "action_"))]
    for batch in (1, 7):
        taken = [i % len(images) for i in range(batch)]
        found = session.run(names, {"images": images[taken]})
        for output, value, wanted in zip(names, found, golden_answers(arrays), strict=True):
            expected = wanted[taken]
            scale = max(1.0, float(np.abs(expected).max()))  # raw confidences are not bounded
            error = float(np.abs(value - expected).max()) / scale
            print(f"{name} batch {batch} {output}: {error:.1e}")  # shown by pytest -rP
            assert error <= 1e-4, output
