"""Images, folders, camera numbers and pipes, whole and broken."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from har.errors import HarError
from har.files import read_image
from har.prediction.sources import camera_number, find_files, read_pipe, result_names
from har.video import Video
from tests.helpers.red_person import picture, walking, write_video

BOX = (60, 80, 100, 180)


def save(path: Path, image: np.ndarray) -> Path:
    done, data = cv2.imencode(path.suffix, image)
    assert done
    path.write_bytes(data.tobytes())
    return path


# ------------------------------------------------------------------------------------------ images


def test_images_come_in_color_with_8_bits_whatever_they_are(tmp_path: Path) -> None:
    rgb = picture(BOX)
    bgr = rgb[..., ::-1]
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    alpha = np.dstack([bgr, np.full(bgr.shape[:2], 128, np.uint8)])
    deep = bgr.astype(np.uint16) * 257
    for name, image, wanted in (
        ("color.png", bgr, rgb),
        ("gray.png", gray, np.dstack([gray] * 3)),
        ("alpha.png", alpha, rgb),
        ("deep.png", deep, rgb),
        ("deep gray.tif", gray.astype(np.uint16) * 257, np.dstack([gray] * 3)),
        ("Bäume im Wind ☃.png", bgr, rgb),
    ):
        read = read_image(save(tmp_path / name, image))
        assert read.dtype == np.uint8
        np.testing.assert_allclose(read.astype(int), wanted, atol=1, err_msg=name)


def test_a_turned_photo_comes_upright(tmp_path: Path) -> None:
    plain = save(tmp_path / "photo.jpg", picture(BOX)[..., ::-1]).read_bytes()
    # EXIF with one entry: orientation 6, to be shown turned by 90 degrees
    entry = b"\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + b"\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "photo.jpg").write_bytes(plain[:2] + segment + plain[2:])
    assert read_image(tmp_path / "photo.jpg").shape == (320, 240, 3)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_what_is_no_image_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(HarError, match=r"broken\.png is no image"):
        read_image(path)
    with pytest.raises(HarError, match="No such file"):
        read_image(tmp_path / "missing.png")


# ------------------------------------------------------------------------------------------- files


def test_brackets_of_a_folder_s_name_are_no_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("g[1]", "g1", "h1"):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / "a.jpg", picture(BOX))
    assert find_files(f"{tmp_path}/g[1]/*.jpg").images == [tmp_path / "g[1]" / "a.jpg"]
    assert find_files(f"{tmp_path}/[g]1/*.jpg").images == [tmp_path / "g1" / "a.jpg"]
    assert find_files(f"{tmp_path}/[gh]1/a.jpg").images == [
        tmp_path / "g1" / "a.jpg",
        tmp_path / "h1" / "a.jpg",
    ]
    monkeypatch.chdir(tmp_path)
    assert find_files("g[1]/**/*").images == [Path("g[1]", "a.jpg")]
    assert find_files("*/a.jp[g]").images == [Path(n, "a.jpg") for n in ("g1", "g[1]", "h1")]


def test_a_folder_gives_images_and_videos_and_counts_the_rest(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "film.MP4", "notes.txt", ".DS_Store"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "c.png").mkdir()
    found = find_files(str(tmp_path))
    assert [path.name for path in found.images] == ["a.png", "b.JPG"]
    assert [path.name for path in found.videos] == ["film.MP4"]
    assert found.others == 2


def test_a_pattern_matches_and_a_name_with_brackets_is_a_name(tmp_path: Path) -> None:
    for name in ("a1.png", "a2.png", "b [1].png"):
        save(tmp_path / name, picture())
    assert len(find_files(f"{tmp_path}/a*.png").images) == 2
    assert find_files(f"{tmp_path}/b [1].png").images == [tmp_path / "b [1].png"]


def test_a_file_without_ending_is_looked_into(tmp_path: Path) -> None:
    image = save(tmp_path / "x.png", picture()).rename(tmp_path / "image")
    video = write_video(tmp_path / "x.avi", walking(3)).rename(tmp_path / "film")
    assert find_files(str(image)).images == [image]
    assert find_files(str(video)).videos == [video]


def test_nothing_to_look_at_is_said(tmp_path: Path) -> None:
    with pytest.raises(HarError, match="no file, folder or match of"):
        find_files(str(tmp_path / "*.jpg"))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "more.txt").write_text("x")
    with pytest.raises(HarError, match="No image or video among the 2 files"):
        find_files(str(tmp_path))


# ------------------------------------------------------------------------------- cameras and pipes


def test_a_number_is_a_camera_unless_a_file_is_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert camera_number("0") == 0
    assert camera_number("film.mp4") is None
    Path("0").mkdir()
    assert camera_number("0") is None


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes, terminal: bool = False) -> None:
    stdin = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: terminal)
    monkeypatch.setattr(sys, "stdin", stdin)


def test_a_pipe_becomes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = write_video(tmp_path / "film.avi", walking(4)).read_bytes()
    pipe(monkeypatch, content)
    path = read_pipe(tmp_path)
    assert path.read_bytes() == content
    assert len(list(Video(path))) == 4


def test_an_empty_pipe_and_a_keyboard_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(monkeypatch, b"")
    with pytest.raises(HarError, match="Nothing came through the pipe"):
        read_pipe(tmp_path)
    pipe(monkeypatch, b"", terminal=True)
    with pytest.raises(HarError, match="from a pipe"):
        read_pipe(tmp_path)


# ------------------------------------------------------------------------------ names of results

FORBIDDEN = '<>:"/\\|?*'  # by Windows, besides control characters
STEMS = st.text(st.characters(exclude_characters=FORBIDDEN, exclude_categories=["Cc", "Cs"]))


@given(st.lists(st.tuples(STEMS, st.sampled_from([".mp4", ".MP4", ".jpg"])), max_size=8))
def test_results_have_names_that_windows_takes(files: list[tuple[str, str]]) -> None:
    """Of files that lie there: none is the other one in capitals."""
    paths = {
        Path(f"{stem}x{ending}").name.casefold(): Path(stem + ending) for stem, ending in files
    }
    paths = {key: path for key, path in paths.items() if path.name == path.as_posix() != "."}
    names = list(result_names(list(paths.values())).values())
    assert len({name.casefold() for name in names}) == len(paths)
    for name in names:
        assert name == name.rstrip(". ")
        assert name
        assert not set(name) & set(FORBIDDEN)


def test_dots_and_spaces_at_the_end_of_a_name() -> None:
    names = result_names([Path("a.mp4"), Path("a..mp4"), Path("a .mp4"), Path("... .mp4")])
    assert list(names.values()) == ["a", "a..mp4_2", "a .mp4_2", "_"]
