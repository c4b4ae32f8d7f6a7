"""What the page does, without the page: every function is called for one visitor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from har.app.camera import Camera
from har.app.networks import Detector, Networks
from har.app.results import Result, describe
from har.app.sessions import Session, Sessions
from har.errors import HarError
from har.files import Image
from har.prediction.boxes_file import Boxes, BoxesFile
from har.prediction.following import FramePrediction
from har.prediction.images import predict_images
from har.prediction.predictor import Predictor
from har.prediction.results import PredictionCollector
from har.prediction.sources import is_image, result_names
from har.prediction.videos import predict_video
from har.video import Video
from har.video_writer import h264_is_here

ONE, ALL, FILE = "one person", "all persons, by a detector", "boxes of a file"
"""Where persons are: located by the network, detected, or given."""

Report = Callable[[int, int | None], None]
"""Called with the frames that are done, and about how many there are."""


@dataclass(frozen=True)
class Limits:
    """What a visitor may ask for: seconds of a video and of a camera's recording."""

    max_seconds: float
    max_camera_s: float


class Service:
    """Predicts what visitors upload, and keeps the results.

    Args:
        networks: to choose from.
        detector: of all persons.
        sessions: of the visitors.
        limits: of files and recordings.
        formats: of results, see :data:`har.prediction.formats.FORMATS`.
    """

    def __init__(
        self,
        networks: Networks,
        detector: Detector,
        sessions: Sessions,
        limits: Limits,
        formats: tuple[str, ...],
    ) -> None:
        self.networks, self.detector, self.sessions = networks, detector, sessions
        self.limits, self.formats = limits, formats

    def predict(
        self, session: Session, network: str, where: str, report: Report | None = None
    ) -> Result:
        """Predicts the file that a visitor has uploaded.

        Raises:
            HarError: there is no file, it cannot be read or is too long, or results cannot be
                written. The sentence has the file's own name.
        """
        if session.upload is None:
            raise HarError("Give an image or a video first.")
        path = session.upload
        try:
            with self.sessions.busy(session):
                session.result = self._predict(session, path, network, where, report)
                return session.result
        except HarError as error:
            text = str(error).replace(f"None of the 1 images can be read: {path}", path.name)
            for file in (path, session.boxes):
                text = text if file is None else text.replace(str(file), file.name)
            raise HarError(text) from error

    def _predict(
        self, session: Session, path: Path, network: str, where: str, report: Report | None
    ) -> Result:
        image = is_image(path)
        boxes = self._boxes(session, where, path, image)
        predictor = self.networks.predictor(network)
        spec = predictor.engine.spec
        collected, limit_s = PredictionCollector(spec, path.name), self.limits.max_seconds
        folder = session.new_folder()

        def on_frame(prediction: FramePrediction, total: int | None) -> None:
            if session.ended:
                raise HarError("The page was closed.")
            if prediction.frame.time_s > limit_s:
                raise HarError(f"{path.name} is longer than {limit_s:g} s: {_SHORTER}")
            collected.add(prediction)
            if report is not None:
                report(collected.num_frames, total)

        if image:
            (row,) = predict_images(
                predictor, [path], folder, boxes, formats=self.formats, on_frame=on_frame
            )
            result = Result(spec, collected, folder)
            result.picture = folder / f"{result_names([path])[path]}.png"
            result.text = f"{path.name}: {_persons(row['persons'])}."
        else:
            summary = self._predict_video(predictor, path, folder, boxes, on_frame)
            result = Result(spec, collected, folder)
            result.video = folder / "annotated.mp4" if h264_is_here() else None
            result.text = _video_text(path, result, summary)
        remarks = [] if not isinstance(boxes, BoxesFile) else boxes.remarks
        result.text = " ".join([result.text, *remarks])
        return result

    def _predict_video(
        self,
        predictor: Predictor,
        path: Path,
        folder: Path,
        boxes: Boxes,
        on_frame: Callable[[FramePrediction, int | None], None],
    ) -> dict[str, Any]:
        with closing(Video(path)) as video:
            if (video.duration_s or 0) > self.limits.max_seconds:
                raise HarError(
                    f"{path.name} is {video.duration_s:.0f} s long, more than the "
                    f"{self.limits.max_seconds:g} s of this page: {_SHORTER}"
                )
            return predict_video(
                predictor,
                video,
                folder,
                boxes,
                skeleton_3d=True,
                formats=self.formats,
                on_frame=on_frame,
            )

    def _boxes(self, session: Session, where: str, path: Path, image: bool) -> Boxes:
        if where == ALL:
            return self.detector
        if where != FILE:
            return None
        if session.boxes is None:
            raise HarError("Give a file of boxes, .csv or .json, too.")
        given = BoxesFile(session.boxes, videos={path.stem})
        given.check_sources([path] if image else [], [] if image else [path])
        return given

    def camera_frame(self, session: Session, image: Image, network: str, where: str) -> Image:
        """Predicts the next frame of a visitor's camera; a new recording begins where there is
        none, or the network or the size of the frames has changed.

        Returns:
            The annotated frame.

        Raises:
            HarError: the recording is full, or the network cannot be loaded.
        """
        predictor = self.networks.predictor(network)
        size = image.shape[1], image.shape[0]
        camera, detector = session.camera, self.detector if where == ALL else None
        with self.sessions.busy(session):
            if camera is None or (camera.predictor, camera.size) != (predictor, size):
                limit_s = self.limits.max_camera_s
                camera = Camera(predictor, size, detector=detector, limit_s=limit_s)
                session.camera = camera
            return camera(image)

    def finish_camera(self, session: Session) -> Result:
        """Ends a visitor's recording and writes its results.

        Raises:
            HarError: nothing was recorded, or a file cannot be written.
        """
        camera, session.camera = session.camera, None
        if camera is None or not camera.collected.num_frames:
            raise HarError("Nothing was recorded: start the camera first.")
        with self.sessions.busy(session):
            spec = camera.predictor.engine.spec
            result = Result(spec, camera.collected, session.new_folder())
            result.write(self.formats, "camera")
            text = f"Camera: {camera.collected.num_frames} frames, {result.duration_s:.1f} s,"
            text = f"{text} {_persons(len(result.tracks))}."
            result.text = " ".join([text, describe(result.actions, result.tracks)])
            session.result = result
        return result


_SHORTER = "cut it, or predict it with python -m har.predict."


def _persons(count: int) -> str:
    return {0: "no person", 1: "1 person"}.get(count, f"{count} persons")


def _video_text(path: Path, result: Result, summary: dict[str, Any]) -> str:
    text = f"{path.name}: {summary['frames']} frames, {summary['duration_s']:.1f} s,"
    text = f"{text} {_persons(len(result.tracks))}."
    parts = [text, describe(result.actions, result.tracks)]
    parts += [summary["note"] or "", *summary["remarks"]]
    if not h264_is_here():
        parts.append(
            "The annotated video is in the download; for browsers to play it here, install PyAV: "
            "pip install av."
        )
    return " ".join(part for part in parts if part)
