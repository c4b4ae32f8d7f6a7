"""Annotated frames: skeletons, the action of each person, and a timeline of the actions."""

import cv2
import numpy as np
from numpy.typing import NDArray

from har.files import Image
from har.geometry import FloatArray
from har.models.spec import ModelSpec
from har.prediction.following import FramePrediction, Person
from har.prediction.results import TopAction, top_actions
from har.visual.draw import BAR_COLOR, draw_skeleton, text_height, text_width, write_text
from har.visual.timeline import Timeline
from har.visual.turning import turning_skeleton

_TURN_DEG_PER_S = 45.0
# Of a joint: one in five below it is where the network says (LSP's validation photographs).
_UNSURE = 0.15
_KEPT_S = 2.0  # an action is shown until the next one, at most this long


def draw_people(
    image: Image, people: list[Person], spec: ModelSpec, tags: dict[int, str] | None = None
) -> Image:
    """Returns a copy of an image with the skeletons of people, and a tag at each.

    Joints of which the network is not sure are left out, rather than drawn where they are not.

    Args:
        image: uint8 RGB (H, W, 3).
        people: in the image.
        spec: of the network.
        tags: text by track number.
    """
    layout = spec.joint_layout
    for person in people:
        sure = person.confidence >= _UNSURE
        image = draw_skeleton(image, person.joints_px, layout, person.confidence, sure)
    for person in people:
        if tags and tags.get(person.track):
            _draw_tag(image, person.joints_px, tags[person.track])
    return image


def _draw_tag(image: Image, joints_px: FloatArray, text: str) -> None:
    """Draws text in a dark box above a person, inside the image, in place."""
    height = min(text_height(image.shape[1]), 24)
    wide = min(text_width(text, height) + 2 * height, image.shape[1])
    tall = min(2 * height, image.shape[0])
    x = (joints_px[:, 0].min() + joints_px[:, 0].max() - wide) / 2
    y = joints_px[:, 1].min() - 1.5 * tall
    left = int(np.clip(x, 0, image.shape[1] - wide))
    top = int(np.clip(y, 0, image.shape[0] - tall))
    part = image[top : top + tall, left : left + wide]
    part[:] = part // 4 + np.array(BAR_COLOR, np.uint8) // 4 * 3
    write_text(part, text, height, left=height, right=0)


class Annotator:
    """Draws the predictions of a video, in order.

    Args:
        spec: of the network.
        size: width and height of the frames in pixels.
        duration_s: of the video; None: not known.
        longest_px: longer side of the pictures; larger frames are shrunk to it before they are
            drawn on. None: as they are.
        skeleton_3d: adds a turning 3-D skeleton beside the frame.
    """

    def __init__(
        self,
        spec: ModelSpec,
        size: tuple[int, int],
        duration_s: float | None,
        *,
        longest_px: int | None = None,
        skeleton_3d: bool,
    ) -> None:
        self._scale = min(1.0, (longest_px or max(size)) / max(size))
        self.spec = spec
        self.size = round(self._scale * size[0]), round(self._scale * size[1])
        self.skeleton_3d = skeleton_3d and spec.dim == 3
        self._panel = min(self.size)
        self._duration_s = duration_s
        self._timeline = self._new_timeline()
        self._shown: int | None = None  # the person whose actions the timeline shows
        self._last: dict[int, tuple[float, TopAction]] = {}

    def draw(self, prediction: FramePrediction) -> Image:
        """Returns the annotated frame, uint8 RGB (H, W, 3), all of one size."""
        people, now = prediction.people, prediction.frame.time_s
        for track, probabilities in prediction.actions.items():
            top = top_actions(probabilities, self.spec.labels, 1, self.spec.unknown_below)
            self._last[track] = now, top[0]
        self._last = {t: (s, a) for t, (s, a) in self._last.items() if now - s <= _KEPT_S}
        tags = {person.track: self._tag(person.track, len(people)) for person in people}
        image, drawn = prediction.frame.image, people
        if self._scale < 1:
            drawn = [p._replace(joints_px=self._scale * p.joints_px) for p in people]
            # averaging takes ten times as long, and is needed where pixels would be skipped only
            how = cv2.INTER_LINEAR if self._scale >= 0.5 else cv2.INTER_AREA
            image = np.asarray(cv2.resize(image, self.size, interpolation=how), np.uint8)
        picture = draw_people(image, drawn, self.spec, tags)
        main = self._main(people)
        if self.skeleton_3d:
            picture = np.hstack([picture, self._panel_of(main, now)])
        if self._timeline is not None:
            if main is not None and main.track in prediction.actions:
                self._timeline.add(now, prediction.actions[main.track])
            picture = np.vstack([picture, self._timeline.draw(now)])
        return picture

    def _main(self, people: list[Person]) -> Person | None:
        """Returns the person shown below and beside the frame: the same one while present."""
        tracks = {person.track: person for person in people}
        if tracks and self._shown not in tracks:
            self._shown = min(tracks)
            self._timeline = self._new_timeline()
        return tracks.get(self._shown) if self._shown is not None else None

    def _new_timeline(self) -> Timeline | None:
        if not self.spec.labels:
            return None
        width = self.size[0] + (self._panel if self.skeleton_3d else 0)
        return Timeline(width, self.spec.labels, self._duration_s, clip_s=self.spec.clip_span_s)

    def _tag(self, track: int, people: int) -> str:
        number = f"{track}  " if people > 1 else ""
        if track not in self._last:
            return number.strip()
        action = self._last[track][1]
        return f"{number}{action.label} {100 * action.probability:.0f}%"

    def _panel_of(self, person: Person | None, now: float) -> NDArray[np.uint8]:
        side = self._panel
        panel = np.full((self.size[1], side, 3), BAR_COLOR, np.uint8)
        if person is not None:
            top = (self.size[1] - side) // 2
            pose = person.joints_px, person.depth_mm, person.box, self.spec.joint_layout
            turned = turning_skeleton(*pose, side, _TURN_DEG_PER_S * now, person.confidence)
            panel[top : top + side] = turned
        return panel
