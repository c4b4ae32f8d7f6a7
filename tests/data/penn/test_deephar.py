"""The original program's annotation of Penn Action: what is not of its form is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from har.data.penn.deephar import read_annotations
from har.data.penn.files import PennError

POSE = np.arange(26.0).reshape(2, 13) + 1


def cells(structs: list[Any]) -> np.ndarray:
    array = np.empty(len(structs), dtype=object)
    array[:] = structs
    return array


def write(path: Path, tested: Any, trained: Any) -> None:
    labels = np.array(["baseball_pitch", "bowl"], dtype=object)
    lists = {"sequences_te": tested, "sequences_tr": trained}
    scipy.io.savemat(path, {"action_labels": labels, **lists})


def sequence(number: float = 1, frames: int = 3, **changes: Any) -> dict[str, Any]:
    """A clip; changes are of all its frames, functions of the number of the frame."""
    listed = []
    for frame in range(1, frames + 1):
        known = {"f": frame, "w": 48, "h": 36, "pose": POSE + frame, "visible": np.ones(13)}
        change = {k: v(frame) if isinstance(v, Callable) else v for k, v in changes.items()}
        listed.append({**known, **change})
    return {"idx": number, "action_id": 2, "frames": cells(listed)}


def test_joints_are_x_then_y(tmp_path: Path) -> None:
    path = tmp_path / "annotations.mat"
    write(path, cells([sequence(7)]), cells([]))
    clip = read_annotations(path)["0007"]
    assert (clip.action, clip.split, clip.size) == ("bowl", "test", (48, 36))
    assert clip.numbers.tolist() == [0, 1, 2]
    for frame in range(3):  # x of joint 5 is the sixth number of the first row
        assert clip.joints_px[frame, 5].tolist() == [7 + frame, 20 + frame]


@pytest.mark.parametrize(
    "changes",
    [
        {"pose": POSE.T},
        {"pose": POSE.ravel()},
        {"pose": POSE.reshape(26, 1)},
        {"pose": np.ones((3, 13))},
        {"pose": POSE * 1j},
        {"f": lambda frame: 1e10 * frame},
        {"f": lambda frame: 999_998 + frame},
        {"f": np.inf},
        {"w": np.inf},
        {"h": np.inf},
        {"w": 1e9},
        {"h": np.nan},
        {"w": 0},
    ],
)
def test_frames_of_another_form_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "annotations.mat"
    write(path, cells([sequence(1, **changes)]), cells([sequence(2)]))
    with pytest.raises(PennError, match="has no frames of clip 0001 with a width") as caught:
        read_annotations(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("number", [2.5, 0, 10_000, np.nan])
def test_a_clip_has_a_whole_number(tmp_path: Path, number: float) -> None:
    path = tmp_path / "annotations.mat"
    write(path, cells([sequence(number)]), cells([sequence(2)]))
    with pytest.raises(PennError, match="not numbers of Penn Action"):
        read_annotations(path)


def test_a_list_of_numbers_is_no_list_of_clips(tmp_path: Path) -> None:
    path = tmp_path / "annotations.mat"
    write(path, np.ones(3), cells([sequence(2)]))
    with pytest.raises(PennError, match=r"float64 \(1, 3\) as sequences_te, not clips"):
        read_annotations(path)
    write(path, np.empty((0, 0)), cells([sequence(2)]))  # MATLAB's []: no clip is tested
    assert list(read_annotations(path)) == ["0002"]
