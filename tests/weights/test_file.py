"""Files of weights: what they state, what is assumed, and what is refused."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file

from har.convert.run import convert
from har.errors import HarError
from har.models import SPNet
from har.models.registry import build_network
from har.runtime.loading import load_for_inference
from har.weights import (
    WeightsFile,
    create_model,
    list_models,
    load_network,
    open_weights,
    save_weights,
    spec_of,
)
from tests.helpers.networks import action_merge, reception, spnet

SMALL = {"num_levels": 2, "growth": 8}


def convert_to(path: Path, out: Path, **other: Any) -> None:
    options = {"weights": str(path), "out": str(out), "softargmax_alpha": None}
    options |= {"context_alpha": None, "half": False, "spec": {}}
    convert(OmegaConf.create({**options, **other}))


def test_convert_to_float16_halves_the_file_and_rounds_the_weights(tmp_path: Path) -> None:
    network = spnet(**SMALL)
    save_weights(network, tmp_path / "whole.safetensors")
    convert_to(tmp_path / "whole.safetensors", tmp_path / "half.safetensors", half=True)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("whole", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    found = open_weights(tmp_path / "half.safetensors").load().state_dict()
    for name, weight in network.state_dict().items():
        assert found[name].dtype == weight.dtype
        expected = weight.half().to(weight.dtype) if weight.is_floating_point() else weight
        torch.testing.assert_close(found[name], expected, rtol=0, atol=0)


def test_convert_states_what_no_weight_shows(tmp_path: Path) -> None:
    save_weights(spnet(**SMALL), tmp_path / "a.safetensors")
    stated = {"license": "research", "nobody_below": 0.3}
    convert_to(tmp_path / "a.safetensors", tmp_path / "b.safetensors", spec=stated)
    _, spec = load_for_inference(tmp_path / "b.safetensors")
    assert (spec.license, spec.nobody_below, spec.doubtful_below) == ("research", 0.3, 0.5)
    with pytest.raises(HarError, match="spec=dim: choose of"):
        convert_to(tmp_path / "a.safetensors", tmp_path / "c.safetensors", spec={"dim": 3})


def test_convert_never_writes_over_its_input(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(spnet(**SMALL), path)
    before = path.read_bytes()
    for out in (path, tmp_path / "folder" / ".." / "w.safetensors"):
        (tmp_path / "folder").mkdir(exist_ok=True)
        with pytest.raises(HarError, match="is the file to convert"):
            convert_to(path, out)
    (tmp_path / "link.safetensors").hardlink_to(path)
    with pytest.raises(HarError, match="is the file to convert"):
        convert_to(path, tmp_path / "link.safetensors")
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["weight", "running_var"])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float, kind: str) -> None:
    """Of a run that diverged: the network would be sure of everything."""
    network = spnet(**SMALL)
    name, broken = [(n, w) for n, w in network.state_dict().items() if n.endswith(kind)][1]
    broken.view(-1)[-1] = value
    path = tmp_path / "w.safetensors"
    for half in (False, True):
        save_weights(network, path, half=half)
        says = rf"w\.safetensors holds weights that are not numbers, the first of 1 is {name}: "
        for load in (load_network, load_for_inference):
            with pytest.raises(HarError, match=says):
                load(path)
        with pytest.raises(HarError, match=says):
            create_model("SPNet", path, **SMALL)
        with pytest.raises(HarError, match=says):
            convert_to(path, tmp_path / "converted.safetensors")
    assert not (tmp_path / "converted.safetensors").exists()


@pytest.mark.parametrize("name", ["w.pt", "w", "w.h5", "w.ckpt", "w.onnx"])
def test_convert_writes_what_the_commands_read(tmp_path: Path, name: str) -> None:
    save_weights(spnet(**SMALL), tmp_path / "from.safetensors")
    with pytest.raises(HarError, match=r"weights are written as \.safetensors"):
        convert_to(tmp_path / "from.safetensors", tmp_path / name)
    assert not (tmp_path / name).exists()


def test_what_is_assumed_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    network = spnet(num_actions=(60,), **SMALL)
    spec = spec_of(network, name="half", layout="pa17j", resolution=(64, 64), clip_size=4)
    save_weights(network, tmp_path / "half.safetensors", spec)
    with caplog.at_level(logging.INFO, "har"):
        _, read = load_for_inference(tmp_path / "half.safetensors")
    assert set(read.assumed) == {"labels", "clip_seconds_between_frames", "depth_range_mm"}
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "half.safetensors does not state everything; assumed: depth_range_mm=2000, "
        "labels=drink water, ... (60), clip_seconds_between_frames=0.2667."
    ]
    stated = {"labels": read.labels, "clip_seconds_between_frames": 0.1, "depth_range_mm": 900.0}
    caplog.clear()
    spec = spec_of(network, layout="pa17j", resolution=(64, 64), clip_size=4, **stated)
    save_weights(network, tmp_path / "whole.safetensors", spec)
    assert load_for_inference(tmp_path / "whole.safetensors")[1].assumed == ()
    assert not caplog.records


def test_a_skeleton_of_ones_own(tmp_path: Path) -> None:
    """No layout of the package has five joints: the file has the names and the links."""
    network = spnet(num_joints=5, **SMALL)
    names = ("head", "left hand", "right hand", "left foot", "right foot")
    links = ((0, 1), (0, 2), (0, 3), (0, 4))
    spec = spec_of(network, joint_names=names, joint_links=links)
    save_weights(network, tmp_path / "own.safetensors", spec)
    layout = load_for_inference(tmp_path / "own.safetensors")[1].joint_layout
    assert (layout.joints, layout.links, layout.num_joints) == (names, links, 5)
    assert layout.flip == (0, 2, 1, 4, 3)
    unnamed = spec_of(network)
    assert {"layout", "joint_names"} <= set(unnamed.assumed)
    assert unnamed.joint_layout.joints[0] == "joint 1"


def test_initial_weights_from_a_network_of_poses(tmp_path: Path) -> None:
    """The pose network inside takes them; asked for exactly, they are of another network."""
    poses, whole = reception(), action_merge()
    with torch.no_grad():
        poses.stem.conv1.conv.weight.add_(1)
    save_weights(poses, tmp_path / "poses.safetensors")
    opened = WeightsFile.open(tmp_path / "poses.safetensors")
    with pytest.raises(HarError, match="weights of ReceptionNet, not of ActionMergeNet"):
        opened.load_into(whole)
    opened.load_into(whole, strict=False)
    assert torch.equal(whole.pose_net.stem.conv1.conv.weight, poses.stem.conv1.conv.weight)


def test_create_model(tmp_path: Path) -> None:
    network = spnet(**SMALL)
    save_weights(network, tmp_path / "w.safetensors")
    other = create_model("SPNet", tmp_path / "w.safetensors", num_actions=(7,))
    assert other.num_actions == (7,)
    assert other.training
    assert other.config.growth == 8
    assert torch.equal(other.pose.stem.conv1.weight, network.pose.stem.conv1.weight)
    with torch.device("meta"):
        assert create_model("spnet_ntu_tpami20", growth=8).config.num_pose_features == 192
    with pytest.raises(HarError, match="no network PoseFormer in this version of har; choose SPN"):
        create_model("PoseFormer")
    with pytest.raises(HarError, match=r"do not build a SPNet: .*width"):
        build_network("SPNet", {"width": 3})
    with pytest.raises(HarError, match="stop_after=1: PyramidPoseNet has no prediction blocks"):
        build_network("PyramidPoseNet", {"stop_after": 1})


def test_list_models() -> None:
    assert list_models("SP*") == ["SPNet", "spnet_penn_tpami20", "spnet_ntu_tpami20"]
    poses = ["PyramidPoseNet", "TorchvisionPoseNet"]
    assert list_models("*net") == ["SPNet", "ReceptionNet", "ActionMergeNet", *poses]
    assert list_models("nothing") == []
    assert len(list_models()) == 15


def test_headers_that_are_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for header in (
        {"har_spec": "{"},
        {"har_spec": json.dumps({"layout": "pa17j"})},
        {"har_network": "SPNet", "har_config": "[1]"},
        {"har_network": "SPNet", "har_description": '"x"'},
    ):
        save_file({"a": torch.zeros(1)}, path, metadata=header)
        with pytest.raises(HarError, match="not a complete safetensors file"):
            open_weights(path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(HarError, match="does not state which network of har"):
        open_weights(path).build()
    with pytest.raises(HarError, match=r"No weight in .* belongs|weights are not in it"):
        open_weights(path).load_into(SPNet(**SMALL))


def test_the_package_and_its_record_import_no_torch() -> None:
    code = (
        "import sys, har, har.models, har.models.spec, har.models.registry;"
        "assert 'torch' not in sys.modules; from har import create_model, list_models;"
        "assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_weights_have_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save_weights(spnet(**SMALL), tmp_path / "w.safetensors")
    finally:
        os.umask(before)
    assert (tmp_path / "w.safetensors").stat().st_mode & 0o777 == 0o640
    (tmp_path / "file").write_text("x")
    with pytest.raises(HarError, match="cannot be written"):
        save_weights(spnet(**SMALL), tmp_path / "file" / "w.safetensors")
