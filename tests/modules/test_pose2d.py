"""Poses of single persons: what a run learns from, measures, logs and keeps."""

import json
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from har.callbacks import Figures
from har.errors import HarError
from har.geometry import transform_points
from har.layouts import get_layout
from har.losses import pose_loss
from har.metrics import PersonMetrics, scalars
from har.models import ReceptionNet, TorchvisionPoseNet
from har.modules import Phase, Pose2DModule
from har.runs.report import print_table
from tests.helpers.tiny import fit
from tests.helpers.tiny_pose import make_mpii, make_network, make_pose_module

warnings.filterwarnings("ignore", module="pytorch_lightning")
PA16J = get_layout("pa16j")


def trainer_for(**arguments) -> pl.Trainer:
    return pl.Trainer(
        **{
            "accelerator": "cpu",
            "devices": 1,
            "logger": False,
            "enable_progress_bar": False,
            "enable_checkpointing": False,
            "use_distributed_sampler": False,
            **arguments,
        }
    )


@pytest.fixture(scope="module")
def run(tiny_mpii: Path, tmp_path_factory: pytest.TempPathFactory):
    """A whole run of 2 epochs: folder, module, data and what every step was."""
    folder = tmp_path_factory.mktemp("run")
    logger = TensorBoardLogger(folder, name="", version="tensorboard")
    figures = Figures(str(folder / "figures"), num_samples=3)
    module, data = make_pose_module(), make_mpii(tiny_mpii)
    module.run_info = {"config": {"model": {}}, "labels": []}
    recorder = fit(
        tiny_mpii,
        folder,
        module=module,
        data_module=data,
        logger=logger,
        log_every_n_steps=1,
    )[1]
    trainer_for(logger=logger, callbacks=[figures]).test(module, datamodule=data, verbose=False)
    return folder, module, data, recorder


def test_every_block_learns_the_same_poses(tiny_mpii: Path) -> None:
    module, data = make_pose_module(), make_mpii(tiny_mpii)
    data.setup("fit")
    items = [data.datasets["pose"][("pose", number, number)] for number in range(3)]
    batch = torch.utils.data.default_collate(items)
    logged: dict[str, float] = {}
    module.log_dict = lambda values, **_: None  # type: ignore[method-assign]
    logger = SimpleNamespace(log_metrics=lambda values, step: logged.update(values))
    sgd = torch.optim.SGD([torch.zeros(1)], 0.5)
    module._trainer = SimpleNamespace(
        optimizers=[sgd], global_step=0, current_epoch=0, log_every_n_steps=1, loggers=[logger]
    )
    loss = module.training_step(batch, 0)
    images = (batch["images"] / 255).pow(batch["gamma"][:, None, None]) * 2 - 1
    poses = module.network(images.permute(0, 3, 1, 2)).poses
    expected = [pose_loss(pose, batch["pose"], "l1l2bincross").mean() for pose in poses]
    assert len(expected) == 2
    torch.testing.assert_close(loss, sum(expected))
    for number, value in enumerate(expected, start=1):
        assert logged[f"train/pose_loss/block_{number}"] == pytest.approx(float(value))
    assert logged["train/learning_rate"] == 0.5


def test_what_is_logged(run) -> None:
    folder = run[0]
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    names = set(events.Tags()["scalars"])
    assert {"train/pose_loss/block_1", "train/pose_loss/block_2", "train/pose_loss"} <= names
    for stage in ("val", "test"):
        assert {f"{stage}/pckh", f"{stage}/pckh_auc", f"{stage}/pckh_inside_crop"} <= names
        assert {f"{stage}/pckh/block_1", f"{stage}/pckh_joint/left_wrist"} <= names
    rates = [event.value for event in events.Scalars("train/learning_rate")]
    np.testing.assert_allclose(rates, [0.001] * 4 + [0.0002] * 4, rtol=1e-6)
    assert events.Tags()["images"] == ["test/poses"]
    assert (folder / "figures" / "test_poses.png").is_file()
    assert not (folder / "figures" / "test_skeleton.png").exists()  # nothing has a depth


def test_results_can_be_written_and_printed(run, capsys: pytest.CaptureFixture[str]) -> None:
    results = run[1].results
    assert json.loads(json.dumps(results, allow_nan=False)) == results
    assert list(results["pckh_by_joint"]) == list(PA16J.joints)
    assert len(results["pckh_by_block"]) == 2
    assert results["pckh_by_block"][-1] == results["pckh"]
    wrist = results["pckh_by_part"]["wrist"]
    sides = [results["pckh_by_joint"][f"{side} wrist"] for side in ("left", "right")]
    assert wrist == pytest.approx(sum(sides) / 2)
    print_table(results, {}, [], title="a test")
    printed = capsys.readouterr().out
    assert f"{results['pckh']:.1f} %" in printed
    assert f"{results['pckh_by_joint']['left wrist']:.1f}" in printed
    assert max(len(line) for line in printed.splitlines()) <= 80


def test_the_checkpoint_says_where_it_comes_from(run) -> None:
    saved = torch.load(run[0] / "last.ckpt", weights_only=True)
    assert saved["har"] == {"config": {"model": {}}, "labels": [], "phase": "pose"}


def test_a_checkpoint_loads_itself(run) -> None:
    module = run[1].eval()
    loaded = Pose2DModule.load_from_checkpoint(run[0] / "last.ckpt").eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        poses = [each.network(images).poses[-1] for each in (loaded, module)]
    assert torch.equal(*poses)
    assert loaded.layout == module.layout


@pytest.mark.parametrize("killed_at", [2, 4, 5])
def test_a_resumed_run_goes_on_with_its_batches(
    run, killed_at: int, tiny_mpii: Path, tmp_path: Path
) -> None:
    """Within an epoch, at its end, and within the next one."""
    module, whole = run[1], run[3]
    assert len(whole) == 8
    data = make_mpii(tiny_mpii)
    _, first = fit(
        tiny_mpii, tmp_path, module=make_pose_module(), data_module=data, max_steps=killed_at
    )
    again, rest = fit(
        tiny_mpii,
        tmp_path,
        module=make_pose_module(),
        data_module=make_mpii(tiny_mpii),
        ckpt_path=tmp_path / "last.ckpt",
    )
    assert first + rest == whole
    for (name, ours), theirs in zip(
        again.network.named_parameters(), module.network.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, msg=name)


def person(number: int, error_px: float, **other) -> dict:
    """A person seen in a plain and a mirrored crop of 100 px, the joints of the last block off by
    ``error_px`` to the right, those of the first block exactly right."""
    rng = np.random.default_rng(number)
    joints = rng.uniform(10, 90, (16, 2))
    plain = np.diag([0.01, 0.01, 1.0])
    mirror = np.array([[-0.01, 0, 1], [0, 0.01, 0], [0, 0, 1.0]])
    found = joints + np.array([error_px, 0])

    def seen(points: np.ndarray) -> np.ndarray:
        views = [
            transform_points(plain, points),
            transform_points(mirror, points)[list(PA16J.flip)],
        ]
        return np.concatenate([np.stack(views), np.ones((2, 16, 1))], -1)

    return {
        "poses": (seen(joints), seen(found)),
        "affine": np.stack([plain, mirror]),
        "flipped": np.array([False, True]),
        "joints_px": joints,
        "valid": np.ones(16, dtype=bool),
        "inside": np.ones(16, dtype=bool),
        "length_px": 10.0,
        **other,
    }


def scores_of(persons: list[dict]) -> dict:
    batch = torch.utils.data.default_collate(persons)
    scores = PersonMetrics("pa16j", 2)
    scores.update(batch.pop("poses"), batch)
    return scores.compute()


def test_both_ways_of_counting() -> None:
    """All annotated joints, and those in the crop only; who has no head box is left out."""
    wrist, ankle = PA16J.joints.index("left wrist"), PA16J.joints.index("right ankle")
    inside = np.arange(16) != wrist
    valid = np.arange(16) != ankle
    persons = [
        person(0, 4.9),  # half a head is 5 px
        person(1, 5.1, inside=inside, valid=valid),
        person(2, 99, length_px=float("nan")),
        person(3, 99, length_px=0.0),
    ]
    results = scores_of(persons)
    # pelvis and thorax do not count: 14 joints, 13 of the second person
    assert results["pckh"] == pytest.approx(100 * 14 / 27)
    assert results["pckh_inside_crop"] == pytest.approx(100 * 14 / 26)
    assert results["pckh_by_block"] == pytest.approx([100, 100 * 14 / 27])
    assert results["pckh_by_joint"]["right ankle"] == 100
    assert results["pckh_by_joint"]["left wrist"] == 50
    assert results["pckh_by_part"]["ankle"] == pytest.approx((100 + 50) / 2)


def test_nobody_to_score() -> None:
    results = scores_of([person(0, 0, length_px=float("nan"))])
    assert results["pckh"] is None
    assert results["pckh_by_joint"] == {}
    assert scalars(results) == {}


@pytest.mark.parametrize(
    "network",
    [
        lambda: ReceptionNet(num_blocks=1, kernel_size=3),
        lambda: TorchvisionPoseNet("mobilenet_v3_small", "features", head_width=8),
    ],
    ids=["ReceptionNet", "torchvision"],
)
def test_other_networks_take_its_place(network, tiny_mpii: Path, tmp_path: Path) -> None:
    module = make_pose_module(network(), steps_per_epoch=1)
    data = make_mpii(tiny_mpii, views="flip", resolution=(64, 64), limit_eval=3)
    before = module.network.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    fit(tiny_mpii, tmp_path, module=module, data_module=data, max_epochs=1)
    assert any(not torch.equal(before[n], p) for n, p in module.network.named_parameters())
    trainer_for().test(module, datamodule=data, verbose=False)
    assert 0 <= module.results["pckh"] <= 100


def test_batch_norm_momentum_is_set() -> None:
    phase = {"pose": Phase(1, torch.optim.SGD)}
    module = Pose2DModule(make_network(), phase, batch_norm_momentum=0.3)
    norms = [m for m in module.network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert {norm.momentum for norm in norms} == {0.3}


def test_other_phases_are_refused() -> None:
    with pytest.raises(HarError, match="phase pose only"):
        Pose2DModule(make_network(), {"joint": Phase(1, torch.optim.SGD)})


def test_a_loss_that_is_no_number_names_the_samples(tiny_mpii: Path, tmp_path: Path) -> None:
    module = make_pose_module()
    with torch.no_grad():
        next(module.network.parameters()).fill_(float("nan"))
    with pytest.raises(HarError, match=r"The loss is nan at step 0 .*\.jpg, person"):
        fit(tiny_mpii, tmp_path, module=module, data_module=make_mpii(tiny_mpii))
