"""What is drawn at random."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from har.data.augment import Augmentation, AugmentParams
from har.errors import HarError

RECIPE = Augmentation(
    angles_deg=[-10, -5, 0, 5, 10],
    scales=[0.7, 1.0, 1.3, 2.0],
    shifts_x_px=list(range(-40, 41, 5)),
    shifts_y_px=list(range(-10, 11, 5)),
    flip=True,
    gammas=[0.9, 1.0, 1.1],
    steps=[3, 4, 5],
)


def test_evaluation_changes_nothing():
    assert Augmentation().sample(np.random.default_rng(0)) == AugmentParams()


def test_every_value_is_drawn_equally_often():
    rng = np.random.default_rng(0)
    draws = [RECIPE.sample(rng) for _ in range(6000)]
    shifts_y = [d.shift_px[1] / d.scale for d in draws]
    seen = {
        "angle": (Counter(d.angle_deg for d in draws), RECIPE.angles_deg),
        "scale": (Counter(d.scale for d in draws), RECIPE.scales),
        "shift": (Counter(round(s) for s in shifts_y), RECIPE.shifts_y_px),
        "flip": (Counter(d.flip for d in draws), [False, True]),
        "green": (Counter(d.gammas[1] for d in draws), RECIPE.gammas),
        "step": (Counter(d.step for d in draws), RECIPE.steps),
    }
    for name, (counts, values) in seen.items():
        assert set(counts) == set(values), name
        expected = len(draws) / len(values)
        assert max(abs(n - expected) for n in counts.values()) < 5 * expected**0.5, name
    # drawn on their own: channels differ from each other, angles are not tied to scales
    assert len({d.gammas for d in draws}) == 27
    assert len({(d.angle_deg, d.scale) for d in draws}) == 20


def test_the_same_generator_draws_the_same():
    assert RECIPE.sample(np.random.default_rng([3, 14])) == RECIPE.sample(
        np.random.default_rng([3, 14])
    )
    assert RECIPE.sample(np.random.default_rng([3, 14])) != RECIPE.sample(
        np.random.default_rng([3, 15])
    )


def test_draws_hold_plain_numbers():
    draw = RECIPE.sample(np.random.default_rng(1))
    assert type(draw.step) is int
    assert type(draw.flip) is bool
    assert {type(v) for v in (draw.angle_deg, draw.scale, *draw.shift_px, *draw.gammas)} == {float}


def test_details_are_drawn_beside_the_rest():
    details = [1.0, 0.5, 0.25]
    more = dataclasses.replace(RECIPE, details=details)
    seen = Counter()
    for seed in range(300):
        whole, draw = (each.sample(np.random.default_rng(seed)) for each in (RECIPE, more))
        assert dataclasses.replace(draw, detail=1.0) == whole
        seen[draw.detail] += 1
    assert set(seen) == set(details)
    assert min(seen.values()) > 70


def test_a_config_builds_it():
    hydra_utils = pytest.importorskip("hydra.utils")
    config = {"_target_": "har.data.augment.Augmentation", "scales": [0.7, 1.3], "steps": [4]}
    draw = hydra_utils.instantiate(config).sample(np.random.default_rng(0))
    assert draw.scale in (0.7, 1.3)
    assert draw.step == 4


@pytest.mark.parametrize(
    ("name", "values"),
    [("steps", []), ("scales", [1, 0]), ("steps", [-1]), ("details", [0.5, 2])],
)
def test_lists_without_sense_are_refused(name, values):
    with pytest.raises(HarError, match=name):
        Augmentation(**{name: values})
