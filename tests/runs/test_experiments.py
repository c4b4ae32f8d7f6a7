"""Every experiment, as it is configured but small: built, and trained in each of its phases."""

import shutil
from pathlib import Path

import pytest

from har.data.coco.prepare import FOLDER, prepare_persons
from har.data.h36m.prepare import prepare_h36m
from har.data.lsp.prepare import prepare_lsp
from har.data.penn.prepare import prepare_penn
from har.runs.config import config_dir
from har.runs.training import train
from har.synthetic.h36m import write_h36m
from tests.helpers.coco_files import FIVE, write_dots
from tests.helpers.commands import call, compose
from tests.helpers.own_clips import write_clip as write_clip_of_frames
from tests.helpers.penn_files import write_clip
from tests.helpers.people import write_people
from tests.helpers.teacher import write_teacher

EXPERIMENTS = sorted(path.stem for path in (config_dir() / "experiment").glob("*.yaml"))
V010 = Path(__file__).parents[1] / "golden" / "v010"
LSP = Path(__file__).parents[1] / "data" / "lsp" / "case_09" / "lsp_dataset"
SMALL_SPNET = ["model.num_levels=2", "model.growth=4"]
SMALL_ACTIONS = ["model.num_pose_features=16", "model.num_visual_features=16"]
TWO_CLASSES = ["data.actions=[22,43]", "data.val_subjects=[4]"]
SMALL_CLIPS = ["data.batch_size=1", "data.frame_batch_size=2", "data.eval_batch_size=2"]
SMALL = ["data.resolution=[32,32]", "data.clip_size=4"]
# by the data and the network of an experiment: what makes it small
SMALLER = {
    ("MultitaskDataModule", "SPNet"): [
        *(*TWO_CLASSES, *SMALL_CLIPS, *SMALL, *SMALL_SPNET, *SMALL_ACTIONS),
        "model.num_actions=[2]",
    ],
    ("MultitaskDataModule", "ActionMergeNet"): [
        *(*TWO_CLASSES, *SMALL_CLIPS, "data.resolution=[32,32]", "data.clip_size=8"),
        *("model.num_actions=2", "model.num_frames=8"),
        *("model.pose_net.num_blocks=1", "model.pose_net.kernel_size=3"),
    ],
    ("MPIIDataModule", "SPNet"): ["data.resolution=[32,32]", *SMALL_SPNET],
    ("MPIIDataModule", "ReceptionNet"): ["model.num_blocks=1", "model.kernel_size=3"],
    ("MPIIDataModule", "TorchvisionPoseNet"): [
        *("model.backbone=mobilenet_v3_small", "model.features=features"),
        *("model.weights=null", "model.head_width=8"),
    ],
    ("PersonDataModule", "SPNet"): ["data.resolution=[32,32]", *SMALL_SPNET],
    ("PersonDataModule", "PyramidPoseNet"): ["model.backbone_weights=null", "model.width=8"],
    ("OwnPosesDataModule", "PyramidPoseNet"): [
        *("weights=null", "model.backbone_weights=null", "model.width=8"),
        *("data.batch_size=2", "data.resolution=[64,64]"),
    ],
    ("MixedPoseDataModule", "SPNet"): [
        *("data.resolution=[32,32]", "data.mpii.batch_size=2", "data.mpii.val_persons=2"),
        *("data.ntu.frame_batch_size=2", "+data.ntu.actions=[22,43]", "data.ntu.clip_size=4"),
        *SMALL_SPNET,
    ],
}
PENN = [
    *("data.persons.batch_size=2", "data.persons.val_persons=2", "data.batch_size=1"),
    *("data.eval_batch_size=2", "data.resolution=[32,32]", "data.reader.actions=[bowl,situp]"),
]
SMALLER |= {
    ("ClipsAndPersonsDataModule", "SPNet"): [
        *(*PENN, "data.clip_size=4", *SMALL_SPNET, *SMALL_ACTIONS),
        *("model.num_pyramids=2", "model.action_pyramids=[2]", "model.num_actions=[2]"),
    ],
    ("ClipsAndPersonsDataModule", "ActionMergeNet"): [
        *(*PENN, "data.resolution=[64,64]", "data.clip_size=8", "model.num_frames=8"),
        *("model.pose_net.num_blocks=1", "model.pose_net.kernel_size=3", "model.num_actions=2"),
    ],
}
SMALLER["ClipDataModule", "ReceptionNet"] = [
    *("model.num_blocks=1", "model.kernel_size=3", "model.depth_maps=4"),
    "data.frame_batch_size=2",
]
SMALLER["ClipsAndPersonsDataModule", "ReceptionNet"] = [
    *SMALLER["ClipDataModule", "ReceptionNet"],
    *("data.persons.batch_size=2", "data.persons.val_persons=2"),
]
OWN = [
    *(f"paths.data_dir='{V010}/own_run/data'", f"weights='{V010}/ntu_run/last.ckpt'"),
    *("data.boxes=predicted", *SMALL_CLIPS, *SMALL, *SMALL_SPNET, "model.num_pyramids=1"),
    *("model.action_pyramids=[1]", *SMALL_ACTIONS),
]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_trains(name: str, tiny_ntu: Path, tiny_mpii: Path, tmp_path: Path) -> None:
    cfg = compose("train", [f"experiment={name}"])
    kind = cfg.data._target_.rpartition(".")[2], cfg.model._target_.rpartition(".")[2]
    words = [*SMALLER.get(kind, []), f"paths.data_dir='{tmp_path}'"]
    if name == "own_actions_crops":
        words = OWN
    if kind[0] in ("MPIIDataModule", "PersonDataModule"):
        words += ["data.batch_size=2", "data.val_persons=2"]
    if kind[0] == "PersonDataModule":
        shutil.copytree(LSP, tmp_path / "lsp")
        _, persons = prepare_lsp(tmp_path, workers=0)
        write_teacher(persons)
    reader = str(cfg.data.get("reader", {}).get("_target_"))
    if reader.endswith("H36MReader"):
        write_h36m(tmp_path / "h36m", 2, workers=0)
        prepare_h36m(tmp_path, workers=0)
    if reader.endswith("PennReader"):
        for number, split, action in ((1, 1, "bowl"), (2, 1, "situp"), (3, -1, "bowl")):
            write_clip(tmp_path / "penn", number, 20, train=split, action=action)
        prepare_penn(tmp_path, workers=0)
    if kind[0] == "OwnPosesDataModule":
        files = {"train": write_dots(tmp_path / "dots", FIVE)}
        prepare_persons(tmp_path / "dots" / "images", files, tmp_path / FOLDER, workers=0)
    if kind[1] in ("ReceptionNet", "TorchvisionPoseNet", "PyramidPoseNet"):
        words.append("data.resolution=[64,64]")
    for data, folder in (("ntu", tiny_ntu), ("mpii", tiny_mpii)):
        (tmp_path / data).symlink_to(folder / data)
    if name == "own_actions":
        for label in ("squat", "wave"):
            for number in range(3):
                write_clip_of_frames(tmp_path / "own" / label / f"{number}.avi", 20)
        weights = write_people(tmp_path / "people.safetensors")
        words = [f"paths.data_dir='{tmp_path / 'own'}'", f"weights='{weights}'", "own.workers=0"]
    phases = [key for key, phase in cfg.module.phases.items() if phase is not None and phase.epochs]
    for phase in phases:
        words += [f"module.phases.{phase}.epochs=1", f"++module.phases.{phase}.steps_per_epoch=1"]
    words += [f"experiment={name}", f"name={name}", "data.num_workers=0", "trainer=cpu"]
    words += ["report_untrained=false", "test=false", "callbacks=none", "logger=none"]
    words += ["callbacks.progress_bar=null", "+trainer.enable_progress_bar=false"]
    found = call("train", train, tmp_path / "run", words)
    if name == "own_actions_crops":  # weights are given
        phases.remove("pose")
    losses = {"pose": {"pose"}, "frozen": {"action"}, "full": {"action"}}
    kinds = set().union(*(losses.get(phase, {"pose", "action"}) for phase in phases))
    assert {f"train/{kind}_loss" for kind in kinds} <= found.keys()
    assert all(value == value for value in found.values())
