"""Action accuracies against a slow count."""

import pytest
import torch

from har.metrics import ActionMetrics


def test_accuracies_by_hand():
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 6, (40,), generator=generator)  # action 6 never occurs
    scores = torch.rand(40, 7, generator=generator)
    scores[torch.arange(40), truth] += 0.3
    metrics = ActionMetrics(7)
    for part in (slice(0, 3), slice(3, 33), slice(33, 40)):
        metrics.update(scores[part].softmax(1), truth[part])
    result = metrics.compute()

    ranks = [
        sorted(range(7), key=lambda c: -row[c]).index(t)
        for row, t in zip(scores.tolist(), truth.tolist(), strict=True)
    ]
    assert result["top1"].item() == pytest.approx(100 * sum(r == 0 for r in ranks) / 40)
    assert result["top5"].item() == pytest.approx(100 * sum(r < 5 for r in ranks) / 40)
    assert result["top1"] < result["top5"] < 100
    per_class = []
    for action in range(6):
        own = [r for r, t in zip(ranks, truth.tolist(), strict=True) if t == action]
        per_class.append(100 * sum(r == 0 for r in own) / len(own))
    assert result["per_class"][:6].tolist() == pytest.approx(per_class)
    assert torch.isnan(result["per_class"][6])
    assert result["mean_class"].item() == pytest.approx(sum(per_class) / 6)
    assert result["confusion"].sum(1).tolist() == torch.bincount(truth, minlength=7).tolist()
    assert result["confusion"][2, 2] == sum(
        r == 0 for r, t in zip(ranks, truth.tolist(), strict=True) if t == 2
    )


def test_no_top5_of_five_actions():
    metrics = ActionMetrics(5)
    metrics.update(torch.eye(5), torch.arange(5))
    assert set(metrics.compute()) == {"top1", "per_class", "mean_class", "confusion"}
    assert metrics.compute()["top1"] == 100


def test_a_new_epoch_starts_empty():
    metrics = ActionMetrics(6)
    metrics.update(torch.eye(6), torch.arange(6))
    metrics.reset()
    metrics.update(torch.eye(6), (torch.arange(6) + 1) % 6)
    assert metrics.compute()["top1"] == 0
