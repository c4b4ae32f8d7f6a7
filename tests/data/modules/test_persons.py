"""A data set of persons that the package has never heard of: one reader and one configuration."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf

from har.callbacks import Figures
from har.data.records import Person, PersonSet
from har.errors import HarError
from har.layouts import Layout, get_layout
from har.metrics import PersonMetrics
from har.models import SPNet
from har.modules import Pose2DModule
from har.runs.config import instantiate
from tests.helpers.order_of_samples import Plan
from tests.helpers.tiny import fit
from tests.helpers.tiny_pose import make_pose_module

CONFIG = """
_target_: har.data.PersonDataModule
data_dir: ???
read: {_target_: tests.data.modules.test_persons.read_kites, _partial_: true}
layout:
  name: kite
  joints: [top, left_wing, right_wing, middle, tail]
  links: [[0, 3], [1, 3], [2, 3], [3, 4]]
batch_size: 3
resolution: [32, 32]
val_persons: 2
views: flip
num_workers: 0
eval_batch_size: 4
augmentation: {_target_: har.data.augment.Augmentation, angles_deg: [-20, 0, 20], flip: true}
"""


def write_kites(folder: Path, images: int = 12) -> None:
    """Pictures with two kites each, and a list of their corners."""
    rng = np.random.default_rng(0)
    shape = np.array([[0, -30], [-15, -10], [15, -10], [0, -10], [0, 30]])
    rows = []
    for number in range(images):
        picture = np.zeros((100, 160, 3), dtype=np.uint8)
        for kite, x in (("a", 45), ("b", 115)):
            corners = shape + np.array([x, 50]) + rng.uniform(-5, 5, (5, 2))
            for corner in corners.round().astype(int).tolist():
                cv2.circle(picture, corner, 3, (255, 255, 255), -1)
            split = "test" if number >= images - 3 else "train"
            rows.append([f"sky {number}/{kite}", f"{number:02d}.png", corners.tolist(), split])
        cv2.imwrite(str(folder / f"{number:02d}.png"), picture)
    (folder / "kites.json").write_text(json.dumps(rows))


def read_kites(data_dir: Path) -> PersonSet:
    """The reader: all that a new data set needs."""
    kite = Layout("kite", ("top", "left_wing", "right_wing", "middle", "tail"))
    persons = []
    for name, image, corners, split in json.loads((data_dir / "kites.json").read_text()):
        joints = np.array(corners)
        box = np.concatenate([joints.min(0), joints.max(0)])
        center, window = Person.around(box)
        persons.append(
            Person(
                id=name,
                image=image,
                joints_px=joints,
                center_px=center,
                window_px=window,
                length_px=float(np.linalg.norm(box[2:] - box[:2])),
                split=split,
                box_px=box,
                area_px2=float(np.prod(box[2:] - box[:2])),
            )
        )
    return PersonSet.of(persons, data_dir, kite, "kites.json")


@pytest.fixture
def kites(tmp_path: Path) -> Path:
    write_kites(tmp_path)
    return tmp_path


def make_data(folder: Path, **changes: Any) -> Any:
    config = OmegaConf.merge(OmegaConf.create(CONFIG), {"data_dir": str(folder), **changes})
    return instantiate(config)


def make_module(data: Any) -> Any:
    torch.manual_seed(0)
    network = SPNet(num_joints=5, dim=2, num_actions=(), action_pyramids=(), num_levels=2, growth=8)
    return make_pose_module(network, steps_per_epoch=2, layout=data.layout)


def test_two_steps_of_training_and_a_test(kites: Path, tmp_path: Path) -> None:
    data = make_data(kites)
    module = make_module(data)
    before = [parameter.clone() for parameter in module.network.parameters()]
    run = tmp_path / "run"
    _, steps = fit(kites, run, module=module, data_module=data, max_steps=2)
    assert len(steps) == 2
    assert all(name.startswith("sky ") for step in steps for name in step[2])
    changed = zip(before, module.network.parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in changed)

    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        use_distributed_sampler=False,
        callbacks=[Figures(str(run / "figures"), num_samples=2)],
    )
    trainer.test(module, datamodule=data, verbose=False)
    results = module.results
    assert {"pck", "pck_auc", "pck_by_joint"} <= set(results)
    assert set(results["pck_by_joint"]) == set(data.test_samples.layout.joints)
    assert set(results["pck_by_part"]) == {"top", "wing", "middle", "tail"}
    assert (run / "figures" / "test_poses.png").is_file()
    # the checkpoint restores the layout
    again = Pose2DModule.load_from_checkpoint(run / "last.ckpt", weights_only=True)
    assert get_layout(again.layout) == get_layout(data.layout)


def test_samples_are_the_pictures(kites: Path) -> None:
    """Marks in the crops lie where the poses say, in plain and mirrored views."""
    data = make_data(kites, resolution=[64, 64])
    data.setup("fit")
    persons, held_out = data.datasets["pose"].persons, data.val_samples.persons
    assert len(persons) + len(held_out) == 18
    assert len(held_out) == 2
    assert data.num_test_samples == 6
    assert set(held_out.rows["image"]).isdisjoint(persons.rows["image"])
    for number in range(len(data.test_samples)):
        item = data.test_samples[number]
        assert item["name"].endswith(("/a", "/b"))
        for image, pose in zip(item["images"].numpy(), item["pose"].numpy(), strict=True):
            assert (pose[:, 2] == 1).all()
            for x, y in (64 * pose[:, :2]).astype(int):
                assert image[y, x].max() > 100
        # the left wing is at the left in the plain view, and called the right one in the other
        assert item["pose"][0, 1, 0] < item["pose"][0, 2, 0]
        assert item["pose"][1, 1, 0] < item["pose"][1, 2, 0]


def test_perfect_poses_are_right(kites: Path) -> None:
    data = make_data(kites)
    data.setup("test")
    batch = torch.utils.data.default_collate([data.test_samples[n] for n in range(6)])
    metrics = PersonMetrics(data.layout, 1, *data.person_metric)
    metrics.update([batch["pose"]], batch)
    assert metrics.compute()["pck"] == 100


def test_its_own_layout_without_a_configuration(kites: Path) -> None:
    data = make_data(kites, layout=None)
    data.setup("fit")
    assert data.layout == read_kites(kites).layout
    assert data.datasets["pose"]["pose", 0, 0]["pose"].shape == (5, 3)


def test_records_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    layout = Layout("two", ("a", "b"))
    good = Person("x", "x.png", np.zeros((2, 2)), (1, 1), 5.0)
    assert len(PersonSet.of([good], tmp_path, layout)) == 1
    for change in (
        {"joints_px": np.zeros((3, 2))},
        {"window_px": np.nan},
        {"center_px": (np.inf, 0)},
    ):
        with pytest.raises(HarError, match="Person x needs joints"):
            PersonSet.of([replace(good, **change)], tmp_path, layout)
    with pytest.raises(HarError, match="the same id"):
        PersonSet.of([good, good], tmp_path, layout)
    assert len(PersonSet.of([], tmp_path, layout)) == 0


def test_a_run_on_other_persons_or_in_another_order_is_refused(tmp_path: Path) -> None:
    """As many persons, of whom two have each other's joints, or another name, or another seed."""
    write_kites(tmp_path)
    rows = json.loads((tmp_path / "kites.json").read_text())

    def state_of(rows: list, **settings: Any) -> Any:
        (tmp_path / "kites.json").write_text(json.dumps(rows))
        data = make_data(tmp_path, val_persons=0, **settings)
        data.setup("fit")
        data.schedule = Plan([(2, ("pose",), None)])
        return data

    trained = state_of(rows)
    known = {"samples": trained._fingerprint(), "seed": trained.seed}
    assert len(known["samples"]["pose"]) == 3
    nothing = {**known, "samples_per_batch": {"pose": 3}, "epochs": [], "batches_done": 0}
    state_of(rows).load_state_dict(nothing)
    (name, image, corners, split), (_, _, others, _) = rows[:2]
    changed = [
        [[name, image, others, split], [rows[1][0], image, corners, split], *rows[2:]],
        [["sky 0/c", image, corners, split], *rows[1:]],
        [[name, rows[2][1], corners, split], *rows[1:]],
    ]
    older = {**nothing, "samples": {"pose": known["samples"]["pose"][:1]}}  # without checksums
    for other in changed:
        with pytest.raises(HarError, match="other training samples"):
            state_of(other).load_state_dict(nothing)
        state_of(other).load_state_dict(older)
    with pytest.raises(HarError, match=r"seed=0, and seed=5 has another order.*go on with seed=0"):
        state_of(rows, seed=5).load_state_dict(nothing)
    del nothing["seed"]
    state_of(rows, seed=5).load_state_dict(nothing)
