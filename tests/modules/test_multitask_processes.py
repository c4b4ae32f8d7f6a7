"""Two processes: the same figures as one, the same weights in both."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from har.data.sampling import SampleOrder
from tests.helpers.tiny import fit, make_data

WORKER = """
import json, sys, warnings
warnings.filterwarnings("ignore")
from pathlib import Path
import pytorch_lightning as pl
import torch
sys.path[:0] = [{root!r}]
torch.set_num_threads(1)
from har.callbacks import Checkpoint
from tests.helpers.tiny import fit, make_data, make_module

devices, data_dir, folder = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
several = dict(devices=devices, strategy="ddp_find_unused_parameters_true") if devices > 1 else {{}}
module = make_module()
if devices > 1:
    stopped = Checkpoint(str(folder), filename="{{step}}", save_top_k=-1, every_n_train_steps=7)
    fit(data_dir, folder, module=module, callbacks=[stopped], **several)
    weights = sum(float(p.detach().double().abs().sum()) for p in module.network.parameters())
    rank = int(__import__("os").environ.get("LOCAL_RANK", 0))
    (folder / f"weights_{{rank}}.json").write_text(json.dumps(weights))
torch.manual_seed(1)
module = make_module()
trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False,
                     enable_checkpointing=False, use_distributed_sampler=False, **several)
data = make_data(data_dir, val_subjects=[1, 2, 4], eval_batch_size=2)
trainer.validate(module, datamodule=data, verbose=False)
if trainer.is_global_zero:
    (folder / f"figures_{{devices}}.json").write_text(json.dumps(module.scores.compute()))
"""


@pytest.mark.slow
def test_two_processes_agree(tiny_ntu: Path, tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(root=root))
    for devices in (1, 2):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, str(script), str(devices), str(tiny_ntu), str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr[-2000:]
    first, second = (json.loads((tmp_path / f"weights_{rank}.json").read_text()) for rank in (0, 1))
    assert first == second  # the phases freeze and free the same weights in both processes
    one, two = (json.loads((tmp_path / f"figures_{n}.json").read_text()) for n in (1, 2))
    assert one.keys() == two.keys()
    for name, value in one.items():  # five clips: shared out unevenly, none counted twice
        assert value == pytest.approx(two[name], rel=1e-6), name

    # one process goes on with what two began: six batches of poses and one of clips, two in each
    options = {"batch_size": 1, "frame_batch_size": 3}
    _, steps = fit(tiny_ntu, tmp_path, ckpt_path=tmp_path / "7.ckpt", data=options)
    data = make_data(tiny_ntu, **options)
    data.setup("fit")
    clips, poses = (SampleOrder(kind, 4, 1, data.seed) for kind in ("action", "pose"))
    names = [data.clips.index.names[i].decode() for i in data.datasets["action"].selection]
    of_clips = [n[0] for _, _, n, _ in steps if len(n) == 1]
    of_poses = [name for _, _, n, _ in steps if len(n) == 3 for name in n]
    assert len(of_clips) == 3 + 4
    assert of_clips == [names[clips.batch(n)[0][1]] for n in range(4, 4 + 7)]
    assert len(of_poses) == 4 * 3
    assert of_poses == [names[poses.batch(n)[0][1]] for n in range(24, 24 + 12)]


COMPILED = """
import json, os, sys, warnings
warnings.filterwarnings("ignore")
from functools import partial
from pathlib import Path
import torch
sys.path[:0] = [{root!r}]
torch.set_num_threads(1)
from har.modules import Phase
from har.modules.compiling import StepCompiler
from tests.helpers.tiny import fit, make_module

data_dir, folder = Path(sys.argv[1]), Path(sys.argv[2])
sgd = partial(torch.optim.SGD, lr=0.01)
module = make_module(
    pose=None, frozen=Phase(1, sgd, steps_per_epoch=2), joint=Phase(1, sgd, steps_per_epoch=1)
)
module.step_compiler = StepCompiler(True, "eager")
_, steps = fit(data_dir, folder, module=module, devices=2, limit_val_batches=0, callbacks=[],
               strategy="ddp_find_unused_parameters_true", data={{"val_subjects": []}})
weights = sum(float(p.detach().double().abs().sum()) for p in module.network.parameters())
rank = int(os.environ.get("LOCAL_RANK", 0))
found = [weights, len(steps), module.step_compiler.active]
(folder / f"compiled_{{rank}}.json").write_text(json.dumps(found))
"""


@pytest.mark.slow
def test_two_compiled_processes_learn_the_same_weights(tiny_ntu: Path, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(COMPILED.format(root=str(Path(__file__).parents[2])))
    done = subprocess.run(
        [sys.executable, str(script), str(tiny_ntu), str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (json.loads((tmp_path / f"compiled_{i}.json").read_text()) for i in (0, 1))
    assert first == second
    assert first[1:] == [4, True]
