"""Where ``views=`` of the evaluation goes."""

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from har.errors import HarError
from har.runs.config import config_dir
from har.runs.measuring import complete


def completed(*words: str) -> DictConfig:
    with hydra.initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = hydra.compose("evaluate", list(words), return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return complete(cfg, "weights.h5")


def test_persons_are_the_data() -> None:
    assert completed("experiment=mpii_pose", "views=flip").data.views == "flip"
    assert completed("experiment=mpii_pose").data.views == "single"


def test_persons_are_a_part_of_the_data() -> None:
    assert completed("experiment=demo_pretrain", "views=multicrop").data.mpii.views == "multicrop"


def test_images_of_sequences_have_views_of_the_protocol() -> None:
    cfg = completed("experiment=h36m_pose", "views=multicrop")
    assert (cfg.protocol.views, cfg.data.persons.views) == ("multicrop", "single")


def test_no_person_of_mpii_is_measured() -> None:
    for experiment in ("demo", "penn_multitask"):  # the latter measures its clips alone
        with pytest.raises(HarError, match=r"add mpii_dir="):
            completed(f"experiment={experiment}", "views=flip")
    assert completed("experiment=demo", "views=flip", "mpii_dir=/data").views == "flip"
