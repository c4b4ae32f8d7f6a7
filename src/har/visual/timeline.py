"""The actions of a video over time, as a strip below its frames."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.files import Image
from har.visual import draw

_INK: draw.Color = (70, 180, 255)
_WINDOW_S = 20.0  # shown of a stream of unknown length
_NAME_SHARE = 0.34  # of the width
_MOST_ROWS = 5
_LARGEST_TEXT = 16  # px of height


class Timeline:
    """The likeliest actions of a video, a row with a curve of the probability for each.

    The rows are the actions of the highest mean probability so far. A row keeps its place as long
    as its action is among them.

    Args:
        width: of the strip in pixels.
        labels: names of the C actions.
        duration_s: length of the video; None: unknown, the last 20 s are shown.
        clip_s: length of a clip; the curve starts this long before the first prediction.
    """

    def __init__(
        self, width: int, labels: Sequence[str], duration_s: float | None, *, clip_s: float = 0.0
    ) -> None:
        self.width, self.labels, self._clip_s = width, labels, clip_s
        self.rows = min(_MOST_ROWS, len(labels))
        self._duration_s = duration_s if duration_s and duration_s > 0 else None
        self._text = min(draw.text_height(width), _LARGEST_TEXT)
        self._step = round(2.1 * self._text)
        self._margin = max(2, self._text // 4)
        self.height = self._step * self.rows + self._text // 2
        self._shown: list[int] = []
        self._sum = np.zeros(len(labels))
        self._times: list[float] = []
        self._values: list[NDArray[np.float32]] = []
        self._drawn: Image | None = None  # without the marker of the current time

    def add(self, time_s: float, probabilities: ArrayLike) -> None:
        """Adds the probabilities (C,) of the clip that ends at a time."""
        values = np.asarray(probabilities, dtype=np.float32)
        self._drawn = None
        self._sum += values
        if not self._times:
            self._times.append(time_s - self._clip_s)
            self._values.append(values)
        self._times.append(time_s)
        self._values.append(values)
        if self._duration_s is None:
            while self._times[0] < time_s - _WINDOW_S:
                del self._times[0], self._values[0]
        best = np.argsort(-self._sum, kind="stable")[: self.rows].tolist()
        free = iter([number for number in best if number not in self._shown])
        self._shown = [n if n in best else next(free) for n in self._shown] or best

    def draw(self, time_s: float) -> Image:
        """Returns the strip at a time of the video, uint8 RGB (height, width, 3)."""
        left = round(_NAME_SHARE * self.width)
        right = self.width - draw.text_width("100%", self._text) - self._text
        now, start, end = time_s, max(0.0, time_s - _WINDOW_S), max(_WINDOW_S, time_s)
        if self._duration_s is not None:
            now, start, end = min(time_s, self._duration_s), 0.0, self._duration_s
        if self._drawn is None or self._duration_s is None:
            self._drawn = self._draw_rows(left, right, start, end)
        strip = self._drawn.copy()
        x = left + round((now - start) / (end - start) * (right - left))
        strip[self._margin : self.rows * self._step, max(left, x - 1) : x + 1] = draw.TEXT_COLOR
        return strip

    def _draw_rows(self, left: int, right: int, start: float, end: float) -> Image:
        strip = np.full((self.height, self.width, 3), draw.BAR_COLOR, np.uint8)
        x = left + (np.array(self._times) - start) / (end - start) * (right - left - 1)
        for row in range(self.rows):
            bar = strip[row * self._step + self._margin : (row + 1) * self._step]
            bar[:, left:right] = draw.TRACK_COLOR
            if row >= len(self._shown):
                continue
            number, height = self._shown[row], bar.shape[0]
            values = np.clip([value[number] for value in self._values], 0.0, 1.0)
            line = np.stack([np.maximum(x, left), (height - 1) * (1 - values)], axis=1)
            area = np.concatenate([[[line[0, 0], height]], line, [[line[-1, 0], height]]])
            part = np.ascontiguousarray(bar)
            cv2.fillPoly(part, [np.rint(area).astype(np.int32)], tuple(c // 2 for c in _INK))
            corners, width = [np.rint(line).astype(np.int32)], max(1, self._text // 8)
            cv2.polylines(part, corners, False, _INK, width, cv2.LINE_AA)
            bar[:] = part
            name, percent = bar[:, :left], f"{100 * values[-1]:.0f}%"
            draw.write_text(name, self.labels[number], self._text, left=self._text // 2, right=4)
            draw.write_text(bar, percent, self._text, left=None, right=self._text // 2)
        return strip
