"""Training in phases: what learns when, and runs that go on after a kill as if nothing happened."""

import warnings
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from har.data.ntu.labels import sample_numbers
from har.errors import HarError
from har.modules import MultitaskModule, Phase
from har.modules.schedule import Schedule
from tests.helpers.tiny import STEPS, fit, make_data, make_module

warnings.filterwarnings("ignore", module="pytorch_lightning")
SGD = partial(torch.optim.SGD, lr=0.01)
# two epochs of each phase; joint steps are an update on poses and one on actions
TOTAL = 2 * STEPS["pose"] + 2 * STEPS["frozen"] + 4 * STEPS["joint"]


@pytest.fixture(scope="module")
def whole_run(tiny_ntu: Path, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("whole")
    module, steps = fit(tiny_ntu, folder)
    return module.network.state_dict(), steps


def test_phases_follow_each_other(whole_run) -> None:
    _, steps = whole_run
    assert [phase for _, phase, _, _ in steps] == (
        ["pose"] * 2 * STEPS["pose"] + ["frozen"] * 2 * STEPS["frozen"] + ["joint"] * 8
    )
    assert [step for step, *_ in steps] == list(range(1, TOTAL + 1))


@pytest.mark.parametrize("phase", ["pose", "frozen", "joint"])
def test_what_learns_in_a_phase(phase: str, tiny_ntu: Path, tmp_path: Path) -> None:
    only = {name: None for name in STEPS if name != phase}
    module = make_module(**only, **{phase: Phase(1, SGD, steps_per_epoch=2)})
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    fit(tiny_ntu, tmp_path, module=module)
    after = module.network.state_dict()
    changed = {
        name.split(".")[0]
        for name in after
        if not torch.equal(after[name], before[name]) and "num_batches" not in name
    }
    assert changed == {"pose": {"pose"}, "frozen": {"action"}, "joint": {"pose", "action"}}[phase]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "stop",
    [2, STEPS["pose"], 2 * STEPS["pose"], 2 * STEPS["pose"] + 1, TOTAL - 3],
    ids=["mid-epoch", "end of epoch", "end of phase", "next phase", "between kinds"],
)
def test_a_resumed_run_equals_an_undisturbed_one(
    stop: int, workers: int, whole_run, tiny_ntu: Path, tmp_path: Path
) -> None:
    if workers and stop not in (2, 2 * STEPS["pose"]):
        pytest.skip("workers are tried at two places")
    weights, steps = whole_run
    data = {"num_workers": workers}
    _, first = fit(tiny_ntu, tmp_path, max_steps=stop, data=data)
    module, rest = fit(tiny_ntu, tmp_path, ckpt_path=tmp_path / "last.ckpt", data=data)
    assert first + rest == steps
    for name, value in module.network.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=1e-5, atol=1e-7)


def test_checkpoints_need_no_pickle(tiny_ntu: Path, tmp_path: Path) -> None:
    module = make_module()
    module.run_info = {"config": {"seed": 0}, "labels": ["a", "b"], "action_numbers": [22, 43]}
    fit(tiny_ntu, tmp_path, module=module, max_steps=1)
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert checkpoint["har"]["labels"] == ["a", "b"]
    assert checkpoint["har"]["phase"] == "pose"


def test_a_loss_that_is_not_finite_names_its_samples(tiny_ntu: Path, tmp_path: Path) -> None:
    module = make_module()
    with torch.no_grad():
        module.network.pose.stem.conv1.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(HarError, match=r"loss is nan .*S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}"):
        fit(tiny_ntu, tmp_path, module=module)


def test_without_validation_subjects(tiny_ntu: Path, tmp_path: Path) -> None:
    _, steps = fit(tiny_ntu, tmp_path, data={"val_subjects": []}, max_steps=4)
    assert len(steps) == 4


def test_no_test_subject_trains(tiny_ntu: Path) -> None:
    data = make_data(tiny_ntu)
    data.setup("fit")
    subjects = sample_numbers(data.clips.index.names).subjects
    assert set(subjects[data.datasets["action"].selection]) == {1, 2}
    assert set(subjects[data.val_clips.selection]) == {4}
    assert set(subjects[data.test_clips.selection]) == {3, 6}


def test_draws_differ_between_epochs_and_not_between_runs(tiny_ntu: Path) -> None:
    def item(draw: int):
        data = make_data(tiny_ntu)
        data.setup("fit")
        return data.datasets["action"][("action", 0, draw)]["images"]

    assert torch.equal(item(0), item(0))
    assert any(not torch.equal(item(0), item(draw)) for draw in (4, 8, 12))


def test_schedule_refuses_unknown_phases() -> None:
    with pytest.raises(HarError, match="pretrain"):
        Schedule({"pretrain": Phase(1, SGD)})
    with pytest.raises(HarError, match="empty"):
        Schedule({"pose": None})
    assert Schedule({"joint": Phase(2, SGD), "pose": Phase(1, SGD)}).name_at(0) == "pose"


class Drawn(pl.Callback):
    """Notes the names of the samples that are trained on, and writes a checkpoint at each place."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.names = folder, {"pose": [], "action": []}

    def on_train_batch_end(self, trainer, module, outputs, batch, *_) -> None:
        self.names["pose" if batch["images"].ndim == 4 else "action"] += batch["name"]
        if self.folder is not None:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step}.ckpt")

    def on_validation_end(self, trainer, module) -> None:
        if self.folder is not None:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step}_validated.ckpt")

    def on_train_epoch_end(self, trainer, module) -> None:
        if self.folder is not None:
            trainer.save_checkpoint(self.folder / f"{trainer.global_step}_ended.ckpt")


def passes() -> MultitaskModule:
    """Trains for two passes over the poses, then two over the clips, with poses between them."""
    cycle = torch.optim.lr_scheduler.OneCycleLR
    schedule = partial(cycle, max_lr=0.01, pct_start=0.5, cycle_momentum=False)
    return make_module(pose=Phase(2, SGD, schedule, "step"), frozen=None, joint=Phase(2, SGD))


def test_a_run_goes_on_with_other_batch_sizes(
    tiny_ntu: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """From anywhere, also twice: it trains on each sample of a pass once, and ends."""
    before = Drawn(tmp_path)
    options = {"val_subjects": [4], "batch_size": 2, "frame_batch_size": 1}
    fit(tiny_ntu, tmp_path, module=passes(), callbacks=[before], data=options)
    data = make_data(tiny_ntu)
    data.setup("fit")
    orders = {kind: orders[0] for kind, orders in data._orders(data.batch_sizes).items()}

    def expected(kind: str, count: int) -> list[str]:
        samples, order = data.datasets[kind], orders[kind]
        keys = [key for n in range(count) for key in order.batch(n)][:count]
        names = data.clips.index.names[samples.selection[[key[1] for key in keys]]]
        return [name.decode() for name in names]

    assert len(data.datasets["pose"]) == len(data.datasets["action"]) == 4
    assert before.names == {kind: expected(kind, n) for kind, n in (("pose", 12), ("action", 8))}
    # two passes of four batches of a pose, then twice two of each
    with caplog.at_level("INFO", logger="har"):
        for name in ("1", "4_validated", "4_ended", "6", "9", "12_validated", "15"):
            then, seen = Drawn(), torch.load(tmp_path / f"{name}.ckpt", weights_only=True)
            seen = seen["MultitaskDataModule"]["position"]["samples"]
            other = {"val_subjects": [4], "batch_size": 1, "frame_batch_size": 3}
            options = {"callbacks": [then], "data": other, "ckpt_path": tmp_path / f"{name}.ckpt"}
            fit(tiny_ntu, tmp_path, module=passes(), **options)
            for kind, names in then.names.items():
                first, count = seen.get(kind, 0), len(names)
                assert names == expected(kind, first + count)[first:], (name, kind)
            assert seen.get("action", 0) + len(then.names["action"]) == 8, name
    assert "batches of 2 (action), 1 (pose) samples" in caplog.text
    assert "goes on with 1 (action), 3 (pose)" in caplog.text
    # six steps were done, one is left of the second pass
    assert "was made for 8 steps and is rebuilt for 7." in caplog.text


def test_a_finished_run_may_be_made_longer(tiny_ntu: Path, tmp_path: Path) -> None:
    """A schedule of the learning rate over the whole phase ends where the longer run ends."""

    def module(epochs: int) -> MultitaskModule:
        cycle = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.01, cycle_momentum=False)
        phase = Phase(epochs, SGD, cycle, "step", steps_per_epoch=15)
        return make_module(pose=phase, frozen=None, joint=None)

    fit(tiny_ntu, tmp_path, module=module(2))
    longer, steps = fit(tiny_ntu, tmp_path, module=module(4), ckpt_path=tmp_path / "last.ckpt")
    assert [step for step, *_ in steps] == list(range(31, 61))
    whole, _ = fit(tiny_ntu, tmp_path / "whole", module=module(4))
    rates = [each.trainer.optimizers[0].param_groups[0]["lr"] for each in (longer, whole)]
    assert rates[0] == rates[1]
