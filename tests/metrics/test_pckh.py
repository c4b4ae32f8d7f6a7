"""PCKh against the original program, published values and a slow direct count."""

import numpy as np
import pytest
import torch
from scipy.io import loadmat

from har.errors import HarError
from har.layouts import Layout, get_layout
from har.metrics import PCK, PCKh, by_part
from tests.helpers.golden import golden_arrays, real_path


def as_tensors(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(np.asarray(array)) for array in arrays]


@pytest.fixture(scope="module")
def golden() -> list[torch.Tensor]:
    arrays = golden_arrays("metrics.npz")
    keys = ("pixel/y_pred", "pixel/y_true", "pckh/valid_pixel", "head_size")
    return as_tensors(*(arrays[key] for key in keys))


def test_total_at_every_threshold_of_the_original(golden):
    arrays = golden_arrays("metrics.npz")
    pred, target, valid, head_size = golden
    for threshold, truth in zip(arrays["pckh/thresholds"], arrays["pckh/pixel"], strict=True):
        metric = PCKh(float(threshold), layout="pa16j")
        for part in (slice(0, 7), slice(7, 8), slice(8, 40)):  # uneven batches
            metric.update(pred[part], target[part], valid[part], head_size[part, 0])
        assert metric.compute()["total"].item() / 100 == pytest.approx(truth, abs=1e-9)


def test_with_the_markers_of_missing_joints_set_again(golden):
    arrays = golden_arrays("metrics.npz")
    pred, _, _, head_size = golden
    target = torch.from_numpy(arrays["pckh/y_true_marked"])
    valid = (target > -1e6).all(-1)
    for threshold, truth in zip(arrays["pckh/thresholds"], arrays["pckh/marked"], strict=True):
        metric = PCKh(float(threshold))
        metric.update(pred, target, valid, head_size[:, 0])
        assert metric.compute()["total"].item() / 100 == pytest.approx(truth, abs=1e-9)
    metric = PCKh(0.5)
    metric.update(pred, target, valid, head_size[:, 0])
    per_joint = metric.compute()["per_joint"].numpy() / 100
    np.testing.assert_allclose(per_joint, arrays["pckh_per_joint/marked"], atol=1e-9)


def test_every_joint_of_the_original(golden):
    metric = PCKh(0.5)
    metric.update(*golden)
    per_joint = metric.compute()["per_joint"].numpy() / 100
    truth = golden_arrays("metrics.npz")["pckh_per_joint/pixel"]
    np.testing.assert_allclose(per_joint, truth, atol=1e-9)


def test_a_slow_direct_count(golden):
    pred, target, valid, head_size = (t.numpy() for t in golden)

    def count(threshold: float) -> float:
        right = seen = 0
        for n in range(len(pred)):
            for j in range(2, 16):
                if valid[n, j]:
                    distance = np.hypot(*(pred[n, j] - target[n, j]))
                    right += distance / head_size[n, 0] <= threshold
                    seen += 1
        return 100 * right / seen

    metric = PCKh(0.3)
    metric.update(*golden)
    result = metric.compute()
    assert result["total"].item() == pytest.approx(count(0.3), abs=1e-9)
    curve = [count(i / 100) for i in range(51)]
    assert len(set(curve)) > 30
    assert result["auc"].item() == pytest.approx(np.mean(curve), abs=1e-9)


def test_a_joint_on_the_threshold_is_right():
    """At every threshold of the curve: 3 pixels of 10 are 0.3, also where 0.1 + 0.2 is not."""
    steps = torch.arange(0, 51)
    metric = PCKh(0.3)
    pred = torch.zeros(51, 16, 2)
    pred[:, 4, 0] = steps  # distance i of a head of 100 pixels
    valid = torch.zeros(51, 16, dtype=torch.bool)
    valid[:, 4] = True
    metric.update(pred, torch.zeros_like(pred), valid, torch.full((51,), 100.0))
    result = metric.compute()
    assert result["total"].item() == pytest.approx(100 * 31 / 51)
    assert result["auc"].item() == pytest.approx(100 * np.mean((np.arange(51) + 1) / 51))


def test_tompsons_predictions_on_mpii():
    """Published values of the validation set, from the files of the official evaluation."""
    data = loadmat(real_path("mpii/detections_our_format.mat"))
    pred, target = (data[key].transpose(2, 0, 1) for key in ("pos_pred_src", "pos_gt_src"))
    boxes = data["headboxes_src"].astype(float)
    head_size = 0.6 * np.linalg.norm(boxes[1] - boxes[0], axis=0)
    valid = data["jnt_missing"].T == 0
    tensors = as_tensors(pred.astype(float), target.astype(float), valid, head_size)
    results = {}
    for threshold in (0.5, 0.1, 0.11):
        metric = PCKh(threshold, layout="mpii")
        metric.update(*tensors)
        results[threshold] = metric.compute()
    assert len(pred) == 2958
    assert results[0.5]["total"].item() == pytest.approx(82.337, abs=5e-4)
    assert results[0.1]["total"].item() == pytest.approx(28.975, abs=5e-4)
    assert results[0.11]["total"].item() == pytest.approx(33.138, abs=5e-4)
    parts = by_part(results[0.5]["per_joint"], get_layout("mpii"))
    published = {
        "head": 95.600,
        "shoulder": 92.714,
        "elbow": 83.365,
        "wrist": 76.736,
        "hip": 81.928,
        "knee": 73.363,
        "ankle": 65.446,
    }
    for part, value in published.items():
        assert parts[part] == pytest.approx(value, abs=5e-4), part


def test_layouts_agree():
    """The same persons in MPII's order and in the network's: the same total."""
    rng = torch.Generator().manual_seed(0)
    target = 100 * torch.rand(9, 16, 2, generator=rng)
    pred = target + 8 * torch.randn(9, 16, 2, generator=rng)
    valid = torch.rand(9, 16, generator=rng) > 0.3
    head_size = 10 + 10 * torch.rand(9, generator=rng)
    order = list(get_layout("pa16j").order_from(get_layout("mpii")))
    mpii, network = PCKh(layout="mpii"), PCKh(layout=get_layout("pa16j"))
    mpii.update(pred, target, valid, head_size)
    network.update(pred[:, order], target[:, order], valid[:, order], head_size)
    assert 10 < mpii.compute()["total"] < 90
    assert torch.equal(mpii.compute()["total"], network.compute()["total"])
    assert torch.equal(mpii.compute()["per_joint"][order], network.compute()["per_joint"])


def test_nan_predictions_are_wrong_and_missing_joints_do_not_count():
    pred, target = torch.zeros(1, 16, 2), torch.zeros(1, 16, 2)
    pred[0, 5], target[0, 6] = torch.nan, torch.nan
    valid = torch.ones(1, 16, dtype=torch.bool)
    valid[0, 6] = False
    metric = PCKh()
    metric.update(pred, target, valid, torch.tensor([10.0]))
    assert metric.compute()["total"].item() == pytest.approx(100 * 12 / 13)
    assert torch.isnan(metric.compute()["per_joint"][6])


@pytest.mark.parametrize("head", [0.0, -3.0, float("nan"), float("inf")])
def test_persons_without_a_head_size_are_refused(head):
    poses, valid = torch.zeros(2, 16, 2), torch.ones(2, 16, dtype=torch.bool)
    metric = PCKh()
    metric.update(poses, poses, valid, torch.tensor([10.0, head]))
    with pytest.raises(HarError, match="1 of 2 persons"):
        metric.compute()


def test_poses_of_another_layout_are_refused():
    poses, valid = torch.zeros(2, 17, 2), torch.ones(2, 17, dtype=torch.bool)
    with pytest.raises(HarError, match="pa16j"):
        PCKh(layout="pa16j").update(poses, poses, valid, torch.ones(2))


def test_pck_counts_in_any_length(golden):
    """PCK at 0.25 of twice the head size is PCKh at 0.5, and a slow count agrees."""
    pred, target, valid, head_size = golden
    pck, pckh = PCK(0.25), PCKh(0.5)
    pck.update(pred, target, valid, 2 * head_size[:, 0])
    pckh.update(pred, target, valid, head_size[:, 0])
    assert PCK().threshold == 0.2
    for name in ("total", "per_joint"):
        assert torch.equal(pck.compute()[name], pckh.compute()[name])
    within = [
        np.hypot(*(pred[n, j] - target[n, j]).numpy()) <= 0.5 * head_size[n, 0].item()
        for n in range(len(pred))
        for j in range(2, 16)
        if valid[n, j]
    ]
    assert pck.compute()["total"].item() == pytest.approx(100 * np.mean(within), abs=1e-9)


def test_pck_takes_a_layout_of_a_data_set():
    layout = Layout("stick", ("top", "middle", "bottom"), ((0, 1), (1, 2)))
    metric = PCK(layout=layout)
    target = torch.zeros(1, 3, 2)
    pred = torch.tensor([[[0.0, 2.0], [2.1, 0.0], [0.0, 0.0]]])
    metric.update(pred, target, torch.tensor([[True, True, False]]), torch.tensor([10.0]))
    assert metric.compute()["total"] == 50
    assert metric.compute()["per_joint"][:2].tolist() == [100, 0]
    metric.update(pred, target, torch.ones(1, 3, dtype=torch.bool), torch.zeros(1))
    assert metric.compute()["total"] == 50  # who has no length is left out
