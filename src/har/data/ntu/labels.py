"""Names of NTU RGB+D: samples, and the 120 actions (spelling of the authors' list).

Nothing outside this folder reads sample names.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError

ACTION_NAMES: tuple[str, ...] = (
    "drink water",
    "eat meal/snack",
    "brushing teeth",
    "brushing hair",
    "drop",
    "pickup",
    "throw",
    "sitting down",
    "standing up (from sitting position)",
    "clapping",
    "reading",
    "writing",
    "tear up paper",
    "wear jacket",
    "take off jacket",
    "wear a shoe",
    "take off a shoe",
    "wear on glasses",
    "take off glasses",
    "put on a hat/cap",
    "take off a hat/cap",
    "cheer up",
    "hand waving",
    "kicking something",
    "reach into pocket",
    "hopping (one foot jumping)",
    "jump up",
    "make a phone call/answer phone",
    "playing with phone/tablet",
    "typing on a keyboard",
    "pointing to something with finger",
    "taking a selfie",
    "check time (from watch)",
    "rub two hands together",
    "nod head/bow",
    "shake head",
    "wipe face",
    "salute",
    "put the palms together",
    "cross hands in front (say stop)",
    "sneeze/cough",
    "staggering",
    "falling",
    "touch head (headache)",
    "touch chest (stomachache/heart pain)",
    "touch back (backache)",
    "touch neck (neckache)",
    "nausea or vomiting condition",
    "use a fan (with hand or paper)/feeling warm",
    "punching/slapping other person",
    "kicking other person",
    "pushing other person",
    "pat on back of other person",
    "point finger at the other person",
    "hugging other person",
    "giving something to other person",
    "touch other person's pocket",
    "handshaking",
    "walking towards each other",
    "walking apart from each other",
    "put on headphone",
    "take off headphone",
    "shoot at the basket",
    "bounce ball",
    "tennis bat swing",
    "juggling table tennis balls",
    "hush (quite)",
    "flick hair",
    "thumb up",
    "thumb down",
    "make ok sign",
    "make victory sign",
    "staple book",
    "counting money",
    "cutting nails",
    "cutting paper (using scissors)",
    "snapping fingers",
    "open bottle",
    "sniff (smell)",
    "squat down",
    "toss a coin",
    "fold paper",
    "ball up paper",
    "play magic cube",
    "apply cream on face",
    "apply cream on hand back",
    "put on bag",
    "take off bag",
    "put something into a bag",
    "take something out of a bag",
    "open a box",
    "move heavy objects",
    "shake fist",
    "throw up cap/hat",
    "hands up (both hands)",
    "cross arms",
    "arm circles",
    "arm swings",
    "running on the spot",
    "butt kicks (kick backward)",
    "cross toe touch",
    "side kick",
    "yawn",
    "stretch oneself",
    "blow nose",
    "hit other person with something",
    "wield knife towards other person",
    "knock over other person (hit with body)",
    "grab other person's stuff",
    "shoot at other person with a gun",
    "step on foot",
    "high-five",
    "cheers and drink",
    "carry something with other person",
    "take a photo of other person",
    "follow other person",
    "whisper in other person's ear",
    "exchange things with other person",
    "support somebody with hand",
    "finger-guessing game (playing rock-paper-scissors)",
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
    if found is None:
        return False
    numbers = [int(group) for group in found.groups()]
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
