"""ReceptionNet against the original's outputs, its weights loaded from the original's files."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from har.errors import HarError
from har.models import ReceptionNet
from har.weights import infer_config, load_keras_h5
from tests.helpers.golden import golden_arrays, golden_json, golden_path

ARGUMENTS = {
    "num_context_per_joint": "num_context",
    "alpha": "context_alpha",
    "old_model": "old_stem",
    "ksize": "kernel_size",
}
CASES = [
    *("reception_2d_context", "reception_2d_concat", "reception_2d_plain"),
    *("reception_3d", "reception_old"),
]


def reception_of(config: dict[str, Any]) -> ReceptionNet:
    """The network that a reference configuration describes."""
    outputs = ("input_shape", "concat_pose_confidence", "export_heatmaps")
    return ReceptionNet(**{ARGUMENTS.get(k, k): v for k, v in config.items() if k not in outputs})


def reference_network(name: str, arrays: dict[str, np.ndarray]) -> ReceptionNet:
    config = golden_json(arrays["config"])
    if name == "reception_2d_plain":  # put together from the original's parts
        config["num_context_per_joint"] = 0
    return reception_of(config)


def assert_pose(ours: Tensor, place: np.ndarray, confidence: np.ndarray) -> None:
    """Places to 1e-5; the confidence, which has no bounds, to 1e-5 of its largest value."""
    torch.testing.assert_close(ours[..., :-1], torch.from_numpy(place), rtol=0, atol=1e-5)
    largest = max(1.0, float(np.abs(confidence).max()))
    torch.testing.assert_close(
        ours[..., -1:] / largest, torch.from_numpy(confidence / largest), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("name", CASES)
def test_outputs_of_the_original(name: str) -> None:
    """Poses, confidences and heat maps of every block to 1e-5; no weight left over."""
    arrays = golden_arrays(f"{name}.npz")
    config, model = golden_json(arrays["config"]), reference_network(name, arrays).eval()
    report = load_keras_h5(model, golden_path(f"{name}.h5"))
    stored = {layer: len(weights) for layer, weights in golden_json(arrays["weights"]) if weights}
    assert set(report.verified) == {"sSAM", "cSAM", "zSAM", "Agg"} & stored.keys()
    in_verified = sum(stored[layer] for layer in report.verified)
    assert len(report.loaded) == len(set(report.loaded.values()))
    assert len(report.loaded) + in_verified == sum(stored.values())
    assert not report.missing
    assert not report.unexpected

    with torch.no_grad():
        out = model(torch.from_numpy(arrays["x"]).movedim(-1, -3), heat_maps=True)
    assert out.actions == out.action_logits == ()
    assert len(out.poses) == model.num_pose_outputs
    expected = iter(arrays[key] for key in sorted(arrays) if key.startswith("out_"))
    for pose, maps in zip(out.poses, out.heat_maps, strict=True):
        first = next(expected)
        if config.get("concat_pose_confidence"):
            assert_pose(pose, first[..., :-1], first[..., -1:])
        else:
            assert_pose(pose, first, next(expected))
        if config.get("export_heatmaps"):
            theirs = torch.from_numpy(next(expected)).movedim(-1, -3)
            scale = theirs.abs().max()
            torch.testing.assert_close(maps / scale, theirs / scale, rtol=0, atol=1e-5)
    assert next(expected, None) is None


@pytest.mark.parametrize("name", CASES)
def test_the_file_shows_its_network(name: str) -> None:
    arrays = golden_arrays(f"{name}.npz")
    expected = dataclasses.asdict(reference_network(name, arrays).config)
    found = dataclasses.asdict(ReceptionNet(**infer_config(golden_path(f"{name}.h5"))).config)
    for config in (expected, found):
        del config["context_alpha"]
        if config["dim"] == 2:
            del config["depth_maps"]
    expected["kernel_size"] = expected["kernel_size"][0]
    assert found == expected


def small(**other: Any) -> ReceptionNet:
    return ReceptionNet(**{"num_joints": 4, "num_blocks": 1, "kernel_size": 3, **other}).eval()


@pytest.mark.parametrize("dim", [2, 3])
def test_images_and_clips_have_the_same_poses(dim: int) -> None:
    model = small(dim=dim, depth_maps=3)
    clip = torch.rand(1, 2, 3, 64, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        of_clip, of_images = model(clip, heat_maps=True), model(clip[0])
    assert of_clip.poses[0].shape == (1, 2, 4, dim + 1)
    assert of_clip.heat_maps[0].shape == (1, 2, 4, 8, 4)
    assert of_images.heat_maps == ()
    torch.testing.assert_close(of_clip.poses[0][0], of_images.poses[0], rtol=1e-5, atol=1e-5)


def test_freeing_all_parameters_frees_no_scale() -> None:
    """The batch normalizations have no scale, also for who sets requires_grad everywhere."""
    model = small().requires_grad_(True)
    names = {name for name, _ in model.named_parameters()}
    assert any(name.endswith("bn.bias") for name in names)
    assert not any(name.endswith("bn.weight") for name in names)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dim": 4}, "2 or 3"),
        ({"dim": 3, "num_context": 2}, "leave num_context out"),
        ({"num_context": -1}, "num_context"),
        ({"num_blocks": 0}, "num_blocks"),
    ],
)
def test_contradicting_arguments(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(HarError, match=said):
        ReceptionNet(**arguments)


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 4, 64, 64), (1, 3, 64, 80)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(HarError, match="takes images"):
        small()(torch.zeros(shape))


def test_context_none_and_zero() -> None:
    assert [small(dim=dim).config.num_context for dim in (2, 3)] == [2, 0]
    assert small(num_context=0).config.num_maps == 4
    assert small(num_context=2).config.num_maps == 12
    assert small(dim=3, num_context=0, depth_maps=5).config.num_maps == 20
