"""The space of a sweep: what its file states, as distributions and as words of a command."""

import pytest

optuna = pytest.importorskip("optuna", reason="the extra `sweep` is not installed")

import hydra
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from har.errors import HarError
from har.runs.config import config_dir
from har.sweep.space import as_words, read_space, short_names


def test_distributions() -> None:
    found = read_space(
        {
            "model.growth": {"choices": [16, 32]},
            "lr": {"low": 1e-4, "high": 1e-2, "log": True},
            "model.num_levels": {"low": 2, "high": 4},
            "x": {"low": 0, "high": 1, "step": 0.25},
        }
    )
    assert found == {
        "model.growth": optuna.distributions.CategoricalDistribution([16, 32]),
        "lr": optuna.distributions.FloatDistribution(1e-4, 1e-2, log=True),
        "model.num_levels": optuna.distributions.IntDistribution(2, 4),
        "x": optuna.distributions.FloatDistribution(0, 1, step=0.25),
    }


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        (None, "A sweep needs a space to search in: choose hparams_search=demo"),
        ({"lr": 3}, "sweep.space: lr is 3; give choices:"),
        ({"lr": {"low": 1}}, "sweep.space: lr is {'low': 1}; give choices:"),
        ({"lr": {"low": 2, "high": 1}}, "sweep.space: lr is {'low': 2, 'high': 1}: "),
        ({"lr": {"low": 0, "high": 1.0, "log": True}}, "sweep.space: lr is "),
        ({"lr": {"low": "a", "high": 1}}, "sweep.space: lr is "),
        ({"lr": {"choices": []}}, "sweep.space: lr is "),
    ],
)
def test_what_is_no_space_is_said(space: object, sentence: str) -> None:
    with pytest.raises(HarError) as told:
        read_space(space)
    assert str(told.value).startswith(sentence)


_VALUES = st.one_of(
    st.booleans(), st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
)


@given(_VALUES)
def test_hydra_reads_the_value_that_was_suggested(value: object) -> None:
    parser = hydra.core.override_parser.overrides_parser.OverridesParser.create()
    (override,) = parser.parse_overrides(as_words({"model.x": value}))
    assert override.key_or_group == "model.x"
    assert override.value() == value
    assert type(override.value()) is type(value)


def test_names_of_columns_are_short_and_differ() -> None:
    keys = ["module.phases.pose.scheduler.max_lr", "module.phases.frozen.scheduler.max_lr", "a.b"]
    assert list(short_names(keys).values()) == [
        "pose.scheduler.max_lr",
        "frozen.scheduler.max_lr",
        "b",
    ]
    assert short_names(["x.b", "b"]) == {"x.b": "x.b", "b": "b"}


@pytest.mark.parametrize("name", ["demo"])
def test_the_searches_that_are_shipped_can_be_read(name: str) -> None:
    words = ["experiment=demo_sweep", f"hparams_search={name}"]
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = hydra.compose("sweep", words)
        space = read_space(OmegaConf.to_container(cfg.sweep.space))
        trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask(space)
        values = as_words(trial.params)
        run = hydra.compose("train", ["experiment=demo_sweep", *values])
    for key, value in trial.params.items():
        assert OmegaConf.select(run, key) == value
