"""Pre-training on MPII and NTU together, and what a multi-task network takes from it."""

import warnings
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from har.data import MixedPoseDataModule, MPIIDataModule, MultitaskDataModule
from har.data.augment import Augmentation
from har.geometry import transform_points
from har.metrics import PCKh
from har.models import SPNet
from har.modules import MultitaskModule, Phase
from har.weights import load_weights
from tests.helpers.tiny import Recorder, last_checkpoint, make_module

warnings.filterwarnings("ignore", module="pytorch_lightning")


@pytest.fixture(scope="module")
def folder(tiny_ntu: Path, tiny_mpii: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    both = tmp_path_factory.mktemp("pretraining")
    (both / "ntu").symlink_to(tiny_ntu / "ntu")
    (both / "mpii").symlink_to(tiny_mpii / "mpii")
    return both


def mixed_data(folder: Path) -> MixedPoseDataModule:
    some = Augmentation(scales=[0.9, 1.1], flip=True)
    return MixedPoseDataModule(
        str(folder),
        partial(MPIIDataModule, batch_size=2, val_persons=4, augmentation=some),
        partial(
            MultitaskDataModule,
            frame_batch_size=3,
            actions=[22, 43],
            val_subjects=[4],
            clip_size=4,
            frame_augmentation=some,
        ),
        resolution=(32, 32),
        num_workers=0,
    )


def pretraining_module(pyramids: int = 4) -> MultitaskModule:
    torch.manual_seed(0)
    network = SPNet(
        num_actions=(), action_pyramids=(), num_pyramids=pyramids, num_levels=2, growth=8
    )
    optimizer = partial(torch.optim.RMSprop, lr=0.001, alpha=0.9, eps=1e-7)
    return MultitaskModule(network, {"pose": Phase(1, optimizer, steps_per_epoch=6)})


def fit(folder: Path, run: Path, ckpt_path: Path | None = None, max_steps: int = -1):
    module, recorder = pretraining_module(), Recorder()
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        max_steps=max_steps,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        reload_dataloaders_every_n_epochs=1,
        use_distributed_sampler=False,
        callbacks=[recorder, last_checkpoint(run)],
    )
    data = mixed_data(folder)
    data.schedule = module.schedule
    trainer.fit(module, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
    return module, data, trainer, recorder.steps


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    run = tmp_path_factory.mktemp("run")
    return (*fit(folder, run), run / "last.ckpt")


def test_every_batch_mixes(trained) -> None:
    steps = trained[3]
    assert len(steps) == 6
    for _, phase, names, _ in steps:
        assert phase == "pose"
        assert [name.startswith("S0") for name in names] == [False] * 2 + [True] * 3


def test_a_resumed_run_goes_on_with_its_batches(trained, folder: Path, tmp_path: Path) -> None:
    _, _, _, first = fit(folder, tmp_path, max_steps=2)
    _, _, _, rest = fit(folder, tmp_path, ckpt_path=tmp_path / "last.ckpt")
    assert first + rest == trained[3]


def test_both_data_sets_are_measured(trained) -> None:
    """PCKh as counted person by person; the error of NTU's clips is there too."""
    module, data, trainer, _, _ = trained
    trainer.test(module, datamodule=data, verbose=False)
    assert module.results["joint_error_mm"] > 0
    module.eval()  # trainer.test goes back to training mode
    expected = PCKh(layout="pa17j")
    for number in range(len(data.mpii.test_samples)):
        item = data.mpii.test_samples[number]
        with torch.no_grad():
            images = item["images"].float().div(127.5).sub(1).permute(0, 3, 1, 2)
            pose = module.network(images).poses[-1][0, :, :2].numpy()
        to_image = torch.linalg.inv(item["affine"][0]).numpy()
        pixels = torch.from_numpy(transform_points(to_image, pose))
        joints = item["joints_px"].nan_to_num()
        head = torch.tensor([item["length_px"]])
        expected.update(pixels[None], joints[None], item["valid"][None], head)
    assert module.results["pckh"] == pytest.approx(expected.compute()["total"].item(), abs=1e-9)


def test_a_multitask_network_begins_with_the_poses(trained) -> None:
    """Two of four pyramids: poses and features are the pre-trained ones, actions stay new."""
    pretrained, checkpoint = trained[0].network, trained[4]
    module = make_module(pose=None)
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    report = load_weights(module.network, checkpoint, strict=False)
    assert report.missing
    assert all(name.startswith("action.") for name in report.missing)  # all of the pose part came
    theirs = pretrained.state_dict()
    for name, value in module.network.state_dict().items():
        if "num_batches_tracked" not in name:
            source = before if name.startswith("action.") else theirs
            assert torch.equal(value, source[name]), name
    assert {name.split(".")[2] for name in report.unexpected} >= {"dp3_pb1", "up4_pb0"}
    said = str(report)
    assert f"{len(report.loaded)} weights loaded" in said
    assert f"{len(report.missing)} not in the file" in said
    assert f"{len(report.unexpected)} of the file not used" in said
    images = torch.rand(2, 3, 32, 32)
    module.eval(), pretrained.eval()
    with torch.no_grad():
        ours, original = module.network(images).poses, pretrained(images).poses
    for pose, same in zip(ours, original, strict=False):  # the first blocks of more
        torch.testing.assert_close(pose, same)
