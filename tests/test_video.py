"""The one reader of videos: true times, whole and broken files, frames chosen by time."""

import errno
import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from har.errors import HarError
from har.video import Video, open_capture
from tests.helpers import mp4_boxes
from tests.helpers.red_person import walking, write_video

VIDEOS = Path(__file__).parent / "helpers" / "videos"  # drawn people, see the README there


def times(path: Path) -> list[float]:
    return [frame.time_s for frame in Video(path)]


# ------------------------------------------------------------------------------------------ videos


@pytest.mark.parametrize("name", ["film.mp4", "Größe 1 (é).avi"])
def test_frames_come_in_order_with_their_times(tmp_path: Path, name: str) -> None:
    video = Video(write_video(tmp_path / name, walking(20), fps=25))
    frames = list(video)
    assert (video.num_frames, video.fps, video.size) == (20, 25.0, (320, 240))
    assert [frame.number for frame in frames] == list(range(20))
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(20) / 25, atol=2e-3)
    for number in (0, 19):  # RGB, not BGR, and the right picture
        error = np.abs(frames[number].image.astype(int) - walking(20)[number])
        assert error.mean() < 4


def test_a_video_of_one_frame_is_a_video(tmp_path: Path) -> None:
    assert times(write_video(tmp_path / "one.avi", walking(1))) == [0.0]


def test_varying_frame_rates_keep_their_times(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", walking(12), fps=30)
    factors = [1, 1, 3, 1, 2, 5, 1, 1, 2, 1, 1, 1]
    mp4_boxes.set_durations(path, factors)
    wanted = np.cumsum([0, *factors[:-1]]) / 30
    np.testing.assert_allclose(times(path), wanted, atol=2e-3)


def test_a_turned_video_comes_upright(tmp_path: Path) -> None:
    path = write_video(tmp_path / "phone.mp4", walking(3))
    mp4_boxes.turn_right(path, 240)
    video = Video(path)
    (frame, *_) = list(video)
    assert frame.image.shape == (320, 240, 3)
    assert video.size == (240, 320)
    turned = np.rot90(walking(1)[0], -1)  # clockwise
    assert np.abs(frame.image.astype(int) - turned).mean() < 4


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda image: image),
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        ((1, 0, 0, -1), lambda image: image[::-1]),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda image: image[::-1, ::-1].transpose(1, 0, 2)),
    ],
)
def test_a_mirrored_video_comes_as_it_is_to_be_shown(tmp_path: Path, matrix, shown) -> None:
    path = write_video(tmp_path / "phone.mp4", walking(2))
    stored = next(iter(Video(path))).image
    a, b, c, d = matrix
    corners = np.array([[a * x + c * y, b * x + d * y] for x in (0, 320) for y in (0, 240)])
    mp4_boxes.set_matrix(path, matrix, tuple((-corners.min(0)).tolist()))
    video = Video(path)
    image = next(iter(video)).image
    assert video.size == image.shape[1::-1]
    np.testing.assert_array_equal(image, shown(stored))


@pytest.mark.parametrize("angle", [10, 45, -100])
def test_a_video_turned_by_another_angle_is_refused(tmp_path: Path, angle: int) -> None:
    path = write_video(tmp_path / "tilted.mp4", walking(2))
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    mp4_boxes.set_matrix(path, (cos, sin, -sin, cos))
    with pytest.raises(HarError, match=rf"tilted\.mp4 is to be shown turned by {angle} degrees"):
        Video(path)


def write_tracks(path: Path, tracks: list[tuple[str, tuple[int, int], int]], **options) -> Path:
    """A video with tracks of a codec, a size and a number of pictures each, 30 per second."""
    av = pytest.importorskip("av", reason="the extra `video` is not installed")
    with av.open(str(path), "w") as container:
        streams = []
        for codec, (width, height), _ in tracks:
            stream = container.add_stream(codec, rate=30)
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for name, value in options.items():
                setattr(stream.codec_context, name, value)
            streams.append(stream)
        for stream, (_, (width, height), count) in zip(streams, tracks, strict=True):
            for number in range(count):
                gray = np.full((height, width, 3), 40 + number, np.uint8)
                frame = av.VideoFrame.from_ndarray(gray, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 30)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return path


def test_a_second_video_track_is_said(tmp_path: Path) -> None:
    small, large = ("mpeg4", (80, 64), 9), ("mpeg4", (320, 256), 9)
    for ending in ("mp4", "mov", "mkv"):
        (remark,) = Video(write_tracks(tmp_path / f"two.{ending}", [small, large])).remarks
        assert remark.startswith(f"two.{ending} has 2 video tracks, of which the one of 80x64")
        assert Video(write_tracks(tmp_path / f"one.{ending}", [large])).remarks == []
    cover = ("mjpeg", (320, 256), 1)
    assert Video(write_tracks(tmp_path / "cover.mp4", [large, cover])).remarks == []
    video = Video(write_tracks(tmp_path / "cover.mkv", [cover, large]))  # its one picture is read
    assert "2 video tracks" in video.remarks[0]


def test_pixels_that_are_not_square_are_said(tmp_path: Path) -> None:
    track = [("mpeg4", (80, 64), 3)]
    wide = write_tracks(tmp_path / "wide.mp4", track, sample_aspect_ratio=Fraction(64, 45))
    (remark,) = Video(wide).remarks
    assert "The pixels of wide.mp4 are 64:45 (width to height)" in remark
    nearly = write_tracks(tmp_path / "nearly.mp4", track, sample_aspect_ratio=Fraction(16, 15))
    assert Video(nearly).remarks == []


def test_a_video_that_may_not_be_read_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "film.mp4", walking(3))

    def refused(self: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)  # root may read everything
    monkeypatch.setattr("har.video.open_capture", lambda *_: cv2.VideoCapture())
    with pytest.raises(HarError, match=r"film\.mp4 cannot be read: Permission denied\."):
        Video(path)


def test_a_clock_that_begins_anew_is_no_jump_of_a_day(tmp_path: Path) -> None:
    """Two recordings in one transport stream, the second one's clock before the first one's: FFmpeg
    takes it for one of 2**33 / 90000 s that went on."""
    av = pytest.importorskip("av", reason="the extra `video` is not installed")
    parts = []
    for name, begin in (("late", 1000), ("early", 0)):
        path = tmp_path / f"{name}.ts"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg2video", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            stream.codec_context.max_b_frames = 0
            for number in range(10):
                frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
                frame.pts, frame.time_base = 25 * begin + number, Fraction(1, 25)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        parts.append(path.read_bytes())
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(parts))
    capture = open_capture(path)
    while capture.grab():
        position_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
    assert position_s > 90000
    video = Video(path)
    np.testing.assert_allclose([f.time_s for f in video], np.arange(20) / 25, atol=2e-3)
    assert (video.duration_s, video.missing_s()) == (None, 0)


def test_a_grey_video_has_three_channels(tmp_path: Path) -> None:
    path = tmp_path / "gray.avi"
    code = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), code, 30, (64, 48), isColor=False)
    for _ in range(3):
        writer.write(np.full((48, 64), 90, np.uint8))
    writer.release()
    assert {frame.image.shape for frame in Video(path)} == {(48, 64, 3)}


def test_a_video_that_ends_early_gives_what_it_has(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.avi", walking(40))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 10 < len(times(path)) < 40


def test_what_is_no_video_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = write_video(tmp_path / "film.mp4", walking(5)).read_bytes()
    for content in (b"", b"no video", whole[: len(whole) // 2]):
        path = tmp_path / "broken.mp4"
        path.write_bytes(content)
        with pytest.raises(HarError, match=r"broken\.mp4 is no video"):
            Video(path)
    with pytest.raises(HarError, match="There is no video"):
        Video(tmp_path / "missing.mp4")
    assert capfd.readouterr().err == ""  # nor does a library say it in its words


def test_a_video_without_frames_is_said(tmp_path: Path) -> None:
    path = tmp_path / "empty.avi"
    cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 48)).release()
    with pytest.raises(HarError, match=r"no video that|no frame that can be read"):
        Video(path)


# --------------------------------------------------------------------- what a container states


@pytest.mark.parametrize("name", ["streamed.mkv", "clock.mkv"])
def test_a_container_s_clock_is_no_frame_rate(name: str) -> None:
    # 66 frames, about 30 a second with jitter; the file states 1000, and 2198 frames or none
    capture = cv2.VideoCapture(str(VIDEOS / name))
    assert capture.get(cv2.CAP_PROP_FPS) == 1000
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) in (2198, -(2.0**63))
    video = Video(VIDEOS / name)
    kept = list(video.frames(every_s=1 / 15))
    assert (video.num_read, video.last_s) == (66, pytest.approx(2.165))
    assert video.fps == pytest.approx(30, rel=0.02)
    assert [frame.number for frame in kept] == list(range(0, 66, 2))
    assert video.missing_s() == 0
    assert video.num_frames == (66 if name == "clock.mkv" else None)


def test_frames_hidden_by_an_edit_list_are_not_missing() -> None:
    video = Video(VIDEOS / "trimmed.mp4")  # holds 66 frames, shows the last 21
    assert len(list(video)) == 21
    assert (video.duration_s, video.num_frames) == (pytest.approx(0.7), 21)
    assert video.missing_s() == 0


def test_a_pause_before_the_video_is_not_missing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", walking(20), fps=20)
    mp4_boxes.pause_first(path, 3000)
    video = Video(path)
    assert len(list(video)) == 20
    assert video.duration_s == pytest.approx(1.0, abs=0.01)
    assert video.missing_s() == 0


def test_a_file_whose_times_begin_late_is_whole(tmp_path: Path) -> None:
    """A part of a stream: its first frame is at 100 s, and it says that it lasts 102 s."""
    av = pytest.importorskip("av", reason="the extra `video` is not installed")
    path = tmp_path / "part.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(60):
            gray = np.full((48, 64, 3), 40 + number, np.uint8)
            frame = av.VideoFrame.from_ndarray(gray, format="rgb24")
            frame.pts = 3000 + number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    video = Video(path)
    assert len(list(video)) == 60
    assert video.duration_s == pytest.approx(2.0, abs=0.05)
    assert video.missing_s() == 0
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = Video(path)
    assert len(list(video)) < 50
    assert video.missing_s() == pytest.approx(2.0 - video.last_s, abs=0.07)


@pytest.mark.parametrize("kind", ["film.mp4", "film.avi", "clock.mkv"])
def test_a_file_cut_short_misses_the_time_that_is_not_there(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind == "clock.mkv":
        shutil.copy(VIDEOS / kind, path)
    else:
        write_video(path, walking(60), fps=30)
    if kind == "film.mp4":
        mp4_boxes.header_first(path)
    whole = Video(path)
    number = len(list(whole))
    assert whole.missing_s() == 0
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    video = Video(path)
    left = len(list(video))
    assert 0.3 * number < left < 0.9 * number
    assert video.missing_s() == pytest.approx((number - left) / 30, abs=0.07)
    half = Video(path)
    next(half.frames())
    assert half.missing_s() == 0  # not read to its end


@pytest.mark.parametrize("stated", [1000.0, 0.0, float("nan"), -1.0, 90000.0, float("inf"), 5.0])
@pytest.mark.parametrize("kind", ["mp4", "avi"])
def test_whatever_rate_is_stated_the_frames_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: float, kind: str
) -> None:
    path = write_video(tmp_path / f"film.{kind}", walking(40), fps=20)

    class States:
        """A capture whose container states another rate, and a number of frames by it."""

        def __init__(self, capture: cv2.VideoCapture) -> None:
            self._capture = capture

        def __getattr__(self, name: str) -> object:
            return getattr(self._capture, name)

        def get(self, key: int) -> float:
            wrong = {cv2.CAP_PROP_FPS: stated, cv2.CAP_PROP_FRAME_COUNT: 2 * stated}
            return wrong.get(key, self._capture.get(key))

    monkeypatch.setattr(
        "har.video.open_capture", lambda *arguments: States(open_capture(*arguments))
    )
    video = Video(path)
    kept = list(video.frames(every_s=0.1))
    assert [frame.number for frame in kept] == list(range(0, 40, 2))
    np.testing.assert_allclose([frame.time_s for frame in kept], np.arange(20) / 10, atol=2e-3)
    assert video.fps == pytest.approx(20)
    assert video.missing_s() == 0
    assert video.num_frames in (40, None)


# ------------------------------------------------------------------------------ which frames


def test_skipped_frames_leave_the_others_as_they_are(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", walking(30), fps=25)
    everything = list(Video(path))
    for threads in (None, 1):
        kept = list(Video(path, threads=threads).frames(keep=lambda number, _: number % 3 == 1))
        assert [frame.number for frame in kept] == list(range(1, 30, 3))
        for frame in kept:
            assert frame.time_s == everything[frame.number].time_s
            np.testing.assert_array_equal(frame.image, everything[frame.number].image)
    bgr = next(Video(path, bgr=True).frames())
    np.testing.assert_array_equal(bgr.image[..., ::-1], everything[0].image)


@pytest.mark.parametrize("fps", [7, 10, 15, 24, 25, 30, 50, 59.94, 60, 120])
@pytest.mark.parametrize("every_s", [1 / 15, 0.1, 0.25])
def test_frames_by_time_are_the_closest_to_the_grid(
    tmp_path: Path, fps: float, every_s: float
) -> None:
    path = write_video(tmp_path / "film.avi", walking(int(3 * fps)), fps=fps)
    times = np.arange(int(3 * fps)) / fps
    kept = [frame.number for frame in Video(path).frames(every_s=every_s)]
    if 1 / fps >= every_s:
        assert kept == list(range(len(times)))
        return
    grid = np.arange(0, times[-1] + 1e-9, every_s)
    assert len(kept) in (len(grid), len(grid) + 1)  # perhaps the last one is early
    off = np.abs(times[kept][: len(grid)] - grid)
    assert off.max() <= 0.5 / fps + 2e-3
    assert (np.diff(kept) > 0).all()


def test_a_pause_between_frames_costs_no_frame_after_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", walking(12), fps=15)
    mp4_boxes.set_durations(path, [1, 1, 1, 9, *[1] * 8])
    assert [frame.number for frame in Video(path).frames(every_s=1 / 15)] == list(range(12))


def test_reading_ends_after_a_number_of_frames_or_at_a_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.avi", walking(40), fps=20)
    video = Video(path)
    assert len(list(video.frames(keep=lambda number, _: number < 3, limit=10))) == 3
    assert (video.num_read, video.ended, video.missing_s()) == (10, False, 0)
    video = Video(path)
    assert len(list(video.frames(until_s=0.975))) == 20
    assert (video.num_read, video.last_s, video.ended) == (21, pytest.approx(1.0), False)


def test_a_file_without_time_stamps_has_those_of_its_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "film.avi", walking(6), fps=20)
    monkeypatch.setattr(Video, "_position_s", lambda self: 0.0)
    np.testing.assert_allclose(times(path), np.arange(6) / 20)


# -------------------------------------------------------------------------------------- cameras


def test_a_camera_that_is_not_there_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HarError, match="There is no camera 97"):
        Video(97)
    assert capfd.readouterr().err == ""
