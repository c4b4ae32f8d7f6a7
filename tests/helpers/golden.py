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


# Networks of the original program: outputs in an .npz, weights in an .h5 of that name.
GOLDEN = [
    *("spnet_image2d", "spnet_image3d", "spnet_conv", "spnet_div16", "spnet_div4"),
    *("spnet_clip_ntu", "spnet_clip_penn", "spnet_clip16", "spnet_clip5"),
    *("reception_2d_context", "reception_2d_concat", "reception_2d_plain", "reception_3d"),
    *("reception_old", "merge_3d_v2", "merge_2d_v1"),
]
HIDDEN: dict[str, dict[str, Any]] = {  # arguments that the weight file does not show
    "spnet_clip16": {"softargmax_alpha": 2.0},
    "reception_2d_concat": {"context_alpha": 0.7},
    "merge_3d_v2": {"num_frames": 4},
    "merge_2d_v1": {"num_frames": 8},
}


def golden_answers(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Outputs of a golden network: poses with their confidence, then actions, no heat maps."""
    outputs = [arrays[key] for key in sorted(arrays) if key.startswith("out_0")]
    clip = arrays["x"].ndim == 5
    answers: list[np.ndarray] = []
    for output in outputs:
        if output.shape[-1] == 1:  # the confidence of the pose before it
            answers[-1] = np.concatenate([answers[-1], output], -1)
        elif clip or output.ndim == 3:
            answers.append(output)
    return answers
