"""A made-up data set of clips: a reader of its own, and nothing else anywhere changes."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from har.data import ClipDataModule
from har.data.clip_set import StoredReader
from har.data.framestore.extraction import Extracted, PrepareReport, Task, run_tasks
from har.data.framestore.folder import open_prepared
from har.data.framestore.jpeg import encode
from har.data.framestore.shards import one_sample
from har.data.framestore.staging import PreparedFolder
from har.data.ntu.labels import is_sample_name
from har.data.records import Clip
from har.layouts import Layout
from har.models import SPNet
from har.modules import MultitaskModule, Phase
from tests.helpers.tiny import fit, make_module

# ------------------------------------------------------------------------ the data set's folder

PUPPET = Layout("puppet", ("head", "left hand", "right hand", "left foot", "right foot"), root=0)
SETTINGS = {"layout": PUPPET.name, "joint_names": list(PUPPET.joints)}


def read(number: int, split: str) -> Extracted:
    """Two people of five joints at 12.5 frames a second; the first one acts."""
    rng, label = np.random.default_rng(number), ("hop", "søt sving/ing")[number % 2]
    times = np.arange(9 + number) / 12.5
    first = rng.uniform(10, 50, (len(times), 5, 2))
    joints = np.stack([first, 100 - first], 1)  # (F, 2, 5, 2)
    joints[2, 0, 4] = np.nan
    images = [np.full((60, 110, 3), 40, np.uint8) for _ in times]
    for image, person in zip(images, joints[:, 0], strict=True):
        for x, y in np.nan_to_num(person).astype(int).tolist():
            cv2.circle(image, (x, y), 4, (255, 255, 255), -1)
    id_ = f"{label}/S001C001P001R001A00{number} take, {'x' * 200}"
    clip = Clip(id_, times, joints, group=label, label=label, split=split, meta={"no": number})
    return Extracted(one_sample(clip, (110, 60), [encode(image, 90) for image in images]))


def prepare(output: Path) -> PrepareReport:
    folder, report = PreparedFolder(output, SETTINGS), PrepareReport()
    splits = ["train"] * 6 + ["test"] * 2 + ["val"]
    clips = {number: read(number, split).sample for number, split in enumerate(splits)}
    tasks = [
        Task(name, clip.samples["group"][0].decode(), output, read, (number, splits[number]))
        for number, clip in clips.items()
        if (name := clip.samples["name"][0].decode()) not in folder.finished()
    ]
    run_tasks(tasks, folder, report)
    folder.write_index()
    return report


# ------------------------------------------------------------------------------------- its tests


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("third")
    report = prepare(folder / "puppets" / "prepared")
    assert (report.done, report.skipped) == (9, {})
    assert prepare(folder / "puppets" / "prepared").done == 0
    return folder


def make_data(data_dir: Path, **options) -> ClipDataModule:
    settings = {"clip_size": 4, "resolution": (32, 32), "batch_size": 2, "num_workers": 0}
    settings |= {
        "reader": StoredReader(protocol="puppets"),
        "layout": PUPPET,
        "frame_batch_size": 2,
        "eval_batch_size": 2,
        "step": 2,
    }
    return ClipDataModule(str(data_dir), **{**settings, **options})


def test_what_is_stored_comes_back(data_dir: Path) -> None:
    index, store = open_prepared(data_dir)
    assert not any(is_sample_name(name.decode()) for name in index.names.tolist())
    assert index.layout.joints == PUPPET.joints
    shards = list((data_dir / "puppets" / "prepared" / "frames").iterdir())
    assert len(shards) == 2
    for number in range(9):
        (sample,) = (n for n in range(9) if index.meta(n) == {"no": number})
        name = index.name(sample)
        assert len(name) > 200
        assert name.startswith(index.labels[sample].decode() + "/")
        joints, times = index.joints(sample), index.times(sample)
        rng = np.random.default_rng(number)
        first = rng.uniform(10, 50, (9 + number, 5, 2))
        first_known = ~np.isnan(joints[:, 0])
        np.testing.assert_allclose(joints[:, 1][..., 0], 100 - first[..., 0], rtol=1e-6)
        np.testing.assert_allclose(joints[:, 0][first_known], first[first_known], rtol=1e-6)
        np.testing.assert_array_equal(times, np.arange(9 + number) / 12.5)
        assert store.read(name, [len(times) - 1])[0].shape == (60, 110, 3)
        assert index.annotation(sample).depth_mm is None
        assert joints.shape == (9 + number, 2, 5, 2)


def test_samples_of_any_layout(data_dir: Path) -> None:
    data = make_data(data_dir)
    data.setup("fit")
    assert data.labels == ["hop", "søt sving/ing"]
    assert (data.camera, data.depth_range_mm, data.clip_seconds_between_frames) == (
        None,
        None,
        2 / 15,
    )
    assert [len(data.clips.splits[split]) for split in ("train", "val", "test")] == [6, 1, 2]
    item = data.test_clips[0]
    assert item["images"].shape == (4, 32, 32, 3)
    assert item["pose"].shape == (4, 5, 4)
    visible = item["pose"][..., 3] > 0
    assert visible.any()
    assert (item["pose"][..., 2] == -1e9).all()  # no depth
    # every visible joint lies on its white disk
    for image, pose, seen in zip(item["images"], item["pose"], visible, strict=True):
        for x, y in (pose[seen, :2] * 32).int().clamp(0, 31).tolist():
            assert image[y, x].max() > 100
    description = data.describe_protocol()
    assert (description["split"], description["num_test_clips"]) == ("puppets", 2)
    assert description["actions"] == data.labels
    chosen = make_data(data_dir, reader=StoredReader(["hop"]))
    chosen.setup()
    assert set(chosen.datasets["action"].classes.tolist()) == {0}


def test_two_steps_of_training(data_dir: Path, tmp_path: Path) -> None:
    network = SPNet(
        num_joints=5,
        num_actions=(2,),
        num_levels=2,
        growth=8,
        num_pose_features=16,
        num_visual_features=16,
    )
    one = make_module().schedule.phases["joint"]
    phase = Phase(1, one.optimizer, one.scheduler, steps_per_epoch=1)
    module = MultitaskModule(network, {"pose": None, "frozen": None, "joint": phase}, layout=PUPPET)
    module, steps = fit(data_dir, tmp_path, module=module, data_module=make_data(data_dir))
    assert len(steps) == 2  # frames, then clips
    assert all(np.isfinite(loss) for *_, loss in steps)
    assert 0 <= module.results.get("action_top1", 0) <= 100
