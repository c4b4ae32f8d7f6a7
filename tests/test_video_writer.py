"""The writer of videos: what browsers play, and what OpenCV writes without PyAV."""

from pathlib import Path

import numpy as np
import pytest

from har.errors import HarError
from har.video import Video
from har.video_writer import h264_is_here, video_file
from tests.helpers.red_person import walking


def h264_of(path: Path) -> tuple[str, str, list[float]]:
    """Codec, pixel format and times of a video, by PyAV's own reader."""
    av = pytest.importorskip("av", reason="the extra `video` is not installed")
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        times = [float(frame.time) for frame in file.decode(stream)]
        return stream.codec_context.name, stream.codec_context.pix_fmt, times


def test_a_written_video_plays_in_browsers(tmp_path: Path) -> None:
    if not h264_is_here():
        pytest.skip("the extra `video` is not installed")
    path = tmp_path / "film.mp4"
    with video_file(path, 25) as file:
        for number, picture in enumerate(walking(10)):
            file.write(picture[:-1, :-1], number / 25)  # 319x239: odd sizes become even
    codec, pixels, found = h264_of(path)
    assert (codec, pixels) == ("h264", "yuv420p")
    np.testing.assert_allclose(found, np.arange(10) / 25, atol=1e-3)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays while it is still loading
    frames = list(Video(path))
    assert frames[0].image.shape == (240, 320, 3)
    for number in (0, 9):
        error = np.abs(frames[number].image[:-1, :-1].astype(int) - walking(10)[number][:-1, :-1])
        assert error.mean() < 4


def test_without_pyav_opencv_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("har.video_writer.h264_is_here", lambda: False)
    path = tmp_path / "film.mp4"
    with video_file(path, 25) as file:
        for number, picture in enumerate(walking(10)):
            file.write(picture, number / 25)
    assert len(list(Video(path))) == 10


def test_a_long_gap_is_shortened(tmp_path: Path) -> None:
    """Ten pictures at 10 per second, an hour, ten more: 1 s, 10 s and 1 s of video."""
    pictures = [picture[:48, :64] for picture in walking(20)]
    times = [n / 10 + (3600 if n >= 10 else 0) for n in range(20)]
    path = tmp_path / "film.mp4"
    with video_file(path, 10) as file:
        for picture, time_s in zip(pictures, times, strict=True):
            file.write(picture, time_s)
        assert file.gaps_s == pytest.approx([3600.1])
        assert file.num_frames == 10 + 100 + 9  # the first one behind the gap is 10 s later
    assert Video(path).duration_s == pytest.approx(11.9, abs=0.01)
    with video_file(path, 0.2) as file:  # time-lapse: a picture every 5 s, and one missing
        for time_s in (0, 5, 15, 20):
            file.write(pictures[0], time_s)
        assert (file.num_frames, file.gaps_s) == (5, [])


@pytest.mark.parametrize("encoder", [True, False])
def test_a_place_that_cannot_be_written_to(
    encoder: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if encoder and not h264_is_here():
        pytest.skip("the extra `video` is not installed")
    monkeypatch.setattr("har.video_writer.h264_is_here", lambda: encoder)
    (tmp_path / "file").write_text("")
    with pytest.raises(HarError), video_file(tmp_path / "file" / "film.mp4", 25) as file:
        file.write(walking(1)[0], 0)
