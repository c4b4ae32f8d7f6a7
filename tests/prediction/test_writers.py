"""Results as files: whole or not at all."""

import csv
from pathlib import Path

import numpy as np
import pytest

from har import Predictor
from har.errors import HarError
from har.prediction.results import Actions
from har.prediction.writers import write_actions, write_json, write_poses
from har.video import Video
from har.video_writer import video_file
from tests.helpers.red_person import picture, red_engine, walking


def test_a_place_that_cannot_be_written_to_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(HarError, match="cannot be written"):
        write_json(tmp_path / "file" / "summary.json", {})


def test_poses_are_read_back_without_pickle(tmp_path: Path) -> None:
    poses = Predictor(red_engine())(np.array(walking(10))).poses
    write_poses(tmp_path / "poses.npz", poses)
    with np.load(tmp_path / "poses.npz", allow_pickle=False) as file:
        for name in ("frame", "time_s", "track", "joints_px", "depth_mm", "confidence", "box"):
            np.testing.assert_array_equal(file[name], getattr(poses, name))
        assert tuple(file["joint_names"]) == poses.joint_names
        assert file["layout"] == "pa17j"


def test_actions_are_a_table(tmp_path: Path) -> None:
    values = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]], np.float32)
    labels = ("jump, up", "sitzen", 'the "best"')
    write_actions(
        tmp_path / "a.csv", Actions(np.array([1.5, 2.0]), np.array([0, 3]), values, labels)
    )
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["action_1"] == "sitzen"
    assert rows[1]["action_1"] == "jump, up"
    assert (rows[1]["time_s"], rows[1]["track"]) == ("2.000", "3")
    assert float(rows[1]["probability_2"]) == pytest.approx(0.3)
    assert "action_4" not in rows[0]  # there are three


@pytest.mark.parametrize("size", [(320, 240), (101, 77)])
def test_a_video_is_written_with_all_its_frames(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "film.mp4"
    with video_file(path, 25.0) as file:
        for number in range(20):
            file.write(picture(size=size), number / 25)
        assert not path.exists()
    video = Video(path)
    assert len(list(video)) == 20
    assert video.fps == 25
    assert video.size == (size[0] + size[0] % 2, size[1] + size[1] % 2)
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]


def test_a_video_of_varying_rate_runs_as_long(tmp_path: Path) -> None:
    times = np.cumsum([0, 1, 1, 3, 1, 5, 1, 0.25, 0.25, 0.5]) / 30
    with video_file(tmp_path / "film.mp4", 30.0) as file:
        for time_s in times:
            file.write(picture(), float(time_s))
    assert len(list(Video(tmp_path / "film.mp4"))) == round(30 * times[-1]) + 1


def test_a_video_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(broken: bool) -> None:
        with video_file(tmp_path / "film.mp4", 30.0) as file:
            file.write(picture(), 0.0)
            if broken:
                raise KeyError

    with pytest.raises(KeyError):
        write(broken=True)
    assert list(tmp_path.iterdir()) == []
    # a full disk: OpenCV writes on without a word, and the file has too few frames
    monkeypatch.setattr("har.video_writer.VideoFile.is_whole", lambda self: False)
    with pytest.raises(HarError, match="is the disk full"):
        write(broken=False)
    assert list(tmp_path.iterdir()) == []
