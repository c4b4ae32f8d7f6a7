"""``python -m har.predict``: every kind of source in, files and one sentence out."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import hydra
import numpy as np
import pytest

from har.cli import quote_argument
from har.errors import HarError
from har.files import read_image
from har.models.spec import ModelSpec
from har.predict.images import _result_names
from har.predict.run import predict
from har.runs.config import config_dir
from har.runtime.engine import Engine
from har.video import Video
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

BOX = (60, 80, 100, 180)
VIDEO_FILES = {"annotated.mp4", "poses.npz", "actions.csv", "summary.json"}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = red_engine()
    monkeypatch.setattr("har.runtime.loading.load_engine", lambda *_, **__: engine)
    return engine


def run(tmp_path: Path, source: object, *overrides: str, out: str = "out") -> Path:
    """Runs the command's function; the folder of the results."""
    words = [f"source={source}", f"out={tmp_path / out}", "weights=red", *overrides]
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = hydra.compose("predict", [quote_argument(word) for word in words])
    predict(cfg)
    return tmp_path / out


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def save(path: Path, rgb: np.ndarray) -> Path:
    done, data = cv2.imencode(".png", rgb[..., ::-1])
    assert done
    path.write_bytes(data.tobytes())
    return path


# ------------------------------------------------------------------------------------------ videos


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
    info = ModelSpec(**{**INFO.as_dict(), "labels": ()})  # type: ignore[arg-type]
    monkeypatch.setattr("har.runtime.loading.load_engine", lambda *_, **__: red_engine(spec=info))
    video = write_video(tmp_path / "film.avi", walking(10))
    assert names(run(tmp_path, video, "video=false")) == {"poses.npz", "summary.json"}
    assert Video(run(tmp_path, video, out="b") / "annotated.mp4").size == (320, 240)


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_short_videos(tmp_path: Path, engine: Engine, frames: int) -> None:
    video = write_video(tmp_path / "film.avi", walking(frames))
    out = run(tmp_path, video)
    assert len(list(Video(out / "annotated.mp4"))) == frames
    answers = (out / "actions.csv").read_text().splitlines()[1:]
    assert len(answers) == (0 if frames == 1 else 1)


def test_a_video_that_ends_early_says_so(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    video = write_video(tmp_path / "film.avi", walking(60))
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    monkey = Video(video)
    expected = monkey.num_frames
    summary = read_json(run(tmp_path, video) / "summary.json")
    assert 10 < summary["frames"] < 60
    if expected == 60:  # the file still says so
        assert not summary["complete"]
        assert "cut short" in capsys.readouterr().out


def test_a_4k_video(tmp_path: Path, engine: Engine) -> None:
    box = (1800, 600, 2200, 1600)
    video = write_video(tmp_path / "film.avi", [picture(box, size=(3840, 2160))] * 2)
    out = run(tmp_path, video)
    with np.load(out / "poses.npz") as poses:
        assert np.abs(poses["joints_px"] - joints_of(box)).max() < 40
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


def test_an_interrupted_run_keeps_what_is_done_and_says_that_it_is_a_part(
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


# ------------------------------------------------------------------------------------------ images


def test_images_of_a_folder_with_a_broken_one_and_other_files(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "Fotos & Ähnliches"
    folder.mkdir()
    for name in ("b.png", "d ö.png"):
        save(folder / name, picture(BOX))
    (folder / "c.png").write_bytes(b"\x89PNG\r\n broken")
    (folder / "a.txt").write_text("x")
    out = run(tmp_path, folder)
    assert names(out) == {"b.png", "b.json", "d ö.png", "d ö.json", "summary.json"}
    answer = read_json(out / "d ö.json")
    assert answer["size"] == [320, 240]
    (person,) = answer["people"]
    assert np.abs(np.array(person["joints_px"]) - joints_of(BOX)).max() < 2
    drawn = read_image(out / "b.png")
    assert drawn.shape == (240, 320, 3)
    assert (drawn != picture(BOX)).any()
    summary = read_json(out / "summary.json")
    assert ["failed" in row for row in summary["images"]] == [False, True, False]
    printed = capsys.readouterr().out.replace("\n", " ")
    assert "c.png is no image" in printed
    assert "1 other files" in printed


def test_only_broken_images_are_an_error(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(HarError, match="None of the 1 images can be read"):
        run(tmp_path, tmp_path / "a.png")
    assert names(tmp_path / "out") == set()


def test_images_by_pattern_with_boxes(tmp_path: Path, engine: Engine) -> None:
    other = (200, 50, 260, 150)
    folder = tmp_path / "in"
    folder.mkdir()
    save(folder / "x1.png", picture(BOX, other))
    save(folder / "x2.png", picture(BOX))
    save(folder / "y.png", picture(BOX))
    (tmp_path / "boxes.csv").write_text(
        "image,id,x1,y1,x2,y2\n"
        + "\n".join(f"x1.png,{i},{','.join(map(str, b))}" for i, b in ((4, BOX), (2, other)))
    )
    out = run(tmp_path, folder / "x*.png", f"boxes={tmp_path / 'boxes.csv'}")
    assert names(out) == {"x1.png", "x1.json", "x2.png", "x2.json", "summary.json"}
    people = {p["track"]: p["joints_px"] for p in read_json(out / "x1.json")["people"]}
    assert set(people) == {2, 4}
    assert np.abs(np.array(people[2]) - joints_of(other)).max() < 3
    assert read_json(out / "x2.json")["people"] == []


def test_a_detector_s_people(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def detector(*_: object) -> Any:
        return lambda image: np.array([BOX], float)

    monkeypatch.setattr("har.prediction.detector.PersonDetector", detector)
    save(tmp_path / "a.png", picture(BOX))
    out = run(tmp_path, tmp_path / "a.png", "box=detector")
    (person,) = read_json(out / "a.json")["people"]
    assert np.abs(np.array(person["joints_px"]) - joints_of(BOX)).max() < 2


def test_results_of_images_with_one_name_do_not_overwrite_each_other() -> None:
    paths = [Path("a.png"), Path("a.jpg"), Path("b.png"), Path("x/b.png"), Path("summary.png")]
    made = _result_names(paths)
    assert len(set(made.values())) == 5
    assert "summary" not in made.values()
    assert _result_names([Path("c.png")]) == {Path("c.png"): "c"}


def test_results_do_not_go_where_the_source_is(tmp_path: Path, engine: Engine) -> None:
    save(tmp_path / "a.png", picture(BOX))
    with pytest.raises(HarError, match="another folder"):
        run(tmp_path, tmp_path / "a.png", out=".")
    assert names(tmp_path) == {"a.png"}


# -------------------------------------------------------------------------------- pipes and errors


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_pipe(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    if kind == "image":
        content = save(tmp_path / "a.png", picture(BOX)).read_bytes()
    else:
        content = write_video(tmp_path / "film.avi", walking(9)).read_bytes()
    stdin = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    out = run(tmp_path, "-")
    images = {"stdin.png", "stdin.json", "summary.json"}
    assert names(out) == (images if kind == "image" else VIDEO_FILES)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["source=null"], "Say what to look at"),
        (["weights=null"], "Say what to look at"),
        (["box=search me"], "choose search or detector"),
        (["source=nowhere/*.png"], "no file, folder or match"),
        (["source=97"], "There is no camera 97"),
        (["boxes=missing.csv"], "cannot be read"),
    ],
)
def test_mistakes_are_said_before_anything_is_written(
    tmp_path: Path, engine: Engine, words: list[str], sentence: str
) -> None:
    source = save(tmp_path / "a.png", picture(BOX))
    with pytest.raises(HarError, match=sentence):
        run(tmp_path, source, *(word.replace(" ", "\\ ") for word in words))
    assert not (tmp_path / "out").exists() or names(tmp_path / "out") == set()


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


# -------------------------------------------------------------------------- the command as a whole

PROGRAM = """
import sys, time, types
sys.path.insert(0, {tests!r})
from har.runtime.engine import Engine
from tests.helpers import red_person

class Slow(red_person.SeesRed):
    def forward_frames(self, images):
        time.sleep(0.05)
        return super().forward_frames(images)

loading = types.ModuleType("har.runtime.loading")  # without torch
loading.load_engine = lambda *a, **k: Engine(Slow(), red_person.INFO)
sys.modules["har.runtime.loading"] = loading
from har.predict.__main__ import main
main()
"""


def test_a_killed_run_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    video = write_video(tmp_path / "film.avi", walking(400))
    program = PROGRAM.format(tests=str(Path(__file__).parents[2]))
    out = tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", program, f"source={video}", "weights=x", f"out={out}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        env={**os.environ, "HYDRA_FULL_ERROR": "1"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:  # a line per tenth
            if b": 80/400" in line or b": 40/400" in line:
                break
        time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = names(out)
    assert left
    assert all(name.startswith(".") and ".partial" in name for name in left)


def test_the_command_says_mistakes_in_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "har.predict", "source=no (such) *.mp4", "weights=x.ckpt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("har: There is no file, folder or match of no (such) *.mp4")
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stdout + done.stderr
