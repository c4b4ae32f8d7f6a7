"""What is said about an evaluation: the commonest mistakes, runs side by side."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from har.errors import HarError
from har.evaluate.compare import comparison, read_metrics
from har.runs.details import (
    add_blocks_and_pairs,
    most_confused,
    print_details,
    write_confusion,
)

LABELS = ["drink", "eat", "wave"]
CONFUSION = np.array([[3, 1, 0], [0, 4, 0], [5, 0, 5]])


def test_the_commonest_mistakes_come_first() -> None:
    assert most_confused(CONFUSION, LABELS) == [
        {"true": "wave", "recognised": "drink", "count": 5, "percent": 50.0},
        {"true": "drink", "recognised": "eat", "count": 1, "percent": 25.0},
    ]
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 100, (15, 15))
    found = most_confused(counts, [str(i) for i in range(15)])
    off_diagonal = counts[~np.eye(15, dtype=bool)]
    assert [pair["count"] for pair in found] == sorted(off_diagonal, reverse=True)[:10]
    assert most_confused(np.zeros((3, 3), int), LABELS) == []


def test_the_best_block_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    results = {
        "action_top1_by_block": [50.0, 70.0, 60.0],
        "joint_error_mm_by_block": [90.0, None, 80.0],
    }
    results = add_blocks_and_pairs(results, CONFUSION, LABELS)
    assert results["action_best_block"] == 2
    assert results["action_best_block_top1"] == 70.0
    print_details(results, {"split": "xsub60", "num_test_clips": 18})
    lines = capsys.readouterr().out.splitlines()
    assert any("2" in line and "70.0 %" in line and "best" in line for line in lines)
    assert any("3" in line and "60.0 %" in line and "last" in line for line in lines)
    assert "Protocol: split: xsub60; num test clips: 18" in lines
    assert max(map(len, lines)) <= 80


def test_the_confusion_matrix_is_a_table(tmp_path: Path) -> None:
    write_confusion(tmp_path, CONFUSION, LABELS)
    with (tmp_path / "confusion.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["true action", *LABELS]
    assert np.array_equal(np.array([row[1:] for row in rows[1:]], int), CONFUSION)
    assert (tmp_path / "figures" / "test_per_class.png").stat().st_size > 1000


def document(top1: float, clips: str) -> dict:
    return {
        "protocol": {"split": "xsub60", "clips": clips},
        "metrics": {"action_top1": top1, "action_per_class": [1.0], "pckh": None},
        "model": {"weights_sha256": "0123456789"},
    }


def test_runs_side_by_side() -> None:
    rows = comparison([document(50.0, "single"), document(62.5, "all")])
    assert rows[0] == ["action, top-1 accuracy", "50.0 %", "62.5 %"]
    assert ["clips", "single", "all"] in rows
    assert rows[-1] == ["weights (SHA-256)", "01234567", "01234567"]
    assert len(rows) == 4


def test_a_bad_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(HarError, match=r"There is no .*metrics\.json to compare"):
        read_metrics(tmp_path)
    for text in ("", "[]", "{", '{"metrics": 1, "protocol": {}, "model": {}}', "\udcff"):
        (tmp_path / "metrics.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(HarError, match=r"is not the metrics\.json of a run"):
            read_metrics(tmp_path)


def test_the_command_line_compares_without_torch(tmp_path: Path) -> None:
    for name, top1 in (("one", 50.0), ("two", 62.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps(document(top1, name)))
    code = (
        "import sys; sys.argv = ['har.evaluate', 'compare=[one,two]']; "
        "import har.evaluate.__main__ as e; "
        "e.main(); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "80"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "62.5 %" in done.stdout
    assert done.stdout.strip().endswith("False")
    (table,) = tmp_path.glob("outputs/*/*/comparison.md")
    assert "| action, top-1 accuracy | 50.0 % | 62.5 % |" in table.read_text()
