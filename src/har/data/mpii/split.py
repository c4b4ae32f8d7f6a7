"""The validation persons of MPII: Tompson et al., "Efficient object localization", CVPR 2015."""

from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray


@cache
def tompson_validation() -> NDArray[np.int64]:
    """The 2,958 validation persons, (N, 2): number of the image in the official ``annolist`` and of
    the person in it, both from 1, in the order in which every published file has them."""
    file = resources.files("har.data.mpii") / "lists" / "tompson_validation.csv"
    with resources.as_file(file) as path:
        return np.loadtxt(path, dtype=np.int64, delimiter=",", skiprows=1)
