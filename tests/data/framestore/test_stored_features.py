"""The file of features."""

from pathlib import Path

import numpy as np
import pytest

from har.data.framestore.stored_features import ClipFeatures, StoredFeatures
from har.errors import HarError

SHAPES = ((4, 3), (4, 1))


def some() -> StoredFeatures:
    rng = np.random.default_rng(0)
    rows = [
        (time_s, 2, [rng.uniform(size=shape).astype(np.float32) for shape in SHAPES])
        for time_s in (0.0, 0.1, 0.25)
    ]
    clips = {"b/ü.avi": ClipFeatures.of(5, rows), "a/nobody.avi": ClipFeatures.of(25, [], 16)}
    return StoredFeatures("0123456789abcdef", SHAPES, clips)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    stored = some()
    stored.write(tmp_path / "features.h5")
    again = StoredFeatures.read(tmp_path / "features.h5")
    assert (again.key, again.shapes) == (stored.key, stored.shapes)
    assert sorted(again.clips) == ["a/nobody.avi", "b/ü.avi"]
    for name, clip in stored.clips.items():
        assert again.clips[name].num_frames == clip.num_frames
        for field in ("times_s", "tracks", "values"):
            found, expected = (getattr(each, field) for each in (again.clips[name], clip))
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype
    values = again.clips["b/ü.avi"].values[[2, 0]]
    places, confidence = again.arrays(values)
    assert places.shape == (2, 4, 3)
    np.testing.assert_array_equal(confidence[1, :, 0], values[1, 12:])


def test_no_clip_at_all(tmp_path: Path) -> None:
    StoredFeatures("key", SHAPES, {}).write(tmp_path / "features.h5")
    assert dict(StoredFeatures.read(tmp_path / "features.h5").clips) == {}


def test_a_file_that_is_missing_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "prepared" / "features.h5"
    path.parent.mkdir()
    with pytest.raises(HarError, match="experiment=own_actions"):
        StoredFeatures.read(path)
    some().write(path)
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(HarError, match="remove that file and train again"):
        StoredFeatures.read(path)
