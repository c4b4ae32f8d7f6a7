"""Losses against the original's values and gradients."""

import pytest
import torch
from torch.nn import functional as F

from golden_files import golden_arrays
from har import HarError
from har.losses import POSE_KINDS, action_loss, pose_loss

GOLDEN = {key: value for key, value in golden_arrays("losses.npz").items() if value.ndim}


def case(name: str) -> torch.Tensor:
    return torch.from_numpy(GOLDEN[name])


@pytest.mark.parametrize("shape", ["image2d", "image3d", "clip2d", "clip3d"])
@pytest.mark.parametrize("kind", POSE_KINDS)
def test_pose_loss(shape: str, kind: str) -> None:
    pred = case(f"{shape}/y_pred").requires_grad_()
    value = pose_loss(pred, case(f"{shape}/y_true"), kind)
    torch.testing.assert_close(value, case(f"{shape}/{kind}/value"), rtol=2e-6, atol=1e-7)
    value.mean().backward()
    assert pred.grad is not None
    torch.testing.assert_close(
        pred.grad, case(f"{shape}/{kind}/grad_of_mean"), rtol=1e-5, atol=1e-8
    )


def test_action_loss() -> None:
    probabilities, target = case("categorical/y_pred"), case("categorical/y_true")
    value = action_loss(probabilities.log(), target)
    expected = case("categorical/categorical_crossentropy/value")
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    by_index = action_loss(probabilities.log(), target.argmax(1))
    torch.testing.assert_close(by_index, expected, rtol=1e-5, atol=1e-6)


def test_action_loss_is_cross_entropy_where_nothing_is_clipped() -> None:
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(0), requires_grad=True)
    target = torch.tensor([0, 3, 6, 2, 2])
    ours = torch.autograd.grad(action_loss(logits, target).sum(), logits)[0]
    reference = F.cross_entropy(logits, target, reduction="sum")
    torch.testing.assert_close(ours, torch.autograd.grad(reference, logits)[0])


def test_invalid_joints_have_no_gradient_and_no_nan() -> None:
    pred = torch.rand(2, 5, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    target = torch.rand(2, 5, 4, generator=torch.Generator().manual_seed(2))
    target[:, 2, :3], target[:, 2, 3] = -1e9, 0
    loss = pose_loss(pred, target)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert pred.grad is not None
    assert (pred.grad[:, 2, :3] == 0).all()
    assert (pred.grad[:, 2, 3] != 0).all()  # the confidence learns that nothing is there


def test_low_precision_input_is_computed_in_float32() -> None:
    pred, target = torch.rand(2, 5, 3), torch.rand(2, 5, 3)
    assert pose_loss(pred.bfloat16(), target).dtype == torch.float32


@pytest.mark.parametrize(
    "arguments", [{"kind": "l3"}, {"target": torch.zeros(2, 5, 4)}], ids=["kind", "shape"]
)
def test_wrong_arguments(arguments: dict) -> None:
    with pytest.raises(HarError, match="pose_loss"):
        pose_loss(torch.zeros(2, 5, 3), **{"target": torch.zeros(2, 5, 3), **arguments})
