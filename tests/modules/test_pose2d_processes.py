"""Two processes measure the same persons as one, each of them once, and learn the same weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = """
import json, os, sys, warnings
warnings.filterwarnings("ignore")
from pathlib import Path
import pytorch_lightning as pl
import torch
sys.path[:0] = [{root!r}]
torch.set_num_threads(1)
from tests.helpers.tiny import fit
from tests.helpers.tiny_pose import make_mpii, make_pose_module

devices, data_dir, folder = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
several = dict(devices=devices, strategy="ddp_find_unused_parameters_true") if devices > 1 else {{}}
if devices > 1:
    trained = make_pose_module()
    fit(data_dir, folder, module=trained, data_module=make_mpii(data_dir), max_steps=3, **several)
    weights = sum(float(p.detach().double().abs().sum()) for p in trained.network.parameters())
    rank = int(os.environ.get("LOCAL_RANK", 0))
    (folder / f"weights_{{rank}}.json").write_text(json.dumps(weights))
module = make_pose_module()
trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False,
                     enable_checkpointing=False, use_distributed_sampler=False, **several)
data = make_mpii(data_dir, views="flip", limit_eval=5, eval_batch_size=2)
trainer.test(module, datamodule=data, verbose=False)
if trainer.is_global_zero:
    (folder / f"figures_{{devices}}.json").write_text(json.dumps(module.results))
"""


@pytest.mark.slow
def test_two_processes_agree(tiny_mpii: Path, tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    script = tmp_path / "worker.py"
    script.write_text(WORKER.format(root=root))
    for devices in (1, 2):
        done = subprocess.run(
            [sys.executable, str(script), str(devices), str(tiny_mpii), str(tmp_path)],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr[-2000:]
    first, second = (json.loads((tmp_path / f"weights_{rank}.json").read_text()) for rank in (0, 1))
    assert first == second
    one, two = (json.loads((tmp_path / f"figures_{n}.json").read_text()) for n in (1, 2))
    # five persons: shared out unevenly, none counted twice
    assert one["pckh_auc"] > 0
    assert one == two
