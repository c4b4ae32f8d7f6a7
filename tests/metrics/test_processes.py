"""Two processes with unequal shares, one of them at times empty: the values of one process."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from har.metrics import PCK3D, ActionMetrics, MeanJointError, PCKh
from tests.helpers.golden import golden_arrays

SHARES = {"uneven": (slice(0, 23), slice(23, 30)), "one empty": (slice(0, 30), slice(30, 30))}


def results(part: slice, arrays: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """All metrics over a part of the samples (and, in a process group, over the parts of all)."""
    target = arrays["pose3d/y_true"]
    pose = arrays["pose3d/y_pred"][part], target[part], (target > -1e6).all(-1)[part]
    persons = (
        arrays["pixel/y_pred"][part],
        arrays["pixel/y_true"][part],
        arrays["pckh/valid_pixel"][part],
        arrays["head_size"][part, 0],
    )
    scores = torch.rand(30, 12, generator=torch.Generator().manual_seed(0))
    actions = scores[part], torch.arange(30)[part] % 12
    values = {}
    for metric, batch in [
        (PCKh(0.2), persons),
        (MeanJointError(root=0), pose),
        (PCK3D(), pose),
        (ActionMetrics(12), actions),
    ]:
        if len(batch[0]):  # a process without samples never calls update
            metric.update(*batch)
        name = type(metric).__name__
        values |= {f"{name}/{key}": value for key, value in metric.compute().items()}
    return values


def work(rank: int, folder: str, arrays: dict[str, torch.Tensor]) -> None:
    """One of two processes."""
    torch.set_num_threads(1)
    rendezvous = f"file://{folder}/rendezvous"
    dist.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    found = {share: results(parts[rank], arrays) for share, parts in SHARES.items()}
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_two_processes_agree_with_one(tmp_path):
    arrays = {
        key: torch.from_numpy(value)
        for key, value in golden_arrays("metrics.npz").items()
        if value.dtype.kind in "if"
    }
    mp.spawn(work, args=(str(tmp_path), arrays), nprocs=2)
    expected = results(slice(0, 30), arrays)
    assert len(expected) == 13
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for share in SHARES:
            for name, value in expected.items():
                torch.testing.assert_close(
                    found[share][name],
                    value,
                    equal_nan=True,
                    msg=lambda text, where=(rank, share, name): f"{where}: {text}",
                )
