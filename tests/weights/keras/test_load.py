"""Weight files: other layouts of the same file, files that do not fit, files that are none."""

import dataclasses
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from har.convert.run import convert
from har.errors import HarError
from har.models import SPNet
from har.weights import (
    infer_config,
    load_keras_h5,
    load_network,
    load_weights,
    save_weights,
)
from har.weights.keras.load import read_h5
from tests.helpers.golden import golden_path
from tests.helpers.keras_names import weight_names

SMALL = "spnet_div4.h5"  # 16 joints, 2-D, no actions


def small_network(**other: Any) -> SPNet:
    return SPNet(**{**infer_config(golden_path(SMALL)), **other})


def copy_file(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(golden_path(SMALL), tmp_path / "weights.h5"))


def state_of(model: SPNet) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same_state(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


# ---- the same weights, written otherwise


def write_keras(path: Path, model: SPNet, first_action: int, seed: int) -> None:
    """Writes a network under the original's names, in an order of no meaning."""
    layers: dict[str, dict[str, np.ndarray]] = {}
    for ours, theirs in weight_names(model).items():
        layer, weight = theirs.split("/")
        layer = re.sub(r"^act(\d+)", lambda m: f"act{int(m[1]) + first_action - 1}", layer)
        array = model.state_dict()[ours].numpy()
        if array.ndim == 4:
            array = array.transpose((2, 3, 0, 1) if "depthwise" in theirs else (2, 3, 1, 0))
        layers.setdefault(layer, {})[weight] = array
    order = np.random.default_rng(seed).permutation(sorted(layers))
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [str(layer) for layer in order]
        for layer in order:
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}:0" for name in layers[layer]]
            for name, array in layers[layer].items():
                group[f"{layer}/{name}:0"] = array


@st.composite
def networks(draw: st.DrawFn) -> SPNet:
    pyramids = draw(st.integers(2, 4))
    actions = draw(st.lists(st.integers(2, 9), max_size=2))
    levels = draw(st.integers(2, 4))
    chosen: set[int] = set()
    if actions and levels > 2:
        chosen = draw(st.sets(st.integers(1, pyramids), min_size=1))
    elif actions:  # a file of two levels does not say all: the last pyramids are assumed
        chosen = set(range(draw(st.integers(1, pyramids)), pyramids + 1))
    kernel = draw(st.sampled_from([3, 5, (3, 5)]))
    model = SPNet(
        num_joints=draw(st.integers(3, 6)),
        dim=draw(st.sampled_from([2, 3])),
        num_actions=actions,
        num_pyramids=pyramids,
        action_pyramids=sorted(chosen),
        num_levels=levels,
        kernel_size=kernel,
        growth=draw(st.sampled_from([4, 6])),
        image_div=draw(st.sampled_from([4, 8, 16])),
        downsampling=draw(st.sampled_from(["maxpooling", "conv"])),
        pose_replica=bool(actions) and draw(st.booleans()),
        num_pose_features=draw(st.sampled_from([16, 32])) if actions else 128,
        num_visual_features=draw(st.sampled_from([16, 24])) if actions else 128,
    )
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.randn(tensor.shape).abs())
    return model


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.integers(1, 40), st.integers(0, 9))
def test_any_network_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, model: SPNet, first_action: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("keras") / "weights.h5"
    write_keras(path, model, first_action, seed)
    assert dataclasses.asdict(SPNet(**infer_config(path)).config) == dataclasses.asdict(
        model.config
    )
    copy = SPNet(**infer_config(path))
    report = load_keras_h5(copy, path)
    assert not report.unexpected
    assert same_state(copy.state_dict(), model.state_dict())


def test_a_whole_model_and_long_lists_of_names(tmp_path: Path) -> None:
    """``save`` puts the weights into a group; long attributes come in numbered pieces."""
    original, path = golden_path(SMALL), tmp_path / "whole.h5"
    with h5py.File(original) as source, h5py.File(path, "w") as file:
        group = file.create_group("model_weights")
        for layer in source:
            source.copy(layer, group)
        names = list(source.attrs["layer_names"])
        group.attrs["layer_names0"] = [*names[:50], b"top_level_model_weights"]
        group.attrs["layer_names1"] = names[50:]
        file.create_group("optimizer_weights")["iterations"] = 7
    assert read_h5(path).keys() == read_h5(original).keys()
    first, second = small_network(), small_network()
    load_keras_h5(first, path)
    load_keras_h5(second, original)
    assert same_state(first.state_dict(), second.state_dict())


# ---- other numbers of classes


def test_other_classes_leave_the_heads_as_they_are() -> None:
    path = golden_path("spnet_clip5.h5")  # 12 classes
    model = SPNet(**{**infer_config(path), "num_actions": (7,)})
    before = state_of(model)
    with pytest.raises(HarError, match=r"conv2h0 is 12x32x3x3 .* fits SPNet\(num_actions=\(12,\)"):
        load_keras_h5(model, path)
    assert same_state(model.state_dict(), before)
    report = load_keras_h5(model, path, strict=False)
    assert set(report.reinitialized) == {
        "action.blocks.up2_pb1.heads.0.weight",
        "action.blocks.up2_pb1.pred_conv3.weight",
        "action.blocks.up2_pb0.heads.0.weight",
    }
    changed = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert changed <= set(report.loaded)
    assert "3 left as initialized for other classes" in str(report)
    assert report.table().row_count > 3


# ---- files that do not fit


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"num_joints": 17}, r"heatmaps_conv1 is 16x\d+x1x1 .* fits SPNet\(num_joints=16\)"),
        ({"growth": 8}, r"fits SPNet\(growth=16\); here it is \(growth=8\)"),
        ({"dim": 3}, r"not in it.*fits SPNet\(dim=2\)"),
        ({"num_pyramids": 1}, r"fits SPNet\(num_pyramids=2\)"),
        ({"num_levels": 4}, r"fits SPNet\(num_levels=3\)"),
        ({"image_div": 8}, r"fits SPNet\(image_div=4\)"),
        ({"kernel_size": 3}, r"fits SPNet\(kernel_size=5\)"),
        ({"downsampling": "conv"}, r"fits SPNet\(downsampling=maxpooling\)"),
    ],
)
def test_the_argument_that_would_fit(arguments: dict[str, Any], said: str) -> None:
    model = small_network(**arguments)
    before = state_of(model)
    with pytest.raises(HarError, match=said):
        load_keras_h5(model, golden_path(SMALL))
    assert same_state(model.state_dict(), before)


def test_an_action_network_for_poses_only_is_said() -> None:
    path = golden_path("spnet_clip5.h5")
    config = {**infer_config(path), "num_actions": (), "action_pyramids": ()}
    with pytest.raises(HarError, match="has no place for"):
        load_keras_h5(SPNet(**config), path)
    report = load_keras_h5(SPNet(**{**config, "pose_replica": False}), path, strict=False)
    assert any(name.startswith("act1_") for name in report.unexpected)


def test_another_architecture() -> None:
    model = small_network()
    with pytest.raises(HarError, match=r"ReceptionNet|not known here"):
        load_keras_h5(model, golden_path("reception_2d_plain.h5"), strict=False)
    with pytest.raises(HarError, match="not a network of the original"):
        load_keras_h5(torch.nn.Linear(2, 2), golden_path(SMALL))


def test_a_changed_fixed_layer_is_not_passed_over(tmp_path: Path) -> None:
    path = copy_file(tmp_path)
    with h5py.File(path, "a") as file:
        file["dp1_pb1_xy_x/dp1_pb1_xy_x/depthwise_kernel:0"][0, 1] += 0.1
    with pytest.raises(HarError, match="fixed layer dp1_pb1_xy_x"):
        load_keras_h5(small_network(), path)


# ---- files that are none


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def pickled(path: Path) -> None:
    path.write_bytes(pickle.dumps({"conv1": [1, 2]}))


def torch_archive(path: Path) -> None:
    torch.save({"state_dict": {}}, path)


def web_page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html>Sign in</html>")


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def without_names(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file.attrs["layer_names"]


def without_a_layer(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["conv1"]


def not_finite(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["conv1/conv1/kernel:0"][0, 0] = np.nan


def linked_elsewhere(path: Path) -> None:
    other = Path(shutil.copyfile(path, path.with_name("other.h5")))
    with h5py.File(path, "a") as file:
        del file["conv1/conv1/kernel:0"]
        file["conv1/conv1/kernel:0"] = h5py.ExternalLink(str(other), "conv1/conv1/kernel:0")


def objects_inside(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["conv1/conv1/kernel:0"]
        data = np.frombuffer(pickle.dumps(print), dtype="V1")
        file["conv1/conv1/kernel:0"] = data


def damaged_data(path: Path) -> None:
    """Bytes of one compressed array are overwritten."""
    with h5py.File(path) as file:
        place = file["conv1/conv1/kernel:0"].id.get_chunk_info(0)
    with path.open("r+b") as file:
        file.seek(place.byte_offset)
        file.write(b"\xff" * place.size)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (emptied, "is empty"),
        (cut, "damaged or was cut off"),
        (pickled, "a pickle or a torch archive"),
        (torch_archive, "a pickle or a torch archive"),
        (web_page, "a web page"),
        (noise, "no HDF5 file"),
        (without_names, "no layer_names"),
        (without_a_layer, "damaged or was cut off"),
        (damaged_data, "damaged or was cut off"),
        (not_finite, "not finite in conv1/kernel:0"),
        (linked_elsewhere, "something else than numbers"),
        (objects_inside, "something else than numbers"),
        (Path.unlink, "There is no weights file"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, spoil: Callable[[Path], None], said: str) -> None:
    path = copy_file(tmp_path)
    model = small_network()
    before = state_of(model)
    spoil(path)
    for strict in (True, False):
        with pytest.raises(HarError, match=said) as caught:
            load_keras_h5(model, path, strict=strict)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    assert same_state(model.state_dict(), before)


# ---- safetensors and checkpoints


def test_round_trip_is_exact_and_names_its_network(tmp_path: Path) -> None:
    path = golden_path("spnet_clip5.h5")
    model = load_network(path, softargmax_alpha=1.5)
    save_weights(model, tmp_path / "w.safetensors")
    again = load_network(tmp_path / "w.safetensors")
    assert isinstance(again, SPNet)
    assert again.config == model.config
    assert again.config.softargmax_alpha == 1.5
    assert not again.training
    assert same_state(again.state_dict(), model.state_dict())
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_convert_prints_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy_file(tmp_path)
    options = {"weights": str(path), "out": None, "softargmax_alpha": 2.0, "context_alpha": None}
    options |= {"half": False, "spec": None}
    convert(OmegaConf.create(options))
    printed = capsys.readouterr().out
    assert "pose.blocks.dp1_pb1" in printed
    assert "fixed layers verified: 8" in printed
    model = load_network(tmp_path / "weights.safetensors")
    assert isinstance(model, SPNet)
    assert model.config.softargmax_alpha == 2.0
    assert same_state(model.state_dict(), load_network(path).state_dict())
    with pytest.raises(HarError, match="Give what to convert"):
        convert(OmegaConf.create({**options, "weights": None}))


def test_safetensors_and_checkpoints_as_a_beginning(tmp_path: Path) -> None:
    """The same rules as for the original's files: what has another number of classes stays."""
    model = load_network(golden_path("spnet_clip5.h5"))
    files = [tmp_path / "w.safetensors", tmp_path / "w.ckpt"]
    save_weights(model, files[0])
    state = {f"network.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": {**state, "metric.total": torch.zeros(1)}, "epoch": 3}, files[1])
    for file in files:
        other = SPNet(**{**dataclasses.asdict(model.config), "num_actions": (5,)})
        with pytest.raises(HarError, match="does not fit"):
            load_weights(other, file)
        report = load_weights(other, file, strict=False)
        assert len(report.reinitialized) == 3
        assert torch.equal(other.pose.stem.conv1.weight, model.pose.stem.conv1.weight)
        exact = load_weights(SPNet(**dataclasses.asdict(model.config)), file)
        assert not exact.missing
        assert not exact.unexpected


@pytest.mark.parametrize("name", ["w.safetensors", "w.ckpt"])
def test_damaged_and_malicious_files_of_our_own(tmp_path: Path, name: str) -> None:
    class Runs:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "it_ran",))

    path, model = tmp_path / name, small_network()
    contents: list[bytes] = [b"", b"\x08" * 40, pickle.dumps({"state_dict": Runs()})]
    torch.save({"state_dict": Runs()}, tmp_path / "archive")
    contents.append((tmp_path / "archive").read_bytes())
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(HarError, match=re.escape(str(path))) as caught:
            load_weights(model, path)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "it_ran").exists()
