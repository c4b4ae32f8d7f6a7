"""From a name or a file to an engine that knows what its answers mean."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from har.convert.run import convert
from har.data.ntu.labels import ACTION_NAMES
from har.errors import HarError
from har.runtime.loading import load_engine
from har.weights import save_weights
from tests.helpers.commands import call
from tests.helpers.networks import action_merge, crops, reception, spnet

LABELS = ["drink", "fall", "wave"]
DATA = {"layout": "pa17j", "resolution": [64, 64], "clip_size": 4, "step": 3}
SMALL = {"num_levels": 2, "growth": 8}


def checkpoint(path: Path, network: Any, model: dict[str, Any], **har: Any) -> Path:
    """What a run of the training program writes, as far as it matters here."""
    state = {f"network.{name}": value for name, value in network.state_dict().items()}
    config = {"model": model, "data": DATA, "module": {"layout": "pa17j"}}
    run = {"config": config, "labels": LABELS, "action_numbers": [1, 43, 23], **har}
    torch.save({"state_dict": state, "har": run}, path)
    return path


def spnet_checkpoint(folder: Path, **har: Any) -> Path:
    network = spnet(**SMALL)
    model = {
        "_target_": "har.models.SPNet",
        **SMALL,
        "num_actions": [3],
        "num_pose_features": 16,
        "num_visual_features": 16,
    }
    return checkpoint(folder / "last.ckpt", network, model, **har)


def test_a_checkpoint_says_all_there_is_to_know(tmp_path: Path) -> None:
    engine = load_engine(spnet_checkpoint(tmp_path), device="cpu", fast=False)
    info = engine.spec
    assert (info.layout, info.dim, info.num_joints) == ("pa17j", 3, 17)
    assert (info.resolution, info.clip_size, info.labels) == ((64, 64), 4, tuple(LABELS))
    assert info.clip_seconds_between_frames == pytest.approx(3 / 15)
    assert (info.depth_range_mm, info.name) == (2000.0, "last.ckpt")
    assert len(info.weights_sha256) == 64
    with torch.inference_mode():
        images = torch.from_numpy(crops(2)).permute(0, 3, 1, 2).float() / 127.5 - 1
        expected = spnet(**SMALL)(images).poses[-1].numpy()
    np.testing.assert_allclose(engine.forward_frames(crops(2)).poses, expected, atol=1e-5)


def test_stopping_early_and_another_resolution(tmp_path: Path) -> None:
    path = spnet_checkpoint(tmp_path)
    size = (96, 64)
    engine = load_engine(path, device="cpu", fast=False, stop_after="dp1_pb1", resolution=size)
    result = engine.forward_frames(np.zeros((1, 64, 96, 3), np.uint8))
    assert result.poses.shape == (1, 17, 4)
    assert len(result.features[0]) == 2  # of the one block that is left
    assert engine.spec.labels == tuple(LABELS)


def test_an_action_merge_net_of_a_run(tmp_path: Path) -> None:
    model = {
        "_target_": "har.models.ActionMergeNet",
        "num_actions": 3,
        "num_frames": 8,
        "version": "v1",
        "pose_net": {
            "_target_": "har.models.ReceptionNet",
            "num_joints": 16,
            "num_blocks": 1,
            "kernel_size": 3,
        },
    }
    path = checkpoint(tmp_path / "merge.ckpt", action_merge(), model)
    engine = load_engine(path, device="cpu", fast=False)
    features = engine.forward_frames(crops(4)).features
    assert engine.classify_clips(features).shape == (3,)
    assert engine.spec.depth_range_mm is None


def test_converted_checkpoints_keep_what_they_know(tmp_path: Path) -> None:
    path = spnet_checkpoint(tmp_path)
    call("convert", convert, tmp_path / "out", [f"weights='{path}'"])
    converted = tmp_path / "last.safetensors"
    with safe_open(converted, framework="pt") as file:
        assert json.loads(file.metadata()["har_spec"])["labels"] == LABELS
    first, second = (load_engine(p, device="cpu", fast=False) for p in (path, converted))
    assert first.spec.to_dict() | {"name": "", "weights_sha256": ""} == (
        second.spec.to_dict() | {"name": "", "weights_sha256": ""}
    )
    np.testing.assert_array_equal(
        first.forward_frames(crops(2)).poses, second.forward_frames(crops(2)).poses
    )


def test_what_a_file_does_not_say_is_that_of_the_published_networks(tmp_path: Path) -> None:
    save_weights(spnet(num_actions=(60,), **SMALL), tmp_path / "ntu.safetensors")
    info = load_engine(tmp_path / "ntu.safetensors", device="cpu", fast=False).spec
    assert info.labels == tuple(ACTION_NAMES[:60])
    assert (info.layout, info.resolution, info.clip_size) == ("pa17j", (256, 256), 8)
    save_weights(reception(), tmp_path / "mpii.safetensors")
    info = load_engine(tmp_path / "mpii.safetensors", device="cpu", fast=False).spec
    assert (info.layout, info.labels, info.clip_size) == ("pa16j", (), 1)


@pytest.mark.parametrize("target", ["os.system", "har.data.ClipDataset", "models.SPNet", None])
def test_only_networks_of_har_are_ever_built(tmp_path: Path, target: str | None) -> None:
    path = checkpoint(tmp_path / "evil.ckpt", spnet(**SMALL), {"_target_": target, "x": "true"})
    with pytest.raises(HarError, match="which network of har"):
        load_engine(path)


def test_checkpoints_without_a_network(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "epoch": 3}, tmp_path / "other.ckpt")
    with pytest.raises(HarError, match="not a checkpoint of har"):
        load_engine(tmp_path / "other.ckpt")
    torch.save([1, 2], tmp_path / "list.ckpt")
    with pytest.raises(HarError, match="cannot be read"):
        load_engine(tmp_path / "list.ckpt")
    (tmp_path / "cut.ckpt").write_bytes(spnet_checkpoint(tmp_path).read_bytes()[:5000])
    with pytest.raises(HarError, match="cannot be read"):
        load_engine(tmp_path / "cut.ckpt")


def test_devices_and_names_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(HarError, match="no device tpu9"):
        load_engine(spnet_checkpoint(tmp_path), device="tpu9")
    with pytest.raises(HarError, match="no weights file"):
        load_engine(tmp_path / "none.ckpt")
