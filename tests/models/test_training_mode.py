"""Training mode against the original: outputs, losses, gradients, statistics, optimizer steps."""

import re

import pytest
import torch
from torch import Tensor, nn

from har.losses import action_loss, pose_loss
from har.models import SPNet
from tests.helpers.golden import golden_arrays, golden_json, golden_path
from tests.helpers.keras_names import as_torch, read_arrays, set_weights, spnet_of, weight_names

NAME = "spnet_train_k214"


def load(dtype: torch.dtype) -> tuple[SPNet, dict[str, Tensor], dict[str, str]]:
    arrays = golden_arrays(f"{NAME}.npz")
    model = spnet_of(golden_json(arrays["config"]))
    set_weights(model, read_arrays(golden_path(f"{NAME}.h5")))
    data = {
        key: torch.from_numpy(arrays[key]).to(dtype)
        for key in arrays
        if arrays[key].dtype.kind == "f"
    }
    ranks = golden_json(arrays["bn_input_rank"])
    return model.to(dtype).train(), data, ranks


def relative(found: Tensor, expected: Tensor) -> float:
    largest = expected.abs().max().clamp(min=1e-12)
    return float((found - expected).abs().max() / largest)


@pytest.fixture(scope="module")
def double() -> tuple[SPNet, dict[str, Tensor], dict[str, str]]:
    return load(torch.float64)


def losses(model: SPNet, data: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    out = model(data["x"].movedim(-1, -3))
    pose = torch.stack([pose_loss(p, data["y_pose"]).mean() for p in out.poses]).sum()
    action = torch.stack([action_loss(a, data["y_action"]).mean() for a in out.action_logits])
    return pose, 0.1 * action.sum()


def test_outputs_in_double_precision() -> None:
    model, data, _ = load(torch.float64)
    out = model(data["x"].movedim(-1, -3))
    for i, value in enumerate([*out.poses, *out.actions]):
        assert float((value.detach() - data[f"out_{i:03d}"]).abs().max()) <= 1e-6
    model.eval()
    set_weights(model, read_arrays(golden_path(f"{NAME}.h5")))
    out = model(data["x"].movedim(-1, -3))
    for i, value in enumerate([*out.poses, *out.actions]):
        assert float((value.detach() - data[f"test_out_{i:03d}"]).abs().max()) <= 1e-6


def test_outputs_in_single_precision() -> None:
    model, data, _ = load(torch.float32)
    out = model(data["x"].movedim(-1, -3))
    for i, value in enumerate([*out.poses, *out.actions]):
        assert float((value.detach() - data[f"out_{i:03d}"]).abs().max()) <= 5e-4


@pytest.mark.parametrize("which", ["pose", "action"])
def test_losses_and_gradients(which: str) -> None:
    model, data, _ = load(torch.float64)
    pose, action = losses(model, data)
    loss = pose if which == "pose" else action
    # the single-precision limits of clipped probabilities differ in double precision
    assert relative(loss.detach(), data[f"{which}_loss"]) <= 1e-5
    loss.backward()
    compared = 0
    for ours, theirs in weight_names(model).items():
        key = f"g{which}/{theirs}:0"
        parameter = dict(model.named_parameters()).get(ours)
        if parameter is None or key not in data:
            continue
        assert parameter.grad is not None
        expected = as_torch(data[key].numpy(), theirs)
        if expected.abs().max() > 1e-9:  # a 2x2 map has confidence 1: its gradient is noise
            assert relative(parameter.grad, expected) <= 1e-5, ours
            compared += 1
    assert compared > 100


def test_statistics_after_one_step() -> None:
    """Up to what the original does on top: it overwrites the loaded statistics (zero-debiased
    averages) and multiplies variances by n / (n - 1.001), twice over in the action part."""
    model, data, ranks = load(torch.float64)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0  # the statistics of this batch alone
    counts: dict[nn.Module, int] = {}
    hooks = [
        layer.register_forward_hook(
            lambda m, inputs, _: counts.update({m: inputs[0].numel() // inputs[0].shape[1]})
        )
        for layer in model.modules()
        if isinstance(layer, nn.BatchNorm2d)
    ]
    losses(model, data)
    for hook in hooks:
        hook.remove()
    modules = dict(model.named_modules())
    compared = 0
    for ours, theirs in weight_names(model).items():
        if "moving" not in theirs:
            continue
        layer_name = re.sub(r"/.*", "", theirs)
        key = f"bn_after/{theirs}:0"
        found = model.state_dict()[ours]
        if "variance" in theirs:
            n = counts[modules[ours.rsplit(".", 1)[0]]]
            factor = n / (n - 1.001)
            if ranks[layer_name] == 5:
                found = found * (n - 1) / n  # torch's own factor n / (n - 1) taken back
            found = found * factor
        assert relative(found, data[key]) <= 1e-6, theirs
        compared += 1
    assert compared > 50


@pytest.mark.parametrize("which", ["sgd", "rmsprop"])
def test_optimizer_steps(which: str) -> None:
    """Three steps of the recipes' optimizers end at the original's weights."""
    model, data, _ = load(torch.float64)
    if which == "sgd":
        optimizer: torch.optim.Optimizer = torch.optim.SGD(
            model.parameters(), lr=0.01, momentum=0.9, nesterov=True
        )
    else:
        optimizer = torch.optim.RMSprop(model.parameters(), lr=0.001, alpha=0.9, eps=1e-7)
    names = {theirs: ours for ours, theirs in weight_names(model).items()}
    compared = 0
    for step in (1, 2, 3):
        optimizer.zero_grad()
        losses(model, data)[0].backward()
        optimizer.step()
        for key in [k for k in data if k.startswith(f"{which}_step{step}/")]:
            theirs = key.split("/", 1)[1].removesuffix(":0")
            if "moving" in theirs:
                continue  # zero-debiased averages: see the test above
            found = dict(model.named_parameters())[names[theirs]]
            assert relative(found.detach(), as_torch(data[key].numpy(), theirs)) <= 1e-6, key
            compared += 1
    assert compared >= 10
