"""The Python API: predicts poses and actions of images, clips and files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from har.errors import HarError
from har.files import Image, read_image
from har.geometry import FloatArray, box_iou
from har.numbers import check_number
from har.paths import check_path
from har.prediction.background import prefetch
from har.prediction.boxes_checked import checked_boxes
from har.prediction.following import FramePrediction, Person, follow, people_of
from har.prediction.locating import check_size, cut_crops, locate_person, poses_both_ways, refine
from har.prediction.prediction import Prediction
from har.prediction.results import PredictionCollector
from har.prediction.sources import is_image
from har.prediction.stream import PredictionStream
from har.prediction.tracking import DetectedPeople, Finder, GivenBoxes, OnePerson, around_person
from har.runtime.engine import Engine
from har.video import Frame, Video

_BATCH_BYTES = 2**27  # of frames: fewer of a large video
_KEPT = 8  # frames of a video that the result keeps for plots
_USUAL_FPS = 30.0


class Predictor:
    """Predicts poses and actions of images and videos. Threads may share it.

    Example:
        >>> from har import Predictor
        >>> predictor = Predictor.from_pretrained()  # doctest: +SKIP
        >>> result = predictor("video.mp4")  # doctest: +SKIP
        >>> result.poses.joints_px.shape, result.actions.top(1)  # doctest: +SKIP

    Args:
        engine: see :func:`har.runtime.loading.load_engine`.
        refine: how often the box of a person in an image is refined by the pose found in it.
        action_every_s: seconds of video between two predictions of actions.
        smooth: the joints of a person in a video are smoothed over time.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        refine: int = 2,
        action_every_s: float = 0.25,
        smooth: bool = True,
    ) -> None:
        check_number("refine", refine)
        check_number("action_every_s", action_every_s)
        self.engine, self.refine, self.action_every_s = engine, refine, action_every_s
        self.smooth = smooth

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path | None = None,
        *,
        device: str = "auto",
        fast: bool = True,
        stop_after: int | str | None = None,
        batch_size: int = 8,
    ) -> Predictor:
        """Returns a predictor with trained weights; the arguments are those of ``load_engine``.

        Args:
            name_or_path: a name of :func:`har.list_models`, a ``.ckpt`` of a run, or a
                .safetensors, .h5 or .onnx; None: ``people``, which the package holds.
            device: ``"auto"`` takes a GPU where there is one.
            fast: the fastest safe mode of this device; False: plain float32.
            stop_after: the prediction block whose output is used; None: the last one.
            batch_size: frames that pass through the network at a time.

        Raises:
            HarError: no such name, file or device.
        """
        from har.runtime.loading import load_engine  # torch
        from har.weights.built_in import DEFAULT

        options: dict[str, Any] = {"fast": fast, "stop_after": stop_after, "batch_size": batch_size}
        return cls(load_engine(name_or_path or DEFAULT, device=device, **options))

    def __call__(
        self,
        source: str | Path | NDArray[np.uint8],
        *,
        boxes: ArrayLike | None = None,
        fps: float = _USUAL_FPS,
    ) -> Prediction:
        """Predicts the poses and actions of an image or a video.

        Args:
            source: an image, uint8 RGB (H, W, 3) or gray (H, W); a clip (T, H, W, 3) of
                neighboring frames; or the path of an image or a video.
            boxes: rectangles around persons in pixels: of an image (N, 4); of a clip or video
                (4,), one person who stays there. None: one person is located and followed.
            fps: frames per second of a clip that is given as an array.

        Returns:
            Poses in pixels of the image, and the actions of a video if the network has any.

        Raises:
            HarError: the source is neither, or cannot be read.
        """
        if isinstance(source, (str, Path)):
            return self._of_file(Path(source), boxes)
        try:
            array = np.asarray(source)
        except (TypeError, ValueError) as error:
            raise HarError(
                "The frames of a clip are of one size, uint8 RGB (T, H, W, 3): these make no array."
            ) from error
        if array.dtype != np.uint8 or not array.size:
            raise HarError(
                "Give an image as uint8 RGB (H, W, 3), a clip as uint8 RGB (T, H, W, 3), or a "
                f"path; this is {array.dtype} {array.shape}."
            )
        if array.ndim == 2:
            array = np.repeat(array[..., None], 3, axis=-1)
        if array.ndim not in (3, 4) or array.shape[-1] != 3:
            raise HarError(f"An image is RGB (H, W, 3), a clip (T, H, W, 3), not {array.shape}.")
        check_number("fps", fps)
        if array.ndim == 3:
            return self.of_image(array, boxes)
        check_size("The clip", (array.shape[2], array.shape[1]))
        frames = (Frame(image, number, number / fps) for number, image in enumerate(array))
        return self._of_frames(frames, array.shape[1:], len(array), boxes)

    def people(self, image: Image, boxes: ArrayLike | None = None) -> list[Person]:
        """Returns the persons in an image; none where the confidence of the joints is too low.

        Args:
            image: uint8 RGB (H, W, 3).
            boxes: (N, 4) rectangles around them in pixels; None: the likeliest one is located in
                the whole image. A person's track is the number of the box.

        Raises:
            HarError: a box that is none, or lies outside the image; an image of a few pixels.
        """
        check_size("The image", (image.shape[1], image.shape[0]))
        if boxes is None:
            found = locate_person(self.engine, [image], self.refine).boxes
        else:
            given = checked_boxes(boxes, (image.shape[1], image.shape[0]))
            found = around_person(given)
            if self.refine and len(found):
                refined = refine(self.engine, [image] * len(found), found, self.refine).boxes
                # a pose that has left the box is of another person, or of none
                stays = (box_iou(refined, given) > 0)[:, None]
                found = np.where(stays, refined, found)
        if not len(found):
            return []
        crops, affines = cut_crops(self.engine, [image] * len(found), found)
        poses = poses_both_ways(self.engine, crops)
        people = people_of(self.engine.spec, 0, found, affines, poses)
        numbered = [person._replace(track=number) for number, person in enumerate(people)]
        there = self.engine.spec.nobody_below
        return [person for person in numbered if person.confidence.mean() >= there]

    def of_image(self, image: Image, boxes: ArrayLike | None = None) -> Prediction:
        """See :meth:`__call__`."""
        prediction = FramePrediction(Frame(image, 0, 0.0), self.people(image, boxes), {})
        return self._collect([prediction], 1)

    def follow(self, batches: Iterable[list[Frame]], finder: Finder) -> Iterator[FramePrediction]:
        """Predicts a video frame by frame, see :func:`har.prediction.following.follow`."""
        options: Any = {"action_every_s": self.action_every_s, "smooth": self.smooth}
        return follow(self.engine, batches, finder, **options)

    def stream(
        self, *, detector: Callable[[Image], FloatArray] | None = None, fps: float | None = None
    ) -> PredictionStream:
        """Returns a function that predicts one frame after the other, for a camera loop.

        Example:
            >>> import numpy as np
            >>> from har.video import Video
            >>> stream = predictor.stream()  # doctest: +SKIP
            >>> for frame in Video(0):  # doctest: +SKIP
            ...     result = stream(frame)
            ...     print(result.poses.joints_px.shape, result.actions.top(1))

        Args:
            detector: uint8 RGB (H, W, 3) to boxes (N, 4) of persons in pixels; None: one person is
                located and followed.
            fps: frames per second; None: by the frames' times, or by the clock.
        """
        if fps is not None:
            check_number("fps", fps)
        spec = self.engine.spec
        finder: Finder = self.one_person()
        if detector is not None:
            finder = DetectedPeople(detector, spec.crop_span_s, spec.nobody_below)
        options: Any = {"action_every_s": self.action_every_s, "smooth": self.smooth}
        return PredictionStream(self.engine, finder, fps=fps, **options)

    def one_person(self) -> OnePerson:
        """Returns the finder that locates and follows one person."""
        return OnePerson(self.engine, self.engine.spec.crop_span_s)

    def _of_file(self, path: Path, boxes: ArrayLike | None) -> Prediction:
        check_path(path)
        if is_image(path):
            return self.of_image(read_image(path), boxes)
        with closing(Video(path)) as video:
            check_size(str(path), video.size)
            shape = (video.size[1], video.size[0], 3)
            return self._of_frames(video, shape, video.num_frames or 0, boxes, path.name)

    def _of_frames(
        self,
        frames: Iterable[Frame],
        shape: tuple[int, ...],
        num_frames: int,
        boxes: ArrayLike | None,
        source: str = "",
    ) -> Prediction:
        finder: Finder = self.one_person()
        if boxes is not None:
            box = checked_boxes(boxes, (shape[1], shape[0]))
            if len(box) != 1:
                raise HarError(
                    f"A clip or video takes one box (4,), not {len(box)}: give several persons in "
                    "a file, boxes= of python -m har.predict."
                )
            ends = np.array([0, np.iinfo(np.int64).max // 2])
            finder = GivenBoxes({0: ends}, {0: np.repeat(box, 2, axis=0)})
        groups = batches(frames, batch_length(shape, self.engine.batch_size))
        return self._collect(self.follow(prefetch(groups, 2), finder), num_frames, source)

    def _collect(
        self, predictions: Iterable[FramePrediction], num_frames: int, source: str = ""
    ) -> Prediction:
        collected = PredictionCollector(self.engine.spec, source)
        images: dict[int, Image] = {}
        every = max(1, num_frames // _KEPT)
        for prediction in predictions:
            collected.add(prediction)
            number = prediction.frame.number
            if number % every == 0:
                images[number] = prediction.frame.image
            if len(images) > 2 * _KEPT:  # longer than expected: keep half of them
                every *= 2
                images = {n: image for n, image in images.items() if n % every == 0}
        arrays = collected.poses(), collected.actions()
        return Prediction(*arrays, self.engine.spec, images, collected.frames())


def batch_length(shape: tuple[int, ...], most: int) -> int:
    """Returns how many frames (H, W, 3) make a batch, so that large ones do not fill the memory."""
    return int(np.clip(_BATCH_BYTES // max(1, int(np.prod(shape))), 1, most))


def batches(frames: Iterable[Frame], length: int) -> Iterator[list[Frame]]:
    """Yields frames in lists of a length; the last one may be shorter."""
    iterator = iter(frames)
    while batch := list(islice(iterator, length)):
        yield batch
