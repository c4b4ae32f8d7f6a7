"""Joint errors in millimeters and pixels against the original program and direct computations."""

import numpy as np
import pytest
import torch

from har.errors import HarError
from har.metrics import PCK3D, MeanJointError
from tests.helpers.golden import golden_arrays


@pytest.fixture(scope="module")
def golden() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    arrays = golden_arrays("metrics.npz")
    target = torch.from_numpy(arrays["pose3d/y_true"])
    return torch.from_numpy(arrays["pose3d/y_pred"]), target, (target > -1e6).all(-1)


def test_mean_distance_of_the_original(golden):
    metric = MeanJointError(root=None)
    for part in (slice(0, 1), slice(1, 20), slice(20, 30)):
        metric.update(*(t[part] for t in golden))
    truth = golden_arrays("metrics.npz")["pose3d/mean_distance_error"]
    assert metric.compute()["total"].item() == pytest.approx(float(truth), abs=1e-9)


def test_pck3d_of_the_original(golden):
    arrays = golden_arrays("metrics.npz")
    pred, target, valid = golden
    valid = valid.clone()
    valid[:, 0] = False  # the original leaves the root out
    for threshold, truth in zip(arrays["pck3d/thresholds"], arrays["pck3d/values"], strict=True):
        metric = PCK3D(threshold_mm=float(threshold), root=None)
        metric.update(pred, target, valid)
        assert metric.compute()["total"].item() / 100 == pytest.approx(truth, abs=1e-9)


def test_a_slow_direct_computation_relative_to_the_root(golden):
    pred, target, valid = (t.numpy() for t in golden)
    errors = [[] for _ in range(17)]
    for n in range(len(pred)):
        if not valid[n, 3]:
            continue
        for j in range(17):
            if valid[n, j]:
                here, there = pred[n, j] - pred[n, 3], target[n, j] - target[n, 3]
                errors[j].append(float(np.sqrt(((here - there) ** 2).sum())))
    everything = np.concatenate(errors)
    without_root = np.concatenate(errors[:3] + errors[4:])
    assert len(everything) < valid.sum()

    error, pck = MeanJointError(root=3), PCK3D(threshold_mm=150, root=3)
    error.update(*golden)
    pck.update(*golden)
    assert error.compute()["total"].item() == pytest.approx(everything.mean())
    per_joint = error.compute()["per_joint"].numpy()
    np.testing.assert_allclose(per_joint, [np.mean(e) for e in errors])
    found = {key: value.numpy() for key, value in pck.compute().items()}
    assert found["total"] == pytest.approx(100 * (without_root <= 150).mean())
    assert found["auc"] == pytest.approx(
        100 * np.mean([(without_root <= t).mean() for t in range(0, 151, 5)])
    )
    assert np.isnan(found["per_joint"][3])
    assert found["per_joint"][5] == pytest.approx(100 * (np.array(errors[5]) <= 150).mean())


def test_a_shift_of_the_whole_pose_counts_only_in_absolute_errors(golden):
    _, target, valid = golden
    relative, absolute = MeanJointError(root=0), MeanJointError(root=None)
    moved = target + torch.tensor([30.0, 0.0, 40.0])
    for metric in (relative, absolute):
        metric.update(moved, target, valid)
    assert relative.compute()["total"].item() == pytest.approx(0, abs=1e-9)
    assert absolute.compute()["total"].item() == pytest.approx(50)


def test_pixels():
    target = torch.zeros(3, 16, 2)
    pred = target.clone()
    pred[..., 0], pred[..., 1] = 3, 4
    metric = MeanJointError(root=None)
    metric.update(pred, target, torch.ones(3, 16, dtype=torch.bool))
    assert metric.compute()["total"] == 5
    assert metric.compute()["per_joint"].tolist() == [5] * 16


def test_missing_joints_may_be_nan():
    target = torch.zeros(1, 3, 3)
    target[0, 2] = torch.nan
    valid = torch.tensor([[True, True, False]])
    for metric in (MeanJointError(root=None), PCK3D(root=None)):
        metric.update(torch.ones(1, 3, 3), target, valid)
    metric = MeanJointError(root=None)
    metric.update(torch.ones(1, 3, 3), target, valid)
    assert metric.compute()["total"].item() == pytest.approx(3**0.5)


def test_a_joint_on_the_threshold_is_right():
    pred = torch.zeros(1, 4, 3)
    pred[0, 1, 0], pred[0, 2, 1], pred[0, 3, 2] = 150.0, 150.001, torch.nan
    metric = PCK3D()
    metric.update(pred, torch.zeros(1, 4, 3), torch.ones(1, 4, dtype=torch.bool))
    assert metric.compute()["total"].item() == pytest.approx(100 / 3)


def test_valid_is_left_as_it_was(golden):
    pred, target, valid = golden
    before = valid.clone()
    PCK3D(root=0).update(pred, target, valid)
    PCK3D(root=None).update(pred, target, valid)
    assert torch.equal(before, valid)


def test_shapes_that_do_not_fit_are_refused():
    poses = torch.zeros(2, 17, 3)
    with pytest.raises(HarError, match=r"\(2, 16\)"):
        MeanJointError().update(poses, poses, torch.ones(2, 16, dtype=torch.bool))
