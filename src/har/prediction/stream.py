"""A stream of frames, for a camera loop of one's own: every frame is predicted when it comes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.errors import HarError
from har.files import Image
from har.prediction.following import Follower
from har.prediction.locating import check_size
from har.prediction.prediction import Prediction
from har.prediction.results import Actions, PredictionCollector
from har.prediction.tracking import Finder
from har.runtime.engine import Engine
from har.video import Frame


def rgb_image(image: ArrayLike) -> Image:
    """An image as a program gives it, as uint8 RGB (H, W, 3).

    Args:
        image: uint8, RGB (H, W, 3) or gray (H, W).

    Raises:
        HarError: it is neither, or empty.
    """
    try:
        array = np.asarray(image)
    except (TypeError, ValueError) as error:
        raise HarError("Give an image as uint8 RGB (H, W, 3); this is no array.") from error
    if array.dtype != np.uint8 or not array.size:
        raise HarError(
            f"Give an image as uint8 RGB (H, W, 3); this is {array.dtype} {array.shape}."
        )
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=-1)
    if array.ndim != 3 or array.shape[-1] != 3:
        raise HarError(f"An image is RGB (H, W, 3), not {array.shape}.")
    return array


class PredictionStream:
    """Predicts the frames of a camera or of any other source one by one; not for several threads.

    Made by :meth:`har.Predictor.stream`.

    Args:
        engine: the network.
        finder: locates the persons.
        action_every_s: seconds between two predictions of a person's actions.
        smooth: the joints of a person are smoothed over time.
        fps: frames per second of the stream; None: the time of a frame is that of its call.
        clock: seconds, for ``fps=None``.
    """

    def __init__(
        self,
        engine: Engine,
        finder: Finder,
        *,
        action_every_s: float = 0.25,
        smooth: bool = False,
        fps: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._follower = Follower(engine, finder, action_every_s=action_every_s, smooth=smooth)
        self._spec, self._fps, self._clock = engine.spec, fps, clock
        self._size: tuple[int, int] | None = None
        self._number, self._last_s, self._began_s = 0, -math.inf, 0.0
        self._actions: dict[int, tuple[float, NDArray[np.float32]]] = {}

    def __call__(self, frame: Frame | ArrayLike, time_s: float | None = None) -> Prediction:
        """Predicts the next frame.

        Args:
            frame: uint8 RGB (H, W, 3), or a frame of :class:`har.video.Video`, which has its time.
            time_s: of the frame in seconds, ascending from frame to frame; None: by the rate of
                the stream, or by the clock.

        Returns:
            The persons of this frame, with ``poses.frame`` and ``poses.time_s`` counted from the
            first one, and for each of them the actions that were predicted last: ``time_s`` is the
            end of their clip. Without actions until a clip is full.

        Raises:
            HarError: no such image, another size than that of the first frame, or a time that is
                not after the last one.
        """
        if isinstance(frame, Frame):
            time_s = frame.time_s if time_s is None else time_s
            image = rgb_image(frame.image)
        else:
            image = rgb_image(frame)
        size = image.shape[1], image.shape[0]
        if self._size is None:
            check_size("The frame", size)
        elif size != self._size:
            raise HarError(
                f"A frame has {size[0]}x{size[1]} pixels, those before it {self._size[0]}x"
                f"{self._size[1]}: begin another stream."
            )
        now_s = self._time(time_s)
        if not math.isfinite(now_s) or now_s <= self._last_s:
            raise HarError(
                f"A frame at {now_s} s cannot follow one at {self._last_s} s: time_s has to ascend."
            )
        (prediction,) = self._follower.predict([Frame(image, self._number, now_s)])
        self._size, self._last_s, self._number = size, now_s, self._number + 1
        for track, probabilities in prediction.actions.items():
            self._actions[track] = now_s, probabilities
        span_s = self._spec.clip_span_s
        self._actions = {t: a for t, a in self._actions.items() if now_s - a[0] <= 2 * span_s}
        collected = PredictionCollector(self._spec)
        collected.add(prediction)
        actions = self._latest([person.track for person in prediction.people])
        shown = {prediction.frame.number: image}
        return Prediction(collected.poses(), actions, self._spec, shown, collected.frames())

    def _time(self, time_s: float | None) -> float:
        """Seconds since the first frame; of times that are given, as they are."""
        if time_s is not None:
            return float(time_s)
        if self._fps is not None:
            return self._number / self._fps
        clock = self._clock()
        if self._number == 0:
            self._began_s = clock
        # a coarse clock may stand still between two frames
        return max(clock - self._began_s, math.nextafter(self._last_s, math.inf))

    def _latest(self, tracks: list[int]) -> Actions:
        rows = [(track, *self._actions[track]) for track in tracks if track in self._actions]
        values = np.array([row[2] for row in rows], np.float32)
        return Actions(
            np.array([row[1] for row in rows], np.float64),
            np.array([row[0] for row in rows], np.int64),
            values.reshape(len(rows), len(self._spec.labels)),
            self._spec.labels,
            self._spec.unknown_below,
        )
