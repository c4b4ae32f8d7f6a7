"""Two processes: the same metrics as one, the same weights in both; a run goes on in one of them.

All is done by one start of two processes, since a start takes longer than what it does.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from har.data.protocols import ClipProtocol
from har.data.sampling import SampleOrder
from tests.helpers.tiny import fit, make_data, make_module
from tests.helpers.tiny_pose import make_mpii, make_pose_module
from tests.runs.test_clip_evaluator import FIGURES, evaluate

WORKER = """
import json, os, sys, warnings
warnings.filterwarnings("ignore")
from functools import partial
from pathlib import Path
import torch
sys.path[:0] = [{root!r}]
torch.set_num_threads(1)
from har.callbacks import Checkpoint
from har.models import SPNet
from har.modules import MultitaskModule, Phase
from har.modules.compiling import StepCompiler
from tests.helpers.tiny import fit, make_module
from tests.helpers.tiny_pose import make_mpii, make_pose_module
from tests.modules.test_processes import MULTI, measure_clips, measure_persons, weights_of
from tests.runs.test_clip_evaluator import evaluate

ntu, mpii, folder = (Path(path) for path in sys.argv[1:])
several = dict(devices=2, strategy="ddp_find_unused_parameters_true")
learned = {{}}

module = make_module()
stopped = Checkpoint(str(folder), filename="{{step}}", save_top_k=-1, every_n_train_steps=7)
fit(ntu, folder, module=module, callbacks=[stopped], **several)
learned["clips"] = weights_of(module)

sgd = partial(torch.optim.SGD, lr=0.01)
torch.manual_seed(0)
network = SPNet(num_actions=(2,), num_pyramids=1, action_pyramids=(1,), num_levels=2, growth=8,
                num_pose_features=16, num_visual_features=16)  # compiled in a third of the time
phases = {{"frozen": Phase(1, sgd, steps_per_epoch=2), "joint": Phase(1, sgd, steps_per_epoch=1)}}
compiled = MultitaskModule(network, phases)
compiled.step_compiler = StepCompiler(True, "eager")
_, steps = fit(ntu, folder, module=compiled, limit_val_batches=0, callbacks=[],
               data={{"val_subjects": []}}, **several)
learned["compiled"] = weights_of(compiled)
learned["compiled steps"] = [len(steps), compiled.step_compiler.active]

poses = make_pose_module()
fit(mpii, folder, module=poses, data_module=make_mpii(mpii), max_steps=3, callbacks=[], **several)
learned["persons"] = weights_of(poses)

rank = int(os.environ.get("LOCAL_RANK", 0))
(folder / f"learned_{{rank}}.json").write_text(json.dumps(learned))
measured = {{"clips": measure_clips(ntu, **several), "persons": measure_persons(mpii, **several)}}
measured["protocol"] = evaluate(ntu, MULTI, 40, devices=2, strategy="ddp").results
if rank == 0:
    (folder / "measured.json").write_text(json.dumps(measured))
"""


MULTI = ClipProtocol("multi", (2,), True, "clip")


def weights_of(module: pl.LightningModule) -> float:
    return sum(float(p.detach().double().abs().sum()) for p in module.network.parameters())


def _trainer(**several: Any) -> pl.Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
    return pl.Trainer(accelerator="cpu", use_distributed_sampler=False, **quiet, **several)


def measure_clips(data_dir: Path, **several: Any) -> dict[str, Any]:
    torch.manual_seed(1)
    module = make_module()
    data = make_data(data_dir, val_subjects=[1, 2, 4], eval_batch_size=2)
    _trainer(**several).validate(module, datamodule=data, verbose=False)
    return dict(module.scores.compute())


def measure_persons(data_dir: Path, **several: Any) -> dict[str, Any]:
    module = make_pose_module()
    data = make_mpii(data_dir, views="flip", limit_eval=5, eval_batch_size=2)
    _trainer(**several).test(module, datamodule=data, verbose=False)
    return dict(module.results)


@pytest.fixture(scope="module")
def folder(tiny_ntu: Path, tiny_mpii: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes wrote."""
    folder = tmp_path_factory.mktemp("processes")
    script = folder / "worker.py"
    script.write_text(WORKER.format(root=str(Path(__file__).parents[2])))
    done = subprocess.run(
        [sys.executable, str(script), str(tiny_ntu), str(tiny_mpii), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,  # of a machine that is busy
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.slow
def test_both_learn_the_same_weights(folder: Path) -> None:
    """The phases freeze and free the same ones in both, compiled or not."""
    first, second = (json.loads((folder / f"learned_{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    assert first["compiled steps"] == [4, True]


@pytest.mark.slow
def test_they_measure_what_one_does(folder: Path, tiny_ntu: Path, tiny_mpii: Path) -> None:
    """Five clips and five persons: shared out unevenly, none counted twice."""
    measured = json.loads((folder / "measured.json").read_text())
    clips = json.loads(json.dumps(measure_clips(tiny_ntu)))
    assert clips.keys() == measured["clips"].keys()
    for name, value in clips.items():
        assert value == pytest.approx(measured["clips"][name], rel=1e-6), name
    persons = json.loads(json.dumps(measure_persons(tiny_mpii)))
    assert persons["pckh_auc"] > 0
    assert persons == measured["persons"]


@pytest.mark.slow
def test_they_measure_a_protocol_as_one_does(folder: Path, tiny_ntu: Path) -> None:
    two = json.loads((folder / "measured.json").read_text())["protocol"]
    one = evaluate(tiny_ntu, MULTI, 100).results
    for name in FIGURES:
        assert two[name] == pytest.approx(one[name], rel=1e-6), name
    assert two["action_per_class"] == pytest.approx(one["action_per_class"])


@pytest.mark.slow
def test_one_goes_on_with_what_two_began(folder: Path, tiny_ntu: Path) -> None:
    """After six batches of poses and one of clips, of two samples in each process."""
    options = {"batch_size": 1, "frame_batch_size": 3}
    _, steps = fit(tiny_ntu, folder, ckpt_path=folder / "7.ckpt", data=options)
    data = make_data(tiny_ntu, **options)
    data.setup("fit")
    names = [data.clips.index.names[i].decode() for i in data.datasets["action"].selection]

    def expected(kind: str, positions: Sequence[int]) -> list[str]:
        order = SampleOrder(kind, len(names), 1, data.seed)
        return [names[order.batch(position)[0][1]] for position in positions]

    of_clips = [n[0] for _, _, n, _ in steps if len(n) == 1]
    of_poses = [name for _, _, n, _ in steps if len(n) == 3 for name in n]
    assert of_clips == expected("action", range(4, 4 + 3 + 4))
    assert of_poses == expected("pose", range(24, 24 + 4 * 3))
