"""Which files are videos by their content, against what pillow writes."""

import re
from pathlib import Path

import cv2
import numpy as np
import PIL.features
import PIL.Image
import pytest

from har.animation import is_animation, is_video_inside
from har.errors import HarError
from har.prediction.sources import find_files
from har.video import Video
from tests.helpers.own_clips import write_clip

ANIMATED = ("a.gif", "a.webp", "a.png", "a.apng", "a.avif")


def pictures(count: int) -> list[PIL.Image.Image]:
    return [PIL.Image.new("RGB", (64, 48), (20 * n, 90, 200 - 9 * n)) for n in range(count)]


def noise(count: int) -> list[PIL.Image.Image]:
    rng = np.random.default_rng(0)
    return [PIL.Image.fromarray(rng.integers(0, 255, (48, 64), np.uint8)) for _ in range(count)]


def write_animation(
    path: Path, count: int, images: list[PIL.Image.Image] | None = None, duration_ms: int = 80
) -> Path:
    first, *others = images or pictures(count)
    if path.suffix == ".avif" and not PIL.features.check("avif"):
        pytest.skip("this pillow writes no AVIF")
    if count == 1:
        first.save(path)
    else:
        first.save(path, save_all=True, append_images=others, duration=duration_ms)
    return path


@pytest.mark.parametrize("name", ANIMATED)
def test_several_pictures_are_a_video(name: str, tmp_path: Path) -> None:
    path = write_animation(tmp_path / name, 6)
    found = find_files(str(tmp_path))
    assert (found.images, found.videos) == ([], [path])
    frames = list(Video(path).frames())
    assert [frame.time_s for frame in frames] == pytest.approx([0.08 * n for n in range(6)])
    assert frames[3].image.shape == (48, 64, 3)
    colors = np.array([frame.image.mean((0, 1)) for frame in frames])
    np.testing.assert_allclose(colors, [np.array(p).mean((0, 1)) for p in pictures(6)], atol=8)


@pytest.mark.parametrize("every", [0, 2])
def test_a_gif_without_times_shows_each_picture_for_100_ms(tmp_path: Path, every: int) -> None:
    """As browsers do. Pillow leaves the block with the time out where it is 0; of ``every`` second
    picture here."""
    first, *others = pictures(6)
    path = tmp_path / "a.gif"
    times_ms = [250 if every and n % every else 0 for n in range(6)]
    first.save(path, save_all=True, append_images=others, duration=times_ms)
    assert path.read_bytes().count(b"\x21\xf9\x04") < 6
    wanted = np.cumsum([0, *((ms or 100) / 1000 for ms in times_ms[:-1])])
    assert [frame.time_s for frame in Video(path).frames()] == pytest.approx(wanted.tolist())


@pytest.mark.parametrize("name", ANIMATED)
def test_an_animation_cut_in_half_is_a_broken_video(name: str, tmp_path: Path) -> None:
    path = write_animation(tmp_path / name, 6, noise(6))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert find_files(str(path)).videos == [path]
    says = rf"{re.escape(name)} (is no video that OpenCV can read, or a broken one|cannot be dec)"
    with pytest.raises(HarError, match=says):
        Video(path)


@pytest.mark.parametrize("name", ANIMATED)
def test_one_picture_is_an_image(name: str, tmp_path: Path) -> None:
    path = write_animation(tmp_path / name, 1)
    assert not is_animation(path)
    assert find_files(str(path)).images == [path]


def test_a_moving_picture_under_another_name(tmp_path: Path) -> None:
    """Sites call them as they like."""
    path = write_animation(tmp_path / "a.gif", 3).rename(tmp_path / "a.jpg")
    assert find_files(str(path)).videos == [path]
    assert len(list(Video(path).frames())) == 3


@pytest.mark.parametrize("ending", ["mp4", "avi", "mkv"])
def test_a_video_under_the_name_of_an_image(ending: str, tmp_path: Path) -> None:
    path = write_clip(tmp_path / f"a.{ending}", 5).rename(tmp_path / "a.gif")
    assert is_video_inside(path)
    assert find_files(str(path)).videos == [path]
    assert len(list(Video(path).frames())) == 5


def test_what_is_no_video_inside(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (tmp_path / "cut.webp").write_bytes(b"RIFF\xff\xff\0\0WEBPVP8X")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "empty.gif").write_bytes(b"")
    assert not any(is_video_inside(path) for path in tmp_path.iterdir())
    assert not is_video_inside(tmp_path / "nothing.gif")
