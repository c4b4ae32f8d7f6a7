"""Weight files of nested models, for networks of any arguments."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from har.errors import HarError
from har.models import ActionMergeNet, ReceptionNet
from har.weights import infer_config, load_keras_h5, load_network, save_weights
from tests.helpers.keras_graph import merge_layers, randomize, reception_layers, write_layers

SLOW = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
PLANE = (4, 6)  # heat maps of images of 32x48


def pose_arguments(draw: st.DrawFn, joints: st.SearchStrategy[int]) -> dict[str, Any]:
    dim = draw(st.sampled_from([2, 3]))
    return {
        "num_joints": draw(joints),
        "dim": dim,
        "num_blocks": draw(st.integers(1, 3)),
        "num_context": draw(st.integers(0, 3)) if dim == 2 else 0,
        "depth_maps": draw(st.integers(1, 5)) if dim == 3 else 16,
        "kernel_size": draw(st.sampled_from([3, 5, (3, 5)])),
    }


@st.composite
def pose_networks(draw: st.DrawFn) -> ReceptionNet:
    return ReceptionNet(**pose_arguments(draw, st.integers(1, 6)), old_stem=draw(st.booleans()))


@st.composite
def merge_networks(draw: st.DrawFn) -> ActionMergeNet:
    return ActionMergeNet(
        ReceptionNet(**pose_arguments(draw, st.sampled_from([4, 8]))),
        num_actions=draw(st.integers(1, 9)),
        version=draw(st.sampled_from(["v1", "v2"])),
        weighted_merge=draw(st.booleans()),
    )


def assert_read_back(path: Path, model: nn.Module) -> None:
    copy = type(model)(**infer_config(path))
    assert dataclasses.asdict(copy.config) == dataclasses.asdict(model.config)  # type: ignore[attr-defined,arg-type]
    report = load_keras_h5(copy, path)
    assert not report.unexpected
    assert not report.missing
    ours, theirs = copy.state_dict(), model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@SLOW
@given(pose_networks(), st.booleans(), st.integers(0, 9))
def test_any_pose_network_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, model: ReceptionNet, frozen: bool, seed: int
) -> None:
    path = tmp_path_factory.mktemp("keras") / "weights.h5"
    randomize(model, seed)
    write_layers(path, reception_layers(model, PLANE, frozen), seed)
    assert_read_back(path, model)
    path.unlink()


@SLOW
@given(merge_networks(), st.booleans(), st.integers(0, 40), st.integers(0, 9))
def test_any_merge_network_is_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    model: ActionMergeNet,
    frozen: bool,
    first_number: int,
    seed: int,
) -> None:
    path = tmp_path_factory.mktemp("keras") / "weights.h5"
    randomize(model, seed)
    write_layers(path, merge_layers(model, PLANE, frozen, first_number), seed)
    assert_read_back(path, model)
    path.unlink()


@pytest.fixture(scope="module")
def merge_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "weights.h5"
    model = ActionMergeNet(pose_net(), num_actions=5, version="v1")
    randomize(model, 0)
    write_layers(path, merge_layers(model, PLANE, frozen=False, first_number=3), seed=0)
    return path


@pytest.fixture(scope="module")
def pose_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keras") / "weights.h5"
    model = pose_net()
    randomize(model, 0)
    write_layers(path, reception_layers(model, PLANE, frozen=False), seed=0)
    return path


def pose_net(**other: Any) -> ReceptionNet:
    return ReceptionNet(**{"num_joints": 4, "num_blocks": 2, "kernel_size": 3, **other})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"num_joints": 5}, "num_joints=4"),
        ({"num_blocks": 3}, "num_blocks=2"),
        ({"num_blocks": 1}, "num_blocks=2"),
        ({"num_context": 1}, "num_context=2"),
        ({"kernel_size": 5}, "kernel_size=3"),
        ({"old_stem": True}, "old_stem=False"),
        ({"dim": 3}, "dim=2"),
    ],
)
def test_the_argument_of_a_pose_network_that_would_fit(
    pose_file: Path, arguments: dict[str, Any], said: str
) -> None:
    model = pose_net(**arguments)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(HarError, match=f"fits ReceptionNet.*{said}.*; here it is"):
        load_keras_h5(model, pose_file)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("inside", "arguments", "said"),
    [
        ({}, {"num_actions": 6}, "num_actions=5"),
        ({}, {"version": "v2"}, "version=v1"),
        ({}, {"weighted_merge": False}, "weighted_merge=True"),
        ({"num_joints": 8}, {}, "pose_net.num_joints=4"),
        ({"num_blocks": 3}, {}, "pose_net.num_blocks=2"),
    ],
)
def test_the_argument_of_a_merge_network_that_would_fit(
    merge_file: Path, inside: dict[str, Any], arguments: dict[str, Any], said: str
) -> None:
    model = ActionMergeNet(pose_net(**inside), **{"num_actions": 5, "version": "v1", **arguments})
    sentence = rf"fits ActionMergeNet\({re.escape(said)}\); here it is"
    with pytest.raises(HarError, match=sentence):
        load_keras_h5(model, merge_file)


def test_other_classes_leave_the_heads_as_they_are(merge_file: Path) -> None:
    model = ActionMergeNet(pose_net(), num_actions=7, version="v1")
    report = load_keras_h5(model, merge_file, strict=False)
    # of each stream four heads and three ways back, and the two weightings of two kernels
    assert len(report.reinitialized) == 2 * 7 + 4
    assert not report.missing
    same = ActionMergeNet(**infer_config(merge_file))
    load_keras_h5(same, merge_file)
    for name, value in model.state_dict().items():
        if name in report.loaded:
            assert torch.equal(value, same.state_dict()[name])


def test_one_network_is_not_taken_for_another(pose_file: Path, merge_file: Path) -> None:
    with pytest.raises(HarError, match="weights of ReceptionNet, not of ActionMergeNet"):
        load_keras_h5(ActionMergeNet(pose_net()), pose_file)
    with pytest.raises(HarError, match="weights of ActionMergeNet, not of ReceptionNet"):
        load_keras_h5(pose_net(), merge_file)


def test_a_changed_fixed_layer_is_not_passed_over(tmp_path: Path) -> None:
    for name, change in (("sSAM", 0), ("cSAM", 2), ("Agg", 0), ("zSAM", 0)):
        model = pose_net(num_blocks=1, dim=3 if name == "zSAM" else 2, depth_maps=4)
        layers = reception_layers(model, PLANE, frozen=False)
        kind, array = layers[name][change]
        layers[name][change] = (kind, array + 0.01)
        write_layers(tmp_path / "weights.h5", layers, seed=0)
        with pytest.raises(HarError, match=f"fixed layer {name} holds other values"):
            load_keras_h5(model, tmp_path / "weights.h5")


@pytest.mark.parametrize("name", ["SepConv1", "RegMap1", "sSAM"])
def test_an_incomplete_file(tmp_path: Path, name: str) -> None:
    model = pose_net(num_blocks=1)
    layers = reception_layers(model, PLANE, frozen=False)
    layers[name] = []
    write_layers(tmp_path / "weights.h5", layers, seed=0)
    with pytest.raises(HarError, match=f"incomplete ReceptionNet: the layer {name} is missing"):
        load_keras_h5(model, tmp_path / "weights.h5")


def test_round_trip_is_exact_and_names_its_network(merge_file: Path, tmp_path: Path) -> None:
    model = load_network(merge_file, num_frames=8)
    save_weights(model, tmp_path / "w.safetensors")
    again = load_network(tmp_path / "w.safetensors")
    assert isinstance(again, ActionMergeNet)
    assert again.config == model.config
    assert again.config.num_frames == 8
    ours, theirs = again.state_dict(), model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
