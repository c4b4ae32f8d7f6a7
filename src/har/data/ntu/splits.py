"""The official splits of NTU RGB+D, its counts, and the samples without a skeleton.

Shahroudy et al., "NTU RGB+D", CVPR 2016; Liu et al., "NTU RGB+D 120", TPAMI 2019.
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from har.data.ntu.labels import SampleNumbers
from har.errors import HarError

IntArray = NDArray[np.int64]

XSUB60_TRAINING = (1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
XSUB120_TRAINING = (
    *XSUB60_TRAINING,
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86,
    89, 91, 92, 93, 94, 95, 97, 98, 100, 103,
)  # fmt: skip
XVIEW60_TRAINING_CAMERAS = (2, 3)


class Counts(NamedTuple):
    """Number of samples of a split; ``complete`` leaves the missing-skeleton list out."""

    train: int
    test: int
    train_complete: int
    test_complete: int


PROTOCOLS: dict[str, Counts] = {
    "xsub60": Counts(40_320, 16_560, 40_091, 16_487),
    "xview60": Counts(37_920, 18_960, 37_646, 18_932),
    "xsub120": Counts(63_360, 51_120, 63_026, 50_919),
    "xset120": Counts(54_720, 59_760, 54_468, 59_477),
}
"""The protocols with their official counts."""


def split_indices(
    samples: SampleNumbers, protocol: str, split: str, actions: Sequence[int] | None = None
) -> IntArray:
    """Numbers of the samples of a split, ascending.

    Args:
        samples: of all samples, see :func:`har.data.ntu.labels.sample_numbers`.
        protocol: ``xsub60``, ``xview60``, ``xsub120`` or ``xset120``; those of NTU-60 leave out
            setups above 17 and actions above 60.
        split: ``train`` or ``test``.
        actions: keep these action numbers only.

    Raises:
        HarError: an unknown protocol or split.
    """
    if split not in ("train", "test"):
        raise HarError(f"There is no split {split}; choose train or test.")
    if protocol not in PROTOCOLS:
        raise HarError(f"There is no protocol {protocol}; choose {', '.join(PROTOCOLS)}.")
    trains = {
        "xsub60": np.isin(samples.subjects, XSUB60_TRAINING),
        "xview60": np.isin(samples.cameras, XVIEW60_TRAINING_CAMERAS),
        "xsub120": np.isin(samples.subjects, XSUB120_TRAINING),
        "xset120": samples.setups % 2 == 0,
    }[protocol]
    chosen = trains if split == "train" else ~trains
    if protocol.endswith("60"):
        chosen = chosen & (samples.setups <= 17) & (samples.actions <= 60)
    if actions is not None:
        chosen = chosen & np.isin(samples.actions, actions)
    return np.flatnonzero(chosen)


@cache
def missing_skeletons(actions: int = 120) -> frozenset[str]:
    """Names of the samples whose skeleton is missing or wrong, by the authors' list.

    Args:
        actions: 60 or 120; the list of NTU-120 contains that of NTU-60.
    """
    file = resources.files("har.data.ntu") / "lists" / f"missing_skeletons_{actions}.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    return frozenset(line.strip() for line in lines[3:] if line.strip())  # 3 lines of prose
