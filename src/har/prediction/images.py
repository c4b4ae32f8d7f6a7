"""Predicts image files: an annotated image and a JSON file for each."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from har.errors import HarError
from har.files import Image, more_pages, read_image
from har.prediction.annotation import draw_people
from har.prediction.background import BackgroundWriter, prefetch
from har.prediction.boxes_checked import detected_boxes, overlaps_image
from har.prediction.boxes_file import Boxes, BoxesFile
from har.prediction.earlier import remove_earlier
from har.prediction.following import FramePrediction, Person
from har.prediction.formats import NAMES, write_formats
from har.prediction.locating import check_size
from har.prediction.predictor import Predictor
from har.prediction.rerun_file import rerun_file
from har.prediction.results import PredictionCollector, person_dict
from har.prediction.sources import result_names
from har.prediction.writers import write_json
from har.video import Frame
from har.visual.draw import write_image
from har.visual.terminal import progress_bar

_WAITING = 2  # images between reading, network and drawing


def predict_images(
    predictor: Predictor,
    paths: list[Path],
    out: Path,
    boxes: Boxes = None,
    names: Mapping[Path, str] | None = None,
    formats: Collection[str] = (),
    on_frame: Callable[[FramePrediction, int | None], None] | None = None,
    alone: bool = True,
) -> list[dict[str, Any]]:
    """Writes the poses in images to ``<out>/<name>.png`` and ``.json``, ``summary.json``,
    and the poses in all of them in other formats.

    An image that cannot be read or predicted is reported and skipped. Whether all are done, it is
    interrupted or the disk is full, everything until then is written, as far as there is room. What
    an earlier run wrote there about all of its other images together, or about a video, goes.

    Args:
        predictor: the network.
        paths: of the images.
        out: folder of the results.
        boxes: a file, a detector, or None: one person is located.
        names: of the results by image, without ending; None: those of :func:`result_names`.
        formats: of :data:`har.prediction.formats.FORMATS`, files for all images together.
        on_frame: called after every image with its prediction, and how many images there are.
        alone: there are no videos beside them: it is an error if none of the images can be read.

    Returns:
        For every image its ``image``, ``persons`` and ``confidence``, or the reason it ``failed``;
        with ``boxes_outside``, the number of given boxes that show nothing of it, and a ``note``
        where the file holds more pictures.

    Raises:
        HarError: none of the images can be read (``alone``), or the results cannot be written.
        KeyboardInterrupt: again, after what is done was written.
    """
    began = time.perf_counter()
    rows: list[dict[str, Any]] = []
    names = result_names(paths) if names is None else names
    stopped = False
    full: list[HarError] = []  # why results cannot be written (any more)
    spec = predictor.engine.spec
    everything = PredictionCollector(spec)
    same = Counter(path.name for path in paths)
    shown = {p: p.name if same[p.name] == 1 else p.as_posix() for p in paths}

    def write(job: tuple[Path, FramePrediction]) -> None:
        path, prediction = job
        everything.add(prediction, (shown[path], names[path]))
        try:
            if not full:
                write_files(path, prediction)
        except HarError as error:
            full.append(error)

    def write_files(path: Path, prediction: FramePrediction) -> None:
        if rerun is not None:
            rerun.add_frame(prediction, shown[path])
        collected = PredictionCollector(spec)
        collected.add(prediction)
        poses = collected.poses()
        value = {
            "image": str(path),
            "size": list(prediction.frame.image.shape[1::-1]),
            "joint_names": list(poses.joint_names),
            "people": [person_dict(poses, row) for row in range(len(poses))],
            "model": spec.to_dict(),
        }
        write_json(out / f"{names[path]}.json", value)  # before the picture: the disk may be full
        people = draw_people(prediction.frame.image, prediction.people, spec)
        write_image(out / f"{names[path]}.png", people)

    def predict(path: Path, image: Image | HarError) -> dict[str, Any]:
        try:
            if isinstance(image, HarError):
                raise image
            check_size(str(path), (image.shape[1], image.shape[0]))
            people, outside = _people(predictor, path, image, boxes)
        except Exception as error:  # whatever is wrong with one image must not stop the others
            what = error if isinstance(error, HarError) else f"{path} fails: {error!r}"
            return {"image": str(path), "failed": str(what)}
        number = sum("failed" not in row for row in rows)
        prediction = FramePrediction(Frame(image, number, 0.0), people, {})
        drawing.put((path, prediction))
        if on_frame is not None:
            on_frame(prediction, len(paths))
        confidence = [float(person.confidence.mean()) for person in people]
        mean = round(sum(confidence) / len(confidence), 4) if people else None
        row = {"image": str(path), "persons": len(people), "confidence": mean}
        if more_pages(path):
            row["note"] = f"{path} holds several pictures, of which the first is used."
        return {**row, "boxes_outside": outside} if outside else row

    remove_earlier(out, [str(path) for path in paths])
    with ExitStack() as stack:
        report = stack.enter_context(progress_bar("images"))
        rerun = None
        if "rerun" in formats:
            rerun = stack.enter_context(rerun_file(out / NAMES["rerun"], spec))
        with BackgroundWriter(write, _WAITING) as drawing:
            try:
                for path, image in prefetch(_read(paths), _WAITING):
                    rows.append(predict(path, image))
                    failed = sum("failed" in row for row in rows)
                    report(len(rows), len(paths), frames=len(rows), errors=failed)
                    if full:
                        break
            except KeyboardInterrupt:
                stopped = True
            if alone and rows and all("failed" in row for row in rows):
                raise HarError(f"None of the {len(rows)} images can be read: {rows[0]['failed']}")
        try:  # before the recording is finished, which the disk may have no room for
            write_formats(out, formats, everything.poses(), everything.frames(), spec)
        except HarError as error:
            full.append(error)
    seconds = round(time.perf_counter() - began, 2)
    whole = not stopped and not full
    note = None if whole else f"Stopped after {len(rows)} of {len(paths)} images."
    summary = {"images": rows, "seconds": seconds, "complete": whole, "note": note}
    write_json(out / "summary.json", {**summary, "model": spec.to_dict()})
    if full:
        raise full[0]
    if note is not None:
        print(note)
        raise KeyboardInterrupt
    return rows


def _read(paths: list[Path]) -> Iterator[tuple[Path, Image | HarError]]:
    for path in paths:
        try:
            yield path, read_image(path)
        except HarError as error:
            yield path, error


def _people(
    predictor: Predictor, path: Path, image: Image, boxes: Boxes
) -> tuple[list[Person], int]:
    """The persons in an image, and how many of the file's boxes show nothing of it."""
    if boxes is None:
        return predictor.people(image), 0
    size = image.shape[1], image.shape[0]
    if isinstance(boxes, BoxesFile):
        numbers, given = boxes.of_image(path, size)
        shown = overlaps_image(given, size)
        people = predictor.people(image, given[shown])
        kept = np.array(numbers)[shown]
        return [p._replace(track=int(kept[p.track])) for p in people], int((~shown).sum())
    return predictor.people(image, detected_boxes(boxes(image), size)), 0
