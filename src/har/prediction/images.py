"""Predicts image files: an annotated image and a JSON file for each."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from har.errors import HarError
from har.files import Image, read_image
from har.prediction.annotation import draw_people
from har.prediction.background import BackgroundWriter, prefetch
from har.prediction.boxes_file import Boxes, BoxesFile
from har.prediction.following import FramePrediction, Person
from har.prediction.predictor import Predictor
from har.prediction.results import PredictionCollector, person_dict
from har.prediction.writers import write_json
from har.video import Frame
from har.visual.draw import write_image
from har.visual.terminal import progress_bar

_WAITING = 2  # images between reading, network and drawing


def predict_images(
    predictor: Predictor, paths: list[Path], out: Path, boxes: Boxes = None
) -> list[dict[str, Any]]:
    """Writes the poses in images to ``<out>/<name>.png`` and ``.json``, and ``summary.json``.

    An image that cannot be read is reported and skipped.

    Args:
        predictor: the network.
        paths: of the images.
        out: folder of the results.
        boxes: a file, a detector, or None: one person is located.

    Returns:
        For every image its ``image``, ``persons`` and ``confidence``, or the reason it ``failed``.

    Raises:
        HarError: none of the images can be read, or the results cannot be written.
    """
    began = time.perf_counter()
    rows: list[dict[str, Any]] = []
    names = _result_names(paths)

    def write(job: tuple[Path, FramePrediction]) -> None:
        path, prediction = job
        people = draw_people(prediction.frame.image, prediction.people, predictor.engine.spec)
        write_image(out / f"{names[path]}.png", people)
        collected = PredictionCollector(predictor.engine.spec)
        collected.add(prediction)
        poses = collected.poses()
        value = {
            "image": str(path),
            "size": list(prediction.frame.image.shape[1::-1]),
            "joint_names": list(poses.joint_names),
            "people": [person_dict(poses, row) for row in range(len(poses))],
            "model": predictor.engine.spec.to_dict(),
        }
        write_json(out / f"{names[path]}.json", value)

    with progress_bar("images") as report, BackgroundWriter(write, _WAITING) as drawing:
        for path, image in prefetch(_read(paths), _WAITING):
            if isinstance(image, HarError):
                rows.append({"image": str(path), "failed": str(image)})
            else:
                people = _people(predictor, path, image, boxes)
                drawing.put((path, FramePrediction(Frame(image, 0, 0.0), people, {})))
                confidence = [float(person.confidence.mean()) for person in people]
                mean = round(sum(confidence) / len(confidence), 4) if people else None
                rows.append({"image": str(path), "persons": len(people), "confidence": mean})
            failed = sum("failed" in row for row in rows)
            report(len(rows), len(paths), frames=len(rows), errors=failed)
    if all("failed" in row for row in rows):
        raise HarError(f"None of the {len(rows)} images can be read: {rows[0]['failed']}")
    summary = {"images": rows, "seconds": round(time.perf_counter() - began, 2)}
    write_json(out / "summary.json", {**summary, "model": predictor.engine.spec.to_dict()})
    return rows


def _read(paths: list[Path]) -> Iterator[tuple[Path, Image | HarError]]:
    for path in paths:
        try:
            yield path, read_image(path)
        except HarError as error:
            yield path, error


def _people(predictor: Predictor, path: Path, image: Image, boxes: Boxes) -> list[Person]:
    if boxes is None:
        return predictor.people(image)
    if isinstance(boxes, BoxesFile):
        numbers, given = boxes.of_image(path.name)
        people = predictor.people(image, given)
        return [p._replace(track=n) for p, n in zip(people, numbers, strict=True)]
    return predictor.people(image, boxes(image))


def _result_names(paths: list[Path]) -> dict[Path, str]:
    """Returns names of the results, without ending, that differ for different images."""
    stems = [path.stem for path in paths]
    twice = {stem for stem in stems if stems.count(stem) > 1}
    names: dict[Path, str] = {}
    for path in paths:
        name = path.name if path.stem in twice else path.stem
        number = 2
        while name in names.values() or name == "summary":  # the same name in another folder
            name, number = f"{path.name}_{number}", number + 1
        names[path] = name
    return names
