"""Numbers that no command and no class of the API takes, by one table."""

import math
import re
from collections.abc import Iterator

import numpy as np
import pytest
from omegaconf import OmegaConf

from har.errors import HarError
from har.numbers import SWITCHES, TABLE, check_number, check_numbers, check_switch
from har.runs.config import config_dir
from tests.helpers.commands import compose

EXPERIMENTS = sorted(path.stem for path in (config_dir() / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("key", sorted(TABLE))
def test_no_number_may_be_text_or_nan(key: str) -> None:
    for value in ("many", math.nan, math.inf, -math.inf, True, {}, -5, [math.nan]):
        with pytest.raises(HarError, match="has to be"):
            check_number(f"data.{key}", value)


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("data.batch_size", [1, 64, np.int64(3)], [0, -1, 1.5, 2.0, 1e9, None, "8"]),
        ("data.mpii.batch_size", [0, 8], [-1]),
        ("data.num_workers", [0, 4], [-1, 10**6, 0.5]),
        ("max_frames", [1, None], [0, -3, 2.5]),
        ("video_size", [16, 1280, None], [0, 1, 10**6]),
        ("trainer.gradient_clip_val", [0, 5.0, None], [-1, math.inf]),
        ("callbacks.last.save_top_k", [-1, 0, 3], [-2, 1.0, None]),
        ("fps", [0.5, 25, 29.97, 1000 / 3], [0, -1, 1000, math.nan]),
        ("actions.frames_per_second", [0.1, 15], [0, -15, 1e9]),
        ("data.resolution", [[256, 256], None, 64], [[0, 256], [256, 2.5], "256", [-1]]),
        ("data.clip_size", [1, 8], [0, -8, 1.5]),
        ("action_every_s", [0.25, 1], [0, -1, math.inf]),
        ("module.phases.pose.optimizer.lr", [1e-5], [0, -0.1, math.nan]),
        ("module.phases.pose.epochs", [0, 3], [-1, 0.5]),
        ("actions.test_share", [0, 0.2, 1], [-0.1, 1.1]),
        ("data.threshold", [0.2, 1, 2.5], [0, -1, "abc", None]),
        ("data.enlarge", [1, 1.25], [0, -1, "x", None]),
        ("data.oks_sigma", [0.1, None, [0.1, 0.2]], [0, "x", [0.1, "x"], -1]),
        ("data.augmentation.scales", [[0.7, 1], None], [[0, 1], [-1.0], ["x"]]),
        ("seed", [0, 2**32 - 1], [-1, 2**32, 0.5]),
    ],
)
def test_the_table(key: str, good: list, bad: list) -> None:
    for value in good:
        check_number(key, value)
    for value in bad:
        with pytest.raises(HarError, match=f"{key.split('.')[-1]}=.* has to be") as caught:
            check_number(key, value)
        assert "\n" not in str(caught.value)


def test_numbers_deep_in_a_configuration_are_named_with_their_key() -> None:
    with pytest.raises(HarError, match=r"^data\.ntu\.eval_batch_size=0 has to be a whole number"):
        check_numbers({"data": {"ntu": {"eval_batch_size": 0}}})


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_passes(name: str) -> None:
    cfg = compose("train", [f"experiment={name}", "name=x"])
    for section in ("data", "model", "module", "trainer"):
        check_numbers({section: OmegaConf.to_container(cfg[section], resolve=False)})


@pytest.mark.parametrize("name", ["predict", "prepare", "benchmark", "export"])
def test_every_command_passes(name: str) -> None:
    cfg = compose(name, [])
    container = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(container, dict)
    check_numbers(container)


# ---------------------------------------------------------------------------------------- switches


@pytest.mark.parametrize("key", sorted(SWITCHES))
def test_a_switch_is_true_or_false_and_no_text(key: str) -> None:
    """``video=no`` meant yes: YAML 1.2 takes no, off, n and 'false ' for texts."""
    for value in (True, False, "${fast}", *SWITCHES[key]):
        check_switch(key, value)
        check_switch(f"a.{key}", value)
    for value in ("no", "off", "n", "maybe", "False ", 0, 1, [], {"a": 1}):
        with pytest.raises(HarError, match=rf"{key}=.*: give true.* or false\.$"):
            check_switch(key, value)


def test_the_sentence_names_what_else_is_allowed() -> None:
    with pytest.raises(HarError, match=r"^video=no: give true or false\.$"):
        check_numbers({"video": "no"})
    with pytest.raises(HarError, match=r"^trainer\.compile=no: give true, auto or false\.$"):
        check_numbers({"trainer": {"compile": "no"}})


def _values(config: dict, inside: str = "") -> Iterator[tuple[str, object]]:
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _values(value, f"{inside}{name}.")
        else:
            yield f"{inside}{name}", value


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *((name, []) for name in ("predict", "prepare", "benchmark", "export", "evaluate")),
        *((name, []) for name in ("convert", "app", "sweep")),
        *(("train", [f"experiment={name}", "name=x"]) for name in EXPERIMENTS),
    ],
)
def test_every_switch_of_the_configurations_is_in_the_table(name: str, words: list[str]) -> None:
    container = OmegaConf.to_container(compose(name, words), resolve=False)
    assert isinstance(container, dict)
    check_numbers(container)
    for key, value in _values(container):
        if isinstance(value, bool) and not key.endswith("_partial_"):
            with pytest.raises(HarError, match=f"^{re.escape(key)}=maybe: give true"):
                check_switch(key, "maybe")
