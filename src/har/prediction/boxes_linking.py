"""Ids for persons in a video whose detector gave none: boxes that overlap from frame to frame."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from har.geometry import box_iou
from har.prediction.boxes_row import Row

_SAME_PERSON = 0.3  # intersection over union with the last box
_LOST_FRAMES = 15


def link_persons(rows: Sequence[Row]) -> list[Row]:
    """Gives the rows of videos without an id one, in place of None; the others stay.

    In every frame boxes are assigned to the last ones of the persons so far by the largest sum of
    overlaps (the Hungarian method); one that overlaps none is a new person.
    """
    found = list(rows)
    frames: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for place, row in enumerate(found):
        if row.frame is not None and row.person is None:
            frames[row.image][row.frame].append(place)
    for image, of_video in frames.items():
        taken = [row.person for row in found if row.image == image and row.person is not None]
        following = max(taken, default=-1) + 1
        last: dict[int, tuple[int, list[float]]] = {}
        for frame in sorted(of_video):
            places = of_video[frame]
            last = {p: seen for p, seen in last.items() if frame - seen[0] <= _LOST_FRAMES}
            persons = list(last)
            before = np.array([last[person][1] for person in persons]).reshape(-1, 1, 4)
            overlaps = box_iou(before, np.array([found[place].box for place in places]))
            pairs = dict(zip(*reversed(linear_sum_assignment(-overlaps)), strict=True))
            for number, place in enumerate(places):
                known = pairs.get(number)
                if known is not None and overlaps[known, number] >= _SAME_PERSON:
                    person = persons[known]
                else:
                    person, following = following, following + 1
                last[person] = frame, found[place].box
                found[place] = found[place]._replace(person=person)
    return found
