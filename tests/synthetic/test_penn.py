"""Synthetic Penn Action is read by the readers of the real one; its joints lie on the people."""

from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from har.data.framestore.folder import open_prepared
from har.data.penn.labels import ACTIONS, LAYOUT, read_label
from har.data.penn.prepare import prepare_penn
from har.errors import HarError
from har.prepare.synthetic import prepare_synthetic
from har.synthetic.penn import MOTIONS, SIZE, joints_of, scene_of, split_of, write_penn


def test_what_is_written_is_read(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    cfg = {"paths": {"data_dir": str(tmp_path)}, "dataset": "penn", "seed": 0, "workers": 0}
    prepare_synthetic(OmegaConf.create({**cfg, "synthetic": {"clips": 2}}))
    assert "2 clips written" in capsys.readouterr().out
    again = write_penn(tmp_path / "penn", 2, workers=0)
    assert (again.written, again.skipped) == (0, 2)
    report, _ = prepare_penn(tmp_path, workers=0)
    assert (report.done, report.skipped, report.warnings) == (2, {}, {})
    index, store = open_prepared(tmp_path / "penn")
    assert [label.decode() for label in index.labels] == list(MOTIONS)[:2]
    for number, name in ((1, "0001"), (2, "0002")):
        clip = read_label(tmp_path / "penn" / "labels" / f"{name}.mat")
        scene = scene_of(number)
        seen = np.isfinite(clip.joints_px)
        expected = joints_of(scene) + 0.5
        assert np.abs(clip.joints_px - expected)[seen].max() <= 0.125
        assert 0.9 < seen.mean() < 1
        assert clip.size == SIZE
        image = store.read(name, [0])[0].astype(int)
        # The middle of a shin has the color of the trousers.
        knee, ankle = (
            clip.joints_px[0, LAYOUT.joints.index(f"right {part}")] for part in ("knee", "ankle")
        )
        if np.isfinite([*knee, *ankle]).all():
            x, y = ((knee + ankle) / 2).astype(int)
            assert np.abs(image[y, x] - scene.body.trousers).max() < 60
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "labels").write_text("")
    with pytest.raises(HarError, match="something else"):
        write_penn(tmp_path / "other", 2)
    with pytest.raises(HarError, match="made with"):
        write_penn(tmp_path / "penn", 2, seed=1, workers=0)
    with pytest.raises(HarError, match=r"synthetic\.clips=0"):
        write_penn(tmp_path / "penn", 0)


def test_actions_and_split() -> None:
    assert set(MOTIONS) <= set(ACTIONS)
    assert len(set(MOTIONS.values())) == len(MOTIONS) == 12
    splits = [split_of(number) for number in range(1, 37)]
    assert splits == [1] * 24 + [-1] * 12
    # Frames are not mirrored: who faces the camera has the right shoulder on the left.
    frontal = [joints_of(scene_of(number)) for number in (1, 2, 4)]
    for joints in frontal:
        assert (joints[:, 1, 0] < joints[:, 2, 0]).mean() > 0.7
