"""Images: a picture with the skeletons and a JSON file for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from har.errors import HarError
from har.files import Image, read_image
from har.prediction.annotation import draw_people
from har.prediction.background import BackgroundWriter, prefetch
from har.prediction.boxes_file import BoxesFile
from har.prediction.following import FramePrediction
from har.prediction.predictor import Predictor
from har.prediction.results import PredictionCollector, person_dict
from har.prediction.writers import write_json
from har.video import Frame
from har.visual.draw import write_image
from har.visual.terminal import progress_bar

Detect = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
_WAITING = 2  # images between reading, network and drawing


def predict_images(
    predictor: Predictor, paths: list[Path], out: Path, boxes: BoxesFile | Detect | None
) -> list[dict[str, Any]]:
    """Poses in images, written to ``<out>/<name>.png`` and ``.json``, and ``<out>/summary.json``.

    An image that cannot be read is told and left out.

    Args:
        predictor: the network.
        paths: of the images.
        out: folder of the results.
        boxes: a file, a detector, or None: one person is searched for.

    Returns:
        For every image its ``image``, ``persons`` and ``confidence``, or why it ``failed``.

    Raises:
        HarError: none of the images can be read, or the results cannot be written.
    """
    began = time.perf_counter()
    rows: list[dict[str, Any]] = []
    names = _result_names(paths)

    def write(job: tuple[Path, FramePrediction]) -> None:
        path, answer = job
        people = draw_people(answer.frame.image, answer.people, predictor.engine.spec)
        write_image(out / f"{names[path]}.png", people)
        write_json(out / f"{names[path]}.json", _as_dict(path, answer, predictor))

    with progress_bar("images") as report, BackgroundWriter(write, _WAITING) as drawing:
        for path, image in prefetch(_read(paths), _WAITING):
            if isinstance(image, HarError):
                rows.append({"image": str(path), "failed": str(image)})
            else:
                answer = FramePrediction(
                    Frame(image, 0, 0.0), _people(predictor, path, image, boxes), {}
                )
                drawing.put((path, answer))
                sure = [float(person.confidence.mean()) for person in answer.people]
                mean = round(sum(sure) / len(sure), 4) if sure else None
                rows.append({"image": str(path), "persons": len(sure), "confidence": mean})
            failed = sum("failed" in row for row in rows)
            report(len(rows), len(paths), frames=len(rows), errors=failed)
    if all("failed" in row for row in rows):
        raise HarError(f"None of the {len(rows)} images can be read: {rows[0]['failed']}")
    summary = {"images": rows, "seconds": round(time.perf_counter() - began, 2)}
    write_json(out / "summary.json", {**summary, "model": predictor.engine.spec.as_dict()})
    return rows


def _read(paths: list[Path]) -> Iterator[tuple[Path, Image | HarError]]:
    for path in paths:
        try:
            yield path, read_image(path)
        except HarError as error:
            yield path, error


def _people(
    predictor: Predictor, path: Path, image: Image, boxes: BoxesFile | Detect | None
) -> list[Any]:
    if boxes is None:
        return predictor.people(image)
    if isinstance(boxes, BoxesFile):
        numbers, given = boxes.of_image(path.name)
        people = predictor.people(image, given)
        return [p._replace(track=n) for p, n in zip(people, numbers, strict=True)]
    return predictor.people(image, boxes(image))


def _as_dict(path: Path, answer: FramePrediction, predictor: Predictor) -> dict[str, Any]:
    collected = PredictionCollector(predictor.engine.spec)
    collected.add(answer)
    poses = collected.poses()
    return {
        "image": str(path),
        "size": list(answer.frame.image.shape[1::-1]),
        "joint_names": list(poses.joint_names),
        "people": [person_dict(poses, row) for row in range(len(poses))],
        "model": predictor.engine.spec.as_dict(),
    }


def _result_names(paths: list[Path]) -> dict[Path, str]:
    """Names of the results, without ending; ``photo.jpg`` and ``photo.png`` get different ones."""
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
