"""Clips of Penn Action beside images of MPII: what trains, what is measured, and by weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from har.data import ClipsAndPersonsDataModule, MPIIDataModule
from har.data.h36m.prepare import prepare_h36m
from har.data.h36m.reader import H36MReader
from har.data.penn.prepare import prepare_penn
from har.data.penn.reader import PennReader
from har.layouts import get_layout
from har.metrics import ClipMetrics
from har.runs.measuring import measure
from har.synthetic.h36m import write_h36m
from tests.helpers.commands import call
from tests.helpers.golden import golden_path
from tests.helpers.order_of_samples import Plan
from tests.helpers.penn_files import write_clip


@pytest.fixture
def both(tiny_mpii: Path, tmp_path: Path) -> Path:
    """A folder with prepared Penn Action and MPII."""
    for number, frames, split in ((1, 60, 1), (2, 20, 1), (3, 70, -1), (4, 12, -1)):
        write_clip(tmp_path / "penn", number, frames, train=split, action="squat")
    prepare_penn(tmp_path, workers=0)
    (tmp_path / "mpii").symlink_to(tiny_mpii / "mpii")
    return tmp_path


def test_poses_are_of_persons_and_actions_of_clips(both: Path) -> None:
    def persons(data_dir: str, **same) -> MPIIDataModule:
        return MPIIDataModule(data_dir, batch_size=3, val_persons=2, **same)

    data = ClipsAndPersonsDataModule(
        str(both),
        persons,
        reader=PennReader(),
        layout="pa16j",
        resolution=(32, 32),
        batch_size=2,
        clip_size=4,
        step=6,
        num_workers=0,
        seed=3,
    )
    data.setup("fit")
    assert data.batch_sizes == {"action": 2, "pose": 3}
    assert (len(data.labels), data.num_test_samples) == (15, 2)
    frame = data.datasets["pose"][("pose", 0, 0)]
    assert frame["pose"].shape == (16, 3)
    assert set(frame) == {"images", "gamma", "pose", "name"}
    clip = data.datasets["action"][("action", 0, 0)]
    assert clip["images"].shape == (4, 32, 32, 3)
    assert clip["action"] == 11  # squat
    assert data.persons.seed == 3
    known = data._fingerprint()  # what a checkpoint holds
    assert (known["action"][0], known["pose"][0]) == (2, len(data.datasets["pose"]))
    assert len(known["pose"]) == 3  # how many, which persons, and their joints
    protocol = data.describe_protocol()
    assert protocol["num_test_clips"] == 2
    assert "PCKh" in protocol["persons"]["metric"]


def test_half_of_a_batch_of_poses_may_be_frames(tiny_mpii: Path, tmp_path: Path) -> None:
    write_h36m(tmp_path / "h36m", 7, workers=0)
    prepare_h36m(tmp_path, test_every=5, workers=0)
    (tmp_path / "mpii").symlink_to(tiny_mpii / "mpii")

    def persons(data_dir: str, **same) -> MPIIDataModule:
        return MPIIDataModule(data_dir, batch_size=3, val_persons=2, **same)

    settings = {"reader": H36MReader(), "layout": "pa17j", "clip_size": 1, "step": 1, "dim": 3}
    settings |= {"resolution": (32, 32), "num_workers": 0, "boxes": "predicted", "batch_size": 1}
    data = ClipsAndPersonsDataModule(str(tmp_path), persons, frame_batch_size=4, **settings)
    data.setup("fit")
    orders = data._orders(data.batch_sizes)
    assert set(orders) == {"action", "pose"}
    keys = [key for order in orders["pose"] for key in order.batch(0)]
    batch = default_collate([data.datasets[key[0]][key] for key in keys])
    assert [name.startswith("S") for name in batch["name"]] == [False] * 3 + [True] * 4
    pose, spine = batch["pose"], get_layout("pa17j").joints.index("spine")
    assert pose.shape == (7, 17, 4)
    assert (pose[:3, :, 2] < 0).all()  # MPII has no depth
    assert pose[:3, spine, 3].isnan().all()  # nor the middle of the spine
    assert (pose[3:, :, 2] > 0).any()
    assert not pose[3:].isnan().any()
    data.schedule = Plan([(1, ("pose",), None)])
    assert data.batches_in_epochs(range(1)) == len(data.persons.datasets["pose"]) // 3
    assert data._fingerprint()["frame"][0] == 5  # sequences, of which frames are drawn
    (tmp_path / "mpii").unlink()
    alone = ClipsAndPersonsDataModule(str(tmp_path), persons, frame_batch_size=4, **settings)
    alone.setup("test")  # measures Human3.6M, without MPII
    assert alone.num_test_samples == 2
    assert "persons" not in alone.describe_protocol()


def test_pck_in_the_box_is_counted_in_pixels_of_the_frames() -> None:
    rng = np.random.default_rng(0)
    true = rng.uniform(0.1, 0.9, (2, 3, 16, 2))
    pose = true + rng.normal(0, 0.15, true.shape)
    tracked = rng.random((2, 3, 16)) < 0.7
    tracked[0, 1] = False
    tracked[:, :, :2] = False  # pelvis and thorax, which Penn Action lacks
    affine = np.tile(np.eye(3), (2, 1, 1))
    affine[0, :2] = [[1 / 100, 0, -0.2], [0, 1 / 40, 0.3]]  # a crop of 100 x 40 pixels
    affine[1, :2] = [[0.02, 0.005, 0.1], [-0.004, 0.01, 0.2]]
    correct = counted = 0
    for n in range(2):
        back = np.linalg.inv(affine[n])
        for t in range(3):
            places = [back[:2, :2] @ xy + back[:2, 2] for xy in true[n, t]]
            found = [back[:2, :2] @ xy + back[:2, 2] for xy in pose[n, t]]
            seen = [j for j in range(16) if tracked[n, t, j]]
            if not seen:
                continue
            corners = np.array([places[j] for j in seen])
            length = max(corners.max(0) - corners.min(0))
            for j in seen:
                counted += 1
                correct += np.hypot(*(places[j] - found[j])) <= 0.2 * length
    assert 0 < correct < counted
    metrics = ClipMetrics("pa16j", 15, 1, 0)
    batch = {
        "images": torch.zeros(2, 3, 32, 32, 3),
        "pose": torch.from_numpy(np.concatenate([true, np.ones((2, 3, 16, 2))], -1)),
        "tracked": torch.from_numpy(tracked),
        "affine": torch.from_numpy(affine),
        "action": torch.zeros(2, dtype=torch.long),
    }
    metrics.update([torch.from_numpy(pose)], batch, [])
    assert metrics.compute()["pck_box"] == pytest.approx(100 * correct / counted)


SMALL = [
    *("model.num_pyramids=4", "model.action_pyramids=[3,4]", "model.num_levels=3"),
    *("model.growth=16", "model.num_pose_features=32", "model.num_visual_features=48"),
    *("data.resolution=[64,64]", "data.num_workers=0", "data.eval_batch_size=2", "trainer=cpu"),
    *("logger=none", "callbacks.progress_bar=null", "callbacks.figures=null"),
    "data.persons.val_persons=2",
    "+trainer.enable_progress_bar=false",
]


def test_weights_of_the_original_are_measured_by_every_protocol(both: Path, tmp_path: Path) -> None:
    weights = golden_path("spnet_clip_penn.h5")
    boxes = [{f"{s}.{f}": [2, 2, 40, 34] for s in range(2) for f in range(70)} for _ in range(2)]
    (both / "penn" / "pred_bboxes_penn.json").write_text(json.dumps([*boxes, {}]))
    prepare_penn(both, workers=0)
    counts = {}
    for protocol, more in (
        ("single", []),
        ("multi", ["data.boxes=predicted", f"mpii_dir='{both}'"]),
    ):
        folder = tmp_path / protocol
        words = ["experiment=penn_multitask", f"weights='{weights}'", f"paths.data_dir='{both}'"]
        found = call("evaluate", measure, folder, [*words, f"protocol={protocol}", *SMALL, *more])
        report = json.loads((folder / "metrics.json").read_text())
        counts[protocol] = report["protocol"]
        assert {"action_top1", "pck_box", "joint_error_px"} <= report["metrics"].keys()
        assert ("pckh" in found) == (protocol == "multi")
    assert counts["single"]["num_test_clips"] == 2
    # 70 frames: three clips of 8 every 6 frames, starts 0, 9, 18; 12 frames: the one that fits.
    assert counts["multi"]["num_test_clips"] == 2 * (3 + 1)
    assert counts["multi"]["boxes"] == "predicted"
    assert counts["multi"]["steps"] == [6]
