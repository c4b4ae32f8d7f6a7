"""Predictions as a recording of Rerun (https://rerun.io): frames, skeletons and actions in time.

The package ``rerun-sdk`` (extra ``rerun``) is imported when a file is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from har.errors import HarError
from har.files import Image, whole_file
from har.models.spec import ModelSpec
from har.prediction.following import FramePrediction, Person
from har.visual.turning import pose_in_mm

_JPEG_QUALITY = 90


def import_rerun() -> Any:
    """Returns the module ``rerun``.

    Raises:
        HarError: it is not installed.
    """
    try:
        import rerun
        import rerun.chunk
    except ImportError as error:
        raise HarError(
            "Files of Rerun need the package rerun-sdk, 0.41 or newer: pip install rerun-sdk (or "
            "har[rerun])."
        ) from error
    return rerun


class RerunFile:
    """Writes a recording frame by frame; made by :func:`rerun_file`.

    ``video/image`` has the frames as JPEG, ``video/person_<track>`` the joints in pixels,
    ``world/person_<track>`` in mm (3-D networks), ``actions/person_<track>`` the probabilities;
    the timelines are ``frame`` and ``time``.
    """

    def __init__(self, recording: Any, spec: ModelSpec) -> None:
        self._rerun, self._recording, self._spec = import_rerun(), recording, spec
        self._shown: set[int] = set()
        self._known: set[int] = set()
        layout = spec.joint_layout
        rerun = self._rerun
        person = rerun.ClassDescription(
            info=rerun.AnnotationInfo(id=0, label="person"),
            keypoint_annotations=[
                rerun.AnnotationInfo(id=number, label=name)
                for number, name in enumerate(layout.joints)
            ],
            keypoint_connections=list(layout.links),
        )
        self._log("/", rerun.AnnotationContext([person]), static=True)
        if spec.dim == 3:
            self._log("world", rerun.ViewCoordinates.RIGHT_HAND_Y_DOWN, static=True)

    def add(
        self,
        number: int,
        time_s: float,
        size: tuple[int, int],
        people: Sequence[Person],
        actions: Mapping[int, NDArray[np.float32]],
        *,
        image: Image | None = None,
        name: str = "",
    ) -> None:
        """Adds a frame.

        Args:
            number: of the frame.
            time_s: since the first frame.
            size: width and height in pixels.
            people: in it.
            actions: probabilities (C,) of the clips that end here, by track.
            image: uint8 RGB (H, W, 3).
            name: of the image, where it is a file.
        """
        rerun = self._rerun
        self._recording.set_time("frame", sequence=number)
        self._recording.set_time("time", duration=time_s)
        if name:
            self._log("video/name", rerun.TextDocument(name))
        if image is not None:
            options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
            _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
            picture = rerun.EncodedImage(contents=data.tobytes(), media_type="image/jpeg")
            self._log("video/image", picture)
        joints = {"class_ids": 0, "keypoint_ids": range(self._spec.num_joints)}
        for person in people:
            points = rerun.Points2D(person.joints_px, **joints)
            confidence = rerun.AnyValues(confidence=person.confidence.astype(np.float32))
            self._log(f"video/person_{person.track}", points, confidence)
            if not np.isnan(person.depth_mm).any():
                places = pose_in_mm(*person[2:4], person.box, self._spec.joint_layout, size)
                self._log(f"world/person_{person.track}", rerun.Points3D(places, **joints))
        now = {person.track for person in people}
        for track in sorted(self._shown - now):
            self._log(f"video/person_{track}", rerun.Clear(recursive=False))
            if self._spec.dim == 3:
                self._log(f"world/person_{track}", rerun.Clear(recursive=False))
        self._shown = now
        for track, probabilities in actions.items():
            place = f"actions/person_{track}"
            if track not in self._known:
                self._log(place, rerun.SeriesLines(names=list(self._spec.labels)), static=True)
                self._known.add(track)
            self._log(place, rerun.Scalars(probabilities))

    def add_frame(self, prediction: FramePrediction, name: str = "") -> None:
        """Adds a frame with its image, see :meth:`add`."""
        image, number, time_s = prediction.frame
        size = image.shape[1], image.shape[0]
        people, actions = prediction.people, prediction.actions
        self.add(number, time_s, size, people, actions, image=image, name=name)

    def _log(self, place: str, *values: Any, static: bool = False) -> None:
        self._recording.log(place, *values, static=static, strict=True)


@contextmanager
def rerun_file(path: Path, spec: ModelSpec) -> Iterator[RerunFile]:
    """A recording to write to; it gets its name when the block ends without an error.

    Args:
        path: ending in .rrd.
        spec: of the network.

    Raises:
        HarError: Rerun is not installed, or the file cannot be written.
    """
    rerun = import_rerun()
    with whole_file(path) as partial:
        partial.touch()
        recording = rerun.RecordingStream("har", default_enabled=True)
        recording.save(partial)
        try:
            yield RerunFile(recording, spec)
        finally:
            recording.flush()
            recording.disconnect()
        try:  # Rerun does not report a full disk; the list of contents is the end of the file
            rerun.chunk.RrdReader(partial).store()
        except (OSError, ValueError, RuntimeError) as error:
            raise HarError(f"{path} could not be written to its end: is the disk full?") from error
