"""``joints.mat`` of Leeds Sports Pose and of its extension, which differ in more than the length.

- LSP (Johnson and Everingham, BMVC 2010): ``joints`` (3, 14, N): x, y and 1 where the joint is
  *hidden*; its place is known all the same.
- LSP extended (CVPR 2011): ``joints`` (14, 3, N): x, y and 1 where the joint is *labeled*;
  elsewhere the coordinates mean nothing.

Coordinates count from 1, as in MATLAB.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from har.data.lsp.files import LSPError
from har.data.matlab import read_matlab

NUM_JOINTS = 14
MAX_COORDINATE_PX = 1e5  # beyond it a number is damage, not a place


@dataclass(frozen=True)
class Joints:
    """The joints of one file, in the order of layout ``lsp14``.

    Attributes:
        joints_px: (N, 14, 2) in pixels from 0, NaN where not labeled.
        visible: int8 (N, 14): 1 visible, 0 hidden, -1 unknown (LSP extended does not tell).
        extended: of the extended set.
    """

    joints_px: NDArray[np.float64]
    visible: NDArray[np.int8]
    extended: bool


def read_joints(path: Path) -> Joints:
    """Reads ``joints.mat``, of either set.

    Raises:
        LSPError: it cannot be read, has no ``joints``, or they have another shape.
    """
    try:
        (values,) = read_matlab(path, "joints", error=LSPError)
        joints = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise LSPError(f"{path} has joints that are no numbers: download it again.") from error
    if joints.ndim == 2:  # of a single picture
        joints = joints[..., None]
    if joints.shape[:2] == (3, NUM_JOINTS):
        joints, extended = joints.transpose(2, 1, 0), False
    elif joints.shape[:2] == (NUM_JOINTS, 3):
        joints, extended = joints.transpose(2, 0, 1), True
    else:
        raise LSPError(
            f"{path} has joints of shape {joints.shape}: (3, 14, N) of LSP or (14, 3, N) of LSP "
            "extended are expected."
        )
    places, flags = joints[..., :2] - 1, joints[..., 2]
    labeled = (flags == 1) if extended else np.ones(flags.shape, dtype=bool)
    labeled &= (np.abs(places) < MAX_COORDINATE_PX).all(-1)  # false for NaN
    visible = np.where(labeled, -1 if extended else flags != 1, -1).astype(np.int8)
    return Joints(np.where(labeled[..., None], places, np.nan), visible, extended)
