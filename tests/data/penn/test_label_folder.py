"""Label files that are not named like one, and joints where no picture is: both are told."""

from pathlib import Path

import numpy as np
import pytest

from har.data.framestore.index import FrameIndex
from har.data.penn.prepare import prepare_penn
from har.prepare import penn as command
from tests.helpers.penn_files import joints_of, write_clip


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


def test_joints_far_outside_do_not_count(root: Path) -> None:
    """A picture of 48 x 36: a joint may lie outside by 48 and 36 px, no farther."""
    joints = joints_of(1, 9)
    edges = [(-48, 10), (96, 10), (10, -36), (10, 72)]
    far = [(-48.5, 10), (96.5, 10), (10, -36.5), (10, 72.5), (5000, 5000), (-5000, 10)]
    for joint, place in enumerate([*edges, *far]):
        joints[2, joint] = place
    write_clip(root, 1, x=joints[..., 0], y=joints[..., 1], visibility=np.ones((9, 13)))
    report, output = prepare_penn(root.parent, workers=0)
    assert list(report.warnings) == ["0001"]
    assert report.warnings["0001"].startswith("6 of 117 joints lie farther outside the picture")
    index = FrameIndex.open(output / "index.h5")
    expected = joints.copy()
    expected[2, 4:10] = np.nan
    np.testing.assert_array_equal(index.annotation(0).joints_px, expected)


def test_a_clip_with_all_joints_far_outside_is_left_out(root: Path) -> None:
    write_clip(root, 1, x=np.full((9, 13), 5000.0), y=np.full((9, 13), 5000.0))
    report, _ = prepare_penn(root.parent, workers=0)
    assert report.skipped == {"0001": "no visible joint in any frame"}
    assert "joints lie farther outside" in report.details["0001"]
