"""``python -m har.predict`` of videos and cameras."""

import csv
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from har.errors import HarError
from har.models.spec import ModelSpec
from har.runtime.engine import Engine
from har.video import Video
from tests.helpers.predicting import BOX, VIDEO_FILES, names, read_json, run
from tests.helpers.red_person import (
    INFO,
    SeesRed,
    joints_of,
    picture,
    red_engine,
    walker_box,
    walking,
    write_video,
)


def test_a_video_gives_all_its_files(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    video = write_video(tmp_path / "Fußgänger 1.avi", walking(60, action=1))
    out = run(tmp_path, video)
    assert names(out) == VIDEO_FILES
    annotated = Video(out / "annotated.mp4")
    frames = list(annotated)
    assert len(frames) == 60
    assert annotated.size[0] == 320
    assert annotated.size[1] > 240  # the time line below
    with np.load(out / "poses.npz", allow_pickle=False) as poses:
        wanted = np.array([joints_of(walker_box(number)) for number in range(60)])
        assert poses["frame"].tolist() == list(range(60))
        assert np.abs(poses["joints_px"] - wanted).max() < 6
    with (out / "actions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["action_1"] for row in rows} == {"waving"}
    summary = read_json(out / "summary.json")
    assert summary["frames"] == summary["frames_with_people"] == 60
    assert summary["complete"]
    assert summary["people"][0]["actions"][0]["label"] == "waving"
    printed = capsys.readouterr().out
    assert "waving 80%" in printed
    assert str(out) in printed.replace("\n", "")


def test_the_skeleton_is_drawn_on_the_person(tmp_path: Path, engine: Engine) -> None:
    video = write_video(tmp_path / "film.avi", walking(30))
    out = run(tmp_path, video)
    frame = list(Video(out / "annotated.mp4"))[20].image
    changed = np.abs(frame[:240].astype(int) - walking(30)[20]).max(-1) > 60
    x1, y1, x2, y2 = walker_box(20)
    assert changed[y1:y2, x1:x2].mean() > 0.1
    away = changed.copy()
    away[y1 - 60 : y2 + 8, x1 - 60 : x2 + 60] = False  # the tag above
    assert away.mean() < 1e-3


def test_a_3d_skeleton_stands_beside_and_turns(tmp_path: Path, engine: Engine) -> None:
    video = write_video(tmp_path / "film.avi", [picture(BOX)] * 30)
    out = run(tmp_path, video, "skeleton_3d=true")
    frames = list(Video(out / "annotated.mp4"))
    assert frames[0].image.shape[1] == 320 + 240
    beside = [frame.image[:240, 320:].astype(int) for frame in frames]
    assert np.abs(beside[0] - beside[29]).max() > 60
    assert np.abs(frames[0].image[:240, :320].astype(int) - frames[10].image[:240, :320]).mean() < 3


def test_video_false_and_a_network_without_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = ModelSpec(**{**INFO.to_dict(), "labels": ()})  # type: ignore[arg-type]
    monkeypatch.setattr("har.runtime.loading.load_engine", lambda *_, **__: red_engine(spec=info))
    video = write_video(tmp_path / "film.avi", walking(10))
    assert names(run(tmp_path, video, "video=false")) == {"poses.npz", "poses.csv", "summary.json"}
    assert Video(run(tmp_path, video, out="b") / "annotated.mp4").size == (320, 240)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_short_videos(tmp_path: Path, engine: Engine, frames: int) -> None:
    video = write_video(tmp_path / "film.avi", walking(frames))
    out = run(tmp_path, video)
    assert len(list(Video(out / "annotated.mp4"))) == frames
    answers = (out / "actions.csv").read_text().splitlines()[1:]
    assert len(answers) == (0 if frames == 1 else 1)


def test_a_video_that_ends_early_is_reported(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    video = write_video(tmp_path / "film.avi", walking(60))
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    assert Video(video).num_frames == 60  # by the header
    summary = read_json(run(tmp_path, video) / "summary.json")
    assert 10 < summary["frames"] < 60
    assert not summary["complete"]
    assert "of 2.0 s: it is cut short" in capsys.readouterr().out.replace("\n", " ")


def test_a_4k_video(tmp_path: Path, engine: Engine) -> None:
    box = (1800, 600, 2200, 1600)
    video = write_video(tmp_path / "film.avi", [picture(box, size=(3840, 2160))] * 2)
    out = run(tmp_path, video)
    with np.load(out / "poses.npz") as poses:
        assert np.abs(poses["joints_px"] - joints_of(box)).max() < 40
    assert Video(out / "annotated.mp4").size[0] == 1280
    out = run(tmp_path, video, "video_size=null")
    assert Video(out / "annotated.mp4").size[0] == 3840


def test_max_frames(tmp_path: Path, engine: Engine) -> None:
    video = write_video(tmp_path / "film.avi", walking(40))
    summary = read_json(run(tmp_path, video, "max_frames=12") / "summary.json")
    assert (summary["frames"], summary["complete"]) == (12, True)


def test_several_people_by_a_file_of_boxes(tmp_path: Path, engine: Engine) -> None:
    other = (220, 60, 260, 160)
    video = write_video(tmp_path / "film.avi", [picture(BOX, other)] * 40)
    rows = [
        {"frame": frame, "id": person, **dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))}
        for person, box in ((3, BOX), (5, other))
        for frame in (0, 39)
    ]
    boxes = tmp_path / "boxes (ä).json"
    boxes.write_text(json.dumps(rows), encoding="utf-8")
    out = run(tmp_path, video, f"boxes={boxes}")
    with np.load(out / "poses.npz") as poses:
        for person, box in ((3, BOX), (5, other)):
            mine = poses["joints_px"][poses["track"] == person]
            assert len(mine) == 40
            assert np.abs(mine - joints_of(box)).max() < 4
    summary = read_json(out / "summary.json")
    assert {person["track"] for person in summary["people"]} == {3, 5}


def test_an_interrupted_run_keeps_its_results_and_is_marked_as_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(SeesRed):
        def forward_frames(self, images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
            if self.crops > 30:
                raise KeyboardInterrupt
            return super().forward_frames(images)

    stops = Engine(Interrupted(), INFO)
    monkeypatch.setattr("har.runtime.loading.load_engine", lambda *_, **__: stops)
    out = run(tmp_path, write_video(tmp_path / "film.avi", walking(60)))
    summary = read_json(out / "summary.json")
    assert (summary["complete"], summary["stopped"]) == (False, True)
    assert 0 < summary["frames"] < 60
    assert len(list(Video(out / "annotated.mp4"))) == summary["frames"]


def test_a_broken_video_alone_is_an_error_and_among_good_ones_a_line(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "b.mp4").write_bytes(b"no video")
    with pytest.raises(HarError, match=r"b\.mp4 is no video"):
        run(tmp_path, folder / "b.mp4", out="alone")
    assert names(tmp_path / "alone") == set()
    write_video(folder / "a.avi", walking(9))
    write_video(folder / "c.avi", walking(9))
    (folder / "notes.txt").write_text("x")
    out = run(tmp_path, folder)
    assert names(out) == {"a", "c"}
    assert names(out / "a") == VIDEO_FILES
    printed = capsys.readouterr().out
    assert "b.mp4 is no video" in printed.replace("\n", " ")
    assert "1 other files" in printed


def test_a_camera_is_watched_until_it_is_stopped(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_video(tmp_path / "film.avi", walking(40, action=1))

    class Camera(Video):
        def __init__(self, number: int) -> None:
            super().__init__(film)
            self.live, self.duration_s, self.name = True, None, f"camera {number}"

        def _grab(self) -> bool:
            time.sleep(0.03)  # its pace
            return super()._grab()

    monkeypatch.setattr("har.predict.run.Video", Camera)
    out = run(tmp_path, 97, "max_frames=30")
    assert names(out) == VIDEO_FILES
    summary = read_json(out / "summary.json")
    assert summary["source"] == "camera 97"
    assert 0.5 < summary["duration_s"] < 20  # by the clock
    assert summary["people"][0]["confidence"] == pytest.approx(0.9, abs=1e-3)


def test_no_window_without_a_screen(
    tmp_path: Path,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    video = write_video(tmp_path / "film.avi", walking(5))
    assert names(run(tmp_path, video, "show=true")) == VIDEO_FILES
    assert "no screen" in capsys.readouterr().out
