"""A run that begins with weights takes their network; whether poses have depth the data decides."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from har.models import PyramidPoseNet, ReceptionNet
from har.runs.building import follow_weights
from har.weights import save_weights

PYRAMID = {"_target_": "har.models.PyramidPoseNet", "num_joints": 17, "frozen_stages": 3}


@pytest.mark.parametrize(("stored", "wanted"), [(2, 3), (3, 2), (2, 2)])
def test_the_data_decides_about_depth(tmp_path: Path, stored: int, wanted: int) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(PyramidPoseNet(5, dim=stored, width=8, num_layers=1), path)
    cfg = OmegaConf.create({"finetune": True, "model": PYRAMID, "data": {"dim": wanted}})
    found = follow_weights(cfg, str(path))
    assert found.data.dim == found.model.dim == wanted
    assert found.model.width == 8
    assert found.model.num_joints is None
    assert found.model.frozen_stages == 3


def test_stages_stay_frozen_only_in_a_network_of_that_kind(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(ReceptionNet(16, 2, num_blocks=1, kernel_size=3), path)
    cfg = OmegaConf.create({"finetune": True, "model": PYRAMID, "data": {"dim": 2}})
    assert "frozen_stages" not in follow_weights(cfg, str(path)).model


def test_without_finetune_the_configuration_keeps_its_network(tmp_path: Path) -> None:
    cfg = OmegaConf.create({"finetune": False, "model": PYRAMID, "data": {"dim": 2}})
    assert follow_weights(cfg, "people") == cfg
