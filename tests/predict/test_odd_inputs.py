"""Sources as they come: names, animations, tiny and broken files, signals, a full disk."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from har.containers import codec_of
from har.errors import HarError
from har.files import check_writable
from har.prediction.sources import find_files, result_names
from har.runtime.engine import Engine
from har.video import Video
from tests.helpers.predicting import BOX, VIDEO_FILES, names, read_json, run, save
from tests.helpers.red_person import INFO, SeesRed, joints_of, picture, walking, write_video
from tests.predict.test_command import PROGRAM


def animation(path: Path, images: Sequence[np.ndarray], durations_ms: Sequence[int]) -> Path:
    drawn = cv2.Animation()
    drawn.frames = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in images]
    drawn.durations = list(durations_ms)
    assert cv2.imwriteanimation(str(path), drawn)
    return path


# ------------------------------------------------------------------------------------------- names


ODD_NAMES = [
    "[2024] dance.mp4",
    "{x}.mp4",
    "2024-01-01T12:30:00.mp4",
    "a,b=c.mp4",
    "50%d.mp4",
    "[red]x.mp4",
    "back\\slash.mp4",
    "new\nline.mp4",
    "~tilde.mp4",
    os.fsdecode(b"no text \xff.mp4"),
    "é" * 123 + ".mp4",
]


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not allow")
@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_of_a_file_is_a_source(tmp_path: Path, engine: Engine, name: str) -> None:
    film = write_video(tmp_path / "film.mp4", walking(5))
    film.rename(tmp_path / name)
    out = run(tmp_path, tmp_path / name, "video=false", out="12:30 [out]")
    assert names(out) == VIDEO_FILES - {"annotated.mp4"}
    assert read_json(out / "summary.json")["frames"] == 5


@pytest.mark.skipif(sys.platform == "win32", reason="names that Windows does not allow")
def test_a_name_moves_no_cursor(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    save(tmp_path / "in" / "a\nb\x1b[2J.png", picture(BOX))
    (tmp_path / "in" / "c\r\x1b[31m.jpg").write_bytes(b"no picture")
    run(tmp_path, tmp_path / "in")
    printed = capsys.readouterr().out
    assert r"a\nb\x1b[2J.png" in printed
    assert r"c\r\x1b[31m.jpg is no image" in printed
    assert "\x1b[2J" not in printed
    assert "\x1b[31m.jpg" not in printed


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(min_size=1, max_size=20), max_size=8))
def test_no_two_sources_share_a_result(texts: list[str]) -> None:
    endings = (".mp4", ".MP4", ".png", "")
    paths = [Path(f"{n}", f"{t}{endings[n % 4]}") for n, t in enumerate(texts) if "/" not in t]
    made = result_names(paths)
    used = [f"{n}{end}".casefold() for n in made.values() for end in ("", ".json", ".png")]
    assert len(set(used)) == len(used) == 3 * len(set(paths))
    assert "summary" not in used


def test_equal_stems_get_a_folder_each(tmp_path: Path, engine: Engine) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("clip.mp4", "clip.avi", "CLIP.mkv"):
        write_video(folder / name, walking(4))
    out = run(tmp_path, folder, "video=false")
    found = sorted(read_json(path)["source"] for path in out.glob("*/summary.json"))
    assert [Path(each).name for each in found] == ["CLIP.mkv", "clip.avi", "clip.mp4"]


# ------------------------------------------------------------------------------ animations, codecs


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_an_animation_is_a_video_at_its_true_pace(
    tmp_path: Path, engine: Engine, ending: str
) -> None:
    """20 pictures of 0.1 s, the tenth of 5 s: the gap does not slow the rest."""
    durations = [100] * 9 + [5000] + [100] * 10
    film = animation(tmp_path / f"film.{ending}", walking(20), durations)
    assert find_files(str(film)).videos == [film]
    video = Video(film)
    assert (video.fps, video.duration_s) == pytest.approx((10, 6.9))
    wanted = np.cumsum([0, *durations[:-1]]) / 1000
    np.testing.assert_allclose([frame.time_s for frame in video], wanted, atol=1e-6)
    out = run(tmp_path, film)
    annotated = [frame.time_s for frame in Video(out / "annotated.mp4")]
    assert len(annotated) == round(wanted[-1] * 10) + 1
    assert np.diff(annotated) == pytest.approx(0.1, abs=2e-3)
    with np.load(out / "poses.npz") as poses:
        np.testing.assert_allclose(poses["time_s"], wanted, atol=1e-6)


def test_a_pause_of_a_minute_is_shortened_and_said(tmp_path: Path, engine: Engine) -> None:
    film = animation(tmp_path / "film.webp", walking(20), [100] * 9 + [60_000] + [100] * 10)
    out = run(tmp_path, film)
    assert len(list(Video(out / "annotated.mp4"))) == 10 + 100 + 9
    says = "A pause of 60 s lasts 10 s in annotated.mp4; the results have the times of the video."
    assert says in read_json(out / "summary.json")["remarks"]
    with np.load(out / "poses.npz") as poses:
        assert poses["time_s"][-1] == pytest.approx(61.8)


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_a_single_picture_is_an_image(tmp_path: Path, engine: Engine, ending: str) -> None:
    path = tmp_path / f"still.{ending}"
    cv2.imwrite(str(path), picture(BOX)[..., ::-1])
    assert find_files(str(path)).images == [path]
    (person,) = read_json(run(tmp_path, path) / "still.json")["people"]
    assert np.abs(np.array(person["joints_px"]) - joints_of(BOX)).max() < 4


def test_a_codec_that_cannot_be_read_is_named_with_the_way_to_convert_it(tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", walking(6))
    data = film.read_bytes()
    assert codec_of(film) == "MP4V"
    strange = tmp_path / "a film.mp4"
    strange.write_bytes(data.replace(b"mp4v", b"av01").replace(b"esds", b"free"))
    assert codec_of(strange) == "AV1"
    with pytest.raises(HarError, match=r"AV1; convert it with ffmpeg -i '.*a film\.mp4' -c:v"):
        Video(strange)
    mkv = tmp_path / "x.mkv"
    mkv.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(60) + b"\x86\x85V_AV1\x00" + bytes(900))
    with pytest.raises(HarError, match="AV1; convert it with ffmpeg"):
        Video(mkv)


def test_what_is_left_out_of_a_folder_is_counted_by_kind(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    save(folder / "a.png", picture(BOX))
    for name in ("b.txt", "c.TXT", "d.json", "README"):
        (folder / name).write_text("x")
    run(tmp_path, folder)
    printed = " ".join(capsys.readouterr().out.split())
    assert "4 other files" in printed
    assert "2 .txt, 1 .json, 1 no ending" in printed or "1 .json, 2 .txt, 1 no ending" in printed
    assert "1 folders" in printed


# ---------------------------------------------------------------------------------- one bad item


def test_a_tiny_picture_is_named_and_left_out(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    save(folder / "plain.png", picture(BOX))
    save(folder / "t8x8.png", np.full((8, 8, 3), 200, np.uint8))
    save(folder / "line.png", np.full((1, 300, 3), 200, np.uint8))
    out = run(tmp_path, folder)
    rows = {Path(row["image"]).name: row for row in read_json(out / "summary.json")["images"]}
    assert rows["plain.png"]["persons"] == 1
    assert "8x8 pixels" in rows["t8x8.png"]["failed"]
    assert "300x1 pixels" in rows["line.png"]["failed"]
    assert "t8x8.png has 8x8 pixels" in " ".join(capsys.readouterr().out.split())


def test_an_image_or_video_that_fails_ends_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fails(SeesRed):
        def forward_frames(self, images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
            if (images[..., 2].astype(int) - images[..., 0] > 100).any():
                raise ValueError("a blue person")
            return super().forward_frames(images)

    fails = Engine(Fails(), INFO)
    monkeypatch.setattr("har.runtime.loading.load_engine", lambda *_, **__: fails)
    folder = tmp_path / "in"
    folder.mkdir()
    blue = np.ascontiguousarray(picture(BOX)[..., ::-1])
    for name, image in (("a", picture(BOX)), ("b", blue), ("c", picture(BOX))):
        save(folder / f"{name}.png", image)
        write_video(folder / f"{name}.avi", [image] * 4)
    out = run(tmp_path, folder, "video=false")
    rows = read_json(out / "summary.json")["images"]
    assert ["failed" in row for row in rows] == [False, True, False]
    assert "a blue person" in rows[1]["failed"]
    assert len(list(out.glob("*/summary.json"))) == 2


def test_a_broken_picture_ends_no_video_and_a_broken_video_no_picture(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_video(folder / "clip.avi", walking(5))
    whole = save(folder / "thumb.png", picture(BOX)).read_bytes()
    (folder / "thumb.png").write_bytes(whole[: len(whole) // 2])
    out = run(tmp_path, folder)
    assert read_json(out / "clip" / "summary.json")["frames"] == 5
    (row,) = read_json(out / "summary.json")["images"]
    assert "thumb.png is no image" in row["failed"]
    assert f"Results: {out}" in capsys.readouterr().out
    (folder / "thumb.png").write_bytes(whole)
    (folder / "clip.avi").write_bytes(b"no video")
    out = run(tmp_path, folder, out="other")
    assert read_json(out / "summary.json")["images"][0]["persons"] == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "clip.avi is no video" in printed
    assert "Results: " in printed
    (folder / "thumb.png").write_bytes(b"no image")
    with pytest.raises(HarError, match=r"None of the 2 images and videos can be read.*thumb\.png"):
        run(tmp_path, folder, out="none")
    assert "failed" in read_json(tmp_path / "none" / "summary.json")["images"][0]


def test_what_macos_writes_beside_a_film_is_no_picture(
    tmp_path: Path, engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_video(folder / "clip.avi", walking(5))
    (folder / "._poster.jpg").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ")
    out = run(tmp_path, folder)
    assert names(out) == VIDEO_FILES
    assert "1 other files" in (printed := " ".join(capsys.readouterr().out.split()))
    assert "(1 ._* of macOS)" in printed
    picture_of_that_name = save(tmp_path / "._p.png", picture(BOX))
    assert find_files(str(picture_of_that_name)).images == [picture_of_that_name]


# -------------------------------------------------------------------------------- inputs, the disk


def test_results_never_go_where_something_is_read(tmp_path: Path, engine: Engine) -> None:
    inside = tmp_path / "out" / "film"
    inside.mkdir(parents=True)
    film = write_video(inside / "film.mp4", walking(3))
    write_video(tmp_path / "out" / "x.mp4", walking(3))
    boxes = tmp_path / "out2" / "boxes.csv"
    boxes.parent.mkdir()
    boxes.write_text("frame,x1,y1,x2,y2\n0,60,80,100,180\n")
    before = film.read_bytes()
    with pytest.raises(HarError, match="choose another folder"):
        run(tmp_path, tmp_path / "**" / "*.mp4")
    with pytest.raises(HarError, match=r"boxes\.csv is: choose another folder"):
        run(tmp_path, film, f"boxes={boxes}", out="out2")
    link = tmp_path / "link"
    link.symlink_to(inside)
    with pytest.raises(HarError, match="choose another folder"):
        run(tmp_path, film, out="link")
    assert film.read_bytes() == before


def test_a_full_disk_keeps_the_poses(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("har.video_writer._CHECK_S", 0.0)
    calls = []

    def full(folder: Path) -> None:
        calls.append(folder)
        if len(calls) > 20:
            raise HarError(f"{folder} cannot be written to: No space left on device.")

    monkeypatch.setattr("har.video_writer.check_writable", full)
    film = write_video(tmp_path / "film.avi", walking(120))
    with pytest.raises(HarError, match="No space left on device"):
        run(tmp_path, film)
    left = names(tmp_path / "out")
    assert {"poses.npz", "actions.csv"} <= left
    assert "annotated.mp4" not in left
    assert "summary.json" not in left  # the last of all: the run is not whole
    with np.load(tmp_path / "out" / "poses.npz") as poses:
        assert len(poses["frame"]) >= 20


def test_a_disk_that_takes_nothing_is_found(tmp_path: Path) -> None:
    check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(HarError, match="cannot be written to"):
        check_writable(tmp_path / "missing")


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_files_get_the_user_s_permissions(tmp_path: Path, engine: Engine) -> None:
    film = write_video(tmp_path / "film.avi", walking(4))
    before = os.umask(0o027)
    try:
        out = run(tmp_path, film)
    finally:
        os.umask(before)
    assert {oct(path.stat().st_mode & 0o777) for path in out.iterdir()} == {oct(0o640)}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_video_and_its_results_are_kept(tmp_path: Path, number: int) -> None:
    film = write_video(tmp_path / "film.avi", walking(400))
    program = PROGRAM.replace("sleep(0.05)", "sleep(0.4)")  # not done before the signal comes
    program, out = program.format(tests=str(Path(__file__).parents[2])), tmp_path / "out"
    with subprocess.Popen(
        [sys.executable, "-c", program, f"source={film}", "weights=x", f"out={out}"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if b": 40/400" in line or b": 80/400" in line:
                break
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert b"Traceback" not in errors
    assert names(out) == VIDEO_FILES
    summary = read_json(out / "summary.json")
    assert summary["stopped"]
    assert 0 < summary["frames"] < 400


def test_interrupted_images_have_a_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(SeesRed):
        def forward_frames(self, images: np.ndarray) -> tuple[np.ndarray, list[Any]]:
            if self.crops > 8:
                raise KeyboardInterrupt
            return super().forward_frames(images)

    stops = Engine(Interrupted(), INFO)
    monkeypatch.setattr("har.runtime.loading.load_engine", lambda *_, **__: stops)
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(9):
        save(folder / f"{number}.png", picture(BOX))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, folder)
    summary = read_json(tmp_path / "out" / "summary.json")
    assert not summary["complete"]
    assert 0 < len(summary["images"]) < 9
