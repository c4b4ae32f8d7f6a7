"""Single operations against the original's values and gradients."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from har.models.layers import (
    BatchNorm2d,
    Conv2d,
    SeparableConv2d,
    global_max_min,
    glorot_uniform_,
    max_min_pool,
    max_pool,
    same_padding,
    upsample,
)
from har.models.soft_argmax import (
    channel_softmax_2d,
    joint_confidence,
    soft_argmax_2d,
    window_maximum,
)
from tests.helpers.golden import golden_arrays, golden_json

OPS = golden_arrays("ops.npz")


def weight(name: str) -> Tensor:
    return torch.from_numpy(OPS[f"{name}"])


def convolution(name: str, stride: int) -> Callable[[Tensor], Tensor]:
    kernel = weight(f"{name}/w/kernel").permute(3, 2, 0, 1)
    layer = Conv2d(kernel.shape[1], kernel.shape[0], tuple(kernel.shape[2:]), stride)
    layer.weight.data = kernel
    return layer


def separable(name: str, stride: int) -> Callable[[Tensor], Tensor]:
    depth = weight(f"{name}/w/depthwise_kernel").permute(2, 3, 0, 1)
    point = weight(f"{name}/w/pointwise_kernel").permute(3, 2, 0, 1)
    layer = SeparableConv2d(point.shape[1], point.shape[0], depth.shape[-1], stride)
    layer.depthwise.weight.data, layer.pointwise.weight.data = depth, point
    return layer


def softmax(alpha: float) -> Callable[[Tensor], Tensor]:
    return lambda x: channel_softmax_2d(x, alpha)


CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "channel_softmax_2d_alpha1": softmax(1),
    "channel_softmax_2d_alpha2": softmax(2),
    "softargmax2d_plain": soft_argmax_2d,
    "softargmax2d_limits": soft_argmax_2d,  # the original ignores its limits
    "keypoint_confidence": lambda x: joint_confidence(x)[..., None],
    "joints_probability": lambda x: window_maximum(x)[..., None],
    **{f"max_min_pooling_{size}": max_min_pool for size in ("6x8", "5x7", "4x7")},
    "global_max_min_pooling": global_max_min,
    **{
        f"conv_s2_k{k}_{size}": convolution(f"conv_s2_k{k}_{size}", 2)
        for k in (2, 3, 5, 7)
        for size in ("8x10", "9x7")
    },
    **{f"conv_{n}": convolution(f"conv_{n}", 1) for n in ("s1_k2_8x7", "s1_k3x5", "s1_k3x1")},
    "conv_1x1_s2": convolution("conv_1x1_s2", 2),
    **{
        f"maxpool_s2_k{k}_{size}": lambda x, k=k: max_pool(x, k, 2)
        for k in (2, 3)
        for size in ("8x10", "9x7")
    },
    "maxpool_k2_s1x2": lambda x: max_pool(x, 2, (1, 2)),
    "sepconv_k3": separable("sepconv_k3", 1),
    "sepconv_k5": separable("sepconv_k5", 1),
    "sepconv_s2_k5_8x10": separable("sepconv_s2_k5_8x10", 2),
    "sepconv_s2_k5_9x7": separable("sepconv_s2_k5_9x7", 2),
    "upsampling": upsample,
}


@pytest.mark.parametrize("name", CASES)
def test_operation_and_its_gradient(name: str) -> None:
    x = weight(f"{name}/x").permute(0, 3, 1, 2).requires_grad_()
    expected, cotangent = weight(f"{name}/y"), weight(f"{name}/ct")
    y = CASES[name](x)
    if y.ndim == 4:
        y = y.permute(0, 2, 3, 1)
    (y * cotangent).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=2e-6)
    gradient = weight(f"{name}/gx").permute(0, 3, 1, 2)
    torch.testing.assert_close(x.grad, gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["bn4d", "bn4d_noscale"])
@pytest.mark.parametrize("phase", ["test", "train"])
def test_batch_normalization(name: str, phase: str) -> None:
    case = f"{name}_{phase}"
    layer = BatchNorm2d(6, scale="noscale" not in name).train(phase == "train")
    if "noscale" not in name:
        layer.weight.data = weight(f"{case}/w/gamma")
    layer.bias.data = weight(f"{case}/w/beta")
    layer.running_mean = weight(f"{case}/w/moving_mean")
    layer.running_var = weight(f"{case}/w/moving_variance")
    x = weight(f"{case}/x").permute(0, 3, 1, 2).requires_grad_()
    y = layer(x).permute(0, 2, 3, 1)
    (y * weight(f"{case}/ct")).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(y, weight(f"{case}/y"), rtol=1e-5, atol=1e-5)
    gradient = weight(f"{case}/gx").permute(0, 3, 1, 2)
    torch.testing.assert_close(x.grad, gradient, rtol=1e-4, atol=1e-5)
    if name == "bn4d_noscale":
        assert not layer.weight.requires_grad
        assert (layer.weight == 1).all()


def test_initial_weights() -> None:
    """Bounds by the original's fans; the spread is that of a uniform distribution."""
    torch.manual_seed(0)
    for record in golden_json(golden_arrays("init.npz")["records"]):
        shape = record["shape"]
        if len(shape) != 4 or record["initialiser"] != "glorot_uniform":
            continue
        depthwise = record["weight"] == "depthwise_kernel"
        order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
        kernel = torch.empty([shape[axis] for axis in order])
        glorot_uniform_(kernel, depthwise=depthwise)
        limit = record["limit"]
        assert float(kernel.abs().max()) <= limit
        if record["count"] > 1000:
            assert np.isclose(float(kernel.std()), limit / 3**0.5, rtol=0.05), record["kind"]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 23), st.integers(1, 23), st.sampled_from([1, 2, 3, 5, 7]), st.integers(1, 2))
def test_padding_same_of_any_size(height: int, width: int, kernel: int, stride: int) -> None:
    """TensorFlow's rule written out, and windows over an input that was padded by hand."""
    sides = []
    for size in (height, width):
        total = max((int(np.ceil(size / stride)) - 1) * stride + kernel - size, 0)
        assert same_padding(size, kernel, stride) == (total // 2, total - total // 2)
        sides.append((total // 2, total - total // 2))
    x = torch.randn(1, 2, height, width)
    padding = (*sides[1], *sides[0])
    layer = Conv2d(2, 3, kernel, stride)
    y = layer(x)
    assert y.shape[2:] == (-(-height // stride), -(-width // stride))
    torch.testing.assert_close(y, F.conv2d(F.pad(x, padding), layer.weight, stride=stride))
    lowest = F.pad(x, padding, value=float(x.min()) - 1)
    torch.testing.assert_close(max_pool(x, kernel, stride), F.max_pool2d(lowest, kernel, stride))


@pytest.mark.parametrize("learning", [True, False])
def test_depthwise_kernels_learn_in_float32(learning: bool) -> None:
    """Under autocast on a CPU: the result of float32, in the precision that was asked for."""
    torch.manual_seed(0)
    layer = Conv2d(8, 8, 5, groups=8)
    x = torch.randn(2, 8, 12, 12)
    with torch.set_grad_enabled(learning):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = layer(x)
        exact = layer(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), exact, atol=0.02, rtol=0.01)
    if learning:
        assert torch.equal(y, exact.bfloat16())
        y.float().square().sum().backward()
        assert layer.weight.grad is not None
        assert layer.weight.grad.dtype == torch.float32
