"""Own pictures with any skeleton: prepared, trained, evaluated, predicted with, exported, drawn."""

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from har import Predictor
from har.export.run import export
from har.files import read_image
from har.prepare.persons import prepare_persons
from har.runs.measuring import measure
from har.runs.training import train
from har.visual.draw import draw_skeleton
from har.weights import open_weights
from tests.helpers.coco_files import FIVE, TWENTY_ONE, write_dots
from tests.helpers.commands import call

QUICK = [
    *("experiment=own_poses", "data.resolution=[64,64]", "data.num_workers=0", "data.batch_size=4"),
    *("callbacks.progress_bar=null", "+trainer.enable_progress_bar=false", "logger=none"),
    *("trainer.max_steps=2", "trainer.check_val_every_n_epoch=1"),
]
SMALL = ["weights=null", "model.backbone_weights=null", "model.width=8", "model.num_layers=1"]


def run(folder: Path, joints: Sequence[str], *words: str) -> Path:
    """Two steps of training on drawn people; the checkpoint."""
    path = write_dots(folder, joints)
    place = [f"paths.data_dir='{folder}'"]
    call(
        "prepare",
        prepare_persons,
        folder / "prepare",
        [f"images='{folder}/images'", f"annotations='{path}'", "workers=0", *place],
    )
    call("train", train, folder / "run", [*QUICK, *place, *words])
    (checkpoint,) = (folder / "run" / "checkpoints").glob("last.ckpt")
    return checkpoint


def _believing(weights: Path) -> Predictor:
    """A predictor that reports every pose: two steps of training give no confidence."""
    predictor = Predictor.from_pretrained(weights, fast=False)  # converts nothing
    predictor.engine.spec = replace(predictor.engine.spec, nobody_below=0)
    return predictor


@pytest.mark.slow
@pytest.mark.parametrize("joints", [FIVE, TWENTY_ONE], ids=["5 joints", "21 without sides"])
def test_a_skeleton_of_ones_own(joints: Sequence[str], tmp_path: Path) -> None:
    checkpoint = run(tmp_path, joints, *SMALL)
    assert (tmp_path / "own_poses" / "samples.png").is_file()
    evaluated = call(
        "evaluate",
        measure,
        tmp_path / "evaluation",
        [f"ckpt_path='{checkpoint}'", "callbacks.progress_bar=null"],
    )
    assert 0 <= evaluated["pck"] <= 100
    protocol = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())["protocol"]
    assert protocol["split"] == "validation (no test persons)"
    assert "box" in protocol["metric"]

    spec = open_weights(checkpoint).spec(open_weights(checkpoint).build())
    assert spec.joint_names == tuple(joints)
    assert len(spec.joint_links) == len(joints) - 1

    picture = tmp_path / "images" / "video0_000.png"
    boxes = np.array([[10, 5, 110, 115], [110, 5, 210, 115]])
    found = _believing(checkpoint)(picture, boxes=boxes).poses
    assert found.joints_px.shape == (2, len(joints), 2)
    drawn = draw_skeleton(read_image(picture), found.joints_px[0], spec.joint_layout)
    assert (drawn != read_image(picture)).any()

    if joints != FIVE:
        return  # an export takes long, and how many joints there are changes nothing in it
    out = tmp_path / "network.onnx"
    call("export", export, tmp_path / "export", [f"weights='{checkpoint}'", f"out='{out}'"])
    exported = _believing(out)(picture, boxes=boxes).poses
    assert np.abs(exported.joints_px - found.joints_px).max() < 0.5


@pytest.mark.slow
def test_fine_tuning_takes_over_the_joints_of_the_same_names(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From a network of five joints in another style to one of four, three of them shared."""
    first = run(tmp_path / "a", FIVE, *SMALL)
    with caplog.at_level(logging.INFO):
        second = run(
            tmp_path / "b",
            ("Head", "LeftHand", "RightHand", "Wing"),
            f"weights='{first}'",
            "trainer.max_steps=1",
            "module.phases.pose.optimizer.lr=1e-9",
            "module.phases.pose.scheduler.max_lr=1e-9",
        )
    assert "of its head Head, LeftHand, RightHand by name; new in the head: Wing" in caplog.text
    before, after = open_weights(first).load(), open_weights(second).load()
    assert type(before) is type(after)
    assert after.num_joints == 4
    (name,) = (name for name in before.joint_channels() if name.endswith("weight"))
    old, new = before.state_dict()[name], after.state_dict()[name]
    np.testing.assert_allclose(new[:3], old[:3], atol=1e-6)
