"""Crops and poses of NTU's 25 joints, as the data set of clips makes them."""

from typing import Any

from numpy.typing import ArrayLike

from har.data.ntu.targets import COLOR_WIDTH_PX
from har.data.targets import Target, clip_target, joint_order
from har.layouts import LAYOUTS, Layout


def ntu_target(
    joints_px: ArrayLike, depth_mm: ArrayLike, state: ArrayLike, *, layout: Layout, **options: Any
) -> Target:
    return clip_target(
        joints_px,
        depth_mm,
        state,
        layout=layout,
        order=joint_order(layout, LAYOUTS["ntu25"]),
        width_px=COLOR_WIDTH_PX,
        **options,
    )
