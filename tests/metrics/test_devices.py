"""Metrics on a device that has no float64 and cannot be asked for a value within a step.

The meta device stands for it: its tensors have no values, so that whatever reads one raises. A mode
refuses float64 on top of that.
"""

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from har import precision
from har.geometry import Camera, crop_affine, transform_points
from har.layouts import get_layout
from har.metrics import ClipMetrics, MeanJointError, PersonMetrics
from har.precision import batch_for_device

CAMERA = Camera((1059.0, 1056.0), (962.0, 575.0), 1920)
PA17J = get_layout("pa17j")


class WithoutFloat64(TorchDispatchMode):
    """Refuses what Apple's MPS refuses."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        for value in torch.utils._pytree.tree_leaves((args, kwargs, out)):
            if isinstance(value, torch.Tensor) and value.dtype == torch.float64:
                raise TypeError(f"{func} on float64: the device has none")
        return out


def clips(seed: int = 0, count: int = 6) -> tuple[list[torch.Tensor], dict[str, Any], Any]:
    """Poses of two blocks, a batch, and probabilities of 7 actions."""
    rng = np.random.default_rng(seed)
    pose = rng.uniform(0.2, 0.8, (count, 4, 17, 4)).astype(np.float32)
    pose[0, 1, 3] = -1e9  # a joint that is missing
    windows = rng.uniform(100, 300, count)
    affines = [crop_affine((240, 130), window, (480, 270)) for window in windows]
    batch = {
        "images": torch.zeros(count, 4, 64, 48, 3, dtype=torch.uint8),
        "pose": torch.from_numpy(pose),
        "tracked": torch.from_numpy((pose[..., 0] > 0) & (rng.random((count, 4, 17)) < 0.9)),
        "affine": torch.from_numpy(np.stack(affines)),
        "root_depth_mm": torch.from_numpy(rng.uniform(2500, 4500, count)),
        "depth_scale": torch.ones(count, dtype=torch.float64),
        "frame_width": torch.full((count,), 480),
        "action": torch.from_numpy(rng.integers(0, 7, count)),
    }
    poses = [
        torch.from_numpy((pose + rng.normal(0, 0.03, pose.shape)).astype(np.float32))
        for _ in range(2)
    ]
    scores = torch.from_numpy(rng.random((count, 7)).astype(np.float32))
    return poses, batch, [scores]


def persons(seed: int = 0, count: int = 20) -> tuple[list[torch.Tensor], dict[str, Any]]:
    """Poses of two blocks in a plain and a mirrored crop, and a batch; three without a length."""
    rng = np.random.default_rng(seed)
    joints = rng.uniform(300, 500, (count, 17, 2))
    affines = np.stack(
        [[crop_affine((400, 400), 250, (900, 800), flip=f) for f in (False, True)]] * count
    )
    blocks = []
    for _ in range(2):
        found = joints + rng.normal(0, 15, joints.shape)
        views = [transform_points(affines[:, v], found) for v in range(2)]
        views[1] = views[1][:, list(PA17J.flip)]
        blocks.append(torch.from_numpy(np.stack(views, 1).astype(np.float32)))
    length = rng.uniform(30, 60, count)
    length[:3] = [np.nan, 0, -1]
    batch = {
        "affine": torch.from_numpy(affines),
        "flipped": torch.tensor([[False, True]] * count),
        "joints_px": torch.from_numpy(joints),
        "valid": torch.from_numpy(rng.random((count, 17)) < 0.8),
        "inside": torch.from_numpy(rng.random((count, 17)) < 0.9),
        "length_px": torch.from_numpy(length),
        "area_px2": torch.from_numpy(rng.uniform(5e3, 5e4, count)),
        "number": torch.arange(seed * count, (seed + 1) * count),
    }
    return blocks, batch


def person_metrics() -> PersonMetrics:
    return PersonMetrics("pa17j", 2, sigmas=[0.1] * 17)


def clip_metrics() -> ClipMetrics:
    return ClipMetrics("pa17j", 7, 2, 1, CAMERA, 2000.0)


def on(device: torch.device, values: Any) -> Any:
    """Tensors on a device, as the data module moves them."""
    if isinstance(values, dict):
        return {k: v.to(device) for k, v in batch_for_device(values, device).items()}
    return [value.to(device) for value in values]


def test_no_float64_and_no_value_is_read_within_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "WITHOUT_FLOAT64", {"meta"})
    device = torch.device("meta")
    of_clips, of_persons = clip_metrics(), person_metrics()
    poses, batch, scores = (on(device, part) for part in clips())
    seen, people = (on(device, part) for part in persons())
    with WithoutFloat64():
        of_clips.to(device)
        of_persons.to(device)
        for _ in range(2):
            of_clips.update(poses, batch, scores)
            of_persons.update(seen, people)


def test_the_guard_itself() -> None:
    with WithoutFloat64(), pytest.raises(TypeError, match="float64"):
        torch.zeros(3, device="meta").double()
    with pytest.raises((RuntimeError, NotImplementedError)):
        torch.zeros(3, device="meta").sum().item()


def test_float32_gives_the_same_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over many batches: the sums lose nothing on the way."""

    def measured(guard: Any) -> dict[str, Any]:
        of_clips, of_persons, cpu = clip_metrics(), person_metrics(), torch.device("cpu")
        for seed in range(30):
            poses, batch, scores = (on(cpu, part) for part in clips(seed))
            seen, people = (on(cpu, part) for part in persons(seed))
            with guard:
                of_clips.update(poses, batch, scores)
                of_persons.update(seen, people)
        with guard:
            return {**of_clips.compute(), **of_persons.compute()}

    exact = measured(nullcontext())
    monkeypatch.setattr(precision, "WITHOUT_FLOAT64", {"cpu"})
    of_device = measured(WithoutFloat64())
    assert len(exact) == 18
    assert 0.2 < exact["oks"] < 0.8
    assert 20 < exact["pckh"] < 80
    assert 20 < exact["joint_error_mm"] < 200
    for name, value in exact.items():
        # PCKh to 1e-6 of the fraction, in percent; millimeters to a thousandth
        close = {"rel": 1e-6, "abs": 1e-4 if "pck" in name else 1e-3}
        assert of_device[name] == pytest.approx(value, nan_ok=True, **close), name


def test_a_sum_over_many_batches_keeps_its_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 additions of float32 numbers, which alone would be off by far more."""
    monkeypatch.setattr(precision, "WITHOUT_FLOAT64", {"cpu"})
    metric, plain = MeanJointError(root=None), torch.zeros(())
    target, valid = torch.zeros(1, 1, 3), torch.ones(1, 1, dtype=torch.bool)
    values = torch.rand(20_000, generator=torch.Generator().manual_seed(0)) + 100.1
    for value in values:
        pred = torch.zeros(1, 1, 3)
        pred[..., 0] = value
        metric.update(pred, target, valid)
        plain += value
    truth = values.double().mean().item()
    assert metric.compute()["total"].item() == pytest.approx(truth, rel=1e-7)
    assert plain.item() / len(values) != pytest.approx(truth, rel=1e-6)
