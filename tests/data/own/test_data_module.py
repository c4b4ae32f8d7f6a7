"""Own actions as training and evaluation samples."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
from omegaconf import OmegaConf

from har.callbacks import Figures
from har.data import MultitaskDataModule, OwnActionsDataModule
from har.data.own.record import OwnActions
from har.errors import HarError
from har.modules import Phase
from har.modules.schedule import Schedule
from har.runs.building import check_classes, check_kinds, decide
from tests.helpers.own_clips import prepare, write_clip
from tests.helpers.tiny import fit, make_module


def make_data(root: Path, **options) -> OwnActionsDataModule:
    settings = {"num_workers": 0, "resolution": (32, 32), "clip_size": 4}
    return OwnActionsDataModule(str(root), **{**settings, **options})


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
        MultitaskDataModule(str(own), protocol="xsub60").setup()
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
            "data": {},
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


def test_a_checkpoint_of_the_first_version_names_own_clips_as_a_protocol(own: Path) -> None:
    old = MultitaskDataModule(
        str(own), protocol="own", actions=None, val_subjects=[], resolution=(32, 32), clip_size=4
    )
    new = make_data(own)
    for data in (old, new):
        data.setup()
    assert old.labels == new.labels
    assert old.describe_protocol() == new.describe_protocol()
    assert (old.test_clips[0]["images"] == new.test_clips[0]["images"]).all()
