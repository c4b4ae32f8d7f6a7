"""Splits, names and lists of NTU RGB+D."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from har.data.ntu.labels import ACTION_NAMES, TWO_PERSON_ACTIONS, SampleName, parse_sample_name
from har.data.ntu.splits import PROTOCOLS, missing_skeletons, split_indices
from har.errors import HarError
from tests.helpers.golden import golden_json, golden_path

samples = st.builds(
    SampleName,
    setup=st.integers(1, 32),
    camera=st.integers(1, 3),
    subject=st.integers(1, 106),
    replication=st.integers(1, 2),
    action=st.integers(1, 120),
)


@given(
    samples, st.sampled_from(["", ".skeleton", "_rgb.avi"]), st.sampled_from(["", "a/b/", "/x y/"])
)
def test_names_round_trip(sample: SampleName, ending: str, folder: str) -> None:
    assert parse_sample_name(f"{folder}{sample}{ending}") == sample


@pytest.mark.parametrize(
    "name", ["", "S001", "S001C001P001R001A000", "S01C001P001R001A001", "xS001C001P001R001A001"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(HarError, match="NTU RGB"):
        parse_sample_name(name)


def test_action_names() -> None:
    assert len(ACTION_NAMES) == len(set(ACTION_NAMES)) == 120
    assert ACTION_NAMES[0] == "drink water"
    assert ACTION_NAMES[42] == "falling"
    assert len(TWO_PERSON_ACTIONS) == 26
    original = golden_json(np.array(golden_path("layouts.json").read_text()))["ntu_action_labels"]
    same = sum(a == b for a, b in zip(ACTION_NAMES, original, strict=False))
    assert same >= 50  # the papers of 2016 and 2019 word some of them differently


def test_lists_of_missing_skeletons() -> None:
    small, large = missing_skeletons(60), missing_skeletons(120)
    assert (len(small), len(large)) == (302, 535)
    assert small < large
    assert all(str(parse_sample_name(name)) == name for name in large)
    assert sum(parse_sample_name(name).setup <= 17 for name in large) == 302


def numbers(words: str) -> set[int]:
    return {int(word) for word in words.split()}


def columns(names: list[SampleName]) -> SimpleNamespace:
    numbers = np.array(names).reshape(-1, 5)
    keys = ("setups", "cameras", "subjects", "replications", "actions")
    return SimpleNamespace(**dict(zip(keys, numbers.T, strict=True)))


@given(st.lists(samples, min_size=1, max_size=40), st.sampled_from(list(PROTOCOLS)))
def test_splits_against_a_direct_computation(names: list[SampleName], protocol: str) -> None:
    cross_subject = numbers("1 2 4 5 8 9 13 14 15 16 17 18 19 25 27 28 31 34 35 38")
    cross_subject_120 = cross_subject | numbers(
        "45 46 47 49 50 52 53 54 55 56 57 58 59 70 74 78 80 81 82 83 84 85 86 89 91 92 93 94 95 97 "
        "98 100 103"
    )
    trains = {
        "xsub60": lambda n: n.subject in cross_subject,
        "xsub120": lambda n: n.subject in cross_subject_120,
        "xview60": lambda n: n.camera != 1,
        "xset120": lambda n: n.setup % 2 == 0,
    }[protocol]
    old = protocol.endswith("60")
    usable = [i for i, n in enumerate(names) if not old or (n.setup <= 17 and n.action <= 60)]
    index = columns(names)
    train, test = (split_indices(index, protocol, part) for part in ("train", "test"))
    assert train.tolist() == [i for i in usable if trains(names[i])]
    assert test.tolist() == [i for i in usable if not trains(names[i])]
    chosen = split_indices(index, protocol, "train", [names[0].action])
    assert {names[i].action for i in chosen} <= {names[0].action}


def test_official_counts_add_up() -> None:
    for protocol, counts in PROTOCOLS.items():
        everything = 56_880 if protocol.endswith("60") else 114_480
        assert counts.train + counts.test == everything
        missing = len(missing_skeletons(60 if protocol.endswith("60") else 120))
        assert counts.train_complete + counts.test_complete == everything - missing


def test_unknown_protocol() -> None:
    with pytest.raises(HarError, match="xsub60, xview60"):
        split_indices(columns([SampleName(1, 1, 1, 1, 1)]), "xsub", "train")
