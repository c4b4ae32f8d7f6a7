"""A backbone of torchvision under the soft-argmax head."""

from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision

from har.errors import HarError
from har.models import TorchvisionPoseNet
from har.weights import load_network, load_weights, save_weights

NETWORKS = [
    ("resnet18", "layer4"),
    ("mobilenet_v3_small", "features"),
    ("regnet_y_400mf", "trunk_output"),
]


class Says(torch.nn.Module):
    """A backbone with always the same features."""

    def __init__(self, maps: torch.Tensor) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"features": self.maps}


def small(**arguments) -> TorchvisionPoseNet:
    torch.manual_seed(0)
    settings = {"backbone": "resnet18", "num_joints": 5, "head_width": 8, **arguments}
    return TorchvisionPoseNet(**settings).eval()


@pytest.mark.parametrize(("backbone", "features"), NETWORKS)
def test_poses_of_images_and_clips(backbone: str, features: str) -> None:
    model = small(backbone=backbone, features=features)
    clip = torch.rand(1, 2, 3, 96, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        (of_clip,), (of_images,) = model(clip).poses, model(clip[0]).poses
    assert of_clip.shape == (1, 2, 5, 3)
    torch.testing.assert_close(of_clip[0], of_images)
    assert ((of_images >= 0) & (of_images <= 1)).all()
    assert model(clip[0]).actions == model(clip[0]).action_logits == ()
    assert (model.num_pose_outputs, model.num_action_outputs, model.num_actions) == (1, 0, ())
    named = {id(p) for part in model.pose_modules() for p in part.parameters()}
    assert named == {id(p) for p in model.parameters()}
    assert not list(model.action_parameters())


def test_the_joint_is_where_its_map_is() -> None:
    """One bright cell in a joint's map: the pose is its place, 0 and 1 being the outer cells."""
    model = small(num_upsamplings=0)
    model.head = torch.nn.Identity()
    maps = torch.full((1, 5, 3, 5), -100.0)
    maps[0, 2, 1, 4] = 100.0
    model.backbone = Says(maps)
    pose = model(torch.zeros(1, 3, 96, 160)).poses[0]
    torch.testing.assert_close(pose[0, 2], torch.tensor([1.0, 0.5, 1.0]))


def test_the_backbone_sees_imagenet_colors() -> None:
    """Its input is what torchvision's own preparation of a picture gives."""
    model = small()
    picture = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    seen = []
    model.backbone.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    model(picture.float() / 127.5 - 1)
    prepare = torchvision.models.ResNet18_Weights.DEFAULT.transforms(crop_size=64, resize_size=64)
    torch.testing.assert_close(seen[0], prepare(picture), rtol=0, atol=1e-5)


def test_weights_by_their_name_in_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torchvision would have downloaded is in the backbone."""
    state = torchvision.models.resnet18().state_dict()
    asked = []

    def downloaded(enum, *args, **kwargs):
        asked.append(enum.name)
        return state

    monkeypatch.setattr(torchvision.models._api.WeightsEnum, "get_state_dict", downloaded)
    model = small(weights="IMAGENET1K_V1")
    assert asked == ["IMAGENET1K_V1"]
    name = "layer1.0.conv1.weight"
    torch.testing.assert_close(model.backbone.get_parameter(name), state[name])


def test_no_connection_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args, **kwargs):
        raise URLError("Name or service not known")

    monkeypatch.setattr(torchvision.models._api.WeightsEnum, "get_state_dict", refused)
    with pytest.raises(HarError, match=r"cannot be downloaded .*model\.weights=null"):
        small(weights="DEFAULT")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"backbone": "resnet19"}, "no model resnet19"),
        ({"weights": "IMAGENET22K"}, "no weights IMAGENET22K"),
        ({"features": "layer9"}, "no node layer9"),
        ({"features": "flatten"}, "no feature maps"),
        ({"backbone": "swin_t", "features": "features"}, "no feature maps"),
        ({"num_upsamplings": -1}, "num_upsamplings"),
    ],
)
def test_wrong_arguments(arguments: dict, said: str) -> None:
    with pytest.raises(HarError, match=said):
        small(**arguments)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 4, 64, 64), (1, 3, 64, 80)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(HarError, match="TorchvisionPoseNet takes images"):
        small()(torch.zeros(shape))


def test_weights_are_kept_and_found_again(tmp_path: Path) -> None:
    """Written, opened without a configuration, and refused by a network of another shape."""
    model = small()
    save_weights(model, tmp_path / "pose.safetensors")
    again = load_network(tmp_path / "pose.safetensors")
    assert isinstance(again, TorchvisionPoseNet)
    assert again.config == model.config
    assert again.dim == 2
    images = torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(again(images).poses[0], model(images).poses[0])
    with pytest.raises(HarError, match="head_width=8"):
        load_weights(small(head_width=4), tmp_path / "pose.safetensors")


def test_a_checkpoint_opens_without_downloading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that began with ImageNet's weights has its own by now."""
    model = small()
    config = {"_target_": "har.models.TorchvisionPoseNet", "backbone": "resnet18", "num_joints": 5}
    config |= {"head_width": 8, "weights": "DEFAULT"}
    state = {f"network.{name}": value for name, value in model.state_dict().items()}
    torch.save({"state_dict": state, "har": {"config": {"model": config}}}, tmp_path / "last.ckpt")

    def refused(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(torchvision.models._api.WeightsEnum, "get_state_dict", refused)
    again = load_network(tmp_path / "last.ckpt")
    images = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(again(images).poses[0], model(images).poses[0])
