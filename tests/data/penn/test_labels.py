"""Label files of Penn Action: the real ones in full, and damage ends in one sentence."""

import json
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from har.data.penn.files import PennError
from har.data.penn.labels import ACTIONS, LAYOUT, far_outside, read_label
from har.layouts import MISSING, get_layout
from tests.helpers.golden import golden_path, real_path
from tests.helpers.penn_files import joints_of, label_fields, write_label


def test_a_label_file_in_all_its_types(tmp_path: Path) -> None:
    for frames in (9, 300):  # nframes has 8 or 16 bits
        path = tmp_path / f"{frames:04d}.mat"
        write_label(path, **label_fields(7, frames, "golf_swing", train=-1))
        clip = read_label(path)
        assert (clip.name, clip.action, clip.split) == (path.stem, "golf_swing", "test")
        assert clip.size == (48, 36)
        assert clip.numbers.tolist() == list(range(frames))
        expected = joints_of(7, frames)
        expected[:, 12] = np.nan
        expected[1, 5] = np.nan
        np.testing.assert_array_equal(clip.joints_px, expected)


def test_joints_are_those_of_the_original_map() -> None:
    layouts = json.loads(golden_path("layouts.json").read_text())
    for name in ("pa16j", "pa17j", "pa20j", "pa21j"):
        order = np.array(get_layout(name).order_from(LAYOUT))
        # The original puts Penn Action's joint i at place map_to_pa13j[i] of its pose.
        expected = np.full(len(order), MISSING)
        expected[layouts[name]["map_to_pa13j"]] = np.arange(13)
        np.testing.assert_array_equal(order, expected)
    flipped = np.array(layouts["pa16j"]["map_hflip"])
    places = layouts["pa16j"]["map_to_pa13j"]
    assert [places[i] for i in LAYOUT.flip] == flipped[places].tolist()


def test_all_real_label_files() -> None:
    paths = sorted(real_path("penn/labels").glob("*.mat"))
    clips = [read_label(path) for path in paths]
    assert len(clips) == 2326
    assert Counter(clip.split for clip in clips) == {"train": 1258, "test": 1068}
    assert sum(len(clip.joints_px) for clip in clips) == 163_841
    assert not any(far_outside(clip.joints_px, clip.size).any() for clip in clips)
    lengths = [len(clip.joints_px) for clip in clips]
    assert (min(lengths), max(lengths)) == (18, 663)
    # The clips are numbered action by action, in the order of ACTIONS.
    assert list(dict.fromkeys(clip.action for clip in clips)) == list(ACTIONS)
    joints = np.concatenate([clip.joints_px for clip in clips])
    assert not (joints == 1).all(-1).any()  # where the files put joints that are not visible
    assert np.isnan(joints).any(-1).sum() == 469_501
    # Right is the person's: the left of the picture from the front, the right from behind.
    across = {"front": [], "back": []}
    for path, clip in zip(paths, clips, strict=True):
        view = str(scipy.io.loadmat(path, variable_names=["pose"])["pose"][0])
        if view in across:
            across[view].append(clip.joints_px[:, 1, 0] - clip.joints_px[:, 2, 0])
    front, back = (np.concatenate(values) for values in across.values())
    assert (front[np.isfinite(front)] < 0).mean() > 0.95
    assert (back[np.isfinite(back)] > 0).mean() > 0.8


WRONG = {
    "action": ["jogging", np.array([3.0]), ""],
    "train": [0, 2, np.array([[1, 1]]), "yes", np.nan],
    "x": [np.ones((9, 12)), np.ones((8, 13)), np.full((9, 13), 1e6), "text", np.ones(13)],
    "y": [np.full((9, 13), np.nan), np.zeros((9, 13, 2)), np.ones((9, 13)) * 1j],
    "visibility": [np.full((9, 13), 2), np.full((9, 13), np.nan), np.ones((13, 9))],
    "nframes": [8, 9.5, np.array([]), "nine"],
    "dimensions": [[36, 48], [36, 48, 8], [0, 48, 9], [36, 48, 9, 1]],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG.items() for value in values]
)
def test_wrong_values_end_in_a_sentence(tmp_path: Path, field: str, value: object) -> None:
    path = tmp_path / "0001.mat"
    write_label(path, **{**label_fields(1), field: value})
    with pytest.raises(PennError) as caught:
        read_label(path)
    message = str(caught.value)
    assert str(path) in message
    assert message.endswith("again.")
    assert message.count(". ") == 0


@pytest.mark.parametrize("field", WRONG)
def test_what_is_missing_is_named(tmp_path: Path, field: str) -> None:
    path = tmp_path / "0001.mat"
    write_label(path, **{**label_fields(1), field: None})
    with pytest.raises(PennError, match=f"has no variable {field}"):
        read_label(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_bytes_end_in_a_sentence_or_in_a_whole_clip(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "0001.mat"
        write_label(path, **label_fields(1))
        content = bytearray(path.read_bytes())
        if data.draw(st.booleans(), label="cut"):
            del content[data.draw(st.integers(0, len(content) - 1), label="at") :]
        for _ in range(data.draw(st.integers(0, 6), label="changes")):
            place = data.draw(st.integers(0, max(0, len(content) - 1)), label="place")
            if content:
                content[place] = data.draw(st.integers(0, 255), label="value")
        path.write_bytes(bytes(content))
        message = ""
        try:
            clip = read_label(path)
        except PennError as error:
            message = str(error)
        if message:
            assert str(path) in message
        else:
            assert clip.joints_px.shape == (9, 13, 2)
            assert clip.action in ACTIONS
