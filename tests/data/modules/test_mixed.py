"""Batches of MPII's images and NTU's frames together."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from har.data import MixedPoseDataModule, MPIIDataModule, MultitaskDataModule
from har.data.augment import Augmentation
from har.errors import HarError
from har.layouts import MISSING, get_layout
from tests.helpers.order_of_samples import Plan

SPINE = get_layout("pa17j").joints.index("spine")


@pytest.fixture(scope="module")
def folder(tiny_ntu: Path, tiny_mpii: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    both = tmp_path_factory.mktemp("both")
    (both / "ntu").symlink_to(tiny_ntu / "ntu")
    (both / "mpii").symlink_to(tiny_mpii / "mpii")
    return both


def make_data(folder: Path, images: int = 3, frames: int = 4, **settings: Any) -> Any:
    data = MixedPoseDataModule(
        str(folder),
        partial(MPIIDataModule, batch_size=images, val_persons=4, augmentation=Augmentation()),
        partial(MultitaskDataModule, frame_batch_size=frames, actions=[22, 43], val_subjects=[4]),
        **{"resolution": (32, 32), "num_workers": 0, **settings},
    )
    data.setup("fit")
    return data


def mixed_batch(data: Any, number: int = 0) -> dict[str, Any]:
    orders = data._orders(data.batch_sizes)["pose"]
    keys = [key for order in orders for key in order.batch(number)]
    batch: dict[str, Any] = default_collate([data.datasets[key[0]][key] for key in keys])
    return batch


def test_what_a_batch_holds_of_its_images(folder: Path) -> None:
    batch = mixed_batch(make_data(folder))
    assert [".jpg" in name for name in batch["name"]] == [True] * 3 + [False] * 4
    assert batch["images"].shape == (7, 32, 32, 3)
    pose, images, frames = batch["pose"], slice(0, 3), slice(3, 7)
    assert pose.shape == (7, 17, 4)
    assert (pose[images, :, 2] < 0).all()  # no depth in MPII
    assert (pose[frames, :, 2] > 0).any()
    assert pose[images, SPINE, 3].isnan().all()  # nor the middle of the spine
    assert not pose[images, :SPINE, 3].isnan().any()
    assert not pose[frames].isnan().any()


def test_joints_of_both_data_sets_are_the_same(folder: Path) -> None:
    """A joint's number means the same body part, whichever data set it comes from."""
    layout = get_layout("pa17j")
    data = make_data(folder)
    order = layout.order_from(get_layout("mpii"))
    assert [i for i, j in enumerate(order) if j == MISSING] == [SPINE]
    # heads are above ankles in the crops of standing people, more often than not
    head, ankle = layout.joints.index("head"), layout.joints.index("left ankle")
    for name in ("mpii", "ntu"):
        poses = [data.datasets[name][(name, i % 4, i)]["pose"] for i in range(8)]
        seen = [p for p in poses if p[head, 3] == 1 and p[ankle, 3] == 1]
        assert np.mean([float(p[head, 1] < p[ankle, 1]) for p in seen]) > 0.5


def test_an_epoch_is_a_pass_over_mpii(folder: Path) -> None:
    data = make_data(folder)
    persons = len(data.mpii.datasets["pose"])
    for steps, batches in ((None, persons // 3), (5, 5)):
        data.schedule = Plan([(1, ("pose",), steps)])
        assert data.batches_in_epochs(range(1)) == batches
        assert data.batches_in_epochs(range(2, 4)) == 2 * batches


def test_without_mpii_the_same_frames_of_ntu(folder: Path) -> None:
    """The comparison in docs/results.md: only the images of MPII are missing."""
    mixed, alone = mixed_batch(make_data(folder), 2), mixed_batch(make_data(folder, images=0), 2)
    assert alone["name"] == mixed["name"][3:]
    assert torch.equal(alone["images"], mixed["images"][3:])
    alone = make_data(folder, images=0)
    alone.schedule = Plan([(1, ("pose",), None)])
    assert alone.batches_in_epochs(range(1)) >= 1


def test_a_batch_without_images_is_refused(folder: Path) -> None:
    with pytest.raises(HarError, match="frame_batch_size"):
        make_data(folder, images=0, frames=0)


def test_limits_reach_both(folder: Path) -> None:
    data = make_data(folder, limit_eval=1)
    assert data.num_test_samples == 2
    protocol = data.describe_protocol()
    assert protocol["mpii"]["num_test_persons"] == protocol["ntu"]["num_test_clips"] == 1
