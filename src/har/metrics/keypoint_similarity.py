"""OKS, the similarity of two poses that COCO measures key points by.

Source: cocodataset.org, "Keypoint Evaluation"; Ronchi and Perona, "Benchmarking and Error Diagnosis
in Multi-Instance Pose Estimation", ICCV 2017.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from har.errors import HarError
from har.layouts import Layout, LayoutError
from har.precision import exact_dtype

COCO = Layout(
    "coco17",
    (
        *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder"),
        *("right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip"),
        *("right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
    ),
)
"""The 17 key points of COCO's persons, in COCO's order."""

_COCO_SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
DEFAULT_SIGMA = 0.1
"""Of every joint of another skeleton: about that of COCO's hips, the largest."""


def coco_order(layout: Layout) -> tuple[int, ...] | None:
    """Number in the layout of every key point of COCO; None where it has other joints.

    Joints are compared by their names: all 17 and no others, in any order.
    """
    try:
        order = COCO.order_from(layout)
    except LayoutError:
        return None
    return order if sorted(order) == list(range(layout.num_joints)) else None


def oks_sigmas(
    layout: Layout, sigma: float | Sequence[float] | None = None
) -> tuple[tuple[float, ...], str]:
    """The sigma of every joint, and where it comes from in words.

    COCO's own belong to its 17 joints only: another skeleton gets one value for all.

    Args:
        layout: the order of the joints.
        sigma: one for all joints, or one for each; None: COCO's for its joints, else
            :data:`DEFAULT_SIGMA`.

    Raises:
        HarError: not one for each joint, or one that is not greater than 0.
    """
    joints, order = layout.num_joints, coco_order(layout)
    if sigma is None and order is not None:
        of_joint = dict(zip(order, _COCO_SIGMAS, strict=True))
        return tuple(of_joint[number] for number in range(joints)), "COCO's own of each joint"
    try:
        if isinstance(sigma, Sequence) and not isinstance(sigma, str):
            given, by = [float(each) for each in sigma], ""
        elif sigma is None:
            given, by = [DEFAULT_SIGMA] * joints, "COCO's 17 are for other joints"
        else:
            given, by = [float(sigma)] * joints, "as given"
    except (TypeError, ValueError):  # no numbers
        given, by = [], ""
    if len(given) != joints or not all(0 < each < math.inf for each in given):
        raise HarError(
            f"data.oks_sigma={sigma}: give one number greater than 0, or one for each of the "
            f"{joints} joints of the layout {layout.name}."
        )
    text = f"{given[0]:g} for all joints ({by})" if by else "as given for each joint"
    return tuple(given), text


def oks(
    pred: Tensor, target: Tensor, valid: Tensor, area: Tensor, sigmas: Sequence[float] | Tensor
) -> Tensor:
    """Object key point similarity: the mean over labeled joints of exp(-d^2 / (2 a (2 s)^2)).

    Args:
        pred: (N, J, 2) in pixels of the image; what is not a number counts as 0.
        target: (N, J, 2) in pixels of the image.
        valid: (N, J) bool, joints that are labeled.
        area: (N,) of the persons in square pixels, the a above.
        sigmas: (J,) the s above.

    Returns:
        (N,) in [0, 1], NaN without a labeled joint or without an area greater than 0: float64, or
        float32 on a device without float64.

    Raises:
        HarError: shapes that do not fit together.
    """
    exact = exact_dtype(pred.device)
    spread = 2 * torch.as_tensor(sigmas, dtype=exact, device=pred.device)
    if pred.shape != target.shape or pred.shape[1:] != (len(spread), 2):
        raise HarError(
            f"OKS with {len(spread)} sigmas compares poses of shape (N, {len(spread)}, 2), but got "
            f"{tuple(pred.shape)} and {tuple(target.shape)}."
        )
    area = area.to(exact)
    area = torch.where(area > 0, area, torch.nan)[:, None]
    squared = (pred.to(exact) - target.to(exact)).square().sum(-1)  # (N, J)
    likeness = torch.exp(-squared.nan_to_num(torch.inf) / (2 * area * spread.square()))
    valid = valid.bool()
    return torch.where(valid, likeness, 0).sum(1) / valid.sum(1)
