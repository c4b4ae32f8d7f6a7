"""OKS against a slow direct computation and the values of case 04; whose sigmas are used."""

import math

import numpy as np
import pytest
import torch

from har.errors import HarError
from har.layouts import Layout, get_layout
from har.metrics import oks, oks_sigmas
from har.metrics.keypoint_similarity import COCO, coco_order
from tests.helpers.cases import CASE_04, read_case

PUBLISHED = dict(
    zip(
        COCO.joints,
        np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000,
        strict=True,
    )
)


def test_a_slow_direct_computation() -> None:
    rng = np.random.default_rng(1)
    true = rng.uniform(0, 200, (20, 17, 2))
    pred = true + rng.normal(0, 12, true.shape)
    valid = rng.random((20, 17)) < 0.7
    valid[3] = False
    area = rng.uniform(500, 9000, 20)
    area[4] = 0
    area[5] = np.nan
    sigmas = list(PUBLISHED.values())
    found = oks(*map(torch.from_numpy, (pred, true, valid, area)), sigmas)
    for n in range(20):
        terms = []
        for j in range(17):
            if valid[n, j]:
                squared = (pred[n, j, 0] - true[n, j, 0]) ** 2
                squared += (pred[n, j, 1] - true[n, j, 1]) ** 2
                if area[n] > 0:
                    terms.append(math.exp(-squared / (2 * area[n] * (2 * sigmas[j]) ** 2)))
        if terms:
            assert found[n].item() == pytest.approx(sum(terms) / len(terms), rel=1e-12)
        else:
            assert torch.isnan(found[n]), n
    assert 0.1 < found.nanmean() < 0.9
    assert torch.isnan(found).sum() == 3


@pytest.mark.parametrize("off", [8, 16])
@pytest.mark.parametrize("sigma", [0.05, 0.1])
def test_case_04(off: int, sigma: float) -> None:
    expected = read_case(CASE_04)["given_area_only"]
    true = torch.zeros(1, 6, 2)
    pred = true + torch.tensor([float(off), 0])
    valid = torch.ones(1, 6, dtype=torch.bool)
    found = oks(pred, true, valid, torch.tensor([6400.0]), [sigma] * 6).item()
    assert found == pytest.approx(expected[f"off_by_{off}"][f"sigma_{sigma}"]["oks"], abs=5e-5)


def test_what_is_not_a_number_is_far_away() -> None:
    true, valid = torch.zeros(1, 2, 2), torch.ones(1, 2, dtype=torch.bool)
    pred = torch.tensor([[[0.0, 0.0], [torch.nan, 0.0]]])
    assert oks(pred, true, valid, torch.tensor([100.0]), [0.1, 0.1]) == 0.5
    # a place of a joint that is not labeled does not matter
    true[0, 1] = torch.nan
    valid[0, 1] = False
    assert oks(pred, true, valid, torch.tensor([100.0]), [0.1, 0.1]) == 1


def test_cocos_sigmas_belong_to_cocos_joints_in_any_order() -> None:
    shuffled = Layout("mine", tuple(name.replace("_", " ") for name in reversed(COCO.joints)))
    sigmas, text = oks_sigmas(shuffled)
    assert list(sigmas) == list(PUBLISHED.values())[::-1]
    assert "COCO" in text
    assert coco_order(shuffled) == tuple(reversed(range(17)))


@pytest.mark.parametrize("layout", [get_layout("pa17j"), Layout("six", tuple("abcdef"))])
def test_other_joints_have_one_stated_sigma(layout: Layout) -> None:
    sigmas, text = oks_sigmas(layout)
    assert sigmas == (0.1,) * layout.num_joints
    assert "0.1 for all joints" in text
    assert oks_sigmas(layout, 0.05)[0] == (0.05,) * layout.num_joints
    more = Layout("more", (*COCO.joints, "left_foot", "right_foot"))
    assert set(oks_sigmas(more)[0]) == {0.1}
    fewer = Layout("fewer", COCO.joints[:16], flip_pairs=())
    assert set(oks_sigmas(fewer)[0]) == {0.1}


def test_given_sigmas() -> None:
    layout = Layout("three", ("a", "b", "c"))
    assert oks_sigmas(layout, [0.1, 0.2, 0.3])[0] == (0.1, 0.2, 0.3)
    assert set(oks_sigmas(COCO, 0.07)[0]) == {0.07}
    for wrong in ([0.1], [0.1, 0.2, -1], 0, -0.1, float("nan"), "x", ["x"] * 3, [0.1, None, 1]):
        with pytest.raises(HarError, match=r"data\.oks_sigma=.* 3 joints"):
            oks_sigmas(layout, wrong)


def test_poses_that_do_not_fit_are_refused() -> None:
    pose, valid = torch.zeros(1, 6, 2), torch.ones(1, 6, dtype=torch.bool)
    with pytest.raises(HarError, match="17 sigmas"):
        oks(pose, pose, valid, torch.ones(1), list(PUBLISHED.values()))
