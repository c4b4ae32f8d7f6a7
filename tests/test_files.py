"""Files that are written whole or not at all, and images as arrays."""

import io
import json
import os
import stat
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from har.errors import HarError
from har.files import (
    file_checksum,
    more_pages,
    read_image,
    read_stored_image,
    whole_file,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "ä b.json"
    with whole_file(path) as partial:
        partial.write_text("1")
        assert not path.exists()
        assert partial.suffix == ".json"  # OpenCV chooses the format by it
    assert path.read_text() == "1"

    def fail() -> None:
        with whole_file(path) as partial:
            partial.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "1"
    assert names(path.parent) == ["ä b.json"]


@pytest.mark.skipif(os.name == "nt", reason="no umask")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_a_file_has_the_permissions_of_the_user_s_new_files(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with whole_file(tmp_path / "a") as partial:
            partial.write_bytes(b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


def test_two_writers_of_one_path_do_not_disturb_each_other(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a") as first:
        first.write_text("first")
        with whole_file(tmp_path / "a") as second:
            second.write_text("second")
    assert (tmp_path / "a").read_text() == "first"  # it ended last
    assert names(tmp_path) == ["a"]


def test_a_place_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(HarError, match=r"a\.json cannot be written"),
        whole_file(tmp_path / "file" / "a.json"),
    ):
        pass


def test_a_checksum_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    wanted = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2
    assert file_checksum(tmp_path / "a") == wanted


# ----------------------------------------------------------------------------------------- images

CASE = Path(__file__).parent / "data" / "coco" / "case_07"
FORMATS = json.loads((CASE / "expected.json").read_text())


@pytest.mark.parametrize("name", [*FORMATS["colour"], *FORMATS["grey"], "alpha.png", "one_bit.png"])
def test_pictures_of_many_kinds_look_the_same(name: str) -> None:
    image = read_stored_image(CASE / "images" / name)
    assert (image.shape, image.dtype) == ((100, 120, 3), np.uint8)
    np.testing.assert_array_equal(read_image(CASE / "images" / name), image)
    gray = name in FORMATS["grey"] or name == "one_bit.png"
    truth = FORMATS["mean_of_grey_ones" if gray else "mean_rgb"]
    close = 10 if name in ("palette.png", "cmyk.jpg") else 3
    np.testing.assert_allclose(image.reshape(-1, 3).mean(0), truth, atol=close)


def test_sixteen_bits_are_divided_by_257(tmp_path: Path) -> None:
    values = np.arange(2**16, dtype=np.uint16).reshape(256, 256)
    cv2.imwrite(str(tmp_path / "a.png"), values)
    image = read_stored_image(tmp_path / "a.png")
    assert np.abs(image[..., 0] - values / 257).max() <= 0.5
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize("ending", ["tif", "png", "ppm"])
def test_sixteen_bits_in_color_are_read_as_written(tmp_path: Path, ending: str) -> None:
    """A 16-bit RGB TIFF was whatever lay in memory."""
    colors = np.random.default_rng(0).integers(0, 256, (120, 90, 3), np.uint8)
    path = tmp_path / f"a.{ending}"
    cv2.imwrite(str(path), colors[..., ::-1].astype(np.uint16) * 257)
    for read in (read_image, read_stored_image):
        np.testing.assert_array_equal(read(path), colors)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["tif", "avif", "png", "webp", "jpg"])
def test_every_orientation_of_every_format(tmp_path: Path, ending: str, orientation: int) -> None:
    """OpenCV turns a TIFF also where it must not, and an AVIF never."""
    colors = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    stored = colors.repeat(16, axis=0).repeat(16, axis=1)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{ending}"
    options = {"avif": {"quality": 100}, "webp": {"lossless": True}, "jpg": {"quality": 100}}
    PIL.Image.fromarray(stored).save(path, exif=exif, **options.get(ending, {}))
    with PIL.Image.open(path) as picture:
        upright = np.asarray(PIL.ImageOps.exif_transpose(picture).convert("RGB"))
    for image, truth in (
        (read_image(path), upright),
        (read_stored_image(path, upright=True), upright),
        (read_stored_image(path), stored),
    ):
        assert image.shape == truth.shape
        assert np.abs(image.astype(int) - truth).mean() < 8  # neighbors differ by 60 and more


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("grey12_in_16.png", r"grey12_in_16.png has 16 bits, but no value above 2040 .*11 bits"),
        ("float.tif", "float.tif holds float32 values.* 8 bits"),
        ("not_a_picture.jpg", "not_a_picture.jpg is damaged"),
        ("cut_off.png", "cut_off.png is damaged"),
        ("zero.jpg", "zero.jpg is damaged"),
    ],
)
def test_pictures_that_would_look_wrong_are_refused(name: str, what: str) -> None:
    with pytest.raises(HarError, match=what):
        read_stored_image(CASE / "images" / name)


def test_a_picture_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    for name in ("rgb.png", "grey.jpg", "picture.webp", "moves.gif"):
        data = (CASE / "images" / name).read_bytes()
        (tmp_path / name).write_bytes(data[: 2 * len(data) // 3])
        with pytest.raises(HarError, match="damaged"):
            read_stored_image(tmp_path / name)


def test_a_picture_whose_end_is_missing_is_no_input(tmp_path: Path) -> None:
    for name in ("rgb.png", "grey.jpg", "picture.webp"):
        (tmp_path / name).write_bytes((CASE / "images" / name).read_bytes()[:-40])
        with pytest.raises(HarError, match=f"{name} is no image, or a broken one: its end is miss"):
            read_image(tmp_path / name)


def test_what_is_appended_to_a_whole_picture_does_no_harm(tmp_path: Path) -> None:
    """A film behind the photograph, as telephones write it."""
    for name in ("rgb.png", "grey.jpg"):
        data = (CASE / "images" / name).read_bytes()
        (tmp_path / name).write_bytes(data + bytes(range(1, 255)) * 400)
        for read in (read_image, read_stored_image):
            np.testing.assert_array_equal(read(tmp_path / name), read(CASE / "images" / name))


def test_the_end_of_a_small_image_inside_is_not_that_of_the_picture(tmp_path: Path) -> None:
    picture = PIL.Image.effect_noise((320, 240), 50).convert("RGB")
    buffer = io.BytesIO()
    picture.resize((80, 60)).save(buffer, "JPEG")
    exif = b"Exif\0\0" + buffer.getvalue()  # a small JPEG file, end and all
    picture.save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (240, 320, 3)
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(exif) + 5000])
    with pytest.raises(HarError, match="its end is missing"):
        read_image(tmp_path / "a.jpg")


def test_nothing_of_opencv_comes_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    PIL.Image.new("RGB", (30, 20)).save(tmp_path / "a.jp2")
    data = (tmp_path / "a.jp2").read_bytes()
    for kept in (len(data) // 2, 60):
        (tmp_path / "a.jp2").write_bytes(data[:kept])
        with pytest.raises(HarError):
            read_image(tmp_path / "a.jp2")
    assert capfd.readouterr().err == ""


def test_a_tiff_file_with_more_pages(tmp_path: Path) -> None:
    page = PIL.Image.new("RGB", (30, 20))
    page.save(tmp_path / "one.tif")
    page.save(tmp_path / "two.tif", save_all=True, append_images=[page])
    (tmp_path / "none.tif").write_bytes(b"II*\0")
    (tmp_path / "a.png").write_bytes(b"")
    found = [p.name for p in sorted(tmp_path.iterdir()) if more_pages(p)]
    assert found == ["two.tif"]


def test_a_picture_of_a_telephone_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    with pytest.raises(HarError, match=r"a\.heic.*heic.*convert it to JPEG"):
        read_image(tmp_path / "a.heic")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_where_asked_for(tmp_path: Path, orientation: int) -> None:
    """Against pillow's own turning, by the eight orientations of EXIF."""
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 255, (6, 9, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(blocks).save(tmp_path / "a.jpg", exif=exif, quality=98, subsampling=0)
    picture = PIL.Image.open(tmp_path / "a.jpg")
    for upright, truth in ((False, picture), (True, PIL.ImageOps.exif_transpose(picture))):
        image = read_stored_image(tmp_path / "a.jpg", upright)
        assert np.abs(image.astype(int) - np.asarray(truth)).max() <= 3
