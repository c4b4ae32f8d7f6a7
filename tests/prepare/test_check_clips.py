"""``har.prepare check`` of Penn Action and Human3.6M."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from har.data.h36m.prepare import prepare_h36m
from har.data.penn.prepare import prepare_penn
from har.prepare.check import check_data
from har.synthetic.h36m import write_h36m
from tests.helpers.penn_files import write_clip


def check(data_dir: Path, capsys: pytest.CaptureFixture) -> str:
    cfg = {"paths": {"data_dir": str(data_dir)}, "check": {"full": True}, "workers": 0}
    check_data(OmegaConf.create(cfg))
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("inside", [False, True])
def test_penn_action(tmp_path: Path, capsys: pytest.CaptureFixture, inside: bool) -> None:
    root = tmp_path / "penn"
    write_clip(root, 1, 9)
    write_clip(root, 2, 9, train=-1)
    folder = root if inside else tmp_path
    assert "Next: python -m har.prepare penn" in check(folder, capsys)
    prepare_penn(tmp_path, workers=0)
    out = check(folder, capsys)
    assert "2 label files" in out
    assert "1 / 1" in out
    assert "experiment=penn_multitask" in out
    assert "NTU" not in out


def test_human36m(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_h36m(tmp_path / "h36m", 6, workers=0)
    assert "Next: python -m har.prepare h36m" in check(tmp_path, capsys)
    prepare_h36m(tmp_path, test_every=5, workers=0)
    out = check(tmp_path, capsys)
    assert "5 / 1" in out
    assert "experiment=h36m_pose" in out
