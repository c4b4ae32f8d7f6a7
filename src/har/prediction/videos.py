"""Predicts a video or camera: an annotated video, poses, actions and a summary."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from har.files import Image
from har.prediction.annotation import Annotator
from har.prediction.background import BackgroundWriter, prefetch
from har.prediction.boxes_checked import overlaps_image
from har.prediction.boxes_file import Boxes, BoxesFile, OfVideo
from har.prediction.earlier import remove_earlier
from har.prediction.following import FramePrediction
from har.prediction.formats import NAMES, write_formats
from har.prediction.locating import check_size
from har.prediction.predictor import Predictor, batch_length, batches
from har.prediction.rerun_file import rerun_file
from har.prediction.results import PredictionCollector
from har.prediction.tracking import (
    DetectedPeople,
    Finder,
    GivenBoxes,
    OnePerson,
)
from har.prediction.writers import write_actions, write_json
from har.video import Video
from har.video_writer import VideoFile, video_file
from har.visual.terminal import progress_bar

_HIGHEST_FPS = 60.0  # of the annotated video
_WAITING = 2  # batches between decoding, network and drawing
_WINDOW = "har"
_ONE_OF_SEVERAL = (
    "There seems to be more than one person, of whom one was followed: finder=detector or "
    "boxes=<file> gives the others."
)
WIDEST_PX = 1280  # of annotated videos and of the window


def predict_video(
    predictor: Predictor,
    video: Video,
    out: Path,
    boxes: Boxes = None,
    *,
    annotate: bool = True,
    video_size: int | None = WIDEST_PX,
    skeleton_3d: bool = False,
    show: bool = False,
    max_frames: int | None = None,
    formats: Collection[str] = ("npz", "csv"),
    on_frame: Callable[[FramePrediction, int | None], None] | None = None,
) -> dict[str, Any]:
    """Follows the persons in a video and writes their poses and actions.

    Decoding, network and drawing run at the same time. Whether the video ends, is interrupted or
    reaches ``max_frames``, everything until then is written: the poses in the formats,
    ``actions.csv``, ``annotated.mp4`` and, last of all, ``summary.json``. Where the annotated video
    cannot be written any more (a full disk), the poses until then are kept. What an earlier run
    wrote there about another source goes.

    Args:
        predictor: the network.
        video: opened; it is not closed.
        out: folder of the results.
        boxes: a file, a detector, or None: one person is located and followed.
        annotate: write the annotated video.
        video_size: its longer side in pixels at most; None: the frames' own.
        skeleton_3d: a turning 3-D skeleton beside the frame.
        show: also in a window, where there is a screen; q ends.
        max_frames: stop after this number of frames.
        formats: of :data:`har.prediction.formats.FORMATS`.
        on_frame: called after every frame with its prediction, and about how many frames there
            are (None: not known); an error of it ends the video.

    Returns:
        The content of ``summary.json``.

    Raises:
        HarError: the boxes are not those of a video, the frames are tiny, or results cannot be
            written.
    """
    spec = predictor.engine.spec
    check_size(video.name, video.size)
    given = boxes.of_video(video.path, video.size) if isinstance(boxes, BoxesFile) else None
    total = video.num_frames
    if max_frames is not None:
        total = min(max_frames, total or max_frames)
    length = 1 if video.live else batch_length((*video.size, 3), predictor.engine.batch_size)
    duration_s = total / video.fps if total and not video.live else None
    annotator = Annotator(
        spec, video.size, duration_s, longest_px=video_size, skeleton_3d=skeleton_3d
    )
    collected = PredictionCollector(spec, Path(video.name).name)
    remove_earlier(out, [video.name])
    stopped, began = False, time.perf_counter()
    with ExitStack() as stack:
        report = stack.enter_context(progress_bar(Path(video.name).name[:24]))
        window = stack.enter_context(_Window(show))
        file = None
        if annotate:
            fps = min(video.fps, _HIGHEST_FPS)
            file = stack.enter_context(video_file(out / "annotated.mp4", fps))
        rerun = None
        if "rerun" in formats:
            rerun = stack.enter_context(rerun_file(out / NAMES["rerun"], spec))

        def encode(item: tuple[Image, float]) -> None:
            assert file is not None
            file.write(*item)

        # in a thread of its own: it takes as long as drawing
        encoding = None
        if file is not None:
            encoding = stack.enter_context(BackgroundWriter(encode, _WAITING))

        def draw(prediction: FramePrediction) -> None:
            if rerun is not None:
                rerun.add_frame(prediction)
            if file is None and not window.is_open:
                return
            picture = annotator.draw(prediction)
            if encoding is not None:
                encoding.put((picture, prediction.frame.time_s))
            window.picture = picture

        drawing = None
        if file is not None or window.is_open or rerun is not None:
            drawing = stack.enter_context(BackgroundWriter(draw, _WAITING * length))
        finder, several = _finder(predictor, boxes, given), None
        groups = batches(video.frames(limit=max_frames), length)
        ahead = prefetch(groups, _WAITING, newest=video.live)
        try:
            for prediction in predictor.follow(ahead, finder):
                collected.add(prediction)
                if several is None and prediction.people:
                    several = isinstance(finder, OnePerson) and finder.others
                if drawing is not None:
                    drawing.put(prediction)
                report(collected.num_frames, total, frames=collected.num_frames)
                if on_frame is not None:
                    on_frame(prediction, total)
                if window.wants_end():
                    stopped = True
                    break
        except KeyboardInterrupt:  # the way to end a camera; results so far are kept
            stopped = True
        finally:  # before the video is finished, which the disk may have no room for
            if collected.num_frames:
                if spec.labels and "csv" in formats:
                    write_actions(out / "actions.csv", collected.actions())
                write_formats(out, formats, collected.poses(), collected.frames(), spec)
    seconds = time.perf_counter() - began
    summary = _summary(video, collected, seconds, stopped)
    whole = max_frames is None and not stopped
    summary["remarks"] = [] if given is None else _unused(given, video.size, collected, whole)
    summary["remarks"] += video.remarks
    if file is not None and file.gaps_s:
        summary["remarks"].append(_shortened(file))
    if several:
        summary["remarks"].append(_ONE_OF_SEVERAL)
    write_json(out / "summary.json", {**summary, "model": spec.to_dict()})
    return summary


def _shortened(file: VideoFile) -> str:
    """A sentence about the pauses that the annotated video shows shorter than they are."""
    count, shown = len(file.gaps_s), f"{file.longest_gap_s:.0f} s"
    pauses = f"A pause of {sum(file.gaps_s):.0f} s lasts {shown}"
    if count > 1:
        pauses = f"{count} pauses of {sum(file.gaps_s):.0f} s in all last {shown} each"
    return f"{pauses} in annotated.mp4; the results have the times of the video."


def _finder(predictor: Predictor, boxes: Boxes, given: OfVideo | None) -> Finder:
    if given is not None:
        return GivenBoxes(*given)
    if boxes is None or isinstance(boxes, BoxesFile):
        return predictor.one_person()
    spec = predictor.engine.spec
    return DetectedPeople(boxes, spec.crop_span_s, spec.nobody_below)


def _unused(
    given: OfVideo, size: tuple[int, int], collected: PredictionCollector, whole: bool
) -> list[str]:
    """Sentences about given boxes that fit no frame, or show nobody."""
    remarks = []
    outside = {t: int((~overlaps_image(boxes, size)).sum()) for t, boxes in given.boxes.items()}
    if count := sum(outside.values()):
        people = ", ".join(str(track) for track, number in outside.items() if number)
        where = f"the frames of {size[0]}x{size[1]} pixels"
        remarks.append(f"{count} boxes lie outside {where} (id {people}).")
    late = {t: n[n >= collected.num_frames] for t, n in given.numbers.items()}
    if whole and (count := sum(map(len, late.values()))):
        first = min(int(numbers[0]) for numbers in late.values() if len(numbers))
        end = f"the end of the video, which has {collected.num_frames} frames"
        remarks.append(f"{count} boxes are of frames beyond {end} (frame {first}, for example).")
    seen = set(collected.poses().track.tolist())
    if empty := [str(track) for track in given.numbers if track not in seen]:
        remarks.append(f"The boxes of id {', '.join(empty[:5])} show nobody in any frame.")
    return remarks


def _summary(
    video: Video, collected: PredictionCollector, seconds: float, stopped: bool
) -> dict[str, Any]:
    frames, last_s = collected.num_frames, collected.last_s  # a camera's are not all read
    poses, actions = collected.poses(), collected.actions()
    tracks, counts = np.unique(poses.track, return_counts=True)  # the most frames first, below
    note = None
    if stopped:
        note = f"Stopped after {frames} frames of {video.name}: the results are those of a part."
    elif missing_s := video.missing_s():
        whole_s = f"{last_s:.1f} of {last_s + missing_s:.1f} s"
        note = f"{video.name} ends after {whole_s}: it is cut short or broken."
    return {
        "source": video.name,
        "size": list(video.size),
        "fps": round(video.fps, 3),
        "frames": frames,
        "duration_s": round(last_s, 3),
        "frames_with_people": len(np.unique(poses.frame)),
        "people": [
            {
                "track": track,
                "frames": int((poses.track == track).sum()),
                "confidence": round(float(poses.confidence[poses.track == track].mean()), 4),
                "actions": [action._asdict() for action in actions.top(5, track)],
            }
            for track in tracks[np.argsort(-counts, kind="stable")].tolist()
        ],
        "seconds": round(seconds, 2),
        "frames_per_s": round(frames / seconds, 2),
        "complete": note is None,
        "stopped": stopped,
        "note": note,
    }


class _Window:
    """A window with the last picture, where it is wanted and there is a screen."""

    def __init__(self, wanted: bool) -> None:
        no_screen = sys.platform.startswith("linux") and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        )
        self.is_open = wanted and not no_screen
        self.picture: Image | None = None
        if wanted and no_screen:
            print("There is no screen here: show=true is ignored.")

    def __enter__(self) -> _Window:
        return self

    def wants_end(self) -> bool:
        """Shows the last picture; returns whether q or Escape was pressed."""
        if not self.is_open or self.picture is None:
            return False
        picture, self.picture = self.picture, None
        if picture.shape[1] > WIDEST_PX:
            size = WIDEST_PX, round(picture.shape[0] * WIDEST_PX / picture.shape[1])
            picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        cv2.imshow(_WINDOW, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) in (ord("q"), 27)

    def __exit__(self, *_: object) -> None:
        if self.is_open:
            cv2.destroyAllWindows()
