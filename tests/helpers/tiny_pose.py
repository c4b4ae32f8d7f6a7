"""A network of 2-D poses, data and trainer small enough to train within a test."""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from har.data import MPIIDataModule
from har.data.augment import Augmentation
from har.layouts import LayoutLike
from har.models import SPNet
from har.modules import Phase, Pose2DModule


def make_network() -> SPNet:
    torch.manual_seed(0)
    return SPNet(num_joints=16, dim=2, num_actions=(), action_pyramids=(), num_levels=2, growth=8)


def make_pose_module(
    network: Any = None, steps_per_epoch: int | None = 4, layout: LayoutLike = "pa16j"
) -> Pose2DModule:
    optimizer = partial(torch.optim.RMSprop, lr=0.001, alpha=0.9, eps=1e-7)
    schedule = partial(torch.optim.lr_scheduler.MultiStepLR, milestones=[1], gamma=0.2)
    phase = Phase(2, optimizer, schedule, steps_per_epoch=steps_per_epoch)
    return Pose2DModule(network or make_network(), {"pose": phase}, layout)


def make_mpii(data_dir: Path, **arguments: Any) -> MPIIDataModule:
    settings: dict[str, Any] = {
        "batch_size": 3,
        "val_persons": 5,
        "resolution": (32, 32),
        "augmentation": Augmentation(angles_deg=[-20, 0, 20], scales=[0.9, 1.1], flip=True),
        "eval_batch_size": 4,
        "num_workers": 0,
    }
    return MPIIDataModule(str(data_dir), **{**settings, **arguments})
