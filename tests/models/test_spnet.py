"""SPNet against the original's outputs, its weights loaded from the original's files."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from har.errors import HarError
from har.losses import action_loss, pose_loss
from har.models import SPNet
from har.models.base import FrameFeatures
from har.weights import infer_config, load_keras_h5
from tests.helpers.golden import golden_arrays, golden_json, golden_path
from tests.helpers.keras_names import spnet_of

CASES = [
    *("spnet_image2d", "spnet_image3d", "spnet_conv", "spnet_div16", "spnet_div4"),
    *("spnet_clip_ntu", "spnet_clip_penn", "spnet_clip16", "spnet_clip5"),
]
# weight files of the same network, written by a later process and by today's Keras
SAME_NETWORK = dict.fromkeys(("spnet_clip_ntu_late", "spnet_clip_ntu_modern"), "spnet_clip_ntu")


def outputs_of(model: SPNet, x: Any) -> list[Tensor]:
    with torch.no_grad():
        out = model.eval()(torch.from_numpy(x).movedim(-1, -3))
    return [*out.poses, *out.actions]


def assert_outputs(outputs: list[Tensor], arrays: dict[str, Any], prefix: str = "out") -> None:
    expected = [arrays[key] for key in sorted(arrays) if key.startswith(f"{prefix}_0")]
    assert len(outputs) == len(expected)
    for ours, theirs in zip(outputs, expected, strict=True):
        torch.testing.assert_close(ours, torch.from_numpy(theirs), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [*CASES, *SAME_NETWORK])
def test_outputs_of_the_original(name: str) -> None:
    """Poses, then actions, in the original's order, to 1e-5; no weight left over."""
    arrays = golden_arrays(f"{SAME_NETWORK.get(name, name)}.npz")
    model = spnet_of(golden_json(arrays["config"]))
    report = load_keras_h5(model, golden_path(f"{name}.h5"))
    stored = [(layer, weights) for layer, weights in golden_json(arrays["weights"]) if weights]
    assert len(report.loaded) + 2 * len(report.verified) == sum(len(w) for _, w in stored)
    assert not report.missing
    assert not report.unexpected
    assert_outputs(outputs_of(model, arrays["x"]), arrays)


@pytest.mark.parametrize("name", [*CASES, *SAME_NETWORK, "spnet_train_k214"])
def test_the_file_shows_its_network(name: str) -> None:
    arrays = golden_arrays(f"{SAME_NETWORK.get(name, name)}.npz")
    expected = dataclasses.asdict(spnet_of(golden_json(arrays["config"])).config)
    found = dataclasses.asdict(SPNet(**infer_config(golden_path(f"{name}.h5"))).config)
    hidden = {"softargmax_alpha"}
    if not expected["num_actions"]:
        hidden |= {"num_pose_features", "num_visual_features"}
    kernel = expected["kernel_size"]
    if not isinstance(kernel, int) and kernel[0] == kernel[1]:
        expected["kernel_size"] = kernel[0]
    assert {k: v for k, v in found.items() if k not in hidden} == {
        k: v for k, v in expected.items() if k not in hidden
    }


def test_pose_weights_by_name() -> None:
    """As the original trains: the weights of a pose-only network into one with actions."""
    by_name, clip = golden_arrays("spnet_byname.npz"), golden_arrays("spnet_clip_ntu.npz")
    pose_file = golden_path("spnet_pose_pretrain.h5")
    model = spnet_of(golden_json(by_name["config"]))
    load_keras_h5(model, golden_path("spnet_clip_ntu.h5"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = load_keras_h5(model, pose_file, strict=False)

    assert_outputs(outputs_of(model, clip["x"]), by_name)
    changed = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert {report.loaded[k].split("/")[0] for k in changed} == set(
        golden_json(by_name["changed_layers"])
    )
    in_file = set(golden_json(by_name["layers_in_pretrain_file"]))
    assert {name.split("/")[0] for name in report.loaded.values()} | set(report.verified) == in_file
    assert set(report.missing) == {k for k in before if k.startswith("action.")} - {
        k for k in before if k.endswith("num_batches_tracked")
    }
    assert not report.unexpected
    assert "not in the file, left as initialized (action)" in str(report)

    alone = SPNet(**infer_config(pose_file))
    load_keras_h5(alone, pose_file)
    assert_outputs(outputs_of(alone, by_name["pretrain_x"]), by_name, "pretrain_out")


def test_images_and_clips_have_the_same_poses() -> None:
    """Frames of a clip are images; a network with actions takes images alone as well."""
    arrays = golden_arrays("spnet_clip5.npz")
    model = spnet_of(golden_json(arrays["config"])).eval()
    load_keras_h5(model, golden_path("spnet_clip5.h5"))
    clip = torch.from_numpy(arrays["x"]).movedim(-1, -3)
    with torch.no_grad():
        of_clip, of_images = model(clip), model(clip.flatten(0, 1))
    assert of_images.actions == ()
    for a, b in zip(of_clip.poses, of_images.poses, strict=True):
        torch.testing.assert_close(a.flatten(0, 1), b, rtol=0, atol=1e-6)
    for probabilities, logits in zip(of_clip.actions, of_clip.action_logits, strict=True):
        torch.testing.assert_close(logits.softmax(-1), probabilities)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"action_pyramids": (3,)}, "num_pyramids"),
        ({"num_actions": ()}, "neither for poses only"),
        ({"dim": 4}, "2 or 3"),
        ({"downsampling": "max"}, "maxpooling or conv"),
        ({"image_div": 5}, "4, 8 or 16"),
        ({"num_levels": 1}, "num_levels"),
    ],
)
def test_contradicting_arguments(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(HarError, match=said):
        SPNet(**{"growth": 8, **arguments})


def small_network(**arguments: Any) -> SPNet:
    torch.manual_seed(0)
    small = {"num_levels": 3, "growth": 8, "num_pose_features": 16, "num_visual_features": 16}
    return SPNet(**{"num_joints": 5, "num_actions": (4,), **small, **arguments})


def test_frames_one_by_one_and_a_buffer_give_the_clip() -> None:
    """What streaming does: every frame once through the pose part, then windows of frames."""
    model = small_network().eval()
    video = torch.rand(6, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        frames = [model.forward_frames(image[None]) for image in video]
        for start in range(3):
            window = frames[start : start + 4]
            blocks = zip(*(frame.features for frame in window), strict=True)
            features = [
                FrameFeatures(
                    torch.stack([f.pose for f in block], 1),  # (1, T, J, dim)
                    torch.stack([f.visual for f in block], 1),
                )
                for block in blocks
            ]
            logits = model.forward_clips(features)
            whole = model(video[None, start : start + 4])
            for ours, expected in zip(logits, whole.action_logits, strict=True):
                torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)
            for block, expected in enumerate(whole.poses):
                ours = torch.stack([frame.poses[block] for frame in window], 1)
                torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def test_low_precision_leaves_poses_precise() -> None:
    """The soft-argmax sees float32: a bf16 coordinate near 0.5 would be off by up to 2e-3."""
    model = small_network().eval()
    clips = torch.rand(2, 4, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        full = model(clips)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = model.to(memory_format=torch.channels_last)(clips)
    assert {v.dtype for v in (*low.poses, *low.actions, *low.action_logits)} == {torch.float32}
    for ours, expected in zip(low.poses, full.poses, strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-3)


def test_training_in_low_precision_reaches_every_weight() -> None:
    """Both losses under bf16: gradients are finite, and none is missing or zero."""
    model = small_network().train().to(memory_format=torch.channels_last)
    target = torch.rand(2, 4, 5, 4)
    target[..., 3] = 1
    target[0, 1, 2], target[0, 1, 2, 3] = -1e9, 0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(torch.rand(2, 4, 3, 64, 64) * 2 - 1)
    losses = [pose_loss(pose, target).mean() for pose in out.poses]
    losses += [action_loss(logits, torch.tensor([1, 3])).mean() for logits in out.action_logits]
    torch.stack(losses).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("num_levels", [2, 3])
@pytest.mark.parametrize("num_pyramids", [1, 2])
@pytest.mark.parametrize("image_div", [4, 8])
def test_image_sizes_run_or_are_refused_in_a_sentence(
    num_levels: int, num_pyramids: int, image_div: int
) -> None:
    """What is refused is what would not run, no more: odd sizes are rounded up where they fit."""
    arguments = {"num_pyramids": num_pyramids, "num_levels": num_levels, "image_div": image_div}
    model = small_network(num_actions=(), action_pyramids=(), growth=4, **arguments).eval()
    seen = set()
    with torch.no_grad():
        for height in (8, 15, 16, 17, 31, 32, 33, 48, 57, 64, 72, 81):
            images = torch.zeros(1, 3, height, 64)
            try:
                model.pose(images)
            except RuntimeError:
                with pytest.raises(HarError, match=f"64x{height} .*multiples of"):
                    model(images)
                with pytest.raises(HarError, match="multiples of"):
                    model.forward_frames(images.mT)
                seen.add("refused")
            else:
                assert model(images).poses[-1].shape == (1, 5, 4)
                seen.add("taken")
    assert seen == {"refused", "taken"}


@pytest.mark.parametrize(
    ("shape", "said"),
    [((3, 64, 64), r"not \(3, 64, 64\)"), ((1, 1, 64, 64), "images"), ((1, 2, 4, 64, 64), "clips")],
)
def test_other_shapes(shape: tuple[int, ...], said: str) -> None:
    model = small_network()
    with pytest.raises(HarError, match=said):
        model(torch.zeros(shape))
    with pytest.raises(HarError, match="SPNet"):
        model.forward_frames(torch.zeros(shape))


def test_misuse_of_the_input() -> None:
    model = small_network()
    with pytest.raises(HarError, match="flatten a clip's frames"):
        model.forward_frames(torch.zeros(1, 2, 3, 64, 64))
    with pytest.raises(HarError, match=r"floating-point images in \[-1, 1\], not torch.uint8"):
        model(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))


def test_the_action_part_is_what_the_frozen_phase_trains() -> None:
    """Replica maps belong to the pose; together the two parts are the whole network."""
    model = small_network(pose_replica=True)
    actions = {id(p) for p in model.action_parameters()}
    pose = {id(p) for part in model.pose_modules() for p in part.parameters()}
    replica = {id(p) for name, p in model.named_parameters() if "replica" in name}
    assert replica
    assert replica <= pose
    assert not actions & pose
    assert actions | pose == {id(p) for p in model.parameters()}
