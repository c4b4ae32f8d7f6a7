"""Poses of MPII's persons in several views, brought back to the image."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from har.data import MPIIDataModule
from har.geometry import crop_affine, transform_points
from har.layouts import get_layout
from har.metrics.persons import poses_in_image
from har.runs.person_evaluator import PersonEvaluation

LAYOUT = get_layout("pa17j")


class KnowsTheAnswer(torch.nn.Module):
    """Says where the joints are; its first block takes left for right in mirrored crops."""

    num_pose_outputs = 2

    def __init__(self, samples) -> None:
        super().__init__()
        right, wrong = [], []
        for number in range(len(samples)):
            item = samples[number]
            joints = np.nan_to_num(item["joints_px"].numpy(), nan=1.0)
            for affine, flipped in zip(item["affine"].numpy(), item["flipped"], strict=True):
                pose = transform_points(affine, joints)
                wrong.append(pose)
                right.append(pose[list(LAYOUT.flip)] if flipped else pose)
        self.answers = [torch.tensor(np.array(p), dtype=torch.float32) for p in (wrong, right)]
        self.seen = 0

    def forward_frames(self, images: torch.Tensor) -> SimpleNamespace:
        rows = slice(self.seen, self.seen + len(images))
        self.seen += len(images)
        return SimpleNamespace(poses=tuple(answer[rows] for answer in self.answers))


@pytest.mark.parametrize("views", ["single", "flip", "multicrop"])
def test_true_poses_are_right_in_every_view(tiny_mpii: Path, views: str) -> None:
    data = MPIIDataModule(
        str(tiny_mpii),
        layout="pa17j",
        resolution=(32, 32),
        views=views,
        val_persons=0,
        eval_batch_size=4,
        num_workers=0,
    )
    data.setup("test")
    evaluator = PersonEvaluation(KnowsTheAnswer(data.test_samples), "pa17j")
    trainer = pl.Trainer(
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        use_distributed_sampler=False,
    )
    trainer.test(evaluator, datamodule=data, verbose=False)
    assert evaluator.results["pckh"] == pytest.approx(100)
    confused, right = evaluator.results["pckh_by_block"]
    assert right == pytest.approx(100)
    assert confused == pytest.approx(100) if views == "single" else confused < 80
    assert set(evaluator.results["pckh_by_joint"]) <= set(LAYOUT.joints) - {"spine"}


def test_the_mean_is_taken_in_the_image() -> None:
    rng = np.random.default_rng(0)
    joints = rng.uniform(50, 150, (17, 2))
    views = [(100, 100, 120, False), (90, 110, 150, True), (110, 95, 100, False)]
    affines = np.stack([crop_affine((x, y), w, (200, 200), flip=f) for x, y, w, f in views])
    flipped = torch.tensor([[flip for *_, flip in views]])
    errors = rng.normal(0, 3, (3, 17, 2))  # px
    poses = []
    for affine, error, (*_, flip) in zip(affines, errors, views, strict=True):
        pose = transform_points(affine, joints + error)
        poses.append(pose[list(LAYOUT.flip)] if flip else pose)
    found = poses_in_image(
        torch.tensor(np.stack(poses))[None], torch.tensor(affines)[None], flipped, LAYOUT
    )
    np.testing.assert_allclose(found[0].numpy(), joints + errors.mean(0), atol=1e-9)
