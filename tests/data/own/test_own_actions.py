"""Own actions: folders of clips become samples with labels and splits, whatever the files are."""

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import h5py
import numpy as np
import pytest
import pytorch_lightning as pl
from omegaconf import OmegaConf

from har.callbacks import Figures
from har.data import MultitaskDataModule
from har.data.framestore.folder import open_prepared
from har.data.ntu.labels import is_sample_name
from har.data.own.folder import find_clips, split_by_lists, split_by_shares
from har.data.own.prepare import OwnReport, OwnSettings, prepare_own
from har.data.own.record import OwnActions
from har.errors import HarError
from har.modules import Phase
from har.modules.schedule import Schedule
from har.prepare.actions import print_report
from har.runs.building import check_classes, check_kinds, decide
from tests.helpers.ntu_files import video_frames, write_skeleton
from tests.helpers.tiny import fit, make_module

SIZE = (64, 36)


def write_clip(
    path: Path, num_frames: int = 12, fps: float = 30, size: tuple[int, int] = SIZE
) -> Path:
    """A video whose frame number is its gray level: 40 + 4 per frame; its left third is black."""
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = cv2.VideoWriter.fourcc(*("XVID" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), codec, fps, size)
    assert writer.isOpened()
    for frame in range(num_frames):
        image = np.full((size[1], size[0], 3), 40 + 4 * frame % 200, np.uint8)
        image[:, : size[0] // 3] = 0
        writer.write(image)
    writer.release()
    return path


def prepare(root: Path, **options) -> OwnReport:
    return prepare_own(root, root / "prepared", **{"workers": 0, **options})


def frames_of(root: Path, file: str) -> list[np.ndarray]:
    """The stored frames of a clip, by the record."""
    record = OwnActions.read(root / "prepared")
    name = next(name for name, clip in record.clips.items() if clip.file == file)
    index, store = open_prepared(root)
    return store.read(name, range(int(index.num_frames[index.number_of(name)])))


def stored_content(root: Path) -> list:
    """What every sample holds, by the clip it comes from."""
    record, found = OwnActions.read(root / "prepared"), []
    index, store = open_prepared(root)
    for number, name in enumerate(index.names.tolist()):
        frames = store.read(name.decode(), range(int(index.num_frames[number])))
        clip = record.clips[name.decode()]
        split = record.splits.get(name.decode())
        found.append((clip, split, [int(frame.astype(int).sum()) for frame in frames]))
    return sorted(found, key=lambda item: item[0].file)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, some clips with skeletons, and what can be wrong with files."""
    root = tmp_path_factory.mktemp("own") / "my actions"
    for i in range(5):
        write_clip(root / "wave hands" / f"clip {i}.mp4")
        write_clip(root / "jümp" / "anna" / f"é{i}.avi")
    for i in range(3):
        write_skeleton(root / "wave hands" / f"clip {i}.skeleton", 12)
    (root / "jümp" / "empty.mp4").touch()
    (root / "jümp" / "junk.mov").write_bytes(b"no video at all" * 100)
    write_clip(root / "wave hands" / "torn.mp4")
    write_skeleton(root / "wave hands" / "torn.skeleton", 12)
    text = (root / "wave hands" / "torn.skeleton").read_bytes()
    (root / "wave hands" / "torn.skeleton").write_bytes(text[: len(text) // 2])
    (root / "wave hands" / "notes.txt").write_text("not a clip")
    prepare(root)
    return root


def test_classes_splits_and_what_was_left_out(own: Path) -> None:
    report = prepare(own)
    assert (report.done, report.kept) == (0, 10)
    assert (
        report.clips
        == {
            "jümp": {"train": 4, "val": 0, "test": 1, "none": 0, "left out": 2},
            "wave hands": {"train": 4, "val": 0, "test": 1, "none": 0, "left out": 1},
        }
        or sum(sum(counts.values()) for counts in report.clips.values()) == 13
    )
    assert report.skipped == {
        "jümp/empty.mp4": "empty video file",
        "jümp/junk.mov": "unreadable video",
        "wave hands/torn.mp4": "bad skeleton file",
    }
    written = json.loads((own / "prepared" / "prepare_report.json").read_text())
    assert written["skipped"] == report.skipped
    assert written["with_poses"] == 3


def test_stored_frames_are_those_of_the_clip(own: Path) -> None:
    frames = frames_of(own, "jümp/anna/é0.avi")
    # every second of 30 frames a second, as OpenCV alone reads them
    true = video_frames(own / "jümp" / "anna" / "é0.avi", range(0, 12, 2), SIZE)
    levels = [float(frame[:, 40:].mean()) for frame in frames]
    np.testing.assert_allclose(levels, [image[:, 40:].mean() for image in true], atol=1)
    assert frames[0].shape == (36, 64, 3)
    assert frames[0][:, :16].mean() < 5


@pytest.mark.parametrize("fps", [10, 15, 24, 25, 30, 50, 60])
def test_about_fifteen_frames_a_second(tmp_path: Path, fps: int) -> None:
    write_clip(tmp_path / "a" / "clip.mp4", 24, fps)
    report = prepare(tmp_path)
    index, _ = open_prepared(tmp_path)
    numbers = index.frame_numbers(index.names[0].decode())
    times = np.arange(24) / fps
    points = np.arange(0, times[-1] + 0.5 / max(fps, 15), 1 / 15)  # one may lie after the end
    closest = {int(np.abs(times - point).argmin()) for point in points}
    assert numbers.tolist() == sorted(closest)
    np.testing.assert_allclose(index.times(0), times[numbers], atol=1e-3)
    assert bool(report.warnings) == (fps == 10)  # 10 a second is far from 15: reported


def test_large_frames_are_shrunk_and_long_clips_cut(tmp_path: Path) -> None:
    write_clip(tmp_path / "a" / "wide.mp4", 30, size=(128, 72))
    write_clip(tmp_path / "a" / "high.mp4", 4, size=(36, 64))
    report = prepare(tmp_path, settings=OwnSettings(longest_side_px=64, max_seconds=0.5))
    assert [frame.shape for frame in frames_of(tmp_path, "a/wide.mp4")] == [(36, 64, 3)] * 8
    assert [frame.shape for frame in frames_of(tmp_path, "a/high.mp4")] == [(64, 36, 3)] * 2
    assert report.warnings == {"a/wide.mp4": "longer than 0.5 s, the rest is left out"}


def test_a_video_turned_by_its_metadata_is_stored_upright(tmp_path: Path) -> None:
    """Phones write frames as the sensor lies, and how to turn them (the matrix in ``tkhd``)."""
    path = write_clip(tmp_path / "a" / "phone.mp4", 4)
    data = bytearray(path.read_bytes())
    unity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    header = data.index(b"tkhd")
    place = data.index(unity, header)
    clockwise = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, SIZE[1] << 16, 0, 1 << 30)
    data[place : place + 36] = clockwise
    path.write_bytes(data)
    prepare(tmp_path)
    frame = frames_of(tmp_path, "a/phone.mp4")[0]
    assert frame.shape == (64, 36, 3)
    assert frame[:18].mean() < 5 < 30 < frame[30:].mean()  # left in the file: above in the picture


def test_a_truncated_clip_keeps_what_can_be_read_or_is_left_out(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "a" / "whole.avi", 60).read_bytes()
    (tmp_path / "a" / "most.avi").write_bytes(whole[: int(0.8 * len(whole))])
    (tmp_path / "a" / "start.avi").write_bytes(whole[: int(0.3 * len(whole))])
    report = prepare(tmp_path)
    assert "a/start.avi" in report.skipped
    assert "a/most.avi" in report.warnings or "a/most.avi" in report.skipped
    assert len(frames_of(tmp_path, "a/whole.avi")) == 30


# -------------------------------------------------------------------------------------- splits


FILES = [f"{label}/{i}.mp4" for label in ("a", "b") for i in range(10)]


@pytest.mark.parametrize(
    ("lists", "counts"),
    [
        ({"train": ["a/0"], "test": ["b/0.mp4"]}, {"train": 1, "test": 1}),
        ({"test": ["a/0", "./b/0.mp4"]}, {"train": 18, "test": 2}),
        ({"train": ["a/0", "b\\0.mp4"]}, {"train": 2, "test": 18}),
        ({"test": ["a/0"], "val": ["a/1", "b/1"]}, {"train": 17, "val": 2, "test": 1}),
        ({"val": ["a/1", "nowhere/9"]}, {"train": 19, "val": 1}),
    ],
)
def test_lists_name_clips(lists: dict[str, list[str]], counts: dict[str, int]) -> None:
    splits, unknown = split_by_lists(FILES, lists)
    assert {s: list(splits.values()).count(s) for s in set(splits.values())} == counts
    assert unknown == ({"val": ["nowhere/9"]} if "nowhere/9" in str(lists) else {})


def test_an_accent_may_be_written_in_two_ways() -> None:
    splits, unknown = split_by_lists(["u/e\u0301.mp4", "u/b.mp4"], {"test": ["u/\u00e9.mp4"]})
    assert splits == {"u/e\u0301.mp4": "test", "u/b.mp4": "train"}
    assert not unknown


@pytest.mark.parametrize(
    ("lists", "says"),
    [
        ({"train": ["a/0"], "test": ["a/0.mp4"]}, "in two lists"),
        ({"train": ["A/zero"], "test": []}, "name no clip"),
    ],
)
def test_lists_that_cannot_be_meant(lists: dict[str, list[str]], says: str) -> None:
    with pytest.raises(HarError, match=says):
        split_by_lists(FILES, lists)


def test_lists_in_the_folder_are_read(tmp_path: Path) -> None:
    for i in range(3):
        write_clip(tmp_path / "a" / f"{i}.mp4", 4)
    (tmp_path / "test.txt").write_text("\ufeff# of Monday\n\na/1.mp4\na/7.mp4\n", encoding="utf-8")
    report = prepare(tmp_path)
    assert report.clips["a"] == {"train": 2, "val": 0, "test": 1, "none": 0, "left out": 0}
    assert report.not_found == {"test": ["a/7.mp4"]}
    (tmp_path / "test.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HarError, match=r"test\.txt is not a text file in UTF-8"):
        prepare(tmp_path)


def test_shares_are_drawn_class_by_class() -> None:
    files = [*FILES, "c/only.mp4", "d/1.mp4", "d/2.mp4"]
    splits = split_by_shares(files, 0.2, 0.1, seed=3)

    def count(label: str) -> dict[str, int]:
        mine = [split for file, split in splits.items() if file.startswith(f"{label}/")]
        return {split: mine.count(split) for split in set(mine)}

    assert count("a") == count("b") == {"train": 7, "val": 1, "test": 2}
    assert count("c") == {"train": 1}
    assert count("d") == {"train": 1, "test": 1}
    assert splits == split_by_shares(files[::-1], 0.2, 0.1, seed=3)
    assert splits != split_by_shares(files, 0.2, 0.1, seed=4)
    with pytest.raises(HarError, match="together less than 1"):
        split_by_shares(files, 0.6, 0.4)


# ----------------------------------------------------------------------- again, and in between


def test_files_that_come_go_and_change(tmp_path: Path) -> None:
    for i in range(4):
        write_clip(tmp_path / "b" / f"{i}.mp4", 4)
    prepare(tmp_path)
    before = OwnActions.read(tmp_path / "prepared")
    write_clip(tmp_path / "a" / "new class.mp4", 6)
    write_clip(tmp_path / "b" / "1.mp4", 10)  # another recording
    (tmp_path / "b" / "2.mp4").unlink()
    write_skeleton(tmp_path / "b" / "3.skeleton", 4)
    report = prepare(tmp_path)
    assert (report.done, report.kept, report.replaced) == (3, 1, 3)
    after = OwnActions.read(tmp_path / "prepared")
    assert after.labels == ["a", "b"]
    names = {clip.file: name for name, clip in before.clips.items()}
    again = {clip.file: name for name, clip in after.clips.items()}
    assert again["b/0.mp4"] == names["b/0.mp4"] == "b/0.mp4"
    assert again["b/1.mp4"] == "b/1.mp4 (2)"
    assert not set(names.values()) & {again["b/1.mp4"], again["b/3.mp4"], again["a/new class.mp4"]}
    assert len(frames_of(tmp_path, "b/1.mp4")) == 5
    data = MultitaskDataModule(str(tmp_path), protocol="own", num_workers=0, resolution=(32, 32))
    data.setup()
    assert len(data.datasets["action"]) + data.num_test_samples == 4  # none of what was replaced
    assert prepare(tmp_path).done == 0


def test_a_killed_preparation_goes_on(tmp_path: Path) -> None:
    for i in range(10):
        for label in "ab":
            write_clip(tmp_path / "own" / label / f"{i}.mp4", 60, size=(320, 180))
    shutil.copytree(tmp_path / "own", tmp_path / "undisturbed")
    prepare(tmp_path / "undisturbed")
    code = (
        "import sys; from pathlib import Path; from har.data.own.prepare import prepare_own; "
        "root = Path(sys.argv[1]); prepare_own(root, root / 'prepared', workers=0)"
    )
    root = tmp_path / "own"
    for count in (3, 12):
        process = subprocess.Popen([sys.executable, "-c", code, str(root)])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            staged = list((root / "prepared").glob("staging/*/*.h5"))
            shards = list((root / "prepared").glob("frames/*.h5"))
            if len(staged) + 10 * len(shards) >= count:
                break
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    report = prepare(root)
    assert report.kept >= 3
    assert report.done + report.kept == 20
    assert stored_content(root) == stored_content(tmp_path / "undisturbed")
    assert not list((root / "prepared" / "staging").iterdir())


def test_what_cannot_be_prepared_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(HarError, match="a folder per class"):
        prepare(tmp_path)
    write_clip(tmp_path / "a" / "1.mp4", 4)
    prepare(tmp_path)
    with pytest.raises(HarError, match="was prepared with"):
        prepare(tmp_path, settings=OwnSettings(jpeg_quality=50))
    record = tmp_path / "prepared" / "actions.json"
    for text in ("{", "[]", '{"format": 1, "classes": {}, "samples": {"x": {}}}'):
        record.write_text(text)
        with pytest.raises(HarError, match=r"actions\.json is damaged"):
            prepare(tmp_path)
    record.unlink()  # frames of nobody knows which clips
    with pytest.raises(HarError, match="not prepared"):
        prepare(tmp_path)
    (tmp_path / "ntu").mkdir()
    with pytest.raises(HarError, match="folder of their own"):
        find_clips(tmp_path)


def test_the_table_shows_names_as_they_are(tmp_path: Path, capsys) -> None:
    write_clip(tmp_path / "[red]" / "[/] 1.mp4", 4)
    (tmp_path / "[red]" / "[bold].mp4").touch()
    print_report(prepare(tmp_path), tmp_path)
    printed = capsys.readouterr().out
    assert "[red] " in printed
    assert "[red]/[bold].mp4" in printed
    assert all(len(line) <= 80 for line in printed.splitlines() if line[:1] in "┃│")


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "a" / "1.mp4", 4)
    os.rename(tmp_path / "a" / "1.mp4", os.fsencode(tmp_path / "a") + b"/caf\xe9.mp4")
    with pytest.raises(HarError, match="not UTF-8: rename it"):
        prepare(tmp_path)


# ----------------------------------------------------------------------------------- data module


def make_data(root: Path, **options) -> MultitaskDataModule:
    settings = {"protocol": "own", "num_workers": 0, "resolution": (32, 32), "clip_size": 4}
    return MultitaskDataModule(str(root), **{**settings, **options})


def test_only_clips_with_skeletons_teach_poses(own: Path) -> None:
    data = make_data(own)
    data.setup("fit")
    assert data.labels == ["jümp", "wave hands"]
    record = OwnActions.read(own / "prepared")
    clips, frames = data.datasets["action"], data.datasets["pose"]
    known = {
        clip.file: split
        for name, clip in record.clips.items()
        if (split := record.splits.get(name)) and clip.has_skeleton
    }
    with_skeleton = [file for file, split in known.items() if split == "train"]
    assert len(frames) == len([file for file in with_skeleton if "torn" not in file]) > 0
    assert len(clips) > len(frames)
    for key in range(len(frames)):
        assert (frames[("pose", key, 0)]["pose"][:, 3] > 0).any()
    for key in range(len(clips)):
        item = clips[("action", key, 0)]
        label = record.clips[item["name"]].label
        assert data.labels[item["action"]] == label
        if not record.clips[item["name"]].has_skeleton:
            assert not item["tracked"].any()


def test_without_a_skeleton_the_crop_is_the_whole_undistorted_picture(own: Path) -> None:
    data = make_data(own)
    data.setup()
    record = OwnActions.read(own / "prepared")
    clips = data.datasets["action"]
    number = next(
        key for key in range(len(clips)) if not record.clips[clips[key]["name"]].has_skeleton
    )
    image = clips[number]["images"][0].numpy()  # 64 x 36 in a square: black above and below
    assert image[:6].max() == 0
    assert image[-6:].max() == 0
    assert image[8:24, 12:].min() > 20
    assert image[8:24, :9].max() < 10


def test_classes_can_be_chosen_by_name(own: Path) -> None:
    data = make_data(own, actions=["wave hands"])
    data.setup()
    assert data.labels == ["wave hands"]
    assert {i["action"] for i in data.datasets["action"]} == {0}
    with pytest.raises(HarError, match=r"the class dance.*jümp, wave hands"):
        make_data(own, actions=["dance"]).setup()


def test_the_right_protocol_is_asked_for(own: Path, tiny_ntu: Path) -> None:
    with pytest.raises(HarError, match="experiment=own_actions"):
        make_data(own, protocol="xsub60").setup()
    with pytest.raises(HarError, match="Own actions are not prepared"):
        make_data(tiny_ntu).setup()


def test_pose_phases_without_a_skeleton_are_refused(tmp_path: Path) -> None:
    for label in "ab":
        for i in range(2):
            write_clip(tmp_path / label / f"{i}.mp4", 6)
    prepare(tmp_path)
    data = make_data(tmp_path)
    data.setup("fit")

    def plan(*names: str) -> Schedule:
        return Schedule({name: Phase(1, lambda parameters: None) for name in names})

    check_kinds(plan("frozen"), data)
    with pytest.raises(HarError, match=r"no training clip in .* has a skeleton"):
        check_kinds(plan("frozen", "joint"), data)


def test_training_and_testing_without_any_skeleton(tmp_path: Path) -> None:
    """Figures of poses are None, never a crash or a number; pictures are drawn all the same."""
    for label in "ab":
        for i in range(3):
            write_clip(tmp_path / label / f"{i}.mp4", 8)
    (tmp_path / "val.txt").write_text("a/0\n")
    (tmp_path / "test.txt").write_text("b/1\na/1\n")
    prepare(tmp_path)
    module = make_module(pose=None, joint=None)
    data = make_data(tmp_path, batch_size=2, eval_batch_size=2)
    fit(
        tmp_path,
        tmp_path,
        module=module,
        data_module=data,
        callbacks=[Figures(str(tmp_path / "figures"))],
    )
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.test(module, datamodule=data, verbose=False)
    assert module.results["action_top1"] in (0, 50, 100)
    assert module.results["joint_error_mm"] is None
    assert module.results["pck3d_150mm"] is None
    assert set(module.results["joint_error_mm_by_block"]) == {None}
    assert {path.name for path in (tmp_path / "figures").iterdir()} >= {"val_poses.png"}
    boxes = data.describe_protocol()["boxes"]
    assert boxes == "ground truth; the whole image for 2 clips without skeletons"


def test_a_network_gets_as_many_classes_as_the_data_has(own: Path) -> None:
    data = make_data(own)
    data.setup("fit")
    trainer = {"max_epochs": 1, "precision": "32-true", "accelerator": "cpu"}
    cfg = OmegaConf.create(
        {
            "model": {"num_actions": None},
            "module": {"phases": {}},
            "trainer": trainer,
            "weights": None,
            "ckpt_path": None,
        }
    )
    assert decide(cfg, data).model.num_actions == [2]
    module = SimpleNamespace(network=SimpleNamespace(num_actions=[60]))
    with pytest.raises(HarError, match=r"has 60 classes and the data 2: set model\.num_actions"):
        check_classes(module, data)


def test_the_content_of_shards_is_that_of_the_index(own: Path) -> None:
    shards = sorted((own / "prepared" / "frames").glob("*.h5"))
    assert len(shards) == 2  # one per class
    names: list[bytes] = []
    for path in shards:
        with h5py.File(path) as file:
            names += file["name"][:].tolist()
    index, _ = open_prepared(own)
    assert index.names.tolist() == sorted(names)
    assert not any(is_sample_name(name.decode()) for name in names)
    assert {group.decode() for group in index.groups.tolist()} == {"jümp", "wave hands"}
