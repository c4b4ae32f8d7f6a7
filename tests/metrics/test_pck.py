"""PCK in lengths of persons: case 10, a slow direct count, exact thresholds, published tables."""

import logging
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import loadmat

from har.data.lengths import torso_length
from har.layouts import Layout, get_layout
from har.metrics import PCK, PCKh, by_part
from tests.helpers.cases import CASE_10, read_case

LSP = get_layout("lsp14")
NAMES = [
    "perfect",
    "off_by_exactly_0.2_torso",
    "off_by_20.5_px",
    "torso_of_length_0",
    "left_and_right_exchanged",
    "four_hidden_ones_wrong",
]


def measured(true: np.ndarray, guess: np.ndarray, valid: np.ndarray, names: list[str]) -> dict:
    metric = PCK(0.2, LSP)
    length = torch.from_numpy(torso_length(np.where(valid[..., None], true, np.nan), LSP))
    tensors = (torch.from_numpy(array) for array in (guess, true, valid))
    metric.update(*tensors, length, names)
    return metric.compute()


def test_case_10_lsp(caplog: pytest.LogCaptureFixture) -> None:
    expected = read_case(CASE_10)
    true = loadmat(CASE_10 / "gt_lsp.mat")["joints"].transpose(2, 1, 0)[..., :2]
    guess = np.load(CASE_10 / "guesses.npz")["lsp"]
    everything = np.ones(true.shape[:2], dtype=bool)  # hidden joints count
    with caplog.at_level(logging.WARNING):
        found = measured(true, guess, everything, NAMES)
    assert found["total"].item() == pytest.approx(expected["pck_0.2_lsp"], abs=0.005)
    per_joint = {
        name.replace(" ", "_"): value
        for name, value in zip(LSP.joints, found["per_joint"].tolist(), strict=True)
    }
    per_joint["head_top"] = per_joint.pop("head")
    assert per_joint == pytest.approx(expected["per_joint_lsp"])
    assert "1 of 6 persons" in caplog.text
    assert expected["without_torso"][0] in caplog.text
    for number, name in enumerate(NAMES):
        if name in expected["per_person"]:
            one = slice(number, number + 1)
            alone = measured(true[one], guess[one], everything[one], [name])["total"].item()
            right, joints = map(int, expected["per_person"][name].split("/"))
            assert alone == pytest.approx(100 * right / joints), name
    assert measured(true[:1], guess[:1], everything[:1], [])["auc"] == expected["auc_perfect"]


def test_case_10_lsp_extended(caplog: pytest.LogCaptureFixture) -> None:
    expected = read_case(CASE_10)["lspet"]
    joints = loadmat(CASE_10 / "gt_lspet.mat")["joints"].transpose(2, 0, 1)
    true, valid = joints[..., :2], joints[..., 2] == 1
    guess = np.load(CASE_10 / "guesses.npz")["lspet"]
    found = measured(true, guess, valid, ["first", "second person"])
    assert found["total"] == expected["pck_0.2"]
    assert "second person" in caplog.text
    assert valid[0].sum() == expected["joints_counted"]


# x, y, how far the guess is off in x and y, and whether the joint is annotated
joint = st.tuples(
    *[st.integers(0, 300)] * 2, *[st.integers(-60, 60)] * 2, st.sampled_from([True, True, False])
)
several = st.lists(st.lists(joint, min_size=14, max_size=14), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(several, st.integers(0, 50))
def test_a_slow_direct_count(persons: list, hundredths: int) -> None:
    """In whole pixels and fractions, where a joint is exactly on a threshold or not."""

    def count(threshold: Fraction) -> tuple[int, int]:
        right = counted = 0
        for joints in persons:
            (x1, y1, *_, known), (x2, y2, *_, also) = joints[9], joints[2]  # shoulder, hip
            torso2 = (x1 - x2) ** 2 + (y1 - y2) ** 2
            if known and also and torso2 > 0:
                for _, _, dx, dy, annotated in joints:
                    counted += annotated
                    right += annotated and dx**2 + dy**2 <= threshold**2 * torso2
        return right, counted

    values = np.array(persons, dtype=float)
    true, valid = values[..., :2], values[..., 4] == 1
    metric = PCK(hundredths / 100, LSP)
    length = torso_length(np.where(valid[..., None], true, np.nan), LSP)
    metric.update(*map(torch.from_numpy, (true + values[..., 2:4], true, valid, length)))
    found = metric.compute()
    right, counted = count(Fraction(hundredths, 100))
    if counted == 0:
        assert torch.isnan(found["total"])
        return
    assert found["total"].item() == pytest.approx(100 * right / counted)
    curve = [100 * count(Fraction(level, 100))[0] / counted for level in range(51)]
    assert found["curve"].tolist() == pytest.approx(curve)
    assert found["auc"].item() == pytest.approx(np.mean(curve))


def test_a_fifth_of_any_torso_is_right() -> None:
    """Rounding does not decide: lengths and offsets that no float holds exactly."""
    rng = np.random.default_rng(0)
    true = rng.uniform(0, 500, (200, 14, 2))
    length = torso_length(true, LSP)
    angle = rng.uniform(0, 2 * np.pi, (200, 14))
    step = 0.2 * length[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    valid = torch.ones(200, 14, dtype=torch.bool)
    for factor, right in ((1, 100), (1 + 1e-6, 0)):
        metric = PCK(0.2, LSP)
        places = map(torch.from_numpy, (true + factor * step, true))
        metric.update(*places, valid, torch.from_numpy(length))
        assert metric.compute()["total"] == right


def test_rows_of_the_fields_tables() -> None:
    """Head is neck and top of the head; sides are averaged; the order is that of the tables."""
    values = torch.arange(14.0)
    rows = by_part(values, LSP)
    assert list(rows) == ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"]
    assert rows == {
        "head": 12.5,
        "shoulder": 8.5,
        "elbow": 8.5,
        "wrist": 8.5,
        "hip": 2.5,
        "knee": 2.5,
        "ankle": 2.5,
    }
    # an own skeleton keeps its rows and their order
    own = Layout("cat", ("tail", "left ear", "neck", "right ear"))
    assert list(by_part(values[:4], own)) == ["tail", "ear", "neck"]
    # a network's layout with a pelvis has its own row for the neck
    assert {"neck", "head"} < set(by_part(torch.arange(16.0), get_layout("pa16j")))


def test_persons_without_length_are_named_once_and_forgotten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metric = PCK(0.2, LSP)
    pose, valid = torch.zeros(3, 14, 2), torch.ones(3, 14, dtype=torch.bool)
    metric.update(pose, pose, valid, torch.tensor([10.0, 0.0, torch.nan]), ["a", "b", "c"])
    assert metric.compute()["total"] == 100
    assert "2 of 3 persons" in caplog.text
    assert "b, c" in caplog.text
    metric.reset()
    metric.update(pose, pose, valid, torch.full((3,), 10.0))
    caplog.clear()
    metric.compute()
    assert caplog.text == ""


def test_pelvis_and_thorax_count_in_a_skeleton_of_a_data_sets_own() -> None:
    """Only MPII's measure, and the layouts whose results are published, leave them out."""
    true = torch.zeros(1, 2, 2)
    guess = torch.tensor([[[100.0, 0.0], [0.0, 0.0]]])  # the first is wrong
    valid, length = torch.ones(1, 2, dtype=torch.bool), torch.tensor([10.0])
    for kind, right in ((PCK, 50), (PCKh, 100)):
        metric = kind(0.2, Layout("x", ("pelvis", "hand")))
        metric.update(guess, true, valid, length)
        assert metric.compute()["total"] == right
    metric = PCK(0.2, Layout("x", ("pelvis", "thorax")))
    metric.update(guess, true, valid, length)
    assert metric.compute()["total"] == 50
    assert metric.compute()["auc"] == 50
    published = PCK(0.2, "pa16j")
    wrong = torch.zeros(1, 16, 2)
    wrong[:, :2] = 100  # pelvis and thorax
    published.update(wrong, torch.zeros(1, 16, 2), torch.ones(1, 16, dtype=torch.bool), length)
    assert published.compute()["total"] == 100
