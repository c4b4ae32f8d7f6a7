"""What is painted, where, and nothing anywhere else."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from har.errors import HarError
from har.layouts import get_layout
from har.visual.draw import (
    SIDE_COLORS,
    contact_sheet,
    draw_pair,
    draw_skeleton,
    drawn_links,
    label,
    limb_width,
    probability_bars,
    write_image,
)

LAYOUT = get_layout("pa17j")
GREY = np.full((120, 160, 3), 128, np.uint8)
NOBODY = np.full((17, 2), np.nan)


def standing(center: tuple[float, float] = (80, 60), height: float = 80) -> np.ndarray:
    """A person seen from behind, so that left is on the left: pa17j (17, 2) in px."""
    x = [0, 0, 0, 0, 0.12, -0.12, 0.2, -0.2, 0.22, -0.22, 0.08, -0.08, 0.1, -0.1, 0.1, -0.1, 0]
    y = [0, -0.3, -0.36, -0.48, *np.repeat([-0.3, -0.1, 0.08, 0.02, 0.25, 0.48], 2), -0.15]
    return np.stack([x, y], -1) * height + center


def one_limb(*names: str, ends: tuple[tuple[float, float], ...]) -> np.ndarray:
    pose = NOBODY.copy()
    for name, end in zip(names, ends, strict=True):
        pose[LAYOUT.joints.index(name)] = end
    return pose


def on_limbs(pose: np.ndarray, share: float) -> np.ndarray:
    links = np.array(drawn_links(LAYOUT))
    return (1 - share) * pose[links[:, 0]] + share * pose[links[:, 1]]


def test_the_skeleton_is_painted_and_nothing_else() -> None:
    pose = standing()
    changed = (draw_skeleton(GREY, pose, LAYOUT) != GREY).any(-1)
    samples = np.concatenate([on_limbs(pose, share) for share in np.linspace(0, 1, 81)])
    x, y = np.floor(samples).astype(int).T
    assert changed[y, x].all()
    rows, columns = np.nonzero(changed)
    pixels = np.stack([columns, rows], -1) + 0.5
    distance = np.linalg.norm(pixels[:, None] - samples, axis=-1).min(1)
    assert distance.max() < 2 * limb_width(GREY) + 1


def test_arms_and_legs_hang_on_the_trunk() -> None:
    for name in ("pa16j", "pa17j", "pa20j", "pa21j", "mpii", "ntu25"):
        layout = get_layout(name)
        reached = {0}
        for _ in range(layout.num_joints):
            reached |= {j for link in drawn_links(layout) if reached & set(link) for j in link}
        assert reached == set(range(layout.num_joints)), name


@settings(max_examples=60, deadline=None)
@given(
    joints=arrays(np.float64, (17, 2), elements=st.floats(allow_nan=True, allow_infinity=True)),
    confidence=arrays(np.float32, 17, elements=st.floats(width=32, allow_nan=True)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_numbers_are_drawn_without_harm(joints, confidence, size) -> None:
    image = np.full((*size, 3), 100, np.uint8)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        result = draw_skeleton(image, joints, LAYOUT, confidence)
    assert result.shape == image.shape
    assert result.dtype == np.uint8
    assert (image == 100).all()


@pytest.mark.parametrize("nothing", [np.nan, np.inf, -1e9])
def test_joints_that_do_not_exist_are_left_out(nothing: float) -> None:
    assert np.array_equal(draw_skeleton(GREY, np.full((17, 2), nothing), LAYOUT), GREY)
    pose, wrist = standing(), LAYOUT.joints.index("right wrist")
    mask = np.arange(17) != wrist
    by_mask = draw_skeleton(GREY, pose, LAYOUT, valid=mask)
    pose[wrist] = nothing
    assert np.array_equal(draw_skeleton(GREY, pose, LAYOUT), by_mask)
    assert not np.array_equal(by_mask, draw_skeleton(GREY, standing(), LAYOUT))


def test_sides_have_their_colors() -> None:
    pose = standing()
    image = draw_skeleton(GREY, pose, LAYOUT, width=3)
    for side, joints in (
        ("left", ("left hip", "left knee")),
        ("right", ("right elbow", "right wrist")),
        ("left", ("thorax", "left shoulder")),
        ("middle", ("pelvis", "spine")),
    ):
        x, y = np.mean([pose[LAYOUT.joints.index(joint)] for joint in joints], axis=0)
        assert tuple(image[int(y), int(x)]) == SIDE_COLORS[side], joints


def test_colors_differ_for_the_color_blind() -> None:
    """Machado, Oliveira and Fernandes (2009), severity 1, on linear light."""
    protan = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216]]
    protan.append([-0.003882, -0.048116, 1.051998])
    deutan = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413]]
    deutan.append([-0.011820, 0.042940, 0.968881])

    def lab(rgb: tuple[int, ...], sight: list[list[float]]) -> np.ndarray:
        linear = np.clip(np.array(sight) @ (np.array(rgb) / 255) ** 2.2, 0, 1)
        seen = (linear ** (1 / 2.2))[None, None].astype(np.float32)
        return cv2.cvtColor(seen, cv2.COLOR_RGB2Lab)[0, 0]

    for sight in (protan, deutan):
        left, right, middle = (lab(SIDE_COLORS[s], sight) for s in ("left", "right", "middle"))
        assert np.linalg.norm(left - right) > 60
        assert np.linalg.norm(left - middle) > 60
        assert np.linalg.norm(right - middle) > 30
    # the test can tell: red and green, the usual pair, come near each other
    assert np.linalg.norm(lab((200, 60, 40), deutan) - lab((120, 140, 40), deutan)) < 25


def test_every_limb_has_a_dark_rim_and_a_bright_core() -> None:
    for shade in (0, 128, 255):
        image = draw_skeleton(np.full_like(GREY, shade), standing(), LAYOUT)
        for share in (0.4, 0.6):
            for x, y in on_limbs(standing(), share).astype(int):
                around = image[y - 6 : y + 7, x - 6 : x + 7].astype(int).sum(-1)
                assert around.min() < 120
                assert around.max() > 300


def test_pixels_are_continuous() -> None:
    """A limb at x = 40 lies on the border of columns 39 and 40, so both look the same."""
    pose = one_limb("pelvis", "spine", ends=((40.0, 20.0), (40.0, 100.0)))
    row = draw_skeleton(GREY, pose, LAYOUT)[60]
    assert (row[39] != GREY[60, 39]).any()
    assert np.array_equal(row[30:40], row[40:50][::-1])


def test_a_limb_that_leaves_the_image_is_drawn_to_the_border() -> None:
    for far in (200.0, 5000.0, 1e9):
        pose = one_limb("pelvis", "spine", ends=((80.0, 60.0), (far, 60.0)))
        image = draw_skeleton(GREY, pose, LAYOUT)
        assert (image[60, 80:] != GREY[60, 80:]).any(-1).all()
        assert np.array_equal(image[:40], GREY[:40])
    outside = standing(center=(-300, 60))
    assert np.array_equal(draw_skeleton(GREY, outside, LAYOUT), GREY)


def test_unsure_joints_fade() -> None:
    pose = one_limb("pelvis", "spine", ends=((80.0, 20.0), (80.0, 100.0)))
    change = [
        np.abs(draw_skeleton(GREY, pose, LAYOUT, np.full(17, c)).astype(int) - GREY).sum()
        for c in (0.0, 0.3, 0.7, 1.0)
    ]
    assert change[0] > 0  # still to be found
    assert all(low < high for low, high in pairwise(change))
    assert np.array_equal(
        draw_skeleton(GREY, pose, LAYOUT, np.ones(17)), draw_skeleton(GREY, pose, LAYOUT)
    )


def test_limbs_grow_with_the_image() -> None:
    widths = [limb_width(np.zeros((side, side, 3), np.uint8)) for side in (64, 128, 256, 1080)]
    assert 1 <= widths[0] < widths[1] < widths[2] < widths[3] <= 8


def test_a_pair_shows_the_true_pose_in_white_below_the_predicted_one() -> None:
    true = one_limb("pelvis", "spine", ends=((40.5, 20.0), (40.5, 100.0)))
    predicted = one_limb("pelvis", "spine", ends=((80.5, 20.0), (80.5, 100.0)))
    image = draw_pair(GREY, predicted, true, LAYOUT)
    assert tuple(image[60, 40]) == (255, 255, 255)
    assert tuple(image[60, 80]) == SIDE_COLORS["middle"]
    assert np.array_equal(image[60, 60], GREY[60, 60])
    same = draw_pair(GREY, predicted, predicted, LAYOUT)
    assert tuple(same[60, 80]) == SIDE_COLORS["middle"]
    assert not (same > 200).all(-1).any()
    assert (image > 200).all(-1).any()


def test_read_only_and_strided_images_are_taken() -> None:
    image = np.ascontiguousarray(np.tile(GREY, (2, 2, 1)))[::2, ::2]
    image.setflags(write=False)
    expected = draw_skeleton(np.ascontiguousarray(image), standing(), LAYOUT)
    assert np.array_equal(draw_skeleton(image, standing(), LAYOUT), expected)


def test_what_cannot_be_drawn_is_said() -> None:
    with pytest.raises(HarError, match="uint8 RGB"):
        draw_skeleton(GREY.astype(np.float32), standing(), LAYOUT)
    with pytest.raises(HarError, match="uint8 RGB"):
        label(GREY[..., 0], "text")
    with pytest.raises(HarError, match="pa17j"):
        draw_skeleton(GREY, standing()[:16], LAYOUT)
    with pytest.raises(HarError, match="confidences"):
        draw_skeleton(GREY, standing(), LAYOUT, confidence=np.ones(3))


# ------------------------------------------------------------------------------- text and tables


def ink(bar: np.ndarray) -> np.ndarray:
    """Columns in which a caption bar has letters."""
    return np.flatnonzero((bar.max(-1) > 120).any(0))


@pytest.mark.parametrize("width", [128, 256, 640, 1920])
def test_a_label_stands_below_the_image_and_fits(width: int) -> None:
    image = np.full((100, width, 3), 128, np.uint8)
    for text in ("drink water 98%", "standing up (from sitting position) " * 12):
        result = label(image, text)
        assert np.array_equal(result[:100], image)
        bar = result[100:]
        assert 14 <= len(bar) <= 0.15 * width + 10
        columns = ink(bar)
        assert columns[0] >= 2
        assert columns[-1] < width - 2  # not cut by the border
    assert columns[-1] > 0.8 * width  # the long one uses the room


def test_a_label_has_lines_and_drops_accents() -> None:
    one, two = label(GREY, "drink"), label(GREY, "drink\nwater")
    assert len(two) - 120 > 1.5 * (len(one) - 120)
    assert np.array_equal(label(GREY, "Größe á la café"[4:]), label(GREY, "e a la cafe"))
    assert np.array_equal(label(GREY, "喝水"), label(GREY, "??"))


def test_bars_are_as_long_as_the_probabilities() -> None:
    names = ["drink water", "eat meal", "clapping", "falling"]
    image = probability_bars(400, names, [0.1, 0.6, 0.0, 0.3], top=3, true=3)
    plain = probability_bars(400, ["", "", "", ""], [0.1, 0.6, 0.0, 0.3], top=3, true=3)
    assert image.shape == plain.shape == (len(image), 400, 3)
    rows = np.linspace(0, len(plain), 4).astype(int)[:3] + 5  # above the letters
    lines = plain[rows].astype(int)
    blue = (lines[..., 2] > 120).sum(1)
    green = ((lines[..., 1] > 110) & (lines[..., 0] < 20)).sum(1)
    assert blue[0] == pytest.approx(0.6 * 400, abs=10)
    assert green.tolist() == [0, pytest.approx(0.3 * 400, abs=10), 0]
    assert blue[2] == pytest.approx(0.1 * 400, abs=10)
    assert not np.array_equal(image, plain)
    with pytest.raises(HarError, match="4 class names"):
        probability_bars(400, names, [0.5, 0.5])


def test_a_contact_sheet_is_a_grid() -> None:
    shades = (10, 60, 110, 160, 210)
    images = [np.full((30, 40, 3), shade, np.uint8) for shade in shades]
    images[4] = images[4][:20, :30]  # smaller: centered in its cell
    sheet = contact_sheet(images, columns=3, margin=6)
    assert sheet.shape == (2 * 30 + 3 * 6, 3 * 40 + 4 * 6, 3)
    for number, shade in enumerate(shades[:4]):
        y, x = 6 + number // 3 * 36, 6 + number % 3 * 46
        assert (sheet[y : y + 30, x : x + 40] == shade).all()
    assert (sheet[6 + 36 + 5 : 6 + 36 + 25, 6 + 46 + 5 : 6 + 46 + 35] == 210).all()
    painted = sum((sheet == shade).all(-1).sum() for shade in shades)
    assert painted == 4 * 30 * 40 + 20 * 30  # the rest is margin
    assert (sheet[:6] > 240).all()


def test_a_contact_sheet_has_captions_and_few_images_few_columns() -> None:
    sheet = contact_sheet([GREY, GREY], columns=5, captions=["one", "two"], margin=4)
    tile = label(GREY, "two")
    assert sheet.shape == (len(tile) + 8, 2 * 160 + 12, 3)
    assert np.array_equal(sheet[4:-4, 168:-4], tile)
    with pytest.raises(HarError, match="one image"):
        contact_sheet([], columns=3)
    with pytest.raises(HarError, match="1 captions do not fit 2 images"):
        contact_sheet([GREY, GREY], columns=2, captions=["one"])


# ------------------------------------------------------------------------------------------- files


def test_images_are_written_at_any_path(tmp_path: Path) -> None:
    image = draw_skeleton(GREY, standing(), LAYOUT)
    path = tmp_path / "Übung 喝水" / "Bild é.png"
    write_image(path, image)
    data = np.frombuffer(path.read_bytes(), np.uint8)
    read = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert np.array_equal(read, image)
    assert [file.name for file in path.parent.iterdir()] == ["Bild é.png"]


def test_a_failed_write_leaves_the_old_image_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "picture.png"
    write_image(path, GREY)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("har.files.os.replace", full)
    with pytest.raises(HarError, match=r"picture\.png cannot be written: No space"):
        write_image(path, GREY[:50])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["picture.txt", "picture"])
def test_an_unknown_ending_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(HarError, match=r"use the ending \.png"):
        write_image(tmp_path / name, GREY)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HarError, match="cannot be written"):
        write_image(tmp_path / "file" / "picture.png", GREY)
