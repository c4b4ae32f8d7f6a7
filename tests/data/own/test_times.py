"""Own clips whose containers state a clock, or frames that an edit list hides."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from har.data.framestore.index import FrameIndex
from har.data.own.prepare import prepare_own

VIDEOS = Path(__file__).parents[2] / "helpers" / "videos"


@pytest.mark.parametrize(
    ("video", "stored", "duration_s"),
    [("streamed.mkv", 33, 2.141), ("clock.mkv", 33, 2.141), ("trimmed.mp4", 11, 0.667)],
)
def test_frames_are_stored_by_their_times(
    tmp_path: Path, video: str, stored: int, duration_s: float
) -> None:
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        shutil.copy(VIDEOS / video, tmp_path / label)
    report = prepare_own(tmp_path, tmp_path / "prepared", workers=0)
    assert (report.done, report.skipped, report.warnings) == (2, {}, {})  # whole, without a remark
    index = FrameIndex.open(tmp_path / "prepared" / "index.h5")
    assert index.num_frames.tolist() == [stored, stored]
    np.testing.assert_allclose(index.durations_s, duration_s, atol=1e-3)
