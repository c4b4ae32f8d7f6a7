"""What the commands that walk a folder leave out, and which of two files of a sample they take."""

import json
import logging
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from har.data import NTUDataModule
from har.data.ntu.files import find_skeletons, find_videos
from har.data.ntu.prepare import prepare_ntu
from har.data.own.folder import find_clips
from har.data.own.prepare import OwnSettings
from har.errors import HarError
from har.prepare.ntu import print_report
from tests.helpers.ntu_files import write_sample
from tests.helpers.own_clips import prepare, write_clip

SAMPLE = "S001C001P001R001A001"


def test_what_is_no_clip_is_counted_by_reason(tmp_path: Path) -> None:
    write_clip(tmp_path / "a" / "1.mp4", 6)
    write_clip(tmp_path / "a" / "2.avi", 6).rename(tmp_path / "a" / "2.AVI")
    write_clip(tmp_path / "b" / "1.mp4", 6)
    drawn = cv2.Animation()
    drawn.frames = [np.full((36, 64, 3), 60 + 20 * n, np.uint8) for n in range(6)]
    drawn.durations = [100] * 6
    cv2.imwriteanimation(str(tmp_path / "b" / "wave.gif"), drawn)
    cv2.imwrite(str(tmp_path / "b" / "still.gif"), drawn.frames[0])
    (tmp_path / "b" / "notes.txt").write_text("x")
    (tmp_path / "b" / "lonely.skeleton").write_text("x")
    (tmp_path / "b" / ".hidden.mp4").write_text("x")
    (tmp_path / "train.txt").write_text("a/1\na/2\nb/1\nb/wave\n")
    write_clip(tmp_path / "beside.mp4", 6)
    report = prepare(tmp_path)
    assert report.done == 4
    assert report.no_clips == {
        "beside.mp4": "in no class folder",
        "b/.hidden.mp4": "hidden",
        "b/lonely.skeleton": "no video (.skeleton)",
        "b/notes.txt": "no video (.txt)",
        "b/still.gif": "no video (.gif)",
    }


def test_of_two_files_of_a_sample_the_readable_one_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = tmp_path / "a" / f"{SAMPLE}_rgb.avi"
    broken.parent.mkdir()
    broken.write_bytes(b"no video")
    whole = write_clip(tmp_path / "b" / f"{SAMPLE}_rgb.avi", 6)
    (tmp_path / "a" / f"{SAMPLE}.skeleton").write_text("")
    full = tmp_path / "b" / f"{SAMPLE}.skeleton"
    full.write_text("1\n")
    with caplog.at_level(logging.WARNING):
        assert find_videos(tmp_path, tmp_path / "prepared") == {SAMPLE: whole}
        assert find_skeletons(tmp_path, tmp_path / "prepared") == {SAMPLE: full}
    for path in (broken, whole):
        assert str(path) in caplog.text


def test_files_of_no_sample_are_counted_by_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    write_sample(tmp_path / "videos", SAMPLE)
    for name in (
        "videos/.hidden_rgb.avi",
        "videos/S001C001P002R001A001_rgb.mp4",
        "videos/S001C001P002R001A001_RGB.AVI",
        "videos/S001C001P003R001A001_ir.avi",
        "videos/S001C001P004R001A999_rgb.avi",
        "videos/copy of S001C001P002R001A001_rgb.avi",
        "videos/nested/README",
        "videos/nested/[red] a.txt",
        "videos/b.txt",
        "lists/c.txt",
        "lists/a.skeleton",
        "lists/points.npy",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    expected = {
        "hidden": 1,
        "neither video nor skeleton (.txt)": 3,
        "neither video nor skeleton (no ending)": 1,
        "not the name of a sample (.npy)": 1,
        "not the name of a sample (.skeleton)": 1,
        "not the name of a sample (_rgb.avi)": 2,
        "videos are named <sample>_rgb.avi (.avi)": 2,
        "videos are named <sample>_rgb.avi (.mp4)": 1,
    }
    (tmp_path / "again").symlink_to(tmp_path / "videos")
    output = tmp_path / "prepared"
    tops = ((tmp_path, tmp_path / "videos"), (tmp_path / "videos", tmp_path), (tmp_path, tmp_path))
    for number, (videos, skeletons) in enumerate(tops):
        report = prepare_ntu(videos, skeletons, output, workers=0)
        assert report.done + report.kept == 1
        found = {reason: count for reason, (count, _) in report.not_looked_at.items()}
        assert found == expected, number
    saved = json.loads((output / "prepare_report.json").read_text())
    _, first = saved["not_looked_at"]["neither video nor skeleton (no ending)"]
    assert first.endswith("nested/README")
    print_report(report, output)
    table = capsys.readouterr().out
    assert table.count("not looked at:") == len(expected)
    assert "nested/README" in table


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_any_text_is_the_name_of_a_class(tmp_path: Path, label: str) -> None:
    if label in (".", "..", "prepared", "ntu") or len(label.encode()) > 200:
        return
    folder = tmp_path / label
    folder.mkdir(exist_ok=True)
    (folder / "1.mp4").write_bytes(b"x")
    left_out: dict[str, str] = {}
    found = [clip.label for clip in find_clips_or_none(tmp_path, left_out)]
    assert (label in found) != (left_out.get(label) == "hidden")


def find_clips_or_none(root: Path, left_out: dict[str, str]) -> list:
    try:
        return find_clips(root, left_out)
    except HarError:
        return []


def test_numbers_of_a_preparation_are_checked() -> None:
    for wrong in ({"frames_per_second": 0.0}, {"max_seconds": -1}, {"jpeg_quality": 101}):
        with pytest.raises(HarError, match="has to be"):
            OwnSettings(**wrong)


def test_data_sets_can_be_sent_to_spawned_processes(tiny_ntu: Path) -> None:
    """Windows and macOS start loader processes anew, which get a pickled copy."""
    options = {"actions": [22, 43], "clip_size": 4, "resolution": (32, 32), "num_workers": 0}
    data = NTUDataModule(str(tiny_ntu), **options)
    data.setup("fit")
    samples = data.datasets["action"]
    before = samples[("action", 0, 0)]["images"]
    again = pickle.loads(pickle.dumps(samples))[("action", 0, 0)]["images"]
    assert np.array_equal(before, again)
