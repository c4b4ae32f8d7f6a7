"""What an evaluation of persons in images leaves beside its metrics: pictures of the worst and of
the median persons, COCO's files and average precision."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from har.data.modules.persons import PersonDataModule
from har.data.persons import PersonDataset
from har.geometry import transform_points
from har.metrics import PersonMetrics, average_precision
from har.metrics.average_precision import NoPycocotools
from har.metrics.found_persons import FoundPersons
from har.modules.base import MeasuringModule
from har.runs.coco_files import RESULTS, coco_files, write_coco_files
from har.visual.draw import write_image
from har.visual.plots import figure_to_image, plot_pck_curve
from har.visual.sheets import pose_sheet, pose_tile, side_colors

log = logging.getLogger(__name__)

SHOWN = 12  # persons on a sheet


def report_persons(
    folder: Path, data: PersonDataModule, evaluator: MeasuringModule
) -> dict[str, Any]:
    """Writes pictures, and where the data is measured by OKS COCO's files.

    Args:
        folder: of the run.
        data: with the test persons.
        evaluator: that has measured them.

    Returns:
        Where the data is measured by OKS and pycocotools is installed, ``ap``, ``ap50``, ``ap75``
        and ``ar``.
    """
    scores, pictures = evaluator.scores, folder / "figures"
    assert isinstance(scores, PersonMetrics)
    assert data.test_samples is not None
    write_person_sheets(pictures, data.test_samples, scores.found, data.length_text)
    results = evaluator.results
    if results.get("pck_auc") is not None:
        figure = plot_pck_curve(results["pck_curve"], results["pck_auc"])
        write_image(pictures / "test_pck_curve.png", figure_to_image(figure))
    if scores.sigmas is None:
        return {}
    truth, found = coco_files(data.test_samples.persons, scores.layout, scores.sigmas, scores.found)
    write_coco_files(folder, truth, found)
    try:
        return average_precision(truth, found, truth["categories"][0]["sigmas"])
    except NoPycocotools as error:
        log.warning("%s PCK is measured all the same, and the poses are in %s.", error, RESULTS)
        return {}


def write_person_sheets(
    folder: Path, samples: PersonDataset, found: FoundPersons, length: str
) -> None:
    """Writes ``test_worst.png`` and ``test_median.png``: persons with prediction and truth.

    Persons are sorted by the mean distance of their joints in lengths; those without a length are
    not shown.

    Args:
        folder: of the pictures.
        samples: the test persons.
        found: their poses.
        length: what distances are measured in, in words.
    """
    ranked = np.argsort(found.errors, kind="stable")  # NaN come last
    ranked = ranked[: np.isfinite(found.errors).sum()][::-1]
    if not len(ranked):
        return
    first = max(0, (len(ranked) - SHOWN) // 2)
    chosen = {"worst": ranked[:SHOWN], "median": ranked[first : first + SHOWN]}
    for name, rows in chosen.items():
        tiles, captions = [], []
        for row in rows.tolist():
            item = samples[int(found.numbers[row])]
            affine, joints = item["affine"][0].numpy(), item["joints_px"].numpy()
            poses = (transform_points(affine, pose) for pose in (found.joints_px[row], joints))
            tiles.append(pose_tile(item["images"][0].numpy(), samples.layout, *poses))
            captions.append(f"{found.errors[row]:.2f}  {item['name']}")
        title = f"{name} of {len(ranked)}, mean distance in lengths of {length}"
        colors = side_colors(samples.layout, truth=True)
        write_image(folder / f"test_{name}.png", pose_sheet(tiles, colors, captions, title))
