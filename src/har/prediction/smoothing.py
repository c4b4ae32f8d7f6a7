"""Smooths the joints of a person over time: little where they move, much where they rest.

The One Euro filter of Casiez, Roussel and Vogel, "1 Euro Filter: A Simple Speed-based Low-pass
Filter for Noisy Input in Interactive Systems", CHI 2012, on the places of joints in units of the
person's size, so that a person far away is smoothed as one nearby, and by time stamps.
"""

import math

import numpy as np
from numpy.typing import NDArray

from har.geometry import FloatArray

_CUTOFF_HZ = 0.05  # of a joint that rests
_HZ_PER_SPEED = 12.0  # more for every box side per second
_SPEED_CUTOFF_HZ = 0.4
_GAP_S = 0.5  # after which a person begins anew
_DEPTH_MM = 1500.0  # about the side of the box around a person


class JointSmoother:
    """The joints of one person, frame by frame."""

    def __init__(self) -> None:
        self._time_s = -math.inf
        self._values: FloatArray | None = None
        self._speed: FloatArray | None = None

    def __call__(
        self, time_s: float, joints_px: FloatArray, depth_mm: FloatArray, side_px: float
    ) -> tuple[FloatArray, FloatArray]:
        """Smooths the joints of the next frame.

        Args:
            time_s: of the frame; later than the last one.
            joints_px: (J, 2) in pixels.
            depth_mm: (J,), NaN where there is no depth.
            side_px: longer side of the person's box.

        Returns:
            Joints (J, 2) and depth (J,).
        """
        units = np.array([side_px, side_px, _DEPTH_MM])
        values = np.column_stack([joints_px, depth_mm])
        passed = time_s - self._time_s
        if self._values is None or self._speed is None or not 0 < passed <= _GAP_S:
            self._speed = np.zeros_like(values)
        else:
            step = (values - self._values) / units
            self._speed += _share(np.float64(_SPEED_CUTOFF_HZ), passed) * (
                np.nan_to_num(step / passed) - self._speed
            )
            speed = np.linalg.norm(self._speed, axis=-1, keepdims=True)
            share = _share(_CUTOFF_HZ + _HZ_PER_SPEED * speed, passed)
            values = self._values + share * (values - self._values)
        self._time_s, self._values = time_s, values
        return values[:, :2], values[:, 2]


def _share(cutoff_hz: NDArray[np.float64] | np.float64, passed_s: float) -> NDArray[np.float64]:
    """The part of the way that a low-pass filter goes in a time."""
    way = 2 * np.pi * cutoff_hz * passed_s
    return np.asarray(way / (way + 1))
