"""A visitor's camera: its frames one by one, drawn at once and kept as poses and actions."""

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from har.errors import HarError
from har.files import Image
from har.prediction.annotation import Annotator
from har.prediction.following import FramePrediction
from har.prediction.predictor import Predictor
from har.prediction.results import PredictionCollector
from har.video import Frame

_LONGEST_PX = 640  # of the pictures that go back to the page


class Camera:
    """Predicts the frames of a camera as they come.

    Args:
        predictor: the network.
        size: width and height of the frames in pixels.
        detector: of all persons; None: one person is located and followed.
        limit_s: seconds after which the recording is full.
        clock: seconds.
    """

    def __init__(
        self,
        predictor: Predictor,
        size: tuple[int, int],
        *,
        detector: Callable[[Image], Any] | None = None,
        limit_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.predictor, self.size, self.detector = predictor, size, detector
        self._limit_s, self._clock, self._began_s = limit_s, clock, clock()
        self._stream = predictor.stream(detector=detector)
        spec = predictor.engine.spec
        self.collected = PredictionCollector(spec, "camera")
        self._annotator = Annotator(spec, size, None, longest_px=_LONGEST_PX, skeleton_3d=True)

    def __call__(self, image: Image) -> Image:
        """Predicts the next frame.

        Args:
            image: uint8 RGB (H, W, 3), of the camera's size.

        Returns:
            The frame with skeletons, actions over time and a turning 3-D skeleton, uint8 RGB.

        Raises:
            HarError: the recording is full.
        """
        now_s = self._clock() - self._began_s
        if now_s > self._limit_s:
            raise HarError(
                f"A recording has at most {self._limit_s:g} s: show its results, then start again."
            )
        if self.collected.num_frames:  # a coarse clock may stand still between two frames
            now_s = max(now_s, math.nextafter(self.collected.last_s, math.inf))
        found = self._stream(image, now_s)
        time_s = float(found.frames.time_s[0])
        # the stream repeats a person's actions until there are newer ones
        new = np.flatnonzero(found.actions.time_s == time_s)
        prediction = FramePrediction(
            Frame(image, self.collected.num_frames, time_s),
            [found.poses.person(row) for row in range(len(found.poses))],
            {int(found.actions.track[row]): found.actions.probabilities[row] for row in new},
        )
        self.collected.add(prediction)
        return self._annotator.draw(prediction)
