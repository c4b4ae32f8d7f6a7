"""Windows of JPEG files: the pixels of the whole picture, and damaged files found out."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from har.data.framestore.jpeg import JPEGError, decode, decode_window, encode


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 260), st.integers(1, 120)),
    st.tuples(*[st.floats(-0.4, 1.4)] * 4),
    st.booleans(),
)
@example((256, 96), (0.3, 0.3, 0.3, 0.3), False)
def test_a_window_has_the_pixels_of_the_whole_picture(
    size: tuple[int, int], shares: tuple[float, ...], half: bool
) -> None:
    data = encode(picture(*size), 95)
    flags = cv2.IMREAD_REDUCED_COLOR_2 if half else cv2.IMREAD_COLOR
    whole = cv2.imdecode(data, flags)[..., ::-1]  # by OpenCV alone
    (x1, x2), (y1, y2) = sorted(shares[::2]), sorted(shares[1::2])
    window = x1 * size[0], y1 * size[1], x2 * size[0], y2 * size[1]
    image, corner = decode_window(data, window, half)
    assert image.size
    scale = 1 + half
    left, top, right, bottom = (round(edge) // scale for edge in window)
    for y in range(max(top, 0), min(bottom, whole.shape[0])):
        row = slice(max(left, 0), max(min(right, whole.shape[1]), 0))
        ours = image[y - corner[1] // scale]
        moved = slice(row.start - corner[0] // scale, row.stop - corner[0] // scale)
        if row.start < row.stop:
            np.testing.assert_array_equal(ours[moved], whole[y, row])


def test_little_more_than_the_window_is_decoded() -> None:
    data = encode(picture(960, 544), 95)
    image, corner = decode_window(data, (330, 200, 520, 300))
    assert corner == (288, 192)
    assert image.shape == (112, 240, 3)
    assert decode_window(data, (0, 0, 960, 544)).image.shape == (544, 960, 3)
    assert decode_window(data, (-500, 900, -400, 990)).image.shape == (16, 48, 3)  # outside


def test_the_markers_cost_little() -> None:
    image = cv2.GaussianBlur(picture(960, 540), (0, 0), 2)
    without = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    assert encode(image, 95).size < 1.08 * without.size
    np.testing.assert_array_equal(decode(encode(image, 95)), decode(without.ravel()))


@pytest.mark.parametrize(
    "options",
    [
        {"progressive": True},
        {"subsampling": 0},
        {"subsampling": 0, "restart_marker_blocks": 5},
        {"subsampling": 1, "restart_marker_rows": 1},
        {"restart_marker_blocks": 7},  # not a part of a row
        {"optimize": True, "restart_marker_rows": 2},  # more than a row
        {"comment": b"\xff\xda in a comment"},
    ],
)
def test_files_of_other_programs(options: dict[str, object]) -> None:
    """Decoded in part where their markers allow it, and right in any case."""
    buffer = io.BytesIO()
    Image.fromarray(picture(240, 160)).save(buffer, "JPEG", quality=90, **options)
    data = np.frombuffer(buffer.getvalue(), np.uint8)
    image, (x, y) = decode_window(data, (100, 70, 150, 90))
    whole = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(image[70 - y : 90 - y, 100 - x : 150 - x], whole[70:90, 100:150])
    in_parts = options.get("restart_marker_blocks") == 5 or options.get("restart_marker_rows") == 1
    assert (image.shape != whole.shape) == in_parts


def test_grey_files_become_three_channels() -> None:
    buffer = io.BytesIO()
    Image.fromarray(picture(240, 160)).convert("L").save(buffer, "JPEG", restart_marker_rows=1)
    data = np.frombuffer(buffer.getvalue(), np.uint8)
    image, (x, y) = decode_window(data, (100, 70, 150, 90))
    whole = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert image.shape == (32, 240, 3)
    np.testing.assert_array_equal(image[70 - y : 90 - y, 100 - x : 150 - x], whole[70:90, 100:150])


@pytest.mark.parametrize("kept", [0, 1, 2, 30, 400, 629, 2000, -3, -1])
def test_a_file_that_is_cut_off_is_refused(kept: int) -> None:
    data = encode(picture(240, 160), 95)[:kept]
    with pytest.raises(JPEGError, match="damaged"):
        decode(data)
    with pytest.raises(JPEGError, match="damaged"):
        decode_window(data, (100, 70, 150, 90))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 899), st.integers(0, 255)), max_size=6), st.booleans())
def test_bytes_that_are_wrong_never_raise_anything_else(
    wrong: list[tuple[int, int]], half: bool
) -> None:
    """Header and first stretches disturbed: a picture of some kind, or the one error."""
    data = encode(picture(240, 160), 95).copy()
    for place, value in wrong:
        data[place] = value
    try:
        image, _ = decode_window(data, (100, 70, 150, 90), half)
    except JPEGError:
        return
    assert image.ndim == 3
    assert image.dtype == np.uint8
