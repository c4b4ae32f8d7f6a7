"""Label files that are not named like one, and joints where no picture is: both are told."""

from pathlib import Path

import pytest

from har.data.penn.prepare import prepare_penn
from har.prepare import penn as command
from tests.helpers.penn_files import write_clip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "penn"
    write_clip(root, 1)
    write_clip(root, 2, train=-1)
    return root


@pytest.mark.parametrize("name", ["2.mat", "0002.MAT", "0002 (1).mat", "00002.mat"])
def test_label_files_of_another_name_are_told(
    root: Path, name: str, capsys: pytest.CaptureFixture
) -> None:
    (root / "labels" / "0002.mat").rename(root / "labels" / name)
    (root / "labels" / "notes.txt").write_text("no label")
    report, output = prepare_penn(root.parent, workers=0)
    assert report.clips == (1, 0)
    told = f"files that are not named like 0001.mat (1): {name}"
    assert report.remarks == {"labels": told}
    assert told in (output / "prepare_report.json").read_text()
    command.print_report(report, output)
    assert "files that are not named" in capsys.readouterr().out


def test_a_whole_folder_has_no_remark(root: Path) -> None:
    assert prepare_penn(root.parent, workers=0)[0].remarks == {}
