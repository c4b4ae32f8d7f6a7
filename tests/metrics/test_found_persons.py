"""Poses of persons over processes: each once, in their order, whatever share a process had."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from har.metrics.found_persons import PersonCollector

COUNT, JOINTS = 7, 5
SHARES = {"uneven": ([6, 0, 3, 2], [5, 1, 4]), "one empty": (list(range(COUNT)), [])}


def arrays() -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    error, oks = torch.rand(2, COUNT, generator=rng, dtype=torch.float64)
    oks[2] = torch.nan
    joints = 4000 * torch.rand(COUNT, JOINTS, 2, generator=rng, dtype=torch.float64)
    return [torch.arange(COUNT), error, oks, joints, torch.rand(COUNT, JOINTS, generator=rng)]


def collect(chosen: list[int]) -> dict[str, np.ndarray]:
    metric = PersonCollector(JOINTS)
    for part in (chosen[:2], chosen[2:]):  # two batches
        if part:
            metric.update(*(array[part] for array in arrays()))
    metric.compute()
    return vars(metric.persons())


def work(rank: int, folder: str) -> None:
    """One of two processes."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    for name, shares in SHARES.items():
        np.savez(Path(folder) / f"{name} {rank}.npz", **collect(shares[rank]))
    dist.destroy_process_group()


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_two_processes_agree_with_one(tmp_path: Path) -> None:
    mp.spawn(work, args=(str(tmp_path),), nprocs=2)
    expected = collect(list(range(COUNT)))
    number, error, oks, joints, confidence = arrays()
    for name, truth in (("numbers", number), ("errors", error), ("oks", oks)):
        np.testing.assert_allclose(expected[name], truth, rtol=1e-6)
    np.testing.assert_allclose(expected["joints_px"], joints, atol=5e-4)
    np.testing.assert_allclose(expected["confidence"], confidence, rtol=1e-6)
    for share in SHARES:
        for rank in range(2):
            found = np.load(tmp_path / f"{share} {rank}.npz")
            for name, value in expected.items():
                np.testing.assert_array_equal(found[name], value)


def test_nobody(recwarn: pytest.WarningsRecorder) -> None:
    found = PersonCollector(JOINTS).persons()
    assert found.joints_px.shape == (0, JOINTS, 2)
