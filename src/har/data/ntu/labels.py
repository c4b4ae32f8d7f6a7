"""Names of NTU RGB+D: samples, and the 120 actions (spelling of the authors' list).

Nothing outside this folder reads sample names.
"""

import re
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError

ACTION_NAMES: tuple[str, ...] = tuple(
    (resources.files("har.data.ntu") / "lists" / "actions.txt").read_text("utf-8").splitlines()
)
"""Names of the actions; action number n of a sample name is ``ACTION_NAMES[n - 1]``."""

TWO_PERSON_ACTIONS = frozenset({*range(50, 61), *range(106, 121)})
"""Numbers of the actions that two people do together."""

_SAMPLE_NAME = re.compile(r"S([0-9]{3})C([0-9]{3})P([0-9]{3})R([0-9]{3})A([0-9]{3})(?!\d)")


class SampleName(NamedTuple):
    """The numbers in a sample's name; all count from 1."""

    setup: int
    camera: int
    subject: int
    replication: int
    action: int

    def __str__(self) -> str:
        return "S{:03d}C{:03d}P{:03d}R{:03d}A{:03d}".format(*self)


def parse_sample_name(name: str | Path) -> SampleName:
    """Reads ``SsssCcccPpppRrrrAaaa`` at the start of a file's name, whatever follows it.

    Raises:
        HarError: the name is of another form, a number is 0, or there is no such action.
    """
    found = _SAMPLE_NAME.match(Path(name).name)
    if found is None or not all(numbers := [int(group) for group in found.groups()]):
        raise HarError(
            f"{name} is not named like an NTU RGB+D sample, for example S001C002P003R002A013."
        )
    sample = SampleName(*numbers)
    if sample.action > len(ACTION_NAMES):
        raise HarError(f"{name} has action {sample.action}, but NTU RGB+D has 120 actions.")
    return sample


def is_sample_name(name: str) -> bool:
    """Whether this is the name of a sample, with nothing before or after it."""
    found = _SAMPLE_NAME.fullmatch(name)  # for a hundred thousand files: quicker than parsing
    numbers = [int(group) for group in found.groups()] if found else [0]
    return all(numbers) and numbers[-1] <= len(ACTION_NAMES)


class SampleNumbers(NamedTuple):
    """The numbers in the names of N samples, int64 (N,) each; all count from 1."""

    setups: NDArray[np.int64]
    cameras: NDArray[np.int64]
    subjects: NDArray[np.int64]
    replications: NDArray[np.int64]
    actions: NDArray[np.int64]


def sample_numbers(names: NDArray[np.bytes_]) -> SampleNumbers:
    """Reads many names at once.

    Args:
        names: ``SsssCcccPpppRrrrAaaa``, (N,).

    Raises:
        HarError: a name is of another form.
    """
    letters = names.astype("S21").view(np.uint8).reshape(-1, 21)
    parts = letters[:, :20].reshape(-1, 5, 4)
    digits = parts[..., 1:].astype(np.int64) - ord("0")
    numbers = digits @ np.array([100, 10, 1])
    named = (parts[..., 0] == np.frombuffer(b"SCPRA", np.uint8)).all(1) & (letters[:, 20] == 0)
    named &= ((digits >= 0) & (digits <= 9)).all((1, 2)) & (numbers >= 1).all(1)
    if not named.all():
        name = names[~named][0].decode()
        raise HarError(f"{name} is not the name of a sample of NTU RGB+D.")
    return SampleNumbers(*numbers.T)
