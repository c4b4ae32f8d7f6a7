"""Which clips train, validate and test: by lists, or drawn class by class."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from har.data.own.folder import find_clips, same_clips, split_by_lists, split_by_shares
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


@pytest.mark.skipif(sys.platform == "darwin", reason="it tells such names apart by no means")
def test_two_classes_whose_names_look_the_same_are_refused(tmp_path: Path) -> None:
    for label in ("h\u00e9", "he\u0301"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.mp4").write_bytes(b"x")
    with pytest.raises(HarError, match="differ only in how accents are written"):
        find_clips(tmp_path)


def test_films_of_the_same_bytes(tmp_path: Path) -> None:
    contents = {"a/1": b"one", "a/2": b"two", "b/1": b"one", "b/3": b"", "b/4": b"", "b/5": b"four"}
    for file, content in contents.items():
        path = tmp_path / f"{file}.mp4"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    (group,) = same_clips(tmp_path, find_clips(tmp_path))
    assert [clip.file for clip in group] == ["a/1.mp4", "b/1.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_are_followed_and_what_is_not_entered_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    for folder in (root / "waving" / "part", root / "jumping" / "closed", elsewhere / "deep"):
        folder.mkdir(parents=True)
    for file in (root / "waving" / "part" / "1.mp4", root / "jumping" / "2.mp4"):
        file.write_bytes(b"x")
    (elsewhere / "deep" / "3.mp4").write_bytes(b"xyz")
    (root / "waving" / "linked").symlink_to(elsewhere)
    (root / "waving" / "a film.mp4").symlink_to(elsewhere / "deep" / "3.mp4")
    (root / "waving" / "gone.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (root / "waving" / "gone folder").symlink_to(tmp_path / "nowhere")
    (root / "waving" / "again").symlink_to(root / "waving" / "part")
    (root / "waving" / "part" / "round").symlink_to(root)
    (root / "running").symlink_to(tmp_path / "nowhere")
    scandir = os.scandir

    def refused(path: Any = ".") -> Any:  # root is stopped by no permissions
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    left_out: dict[str, str] = {}
    clips = {clip.file: clip.num_bytes for clip in find_clips(root, left_out)}
    assert clips == {
        "jumping/2.mp4": (1, -1),
        "waving/a film.mp4": (3, -1),
        "waving/linked/deep/3.mp4": (3, -1),
        "waving/part/1.mp4": (1, -1),
    }
    assert left_out == {
        "jumping/closed": "cannot be read (Permission denied)",
        "running": "a link that leads nowhere",
        "waving/again": "a link to a folder that is read",
        "waving/gone.mp4": "a link that leads nowhere",
        "waving/gone folder": "a link that leads nowhere",
        "waving/part/round": "a link to a folder that is read",
    }
