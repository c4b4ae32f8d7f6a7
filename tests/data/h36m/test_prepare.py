"""Human3.6M from mmpose's files to samples in millimeters."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from har.data import ClipDataModule
from har.data.augment import AugmentParams
from har.data.framestore.folder import open_prepared
from har.data.h36m.cameras import Intrinsics
from har.data.h36m.files import ACTIONS, H36MError
from har.data.h36m.mmpose import LAYOUT
from har.data.h36m.prepare import prepare_h36m
from har.data.h36m.reader import NOMINAL_CAMERA, H36MReader
from har.errors import DatasetNotFoundError, HarError
from har.layouts import get_layout
from har.metrics.camera import pose_to_camera_mm, undistorted
from har.metrics.pose3d import ActionJointError
from har.prepare import h36m as command
from har.runs.measuring import measure
from har.runs.training import train
from har.synthetic.h36m import write_h36m
from tests.helpers.commands import call
from tests.helpers.golden import real_path

ORDER = list(get_layout("pa17j").order_from(LAYOUT))


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven sequences, one of each subject, prepared."""
    folder = tmp_path_factory.mktemp("h36m")
    write_h36m(folder / "h36m", 7, workers=0)
    prepare_h36m(folder, test_every=5, workers=0)
    return folder


def data_of(folder: Path, **options) -> ClipDataModule:
    settings = {"layout": "pa17j", "clip_size": 1, "step": 1, "boxes": "predicted"}
    settings |= {"reader": H36MReader(), "resolution": (64, 64), "num_workers": 0}
    data = ClipDataModule(str(folder), frame_batch_size=2, **{**settings, **options})
    data.setup("fit")
    return data


def test_the_four_real_frames(tmp_path: Path) -> None:
    real = real_path("h36m")
    root = tmp_path / "h36m"
    root.mkdir()
    for path in real.iterdir():
        (root / path.name).symlink_to(path)
    report, _ = prepare_h36m(tmp_path, workers=0)
    assert (report.done, report.frames, report.skipped) == (4, 4, {})
    index, store = open_prepared(root)
    assert [index.labels[n].decode() for n in range(4)] == [
        "Directions",
        "SittingDown",
        "Greeting",
        "WalkDog",
    ]
    with np.load(real / "test_h36m_body3d.npz") as arrays:
        true_mm = 1000 * arrays["S"][..., :3]
    data = data_of(tmp_path)
    samples = data.datasets["action"]
    for number in range(4):
        assert store.read(index.name(number), [0])[0].shape[1] == 1000
        item = samples[number]
        assert item["images"].shape == (1, 64, 64, 3)
        names = ("affine", "root_depth_mm", "depth_scale", "frame_width", "intrinsics")
        crop = {name: torch.as_tensor(item[name])[None] for name in names}
        found = pose_to_camera_mm(
            item["pose"][None, ..., :3], camera=NOMINAL_CAMERA, depth_range_mm=2000.0, **crop
        )[0, 0].numpy() * [1, -1, 1]
        order = [{17: 0}.get(number, number) for number in ORDER]  # the spine lies in the pelvis
        seen = item["pose"][0, :, 3].numpy() > 0
        assert seen.sum() >= 16
        # Pixels of 2-D joints, the lens undone, and the true depth: the 3-D joints again.
        np.testing.assert_allclose(found[seen], true_mm[number][order][seen], atol=4)


def test_a_lens_is_undone() -> None:
    rng = np.random.default_rng(0)
    lens = Intrinsics(
        np.array([1145.0, 1143.8]),
        np.array([512.5, 515.5]),
        np.array([-0.2071, 0.2478, -0.0031]),
        np.array([-0.00142, -0.00098]),
    )
    rays = rng.uniform(-0.45, 0.45, (200, 2))
    pixels = lens.project(np.column_stack([rays, np.ones(200)]))
    found = undistorted(torch.from_numpy(pixels), [torch.tensor(v) for v in lens.values])
    np.testing.assert_allclose(found.numpy(), rays, atol=1e-6)


def test_splits_crops_and_depth(synthetic: Path) -> None:
    data = data_of(synthetic)
    assert data.labels == list(ACTIONS)
    assert {split: len(rows) for split, rows in data.clips.splits.items()} == {
        "train": 5,
        "val": 0,
        "test": 2,
    }
    item = data.test_clips[0]
    sample = int(data.test_clips.selection[0])
    row = int(data.clips.index.num_frames[sample]) // 2
    joints = data.clips.index.joints(sample)[:, 0]
    frame = data.test_clips.frames_of(sample, AugmentParams(), None)[0]
    assert abs(int(frame) - row) <= 1
    root = joints[frame, 0]
    lens = data.clips.index.intrinsics(sample)
    f = max(1024 * lens[0], 576 * lens[1])
    corners = np.linalg.inv(item["affine"].numpy())[:2] @ np.array([[0, 1], [0, 1], [1, 1]])
    side = 2.25 * f / root[2]
    np.testing.assert_allclose(corners[:, 1] - corners[:, 0], side, atol=1.1)
    np.testing.assert_allclose(corners.mean(1), (root[0], root[1] + 1), atol=1.1)
    z = (joints[frame, ORDER, 2] - root[2] + 1000) / 2000
    seen = item["pose"][0, :, 3] > 0
    assert seen.sum() >= 15
    np.testing.assert_allclose(item["pose"][0, seen, 2], z[seen], atol=1e-5)


def test_a_run_and_its_evaluation_by_action(synthetic: Path, tmp_path: Path) -> None:
    words = ["experiment=h36m_pose", "name=tiny", f"paths.data_dir='{synthetic}'", "trainer=cpu"]
    words += ["data=h36m", "model.num_blocks=1", "model.kernel_size=3", "model.depth_maps=4"]
    words += ["data.resolution=[64,64]", "data.num_workers=0", "data.frame_batch_size=2"]
    words += ["logger=none", "callbacks.progress_bar=null", "+trainer.enable_progress_bar=false"]
    more = ["module.phases.pose.epochs=1", "++module.phases.pose.steps_per_epoch=2"]
    more += ["report_untrained=false", "test=false"]
    call("train", train, tmp_path / "run", [*words, *more])
    checkpoint = tmp_path / "run" / "checkpoints" / "last.ckpt"
    found = call(
        "evaluate",
        measure,
        tmp_path / "eval",
        [*words, f"ckpt_path='{checkpoint}'", "callbacks.figures=null"],
    )
    assert found["joint_error_mm"] > 0
    report = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    by_action = report["metrics"]["joint_error_mm_by_action"]
    assert len(by_action) == 15
    assert [n for n, value in enumerate(by_action) if value is not None] == [0]
    assert by_action[0] == pytest.approx(found["joint_error_mm"], rel=1e-4)
    index, _ = open_prepared(synthetic / "h36m")
    tested = index.num_frames[index.splits == b"test"].sum()
    assert report["protocol"]["num_test_clips"] == tested  # every image
    words += [f"ckpt_path='{checkpoint}'", "callbacks.figures=null", "views=multicrop"]
    many = call("evaluate", measure, tmp_path / "many", words)
    assert many["joint_error_mm"] != pytest.approx(found["joint_error_mm"], rel=1e-6)
    assert many["joint_error_mm"] < 2 * found["joint_error_mm"]
    protocol = json.loads((tmp_path / "many" / "metrics.json").read_text())["protocol"]
    assert (protocol["views"], protocol["num_test_clips"]) == ("multicrop", tested)
    assert protocol["num_crops"] == 10 * tested


def test_errors_by_action() -> None:
    rng = np.random.default_rng(1)
    pred, true = rng.normal(size=(2, 6, 5, 3))
    valid = rng.random((6, 5)) < 0.7
    valid[:, 0] = True
    valid[3, 0] = False
    action = np.array([2, 0, 2])
    sums, counts = np.zeros(4), np.zeros(4)
    for frame in range(6):
        for joint in range(5):
            if valid[frame, joint] and valid[frame, 0]:
                off = pred[frame, joint] - pred[frame, 0] - true[frame, joint] + true[frame, 0]
                sums[action[frame // 2]] += np.linalg.norm(off)
                counts[action[frame // 2]] += 1
    metric = ActionJointError(4)
    metric.update(*(torch.from_numpy(array) for array in (pred, true, valid, action)))
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(metric.compute().numpy(), sums / counts, rtol=1e-5)


def test_damage_and_what_is_missing(synthetic: Path, tmp_path: Path, capsys) -> None:
    root = tmp_path / "h36m"
    with pytest.raises(DatasetNotFoundError, match=r"har\.prepare h36m"):
        H36MReader().read(tmp_path)
    shutil.copytree(synthetic / "h36m", root, ignore=shutil.ignore_patterns("prepared"))
    images = sorted((root / "images" / "S1").rglob("*.jpg"))
    images[0].unlink()
    images[1].write_bytes(b"junk")
    shutil.rmtree(root / "images" / "S5")
    options = {"train_every": 5, "test_every": 5}
    cfg = {"paths": {"data_dir": str(tmp_path)}, "workers": 0, "h36m": options}
    command.prepare_h36m(OmegaConf.create(cfg))
    assert "left out: no images" in " ".join(capsys.readouterr().out.split())
    report = json.loads((root / "prepared" / "prepare_report.json").read_text())
    assert list(report["skipped"].values()) == ["no images"]
    assert any("2 of" in remark for remark in report["warnings"].values())
    with pytest.raises(HarError, match="was prepared with"):
        prepare_h36m(tmp_path, workers=0)
    cameras = json.loads((root / "cameras.json").read_text())
    del cameras["S9.54138969"]
    (root / "cameras.json").write_text(json.dumps(cameras))
    with pytest.raises(H36MError, match=r"S9\.54138969"):
        prepare_h36m(tmp_path, workers=0, **options)
    cameras = {f"S{s}.54138969": {**cameras["S1.54138969"], "c": [0, 0]} for s in (1, 5, 9)}
    (root / "cameras.json").write_text(json.dumps(cameras))
    with pytest.raises(H36MError, match="do not belong together"):
        prepare_h36m(tmp_path, workers=0, **options)
    (root / "cameras.json").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"cameras\.json"):
        prepare_h36m(tmp_path, workers=0)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "y").write_text("")
    with pytest.raises(HarError, match="something else"):
        write_h36m(tmp_path / "x", 1)
