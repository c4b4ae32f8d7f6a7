"""Where the reference arrays of the original program are found."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_HERE = Path(__file__).resolve().parent.parent
_FOLDERS = [
    _HERE / "golden",
    *([Path(os.environ["HAR_GOLDEN"])] if os.environ.get("HAR_GOLDEN") else []),
    _HERE.parent.parent / "shared" / "golden",
]


def golden_path(name: str) -> Path:
    """The file ``name`` in the first folder that has it; the test is skipped where none has."""
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return folder / name
    pytest.skip(f"reference file {name} is not in tests/golden, $HAR_GOLDEN or ../shared/golden")


def golden_arrays(name: str) -> dict[str, np.ndarray]:
    """All arrays of an ``.npz`` file."""
    with np.load(golden_path(name), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}


def golden_json(array: np.ndarray) -> Any:
    """What was stored as JSON text in an array."""
    return json.loads(str(array))


def real_path(name: str) -> Path:
    """A file of the real samples (under license, never part of the project), else a skip."""
    root = Path(os.environ.get("HAR_REALDATA", _HERE.parent.parent / "shared" / "realdata"))
    if not (root / name).exists():
        pytest.skip(f"real sample {name} is not in $HAR_REALDATA or ../shared/realdata")
    return root / name
