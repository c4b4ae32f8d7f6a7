"""Which clips train, validate and test: by lists, or drawn class by class."""

import pytest

from har.data.own.folder import split_by_lists, split_by_shares
from har.errors import HarError

FILES = [f"{label}/{i}.mp4" for label in ("a", "b") for i in range(10)]


@pytest.mark.parametrize(
    ("lists", "counts"),
    [
        ({"train": ["a/0"], "test": ["b/0.mp4"]}, {"train": 1, "test": 1}),
        ({"test": ["a/0", "./b/0.mp4"]}, {"train": 18, "test": 2}),
        ({"train": ["a/0", "b\\0.mp4"]}, {"train": 2, "test": 18}),
        ({"test": ["a/0"], "val": ["a/1", "b/1"]}, {"train": 17, "val": 2, "test": 1}),
        ({"val": ["a/1", "nowhere/9"]}, {"train": 19, "val": 1}),
    ],
)
def test_lists_name_clips(lists: dict[str, list[str]], counts: dict[str, int]) -> None:
    splits, unknown = split_by_lists(FILES, lists)
    assert {s: list(splits.values()).count(s) for s in set(splits.values())} == counts
    assert unknown == ({"val": ["nowhere/9"]} if "nowhere/9" in str(lists) else {})


def test_an_accent_may_be_written_in_two_ways() -> None:
    splits, unknown = split_by_lists(["u/e\u0301.mp4", "u/b.mp4"], {"test": ["u/\u00e9.mp4"]})
    assert splits == {"u/e\u0301.mp4": "test", "u/b.mp4": "train"}
    assert not unknown


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ({"train": ["a/0"], "test": ["a/0.mp4"]}, "in two lists"),
        ({"train": ["A/zero"], "test": []}, "name no clip"),
    ],
)
def test_lists_that_cannot_be_meant(lists: dict[str, list[str]], says: str) -> None:
    with pytest.raises(HarError, match=says):
        split_by_lists(FILES, lists)


def test_shares_are_drawn_class_by_class() -> None:
    files = [*FILES, "c/only.mp4", "d/1.mp4", "d/2.mp4"]
    splits = split_by_shares(files, 0.2, 0.1, seed=3)

    def count(label: str) -> dict[str, int]:
        mine = [split for file, split in splits.items() if file.startswith(f"{label}/")]
        return {split: mine.count(split) for split in set(mine)}

    assert count("a") == count("b") == {"train": 7, "val": 1, "test": 2}
    assert count("c") == {"train": 1}
    assert count("d") == {"train": 1, "test": 1}
    assert splits == split_by_shares(files[::-1], 0.2, 0.1, seed=3)
    assert splits != split_by_shares(files, 0.2, 0.1, seed=4)
    with pytest.raises(HarError, match="together less than 1"):
        split_by_shares(files, 0.6, 0.4)
