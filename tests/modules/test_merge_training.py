"""ActionMergeNet in its phases: poses, the action part on fixed poses, then every weight."""

import warnings
from functools import partial
from pathlib import Path

import hydra
import pytest
import pytorch_lightning as pl
import torch

from har.data.protocols import ClipProtocol, ProtocolDataset
from har.losses import pose_loss
from har.models import ActionMergeNet, ReceptionNet
from har.modules import MultitaskModule, Phase
from har.runs.clip_evaluator import ClipEvaluation
from har.runs.config import config_dir, instantiate
from har.transforms import normalize_images
from har.weights import load_weights, save_weights
from tests.helpers.tiny import fit, make_data

warnings.filterwarnings("ignore", module="pytorch_lightning")
DATA = {"layout": "pa20j", "resolution": (64, 64), "batch_size": 1}
POSE_NET = {"num_joints": 20, "dim": 3, "num_blocks": 2, "depth_maps": 4, "kernel_size": 3}


def merge_network() -> ActionMergeNet:
    torch.manual_seed(0)
    return ActionMergeNet(POSE_NET, num_actions=2, num_frames=4)


def merge_module(phase: str) -> MultitaskModule:
    sgd = partial(torch.optim.SGD, lr=0.01)
    return MultitaskModule(merge_network(), {phase: Phase(1, sgd, steps_per_epoch=1)}, "pa20j", 1.0)


@pytest.mark.parametrize("phase", ["pose", "frozen", "full"])
def test_what_learns_in_a_phase(phase: str, tiny_ntu: Path, tmp_path: Path) -> None:
    module = merge_module(phase)
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    _, steps = fit(tiny_ntu, tmp_path, module=module, data=DATA)
    changed = {
        name
        for name, value in module.network.state_dict().items()
        if not torch.equal(value, before[name]) and "num_batches" not in name
    }
    parts = {name.split(".")[0] for name in changed}
    actions = {"pose_stream", "visual_stream", "pose_weighting", "visual_weighting"}
    expected = {"pose": {"pose_net"}, "frozen": actions, "full": {"pose_net", *actions}}
    assert parts == expected[phase]
    assert len(steps[0][2]) == {"pose": 2, "frozen": 1, "full": 1}[phase]  # frames, or a clip


def test_every_pose_block_learns(tiny_ntu: Path, tmp_path: Path) -> None:
    """Not the last one alone, which is all that the network's answer shows."""
    data = make_data(tiny_ntu, **DATA)
    data.setup("fit")
    (order,) = data._orders(data.batch_sizes)["pose"]
    items = [data.datasets["pose"][key] for key in order.batch(0)]
    images, gamma, true = (
        torch.stack([item[key] for item in items]) for key in ("images", "gamma", "pose")
    )
    with torch.no_grad():
        poses = merge_network().train().pose_net(normalize_images(images, gamma)).poses
    assert len(poses) == 2
    expected = sum(pose_loss(pose, true).mean() for pose in poses)
    _, steps = fit(tiny_ntu, tmp_path, module=merge_module("pose"), data=DATA)
    assert steps[0][3] == pytest.approx(float(expected), rel=1e-3)


@pytest.mark.parametrize("kind", ["checkpoint", "safetensors"])
def test_begins_with_the_poses_of_a_reception_net(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    poses, path = ReceptionNet(**POSE_NET), tmp_path / "pose.safetensors"
    if kind == "safetensors":
        save_weights(poses, path)
    else:
        path = tmp_path / "pose.ckpt"
        state = {f"network.{name}": value for name, value in poses.state_dict().items()}
        config = {"model": {"_target_": "har.models.ReceptionNet", **POSE_NET}}
        torch.save({"state_dict": state, "har": {"config": config}}, path)
    network = merge_network()
    report = load_weights(network, path, strict=False)
    assert not report.missing
    assert not report.unexpected
    for name, value in network.pose_net.state_dict().items():
        assert torch.equal(value, poses.state_dict()[name]), name


TINY = [
    "experiment=ntu_action_merge",
    "data.actions=[22,43]",
    "data.val_subjects=[4]",
    "data.resolution=[32,32]",
    "data.clip_size=8",
    "data.batch_size=1",
    "data.frame_batch_size=2",
    "data.num_workers=0",
    "model.num_actions=[2]",
    "model.pose_net.num_blocks=1",
    "model.pose_net.kernel_size=3",
    *(f"module.phases.{phase}.epochs=1" for phase in ("pose", "frozen", "full")),
    *(f"++module.phases.{phase}.steps_per_epoch=1" for phase in ("pose", "frozen", "full")),
]


def test_the_recipe_and_its_evaluation(tiny_ntu: Path, tmp_path: Path) -> None:
    """The experiment's own configuration, small: three phases, then figures by the protocol."""
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = hydra.compose("train", [*TINY, f"paths.data_dir={tiny_ntu}"])
    module, data = instantiate(cfg.module), instantiate(cfg.data)
    _, steps = fit(tiny_ntu, tmp_path, module=module, data_module=data)
    assert [phase for _, phase, _, _ in steps] == ["pose", "frozen", "full"]
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False
    )
    trainer.test(module, datamodule=data, verbose=False)
    samples = ProtocolDataset(data.test_clips, ClipProtocol(steps=(data.step,)))
    evaluator = ClipEvaluation(
        module.network,
        samples,
        data.labels,
        module.layout,
        camera=data.camera,
        depth_range_mm=data.depth_range_mm,
    )
    trainer.test(evaluator, verbose=False)
    assert len(module.results["action_top1_by_block"]) == 9  # four heads twice, and merged
    assert evaluator.results["action_top1_by_block"] == module.results["action_top1_by_block"]
    assert evaluator.results["joint_error_mm"] == pytest.approx(module.results["joint_error_mm"])
