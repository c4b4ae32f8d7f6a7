"""Who trains and who is measured, by groups of pictures or clips that stay together."""

import logging
import re
from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError

log = logging.getLogger(__name__)

_SHOWN = 3  # names in a message


def groups_of(files: Sequence[str], group_by: str | None) -> list[str]:
    """The group of every file: what the only group of a regular expression finds in its path.

    Files in which it finds nothing are groups of their own, as all are without an expression.

    Args:
        files: paths below the folder of the data, with ``/``.
        group_by: searched for in the path, for example ``^([^/]+)/`` for the first folder.

    Raises:
        HarError: no regular expression, another number of groups, or one that is found nowhere.
    """
    if group_by is None:
        return list(files)
    try:
        pattern = re.compile(group_by)
    except re.error as error:
        raise HarError(f"data.group_by={group_by} is no regular expression: {error}.") from error
    if pattern.groups != 1:
        raise HarError(
            f"data.group_by={group_by} has {pattern.groups} groups, and one in brackets is needed, "
            "as in data.group_by='(.*)_[0-9]+' for the name of a video."
        )
    found = {file: pattern.search(file) for file in dict.fromkeys(files)}
    without = [file for file, match in found.items() if match is None or match[1] is None]
    if len(without) == len(found):
        raise HarError(
            f"data.group_by={group_by} is found in no path ({without[0]}, for example): "
            "change the expression."
        )
    if without:
        text = "data.group_by=%s is not found in %d of %d paths (%s): each is a group of its own."
        log.warning(text, group_by, len(without), len(found), ", ".join(without[:_SHOWN]))
    # a group's name never is the path of a file
    names = {file: f"group {m[1]}" if m and m[1] is not None else file for file, m in found.items()}
    return [names[file] for file in files]


def assign_splits(
    splits: NDArray[np.bytes_],
    groups: Sequence[str],
    shares: Mapping[str, float],
    seed: int = 0,
    counted: NDArray[np.bool_] | None = None,
) -> NDArray[np.bytes_]:
    """The split of every row, with no group on two sides.

    Rows of files of their own stay where they are; a training row whose group is there as well is
    left out. Where there is no file of a split, whole groups of the training rows are drawn for
    it, so many as come closest to its share; one group stays in training.

    Args:
        splits: (N,) ``train``, ``val`` or ``test``, as the files say.
        groups: (N,) names.
        shares: parts of the training rows for ``val`` and ``test``, 0 to 1.
        seed: of the draw, which depends on the names alone.
        counted: (N,) rows that shares are parts of, of persons for example; the others follow their
            group, and stay in training where no row of it counts. None: all.

    Returns:
        (N,) splits, empty for rows that are left out.

    Raises:
        HarError: shares that leave nothing to train on.
    """
    if min(shares.values()) < 0 or sum(shares.values()) >= 1:
        raise HarError(
            f"data.val_share={shares['val']} and data.test_share={shares['test']} have to be 0 or "
            "more, and together less than 1."
        )
    found, named = splits.copy(), np.asarray(groups)
    training = splits == b"train"
    elsewhere = training & np.isin(named, named[~training])
    if elsewhere.any():
        names = list(dict.fromkeys(named[elsewhere].tolist()))
        log.warning(
            "%d training samples are left out: their groups are in another file as well (%s).",
            int(elsewhere.sum()), ", ".join(names[:_SHOWN]),
        )  # fmt: skip
        found[elsewhere] = b""
        training &= ~elsewhere
    members: dict[str, list[int]] = {}
    for row in np.flatnonzero(training).tolist():
        members.setdefault(groups[row], []).append(row)
    counts = np.ones(len(splits), dtype=bool) if counted is None else counted
    members = {name: own for name, own in members.items() if counts[own].any()}
    drawn = sorted(members, key=lambda name: (crc32(f"{seed}/{name}".encode()), name))
    for name in ("test", "val"):
        split, share = name.encode(), shares[name]
        if share and not (splits == split).any():
            wanted, taken = share * (training & counts).sum(), 0
            while len(drawn) > 1:
                size = int(counts[members[drawn[0]]].sum())
                if taken and taken + size / 2 > wanted:
                    break
                found[members[drawn.pop(0)]] = split
                taken += size
            if not taken:
                text = "All samples are one group: none is kept out of training for %s."
                log.warning(text, name)
    return found
