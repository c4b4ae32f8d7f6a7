"""Multi-clip figures against one clip at a time; any batch size, one process and two."""

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from har.data import NTUDataModule
from har.data.ntu.targets import COLOR_CAMERA
from har.data.protocols import ClipProtocol, ProtocolDataset
from har.models import SPNet
from har.runs.clip_evaluator import ClipEvaluation

IN_MM: dict[str, Any] = {"camera": COLOR_CAMERA, "depth_range_mm": 2000.0}
FIGURES = ("action_top1", "joint_error_mm", "joint_error_absolute_mm", "pck3d_150mm", "pck3d_auc")


def network() -> SPNet:
    torch.manual_seed(3)
    net = SPNet(
        num_actions=(2,), num_levels=2, growth=8, num_pose_features=16, num_visual_features=16
    )
    return net.eval()


def dataset(data_dir: Path, protocol: ClipProtocol) -> ProtocolDataset:
    data = NTUDataModule(str(data_dir), actions=[22, 43], clip_size=4, resolution=(32, 32))
    data.setup("test")
    assert data.test_clips is not None
    return ProtocolDataset(data.test_clips, protocol)


def evaluate(data_dir: Path, protocol: ClipProtocol, crops_per_batch: int, **trainer: object):
    evaluator = ClipEvaluation(
        network(),
        dataset(data_dir, protocol),
        ["cheer up", "falling"],
        "pa17j",
        **IN_MM,
        crops_per_batch=crops_per_batch,
    )
    quiet = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "devices": 1}
    runner = pl.Trainer(
        **{
            **quiet,
            "enable_checkpointing": False,
            "enable_model_summary": False,
            "use_distributed_sampler": False,
            **trainer,
        }  # type: ignore[arg-type]
    )
    runner.test(evaluator, verbose=False)
    return evaluator


@pytest.mark.parametrize(
    "protocol",
    [
        ClipProtocol("multi", (2, 4), True, "clip"),
        ClipProtocol("multi", (1,), True, "sequence"),
    ],
    ids=["papers", "dense"],
)
def test_equals_one_clip_at_a_time(tiny_ntu: Path, protocol: ClipProtocol) -> None:
    evaluator = evaluate(tiny_ntu, protocol, crops_per_batch=24)
    samples, net = evaluator.samples, evaluator.network
    right = torch.zeros(net.num_action_outputs)
    for number in range(len(samples)):
        item = samples[number]
        product = [torch.ones(2, dtype=torch.float64) for _ in range(net.num_action_outputs)]
        for clip in item["clips"]:
            images = item["crops"][clip].movedim(-1, 1).float() / 255 * 2 - 1
            with torch.inference_mode():
                out = net(images[None])
            product = [p * a[0].double() for p, a in zip(product, out.actions, strict=True)]
        batch = {
            "crops": item["crops"],
            "clips": item["clips"],
            "sequence": torch.zeros(len(item["clips"]), dtype=torch.long),
            "action": torch.tensor([item["action"]]),
        }
        with torch.inference_mode():
            _, summed = evaluator.evaluate(batch)
        for block, direct in enumerate(product):
            torch.testing.assert_close(
                summed[block][0].softmax(-1), direct / direct.sum(), atol=1e-5, rtol=1e-4
            )
            right[block] += float(direct.argmax() == item["action"])
    expected = (100 * right / len(samples)).tolist()
    assert evaluator.results["action_top1_by_block"] == pytest.approx(expected)


def test_figures_do_not_depend_on_the_batch_size(tiny_ntu: Path) -> None:
    protocol = ClipProtocol("multi", (2,), True, "sequence")
    results = [evaluate(tiny_ntu, protocol, crops).results for crops in (1, 7, 64, 1000)]
    for other in results[1:]:
        for name in FIGURES:
            assert other[name] == pytest.approx(results[0][name], rel=1e-6), name


def test_a_network_without_actions_gives_its_poses(tiny_ntu: Path) -> None:
    samples = dataset(tiny_ntu, ClipProtocol())
    net = SPNet(num_actions=(), action_pyramids=(), num_levels=2, growth=8).eval()
    evaluator = ClipEvaluation(net, samples, ["cheer up", "falling"], "pa17j", **IN_MM)
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_progress_bar=False, enable_checkpointing=False
    )
    trainer.test(evaluator, verbose=False)
    assert evaluator.results["joint_error_mm"] > 0
    assert "action_top1" not in evaluator.results
