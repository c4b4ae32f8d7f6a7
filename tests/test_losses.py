"""Losses against the original's values and gradients."""

import math

import pytest
import torch
from torch.nn import functional as F

from har.errors import HarError
from har.losses import POSE_KINDS, action_loss, heat_map_loss, pose_loss
from tests.helpers.golden import golden_arrays

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


def slow_pose_loss(pred: torch.Tensor, target: torch.Tensor) -> float:
    """One pose, coordinate by coordinate."""

    def cross_entropy(p: float, y: float) -> float:
        p = min(max(p, 1e-7), 1 - 1e-7)
        return -(y * math.log(p) + (1 - y) * math.log(1 - p))

    terms, confidences = [], []
    for joint, true in zip(pred.tolist(), target.tolist(), strict=True):
        for p, y in zip(joint[:-1], true[:-1], strict=True):
            if y > 0:
                terms.append(abs(p - y) + (p - y) ** 2 + 0.01 * cross_entropy(p, y))
        if not math.isnan(true[-1]):
            confidences.append(cross_entropy(joint[-1], true[-1]))
    confidence = sum(confidences) / max(1, len(confidences))
    return sum(terms) / max(1, len(terms)) + 0.01 * confidence


def test_joints_that_a_data_set_does_not_know_teach_nothing() -> None:
    pred = torch.rand(
        3, 5, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    ).requires_grad_()
    target = torch.rand(3, 5, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    target[..., 3] = (target[..., 3] > 0.5).double()
    target[0, 4] = torch.tensor([-1e9, -1e9, -1e9, float("nan")])  # not annotated at all
    target[1, :, 2] = -1e9  # a 2-D sample
    target[2] = torch.tensor([-1e9, -1e9, -1e9, float("nan")])  # nothing is known
    loss = pose_loss(pred, target)
    for i in range(3):
        assert loss[i].item() == pytest.approx(slow_pose_loss(pred[i], target[i]), rel=1e-9)
    loss.sum().backward()
    assert pred.grad is not None
    assert torch.isfinite(pred.grad).all()
    assert (pred.grad[0, 4] == 0).all()
    assert (pred.grad[0, :4] != 0).all()
    assert (pred.grad[1, :, 2] == 0).all()
    assert (pred.grad[1, :, :2] != 0).all()
    assert loss[2] == 0


def test_low_precision_input_is_computed_in_float32() -> None:
    pred, target = torch.rand(2, 5, 3), torch.rand(2, 5, 3)
    assert pose_loss(pred.bfloat16(), target).dtype == torch.float32


@pytest.mark.parametrize(
    "arguments", [{"kind": "l3"}, {"target": torch.zeros(2, 5, 4)}], ids=["kind", "shape"]
)
def test_wrong_arguments(arguments: dict) -> None:
    with pytest.raises(HarError, match="pose_loss"):
        pose_loss(torch.zeros(2, 5, 3), **{"target": torch.zeros(2, 5, 3), **arguments})


def test_heat_map_loss_is_the_cross_entropy_of_each_joint() -> None:
    """Cell by cell: softmax of the map, a Gaussian over the cells, joints that do not count."""
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    target = torch.rand(2, 3, 3, dtype=torch.float64)
    target[0, 1, :2] = -1e9
    target[1] = -1e9
    target[1, 2, :2] = torch.tensor([0.9, 0.2])
    expected = []
    for person in range(2):
        terms = []
        for joint in range(3):
            x, y = target[person, joint, :2].tolist()
            if x < 0:
                continue
            probability = maps[person, joint].exp() / maps[person, joint].exp().sum()
            weights = torch.tensor(
                [
                    [
                        math.exp(-((c - 6 * x) ** 2 + (r - 4 * y) ** 2) / (2 * 0.8**2))
                        for c in range(7)
                    ]
                    for r in range(5)
                ],
                dtype=torch.float64,
            )
            terms.append(-(weights / weights.sum() * probability.log()).sum())
        expected.append(torch.stack(terms).mean())
    torch.testing.assert_close(heat_map_loss(maps, target), torch.stack(expected))


def test_heat_map_loss_without_a_joint() -> None:
    maps = torch.randn(1, 2, 4, 4, requires_grad=True)
    loss = heat_map_loss(maps, torch.full((1, 2, 3), -1e9))
    loss.sum().backward()
    assert loss.tolist() == [0]
    assert maps.grad is not None
    assert (maps.grad == 0).all()
