"""Paths that cannot be looked at end in a sentence, or lead nowhere."""

import os
from pathlib import Path
from typing import Any

import pytest

from har import Predictor
from har.cli import quote_argument, take_config
from har.errors import HarError
from har.paths import check_path, exists, is_file, is_folder
from har.prediction.boxes_file import BoxesFile
from har.prediction.sources import camera_number, find_files
from tests.helpers.red_person import red_engine

LONG = "a" * 300  # bytes: systems allow 255


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that may not be entered, for root too, whom no permissions stop."""
    folder, stat = tmp_path / "closed", os.stat

    def refused(path: Any, *args: Any, **options: Any) -> os.stat_result:
        if not isinstance(path, int) and folder in Path(os.fsdecode(path)).parents:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **options)

    monkeypatch.setattr(os, "stat", refused)
    return folder


def test_what_cannot_be_looked_at_is_not_there(tmp_path: Path, closed: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert exists(tmp_path)
    assert is_folder(tmp_path)
    assert is_file(tmp_path / "file")
    check_path(tmp_path / "file")
    check_path(tmp_path / "missing" / "file")
    for path in (closed / "x", tmp_path / LONG, "a\0b"):
        assert not any(looks(path) for looks in (exists, is_file, is_folder))
    for path, why in ((closed / "x", "Permission denied"), (LONG, "too long"), ("a\0b", "null")):
        with pytest.raises(HarError, match=why):
            check_path(path)


def test_values_of_a_command_line(closed: Path) -> None:
    for value in (LONG, str(closed / "x"), f"'{closed / 'x'}"):
        assert quote_argument(f"source={value}").startswith("source='")
    assert quote_argument(f"boxes='{closed / 'x'}'") == f"boxes='{closed / 'x'}'"
    with pytest.raises(HarError, match="give the folder of a run"):
        take_config([f"config={LONG}"])


def test_sources_boxes_and_weights(closed: Path) -> None:
    assert camera_number("1" * 300) is None
    assert camera_number("1" * 5000) is None
    predictor = Predictor(red_engine())
    for value, why in ((LONG, "File name too long"), (str(closed / "x.mp4"), "Permission denied")):
        with pytest.raises(HarError, match=f"cannot be opened: {why}"):
            find_files(value)
        with pytest.raises(HarError, match=f"cannot be opened: {why}"):
            predictor(value)
        with pytest.raises(HarError, match=f"cannot be opened: {why}"):
            Predictor.from_pretrained(value)
        with pytest.raises(HarError, match=why):
            BoxesFile(value)
    with pytest.raises(HarError, match="null"):
        predictor("a\0b")
    with pytest.raises(HarError, match="null"):
        BoxesFile("a\0b")
